//! Values over time as bars of blocks, with holes where nobody answered.
//!
//! ```text
//! 51.4 k ┤▇▇▇▇▇▇▇▇▇▇▇   ▇▇▇▆▆▆
//!      0 ┤▇▇▇▇▇▇▇▇▇▇▇   ▇▇▇▇▇▇▁▁▁▁▁▁
//!        └ 5 min ago ───×××──── now
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::text::{below, pad, paint, span, width};
use super::theme::{Role, Theme};

/// Readings over a span of time. Ages are seconds before the right edge.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Series {
    /// Age and value, oldest first.
    pub points: Vec<(f64, f64)>,
    /// Begin and end (the smaller age) of every time without an answer.
    pub holes: Vec<(f64, f64)>,
    /// Seconds from edge to edge.
    pub span_s: f64,
    /// The same in words.
    pub span: &'static str,
    /// What the right edge is: `now`, or a time.
    pub end: String,
}

/// What one column of the graph shows.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Slot {
    value: Option<f64>,
    hole: bool,
}

impl Series {
    /// The highest value.
    fn top(&self) -> f64 {
        self.points.iter().map(|point| point.1).fold(0.0, f64::max)
    }

    /// One slot a column, oldest first: the highest reading of its time, so that no peak is lost,
    /// else the one before, else nothing. A hole is never bridged.
    fn slots(&self, columns: usize) -> Vec<Slot> {
        let step = self.span_s / columns.max(1) as f64;
        let mut next = self.points.iter().peekable();
        let mut known: Option<(f64, f64)> = None;
        (0..columns)
            .map(|column| {
                let old = self.span_s - step * column as f64;
                let young = old - step;
                // The youngest slot takes in what is as old as the edge itself.
                let young = if column + 1 == columns { -1.0 } else { young };
                let mut fresh = None;
                while let Some(point) = next.next_if(|point| point.0 > young) {
                    known = Some(*point);
                    let here = Some(point.1).filter(|_| point.0 <= old);
                    // The youngest slot says how it is now.
                    let high = fresh.filter(|_| column + 1 < columns);
                    fresh = here
                        .map(|n| high.map_or(n, |high: f64| high.max(n)))
                        .or(fresh);
                }
                let hole = self
                    .holes
                    .iter()
                    .any(|(from, to)| *from > young && *to <= old);
                let torn = known.is_some_and(|(age, _)| {
                    self.holes
                        .iter()
                        .any(|(from, _)| *from <= age && *from > young)
                });
                let held = known.filter(|_| !torn).map(|point| point.1);
                Slot {
                    value: fresh.or(held),
                    hole,
                }
            })
            .collect()
    }
}

/// The graph of one series.
#[derive(Clone, Debug)]
pub(crate) struct Graph<'a> {
    /// The readings.
    pub series: &'a Series,
    /// The value at the top; the highest reading where it is higher.
    pub ceiling: Option<f64>,
    /// How a value is written on the axis.
    pub label: fn(u64) -> String,
    /// Colours.
    pub theme: Theme,
}

const BLOCKS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

impl Graph<'_> {
    /// Smallest height that is worth drawing.
    pub(crate) const MIN_HEIGHT: u16 = 3;

    /// One cell of a column; the crest stands out.
    fn cell(&self, value: Option<f64>, top: f64, rows: usize, floor: usize) -> Span<'static> {
        let block = bar(value, top, rows, floor);
        let above = bar(value, top, rows, floor + 1);
        let crest = floor + 1 == rows || above == BLOCKS[0];
        span(
            self.theme,
            if crest { Role::Fill } else { Role::Body },
            block,
        )
    }

    fn axis(&self, slots: &[Slot], area: Rect, buf: &mut Buffer) {
        let line: Vec<_> = slots
            .iter()
            .map(|slot| {
                if slot.hole {
                    span(self.theme, Role::Trouble, "×")
                } else {
                    span(self.theme, Role::Border, "─")
                }
            })
            .collect();
        paint(buf, area, &Line::from(line));
        let holes = slots.iter().any(|slot| slot.hole);
        let begin = format!(" {} ago ", self.series.span);
        let end = format!(" {}", self.series.end);
        let words = if holes { " × no answer " } else { "" };
        let room = usize::from(area.width);
        if room < width(&begin) + width(&end) + width(words) + 8 {
            return;
        }
        let label = |text: &str| Line::from(span(self.theme, Role::Dim, text));
        let at = |x: u16, text: &str, buf: &mut Buffer| {
            let place = Rect {
                x,
                width: super::text::height(width(text)),
                ..area
            };
            paint(buf, place, &label(text));
        };
        if !slots[..width(&begin)].iter().any(|slot| slot.hole) {
            at(area.x, &begin, buf);
        }
        let end_x = area.right() - super::text::height(width(&end));
        if !slots[room - width(&end)..].iter().any(|slot| slot.hole) {
            at(end_x, &end, buf);
        }
    }
}

