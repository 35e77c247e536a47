//! All panels at once: a band with the answer, and rows of two with what it rests on.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::causes::Causes;
use super::incidents::Incidents;
use super::ledger::LedgerPanel;
use super::panel;
use super::text::{below, top};
use super::views::Views;
use crate::app::Panel;

/// Rows that the panels under the band need to be of use, from top to bottom.
const LEAST: [u16; 3] = [8, 6, 6];
/// The same, with all of what is usual in sight.
const WANTED: u16 = 21;
/// The band is never lower than this.
const BAND: u16 = 14;

/// Draws all panels.
pub(crate) fn render(views: &Views<'_>, area: Rect, buf: &mut Buffer) {
    let right = (area.width * 2 / 5).clamp(44, 80);
    let band = Band::new(
        &views.causes(),
        &views.incidents(),
        &views.ledger(),
        (area.width - right, area.height),
    );
    let (left, ledger) = split(top(area, band.rows), area.width - right);
    panel(views, Panel::Ledger, ledger, buf);
    panel(views, Panel::Causes, top(left, band.causes), buf);
    panel(views, Panel::Incidents, below(left, band.causes), buf);

    let mut rest = below(area, band.rows);
    if views.has(Panel::Nodes) {
        let wanted = views.nodes().full_height();
        let most = if views.focus() == Panel::Nodes {
            20
        } else {
            12
        };
        let rows = watched_rows(wanted.min(most), rest.height);
        if rows == 1 {
            views.closed(Panel::Nodes).draw_closed(top(rest, 1), buf);
        } else {
            panel(views, Panel::Nodes, top(rest, rows), buf);
        }
        rest = below(rest, rows);
    }
    if views.has(Panel::Watched) {
        let rows = watched_rows(views.watched().full_height(rest.width), rest.height);
        if rows == 1 {
            views.closed(Panel::Watched).draw_closed(top(rest, 1), buf);
        } else {
            panel(views, Panel::Watched, top(rest, rows), buf);
        }
        rest = below(rest, rows);
    }
    let pairs = &Panel::GRID[4..];
    let focused = pairs.iter().position(|pair| pair.contains(&views.focus()));
    for (pair, rows) in pairs.iter().zip(heights(rest.height, focused)) {
        let (left, right) = split(top(rest, rows), rest.width / 2);
        rest = below(rest, rows);
        for (shown, place) in pair.iter().zip([left, right]) {
            if rows == 1 {
                views.closed(*shown).draw_closed(place, buf);
            } else {
                panel(views, *shown, place, buf);
            }
        }
    }
}

/// Rows for watched keys: what they need, as long as half of the room is left; their heading alone
/// where that is too little.
fn watched_rows(wanted: u16, room: u16) -> u16 {
    match wanted.min(room / 2) {
        0..4 => 1,
        rows => rows,
    }
}

fn split(area: Rect, columns: u16) -> (Rect, Rect) {
    let left = Rect {
        width: columns,
        ..area
    };
    let right = Rect {
        x: area.x + columns,
        width: area.width - columns,
        ..area
    };
    (left, right)
}

/// The upper part: causes over incidents, and the ledger beside them.
struct Band {
    causes: u16,
    rows: u16,
}

impl Band {
    fn new(
        causes: &Causes<'_>,
        incidents: &Incidents<'_>,
        ledger: &LedgerPanel<'_>,
        (columns, rows): (u16, u16),
    ) -> Self {
        let most = rows.saturating_sub(WANTED).max(BAND).min(rows);
        let listed = incidents.full_height(columns).clamp(3, (most / 3).max(4));
        let notices = u16::from(rows > 44 && !causes.notices.is_empty());
        let full = causes.full_height(columns) + notices;
        // What is clear shares a line before anything else gets less.
        let wanted = if full + listed <= most {
            full
        } else {
            causes.folded_height(columns)
        };
        let band = (wanted + listed).max(ledger.full_height()).min(most);
        // Either may use what the other does not need.
        let spare = band.saturating_sub(wanted + listed);
        let more = incidents.full_height(columns).saturating_sub(listed);
        Self {
            causes: band - listed - more.min(spare),
            rows: band,
        }
    }
}

/// Heights of the rows under the band. Where they cannot all be of use, the last ones without the
/// focus keep a line for their headings.
fn heights(rows: u16, focused: Option<usize>) -> [u16; 3] {
    let mut open = [true; 3];
    let needed = |open: &[bool; 3]| -> u16 {
        let each = open.iter().zip(LEAST);
        each.map(|(open, least)| if *open { least } else { 1 })
            .sum()
    };
    while needed(&open) > rows {
        let last = (0..3).rev().find(|at| open[*at] && focused != Some(*at));
        match last {
            Some(at) if open.iter().filter(|open| **open).count() > 1 => open[at] = false,
            _ => break,
        }
    }
    // The first row has graphs, the last least to say.
    let shares = [8u16, 7, 6];
    let mut heights = open.map(u16::from).map(|open| 1 - open);
    let mut left = rows.saturating_sub(heights.iter().sum());
    let mut parts: u16 = (0..3).filter(|at| open[*at]).map(|at| shares[at]).sum();
    for at in (0..3).filter(|at| open[*at]).rev() {
        heights[at] = (left * shares[at] / parts).min(if at == 0 { left } else { 16 });
        if parts == shares[at] {
            heights[at] = left;
        }
        left -= heights[at];
        parts -= shares[at];
    }
    heights
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(38, None, [15, 13, 10])]
    #[case(21, None, [8, 7, 6])]
    #[case(20, None, [8, 7, 5])]
    #[case(16, None, [8, 7, 1])]
    #[case(16, Some(2), [9, 1, 6])]
    #[case(12, Some(1), [1, 10, 1])]
    fn rows_close_from_the_last_and_never_the_one_in_use(
        #[case] rows: u16,
        #[case] focused: Option<usize>,
        #[case] expected: [u16; 3],
    ) {
        assert_eq!(heights(rows, focused), expected);
    }

    #[test]
    fn no_row_is_lost_or_made_up() {
        for rows in 10..200 {
            for focused in [None, Some(0), Some(1), Some(2)] {
                let heights = heights(rows, focused);
                assert_eq!(heights.iter().sum::<u16>(), rows, "{heights:?}");
                assert!(focused.is_none_or(|at| heights[at] > 1), "{heights:?}");
            }
        }
    }
}
