//! The screen.
//!
//! ```text
//!  amr-top  target  product version  role        ● live  every 1 s  14:03:12 UTC  now  up 41 d
//!  (banner: no answer, and why; paused, and how far behind)
//! ╭ 1 Causes ───────────────────────────────────────────╮╭ 2 Where did the keys go ─────────╮
//! │ one row a verdict, what needs a human first         ││ keys before                      │
//! │ its strongest evidence, where it needs a line       ││ one row a way in or out: number, │
//! │ keys before → keys now, where they went             ││ exact or bounds, bar, source     │
//! ╰─────────────────────────────────────────────────────╯│                                  │
//! ╭ 3 Incidents ────────────────────────────────────────╮│                                  │
//! │ state, from–to, keys, causes by share, suspects     ││ keys now                         │
//! ╰─────────────────────────────────────────────────────╯╰──────────────────────────────────╯
//! ╭ n Nodes ── only where there are several ─────────────────────────────────────────────────╮
//! ╰─────────────────────────────────────────────────────────────────────────────────────────╯
//! ╭ 0 Watched keys ── only where some are watched ───────────────────────────────────────────╮
//! ╰─────────────────────────────────────────────────────────────────────────────────────────╯
//! ╭ 4 Keyspace / TTL ──────────────────────────╮╭ 5 Eviction vs maxmemory ──────────────────╮
//! ╰────────────────────────────────────────────╯╰───────────────────────────────────────────╯
//! ╭ 6 Commandstats ────────────────────────────╮╭ 7 Replication ────────────────────────────╮
//! ╰────────────────────────────────────────────╯╰───────────────────────────────────────────╯
//! ╭ 8 Persistence and instance ────────────────╮╭ 9 Changes ────────────────────────────────╮
//! ╰────────────────────────────────────────────╯╰───────────────────────────────────────────╯
//!  (a notice)
//!  keys that work here
//! ```
//!
//! Where not every row of the grid has room, the last ones that are not in use keep their headings
//! alone. Below 100 columns or 32 rows, one panel stands under the causes, with a strip of all
//! panels above it. A zoomed panel, or the card of a cause, takes the whole
//! middle. Nothing here knows the time, and nothing but [`theme`] names a colour.

mod ascii;
mod card;
mod causes;
mod changes;
mod commands;
mod eviction;
mod fields;
mod footer;
mod frame;
mod graph;
mod grid;
mod header;
mod help;
mod incidents;
mod keyspace;
mod ledger;
mod ledger_line;
mod nodes;
mod notice;
mod persistence;
pub mod picture;
mod privacy;
mod replication;
mod table;
mod text;
pub mod theme;
mod views;
mod watched;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

use crate::app::{App, Panel, Privacy, View};
use crate::diagnosis::Diagnosis;
use footer::Tabs;
use notice::TooSmall;
use text::{below, height, top};
use views::Views;

/// Columns and rows below which nothing useful fits.
pub const SMALLEST: (u16, u16) = (40, 10);

/// Columns and rows from which on all panels are shown.
const GRID: (u16, u16) = (100, 32);

/// Draws the dashboard.
pub fn draw(frame: &mut Frame<'_>, app: &App) {
    let area = frame.area();
    render(app, app.diagnosis(), area, frame.buffer_mut());
}

/// Draws the dashboard with a diagnosis of the caller's.
pub fn render(app: &App, diagnosis: &Diagnosis, area: Rect, buf: &mut Buffer) {
    // The views hide who the suspects are; what the witnesses wrote down is cut here.
    let hidden = (app.screen().privacy == Privacy::Hidden).then(|| diagnosis.lines_without_names());
    let views = Views::new(app, hidden.as_ref().unwrap_or(diagnosis));
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let size = (area.width, area.height);
        let theme = views.theme;
        TooSmall { size, theme }.render(area, buf);
    } else {
        whole(&views, area, buf);
    }
    if app.screen().ascii {
        ascii::fold(buf);
    }
}

/// Brings the scroll position of a card or the help back to its last line. Call it before drawing,
/// so that scrolling up answers at once after scrolling past the end.
pub fn settle(app: &mut App, area: Rect) {
    let views = Views::new(app, app.diagnosis());
    let last = match (views.help(), views.view()) {
        (Some(help), _) => help.last_scroll(over(area)),
        (None, View::Card(cause)) => views.card(cause).last_scroll(middle(&views, area)),
        _ => return,
    };
    let screen = app.screen_mut();
    screen.scroll = screen.scroll.min(last);
}

/// Where the help may stand: the footer that tells how to leave it stays in sight.
fn over(area: Rect) -> Rect {
    top(area, area.height.saturating_sub(1))
}

/// What is left between header and footer.
fn middle(views: &Views<'_>, area: Rect) -> Rect {
    let above = 1 + height(views.banners(area).len());
    let under = 1 + u16::from(views.said().is_some());
    let rest = below(area, above);
    top(rest, rest.height.saturating_sub(under))
}

fn whole(views: &Views<'_>, area: Rect, buf: &mut Buffer) {
    views.header().render(top(area, 1), buf);
    for (banner, row) in views.banners(area).iter().zip(below(area, 1).rows()) {
        banner.render(row, buf);
    }
    let middle = middle(views, area);
    match views.view() {
        View::Overview => overview(views, middle, buf),
        View::Zoom => panel(views, views.focus(), middle, buf),
        View::Card(cause) => views.card(cause).render(middle, buf),
    }
    if let Some(said) = views.said() {
        said.render(below(area, area.height.saturating_sub(2)), buf);
    }
    views.footer().render(below(area, area.height - 1), buf);
    if let Some(help) = views.help() {
        help.render(over(area), buf);
    }
}

fn overview(views: &Views<'_>, area: Rect, buf: &mut Buffer) {
    if area.width >= GRID.0 && area.height + 2 >= GRID.1 {
        grid::render(views, area, buf);
    } else {
        stack(views, area, buf);
    }
}

/// Causes, tabs, one panel.
fn stack(views: &Views<'_>, area: Rect, buf: &mut Buffer) {
    let causes = views.causes();
    // The panel below keeps half the room, unless the user is busy with the causes.
    let least = if views.focus() == Panel::Causes {
        6
    } else {
        area.height / 2
    };
    let room = area.height.saturating_sub(least).max(4);
    let rows = causes.folded_height(area.width).min(room);
    causes.render(top(area, rows), buf);
    let rest = below(area, rows);
    let shown = views.detail();
    Tabs {
        shown,
        absent: &Panel::ALL
            .map(|panel| (!views.has(panel)).then_some(panel))
            .into_iter()
            .flatten()
            .collect::<Vec<_>>(),
        theme: views.theme,
    }
    .render(top(rest, 1), buf);
    panel(views, shown, below(rest, 1), buf);
}

fn panel(views: &Views<'_>, panel: Panel, area: Rect, buf: &mut Buffer) {
    if area.height < 3 {
        return;
    }
    match panel {
        Panel::Causes => views.causes().render(area, buf),
        Panel::Ledger => views.ledger().render(area, buf),
        Panel::Incidents => views.incidents().render(area, buf),
        Panel::Keyspace => views.keyspace().render(area, buf),
        Panel::Eviction => views.eviction().render(area, buf),
        Panel::Commands => views.commands().render(area, buf),
        Panel::Replication => views.replication().render(area, buf),
        Panel::Persistence => views.persistence().render(area, buf),
        Panel::Changes => views.changes().render(area, buf),
        Panel::Watched => views.watched().render(area, buf),
        Panel::Nodes => views.nodes().render(area, buf),
    }
}
