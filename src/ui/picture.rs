//! A screen as a picture: the program's own cells in SVG, for the README.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

use super::theme::{ground, hex};
use crate::app::ThemeName;

/// Size of a cell in pixels: `DejaVu` Sans Mono at 14 px without gaps between box lines.
const CELL: (f64, f64) = (8.43, 16.3);
/// From the top of a cell to the line that letters stand on.
const BASE: f64 = 12.6;
/// Around the screen.
const MARGIN: f64 = 10.0;

/// The look of a run of cells.
#[derive(Clone, PartialEq)]
struct Look {
    fg: Option<String>,
    bg: Option<String>,
    bold: bool,
    dim: bool,
}

impl Look {
    fn of(cell: &Cell, theme: ThemeName) -> Self {
        let (paper, ink) = ground(theme);
        let reversed = cell.modifier.contains(Modifier::REVERSED);
        let (mut fg, mut bg) = (hex(cell.fg), hex(cell.bg));
        if reversed {
            (fg, bg) = (
                bg.or_else(|| Some(paper.to_owned())),
                fg.or_else(|| Some(ink.to_owned())),
            );
        }
        if cell.fg == Color::Reset && !reversed {
            fg = None;
        }
        Self {
            fg,
            bg,
            bold: cell.modifier.contains(Modifier::BOLD),
            dim: cell.modifier.contains(Modifier::DIM),
        }
    }
}

/// Cells of one look that follow each other.
struct Run {
    x: usize,
    width: usize,
    text: String,
    look: Look,
}

fn runs(row: &[Cell], theme: ThemeName) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut x = 0;
    while let Some(cell) = row.get(x) {
        let width = cell.symbol().width().max(1);
        let look = Look::of(cell, theme);
        match runs.last_mut() {
            Some(run) if run.look == look => {
                run.text.push_str(cell.symbol());
                run.width += width;
            }
            _ => runs.push(Run {
                x,
                width,
                text: cell.symbol().to_owned(),
                look,
            }),
        }
        x += width;
    }
    runs
}

/// The screen as an SVG document on the ground of a theme.
pub fn svg(buffer: &Buffer, theme: ThemeName) -> String {
    let (paper, ink) = ground(theme);
    let columns = usize::from(buffer.area.width);
    let rows = usize::from(buffer.area.height);
    let width = columns as f64 * CELL.0 + 2.0 * MARGIN;
    let height = rows as f64 * CELL.1 + 2.0 * MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.1} {height:.1}\" font-family=\"'DejaVu Sans Mono', Menlo, Consolas, \
         monospace\" font-size=\"14\" fill=\"{ink}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{paper}\"/>\n"
    );
    for (y, row) in buffer.content.chunks(columns.max(1)).enumerate() {
        let all = runs(row, theme);
        for run in &all {
            ground_of(&mut out, run, y);
        }
        for run in &all {
            letters_of(&mut out, run, y);
        }
    }
    out.push_str("</svg>\n");
    out
}

fn ground_of(out: &mut String, run: &Run, y: usize) {
    if let Some(bg) = &run.look.bg {
        let _ = writeln!(
            out,
            "<rect x=\"{:.2}\" y=\"{:.1}\" width=\"{:.2}\" height=\"{:.1}\" fill=\"{bg}\"/>",
            MARGIN + run.x as f64 * CELL.0,
            MARGIN + y as f64 * CELL.1,
            run.width as f64 * CELL.0,
            CELL.1
        );
    }
}

fn letters_of(out: &mut String, run: &Run, y: usize) {
    let lead = run.text.len() - run.text.trim_start_matches(' ').len();
    let text = run.text.trim_matches(' ');
    if text.is_empty() {
        return;
    }
    let mut look = String::new();
    if let Some(fg) = &run.look.fg {
        let _ = write!(look, " fill=\"{fg}\"");
    }
    if run.look.bold {
        look.push_str(" font-weight=\"bold\"");
    }
    if run.look.dim {
        look.push_str(" opacity=\"0.6\"");
    }
    let escaped = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let _ = writeln!(
        out,
        "<text x=\"{:.2}\" y=\"{:.1}\" textLength=\"{:.2}\" xml:space=\"preserve\"{look}>{escaped}</text>",
        MARGIN + (run.x + lead) as f64 * CELL.0,
        MARGIN + y as f64 * CELL.1 + BASE,
        text.width() as f64 * CELL.0,
    );
}