impl Widget for &Graph<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        if area.height < Graph::MIN_HEIGHT || area.width < 16 {
            return;
        }
        let theme = self.theme;
        let top = self.series.top().max(self.ceiling.unwrap_or(0.0));
        let rows = area.height - 1;
        let high = (self.label)(crate::format::whole(top));
        let label_width = width(&high).max(6);
        let left = super::text::height(label_width + 2);
        let plot = Rect {
            x: area.x + left,
            width: area.width.saturating_sub(left),
            ..area
        };
        if plot.width < 4 {
            return;
        }
        let slots = self.series.slots(usize::from(plot.width));
        for (at, row) in area.rows().take(usize::from(rows)).enumerate() {
            let text = if at == 0 && top > 0.0 {
                high.as_str()
            } else if at + 1 == usize::from(rows) {
                "0"
            } else {
                ""
            };
            let text = format!("{} ", pad(text, label_width, true));
            let tick = if text.trim().is_empty() { "│" } else { "┤" };
            let line = Line::from(vec![
                span(theme, Role::Label, text),
                span(theme, Role::Border, tick),
            ]);
            paint(buf, row, &line);
            let floor = usize::from(rows) - 1 - at;
            let bars: Vec<_> = slots
                .iter()
                .map(|slot| self.cell(slot.value, top, usize::from(rows), floor))
                .collect();
            let place = Rect {
                height: 1,
                y: row.y,
                ..plot
            };
            paint(buf, place, &Line::from(bars));
        }
        let axis = Rect {
            height: 1,
            y: area.bottom() - 1,
            ..plot
        };
        let corner = Rect {
            x: plot.x - 1,
            width: 1,
            ..axis
        };
        paint(buf, corner, &Line::from(span(theme, Role::Border, "└")));
        self.axis(&slots, axis, buf);
    }
}

/// Eighths of cells that a share of so many cells fills.
pub(crate) fn eighths(share: f64, cells: usize) -> usize {
    let eighths = crate::format::whole(share * (cells * 8) as f64);
    usize::try_from(eighths).unwrap_or(usize::MAX)
}

/// A bar over part of `cells`; what is not nothing can be seen.
pub(crate) fn gauge(share: f64, cells: usize) -> String {
    let eighths = eighths(share, cells).max(usize::from(share > 0.0));
    let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    format!("{}{part}", "█".repeat(eighths / 8))
}

/// Draws a smaller graph of events a second under another one where there is room for both, and
/// returns the place that is left.
pub(crate) fn second(
    area: Rect,
    title: &str,
    series: &Series,
    theme: Theme,
    buf: &mut Buffer,
) -> Rect {
    const ENOUGH: u16 = 15;
    if area.height < ENOUGH || series.points.is_empty() {
        return area;
    }
    let rows = (area.height / 3).min(12);
    let under = below(area, area.height - rows);
    paint(buf, under, &Line::from(span(theme, Role::Label, title)));
    let graph = Graph {
        series,
        ceiling: Some(1.0),
        label: |n| format!("{}/s", crate::format::compact(n)),
        theme,
    };
    graph.render(below(under, 1), buf);
    super::text::top(area, area.height - rows)
}

/// The block of one value in the row `floor` rows above the ground. Zero is a thin line: it was
/// measured, unlike a hole.
fn bar(value: Option<f64>, top: f64, rows: usize, floor: usize) -> &'static str {
    let Some(value) = value else {
        return BLOCKS[0];
    };
    let eighths = if top > 0.0 {
        eighths(value / top, rows)
    } else {
        0
    };
    let eighths = eighths.max(1);
    BLOCKS[eighths.saturating_sub(floor * 8).min(8)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(points: &[(f64, f64)], holes: &[(f64, f64)]) -> Series {
        Series {
            points: points.to_vec(),
            holes: holes.to_vec(),
            span_s: 10.0,
            span: "10 s",
            end: "now".into(),
        }
    }

    fn drawn(series: &Series, columns: usize) -> String {
        let top = series.top();
        let slots = series.slots(columns);
        slots
            .iter()
            .map(|slot| bar(slot.value, top, 1, 0))
            .collect()
    }

    #[test]
    fn peaks_stay_and_the_newest_reading_is_the_last_slot() {
        let peak = series(
            &[(9.0, 1.0), (7.0, 8.0), (6.5, 0.0), (1.0, 8.0), (0.5, 0.0)],
            &[],
        );
        let slots: Vec<_> = peak.slots(3).into_iter().map(|slot| slot.value).collect();
        assert_eq!(slots, [Some(8.0), Some(0.0), Some(0.0)]);
    }

    #[test]
    fn readings_are_held_until_the_next_one() {
        let series = series(&[(8.5, 8.0), (4.5, 4.0), (0.0, 8.0)], &[]);
        assert_eq!(drawn(&series, 10), " ████▄▄▄▄█");
    }

    #[test]
    fn a_hole_is_not_bridged() {
        let points = [(9.5, 8.0), (7.5, 8.0), (2.5, 8.0), (0.5, 8.0)];
        let series = series(&points, &[(6.5, 2.5)]);
        assert_eq!(drawn(&series, 10), "███    ███");
        let holes: Vec<bool> = series.slots(10).iter().map(|slot| slot.hole).collect();
        assert_eq!(holes.iter().filter(|hole| **hole).count(), 5);
    }

    #[test]
    fn a_hole_that_lasts_stays_open() {
        let series = series(&[(9.5, 8.0)], &[(5.5, 0.0)]);
        assert_eq!(drawn(&series, 10), "████      ");
    }

    #[test]
    fn nothing_is_not_zero() {
        assert_eq!(drawn(&series(&[], &[]), 3), "   ");
        assert_eq!(drawn(&series(&[(9.0, 0.0)], &[]), 3), "▁▁▁");
    }
}
