//! Colours by role, and the only place that names any.
//!
//! A role says what something means; the theme says what that looks like. Severity never rests on
//! colour: every level also has its own word and symbol ([`Level::symbol`], [`Level::word`]).

use ratatui::style::{Color, Modifier, Style};

use crate::app::ThemeName;
use crate::diagnosis::Level;

/// What a piece of the screen means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Ordinary text.
    Text,
    /// A number that matters.
    Strong,
    /// What can be overlooked.
    Dim,
    /// The name of a value.
    Label,
    /// A key that can be pressed, the focused panel's title.
    Accent,
    /// A panel's frame.
    Border,
    /// The focused panel's frame.
    FocusBorder,
    /// A panel's title.
    Title,
    /// All is well.
    Good,
    /// Something failed.
    Trouble,
    /// The filled part of a bar, the crest of a graph.
    Fill,
    /// What is under the crest of a graph.
    Body,
    /// The empty part of a bar.
    Rest,
    /// The selected row.
    Selected,
    /// The line that says that the screen does not show the present.
    Banner,
    /// The line that says that the server does not answer.
    Alarm,
    /// A verdict.
    Level(Level),
    /// A verdict on totals since start: the same word, without the alarm.
    Past,
}

/// A colour scheme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Theme(pub ThemeName);

impl Theme {
    /// How a role looks.
    pub fn style(self, role: Role) -> Style {
        match self.0 {
            ThemeName::Dark => indexed(role, &DARK),
            ThemeName::Light => indexed(role, &LIGHT),
            ThemeName::Contrast => contrast(role),
            ThemeName::Plain => plain(role),
        }
    }
}

/// Numbers of the 256-colour palette: known to nearly every terminal, also over SSH.
struct Palette {
    dim: u8,
    label: u8,
    title: u8,
    body: u8,
    border: u8,
    accent: u8,
    good: u8,
    fill: u8,
    rest: u8,
    selected: u8,
    confirmed: u8,
    suspected: u8,
    at_risk: u8,
    unknown: u8,
    on_banner: u8,
    banner: u8,
}

const DARK: Palette = Palette {
    dim: 243,
    label: 247,
    title: 252,
    body: 237,
    border: 239,
    accent: 75,
    good: 71,
    fill: 67,
    rest: 238,
    selected: 236,
    confirmed: 203,
    suspected: 215,
    at_risk: 185,
    unknown: 146,
    on_banner: 16,
    banner: 180,
};

const LIGHT: Palette = Palette {
    dim: 243,
    label: 240,
    title: 235,
    body: 253,
    border: 250,
    accent: 25,
    good: 28,
    fill: 67,
    rest: 252,
    selected: 254,
    confirmed: 160,
    suspected: 130,
    at_risk: 94,
    unknown: 61,
    on_banner: 231,
    banner: 94,
};

fn indexed(role: Role, palette: &Palette) -> Style {
    let fg = |n: u8| Style::new().fg(Color::Indexed(n));
    match role {
        Role::Text => Style::new(),
        Role::Strong => Style::new().add_modifier(Modifier::BOLD),
        Role::Title => fg(palette.title).add_modifier(Modifier::BOLD),
        Role::Body => fg(palette.body),
        Role::Dim | Role::Level(Level::Clear) | Role::Past => fg(palette.dim),
        Role::Label => fg(palette.label),
        Role::Accent => fg(palette.accent).add_modifier(Modifier::BOLD),
        Role::Border => fg(palette.border),
        Role::FocusBorder => fg(palette.accent),
        Role::Good => fg(palette.good),
        Role::Fill => fg(palette.fill),
        Role::Rest => fg(palette.rest),
        Role::Selected => Style::new().bg(Color::Indexed(palette.selected)),
        Role::Banner => fg(palette.on_banner)
            .bg(Color::Indexed(palette.banner))
            .add_modifier(Modifier::BOLD),
        Role::Alarm => fg(palette.on_banner)
            .bg(Color::Indexed(palette.confirmed))
            .add_modifier(Modifier::BOLD),
        Role::Trouble => fg(palette.suspected),
        Role::Level(Level::Confirmed) => fg(palette.confirmed).add_modifier(Modifier::BOLD),
        Role::Level(Level::Suspected) => fg(palette.suspected).add_modifier(Modifier::BOLD),
        Role::Level(Level::AtRisk) => fg(palette.at_risk),
        Role::Level(Level::Unknown) => fg(palette.unknown),
    }
}

