//! The screen.
//!
//! ```text
//!  amr-top  target  product version  role        ● live  every 1 s  14:03:12 UTC  now  up 41 d
//!  (banner: no answer, and why; paused, and how far behind)
//! ╭ 1 Causes ─────────────────────────────────────────────────────────────────────────────────╮
//! │ one row a verdict, what needs a human first                                               │
//! │ keys before  − where they went  + created  = keys now                                     │
//! ╰───────────────────────────────────────────────────────────────────────────────────────────╯
//! ╭ 2 Keyspace / TTL ──────────────────────────╮╭ 3 Eviction vs maxmemory ────────────────────╮
//! ╰────────────────────────────────────────────╯╰─────────────────────────────────────────────╯
//! ╭ 4 Commandstats ────────────────────────────╮╭ 5 Replication ──────────────────────────────╮
//! ╰────────────────────────────────────────────╯╰─────────────────────────────────────────────╯
//! ╭ 6 Persistence and instance ────────────────╮╭ 7 Changes ──────────────────────────────────╮
//! ╰────────────────────────────────────────────╯╰─────────────────────────────────────────────╯
//!  (a notice)
//!  keys that work here
//! ```
//!
//! Where the grid has no room (below 100 columns or 32 rows), one panel stands under the causes,
//! with a strip of all panels above it. A zoomed panel, or the card of a cause, takes the whole
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
mod header;
mod help;
mod keyspace;
mod ledger;
mod notice;
mod persistence;
pub mod picture;
mod privacy;
mod replication;
mod table;
mod text;
pub mod theme;
mod views;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

use crate::app::{App, Panel, View};
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
    let views = Views::new(app, diagnosis);
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
        grid(views, area, buf);
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
        theme: views.theme,
    }
    .render(top(rest, 1), buf);
    panel(views, shown, below(rest, 1), buf);
}

/// Causes, and all panels in three rows of two.
fn grid(views: &Views<'_>, area: Rect, buf: &mut Buffer) {
    let causes = views.causes();
    let full = causes.full_height() + u16::from(area.height > 44 && !causes.notices.is_empty());
    // Panels want eight rows each; what is clear shares a line before they get less.
    let rows = if area.height.saturating_sub(full) >= 24 {
        full
    } else {
        causes.folded_height(area.width)
    };
    let rows = rows.min(area.height / 2);
    causes.render(top(area, rows), buf);
    let mut rest = below(area, rows);
    let shares = grid_rows(rest.height);
    for (panels, rows) in Panel::GRID.iter().skip(1).zip(shares) {
        let row = top(rest, rows);
        rest = below(rest, rows);
        let half = row.width / 2;
        let left = Rect { width: half, ..row };
        let right = Rect {
            x: row.x + half,
            width: row.width - half,
            ..row
        };
        for (shown, place) in panels.iter().zip([left, right]) {
            panel(views, *shown, place, buf);
        }
    }
}

/// Heights of the three rows: the first has graphs, the last least to say.
fn grid_rows(height: u16) -> [u16; 3] {
    let last = (height * 7 / 24).clamp(5, 12).min(height);
    let rest = height - last;
    let second = (rest * 7 / 17).min(16);
    [rest - second, second, last]
}

fn panel(views: &Views<'_>, panel: Panel, area: Rect, buf: &mut Buffer) {
    if area.height < 3 {
        return;
    }
    match panel {
        Panel::Causes => views.causes().render(area, buf),
        Panel::Keyspace => views.keyspace().render(area, buf),
        Panel::Eviction => views.eviction().render(area, buf),
        Panel::Commands => views.commands().render(area, buf),
        Panel::Replication => views.replication().render(area, buf),
        Panel::Persistence => views.persistence().render(area, buf),
        Panel::Changes => views.changes().render(area, buf),
    }
}