/// Sixteen colours of the terminal's own, bright ones, nothing dim.
fn contrast(role: Role) -> Style {
    let bold = |color: Color| Style::new().fg(color).add_modifier(Modifier::BOLD);
    let on = |fg: Color, bg: Color| bold(fg).bg(bg);
    match role {
        Role::Text
        | Role::Dim
        | Role::Label
        | Role::Border
        | Role::Rest
        | Role::Past
        | Role::Level(Level::Clear) => Style::new().fg(Color::White),
        Role::Title | Role::Strong => bold(Color::White),
        Role::Accent | Role::FocusBorder | Role::Level(Level::Unknown) => bold(Color::LightCyan),
        Role::Good => bold(Color::LightGreen),
        Role::Fill => Style::new().fg(Color::LightBlue),
        Role::Body => Style::new().fg(Color::Blue),
        Role::Selected => Style::new()
            .bg(Color::DarkGray)
            .add_modifier(Modifier::BOLD),
        Role::Banner => on(Color::Black, Color::LightYellow),
        Role::Alarm => on(Color::White, Color::Red),
        Role::Level(Level::Confirmed) => bold(Color::LightRed),
        Role::Level(Level::Suspected) | Role::Trouble => bold(Color::LightYellow),
        Role::Level(Level::AtRisk) => bold(Color::LightMagenta),
    }
}

/// No colour: weight and reversal only.
fn plain(role: Role) -> Style {
    let modifier = match role {
        Role::Title
        | Role::Strong
        | Role::Accent
        | Role::FocusBorder
        | Role::Trouble
        | Role::Level(Level::Confirmed | Level::Suspected) => Modifier::BOLD,
        Role::Dim
        | Role::Body
        | Role::Rest
        | Role::Border
        | Role::Level(Level::Clear)
        | Role::Past => Modifier::DIM,
        Role::Selected | Role::Banner | Role::Alarm => Modifier::REVERSED,
        _ => Modifier::empty(),
    };
    Style::new().add_modifier(modifier)
}

/// The ground and the text of a terminal in this theme, for pictures: `#rrggbb`.
pub fn ground(theme: ThemeName) -> (&'static str, &'static str) {
    match theme {
        ThemeName::Light => ("#fafafa", "#24292f"),
        ThemeName::Dark | ThemeName::Contrast | ThemeName::Plain => ("#14161a", "#d4d7dc"),
    }
}

/// A colour as `#rrggbb`, the way xterm draws it; `None` for the terminal's own.
pub fn hex(color: Color) -> Option<String> {
    let rgb = |r: u8, g: u8, b: u8| Some(format!("#{r:02x}{g:02x}{b:02x}"));
    let n = match color {
        Color::Reset => return None,
        Color::Rgb(r, g, b) => return rgb(r, g, b),
        Color::Indexed(n) => n,
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
    };
    let level = |n: u8| if n == 0 { 0 } else { 55 + n * 40 };
    match n {
        7 => rgb(229, 229, 229),
        8 => rgb(127, 127, 127),
        0..16 => {
            let on = if n < 8 { 205 } else { 255 };
            let bit = |at: u8| if n & (1 << at) == 0 { 0 } else { on };
            rgb(bit(0), bit(1), bit(2))
        }
        16..232 => {
            let n = n - 16;
            rgb(level(n / 36), level(n / 6 % 6), level(n % 6))
        }
        _ => rgb(8 + (n - 232) * 10, 8 + (n - 232) * 10, 8 + (n - 232) * 10),
    }
}
