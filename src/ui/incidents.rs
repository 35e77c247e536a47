//! Panel 3: losses that belong together, newest first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::frame::Frame;
use super::text::{first_row, fit, height, pad, paint, span, width, wrap};
use super::theme::{Role, Theme};
use crate::diagnosis::State;

/// One incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IncidentRow {
    /// Whether it goes on.
    pub state: State,
    /// The last good reading before it.
    pub from: String,
    /// Its last sign, or `now`.
    pub to: String,
    /// Keys lost: `≥ 476 keys`; a dash where it took none.
    pub keys: String,
    /// Causes with their shares, the largest first.
    pub causes: String,
    /// Who may have done it, the likeliest first.
    pub suspects: Vec<String>,
}

impl IncidentRow {
    /// Sign and word of the state.
    fn state(&self) -> &'static str {
        match self.state {
            State::GoingOn => "● going on",
            State::Over => "○ over",
        }
    }
}

/// The panel.
#[derive(Clone, Debug)]
pub(crate) struct Incidents<'a> {
    /// Border, title, focus.
    pub frame: Frame<'a>,
    /// Rows, newest first.
    pub rows: Vec<IncidentRow>,
    /// Selected row.
    pub selected: Option<usize>,
    /// Said while there is none.
    pub quiet: String,
    /// Colours.
    pub theme: Theme,
}

/// Sign and word.
const STATE: usize = 10;
/// Lines under a head begin here.
const UNDER: usize = STATE + 2;

/// Widths that rows share.
struct Columns {
    when: usize,
    keys: usize,
    /// Without the end.
    short: bool,
    /// The causes of each fit beside the rest.
    beside: bool,
}

/// How much is said where room is short.
#[derive(Clone, Copy)]
enum Detail {
    /// All causes, and so many suspects at most.
    Suspects(usize),
    /// Causes on so many lines at most.
    Brief(usize),
    /// One line each.
    Line,
}

impl Incidents<'_> {
    fn columns(&self, room: usize) -> Columns {
        let widest = |text: &dyn Fn(&IncidentRow) -> usize| self.rows.iter().map(text).max();
        let keys = widest(&|row| width(&row.keys)).unwrap_or(0);
        let causes = widest(&|row| width(&row.causes)).unwrap_or(0);
        let lay_out = |short: bool| {
            let when = widest(&|row| width(&when(row, short))).unwrap_or(0);
            Columns {
                when,
                keys,
                short,
                beside: STATE + 2 + when + 2 + keys + 2 + causes <= room,
            }
        };
        let long = lay_out(false);
        if STATE + 2 + long.when + 2 + keys > room {
            lay_out(true)
        } else {
            long
        }
    }

    /// Lines of the panel with its border, when every incident says all that it has to say.
    pub(crate) fn full_height(&self, columns: u16) -> u16 {
        let room = usize::from(columns).saturating_sub(4);
        let lines: usize = self
            .blocks(room, Detail::Suspects(usize::MAX))
            .iter()
            .map(Vec::len)
            .sum();
        height(lines.max(1) + 2)
    }

    fn head(&self, row: &IncidentRow, columns: &Columns, causes: bool) -> Line<'static> {
        let theme = self.theme;
        let (state, strong) = match row.state {
            State::GoingOn => (Role::Trouble, Role::Strong),
            State::Over => (Role::Dim, Role::Text),
        };
        let mut spans = vec![
            span(theme, state, pad(row.state(), STATE, false)),
            Span::raw("  "),
            span(
                theme,
                Role::Text,
                pad(&when(row, columns.short), columns.when, false),
            ),
            Span::raw("  "),
            span(theme, strong, pad(&row.keys, columns.keys, true)),
        ];
        if causes {
            spans.push(Span::raw("  "));
            spans.push(span(theme, strong, row.causes.clone()));
        }
        Line::from(spans)
    }

    /// The lines of each incident.
    fn blocks(&self, room: usize, detail: Detail) -> Vec<Vec<Line<'static>>> {
        let columns = self.columns(room);
        let under = |role: Role, text: &str| {
            let text = fit(text, room.saturating_sub(UNDER)).into_owned();
            Line::from(vec![
                Span::raw(" ".repeat(UNDER)),
                span(self.theme, role, text),
            ])
        };
        let block = |row: &IncidentRow| {
            let beside = columns.beside || matches!(detail, Detail::Line);
            let mut lines = vec![self.head(row, &columns, beside)];
            let mut causes = wrap(&row.causes, room.saturating_sub(UNDER));
            let suspects = match detail {
                Detail::Suspects(most) => most,
                Detail::Brief(most) if causes.len() > most => {
                    let rest = causes.split_off(most.saturating_sub(1)).join(" ");
                    causes.push(rest);
                    0
                }
                Detail::Brief(_) | Detail::Line => 0,
            };
            let causes = causes.iter().filter(|_| !beside);
            lines.extend(causes.map(|text| under(Role::Text, text)));
            let who = row.suspects.iter().take(suspects);
            lines.extend(who.map(|who| under(Role::Label, who)));
            lines
        };
        self.rows.iter().map(block).collect()
    }

    /// What is shown in so many lines: as much of each incident as fits, and around the selection
    /// where even a line each is too much.
    fn lines(&self, room: usize, rows: usize) -> Vec<(usize, Line<'static>)> {
        let flat = |detail: Detail| -> Vec<(usize, Line<'static>)> {
            let blocks = self.blocks(room, detail).into_iter().enumerate();
            blocks
                .flat_map(|(at, block)| block.into_iter().map(move |line| (at, line)))
                .collect()
        };
        let suspects = [usize::MAX, 1, 0].map(Detail::Suspects);
        let forms = suspects
            .into_iter()
            .chain([Detail::Brief(2), Detail::Brief(1), Detail::Line])
            .map(flat);
        let forms: Vec<_> = forms.collect();
        let fits = forms.iter().find(|lines| lines.len() <= rows);
        let Some(mut lines) = fits.or(forms.last()).cloned() else {
            return Vec::new();
        };
        let selected = self.selected.unwrap_or(0);
        let position = lines.iter().position(|(at, _)| *at == selected);
        let first = first_row(position.unwrap_or(0), lines.len(), rows);
        lines.drain(..first);
        lines.truncate(rows);
        lines
    }
}

/// `14:03:08–14:03:11`, `14:03:08–now`; without the end where room is short.
fn when(row: &IncidentRow, short: bool) -> String {
    if short {
        row.from.clone()
    } else {
        format!("{}–{}", row.from, row.to)
    }
}

impl Widget for &Incidents<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let inner = self.frame.draw(area, buf);
        if self.rows.is_empty() {
            let text = span(self.theme, Role::Dim, self.quiet.as_str());
            return paint(buf, inner, &Line::from(text));
        }
        let selected = self.selected.map(|row| row.min(self.rows.len() - 1));
        let lines = self.lines(usize::from(inner.width), usize::from(inner.height));
        for ((at, line), place) in lines.iter().zip(inner.rows()) {
            paint(buf, place, line);
            if selected == Some(*at) {
                buf.set_style(
                    place.intersection(buf.area),
                    self.theme.style(Role::Selected),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(incidents: usize, selected: Option<usize>) -> Incidents<'static> {
        let row = |at: usize| IncidentRow {
            state: if at == 0 { State::GoingOn } else { State::Over },
            from: format!("14:0{at}:08"),
            to: if at == 0 {
                "now".into()
            } else {
                format!("14:0{at}:11")
            },
            keys: if at == 1 {
                "–".into()
            } else {
                "≥ 1,204 keys".into()
            },
            causes: "UNLINK 67 %, TTLs ran out 33 %".into(),
            suspects: vec![
                "likely: UNLINK by app".into(),
                "possible: UNLINK by job".into(),
            ],
        };
        Incidents {
            frame: Frame {
                key: None,
                title: "t",
                remark: "",
                focused: false,
                theme: Theme::default(),
            },
            rows: (0..incidents).map(row).collect(),
            selected,
            quiet: String::new(),
            theme: Theme::default(),
        }
    }

    fn shown(panel: &Incidents<'_>, room: usize, rows: usize) -> String {
        let lines = panel.lines(room, rows);
        let texts: Vec<String> = lines.iter().map(|(_, line)| line.to_string()).collect();
        texts.join("\n")
    }

    #[test]
    fn who_did_it_goes_before_what_happened_does() {
        let panel = panel(2, None);
        insta::assert_snapshot!(shown(&panel, 60, 8), @r"
        ● going on  14:00:08–now       ≥ 1,204 keys
                    UNLINK 67 %, TTLs ran out 33 %
                    likely: UNLINK by app
                    possible: UNLINK by job
        ○ over      14:01:08–14:01:11             –
                    UNLINK 67 %, TTLs ran out 33 %
                    likely: UNLINK by app
                    possible: UNLINK by job
        ");
        insta::assert_snapshot!(shown(&panel, 60, 6), @r"
        ● going on  14:00:08–now       ≥ 1,204 keys
                    UNLINK 67 %, TTLs ran out 33 %
                    likely: UNLINK by app
        ○ over      14:01:08–14:01:11             –
                    UNLINK 67 %, TTLs ran out 33 %
                    likely: UNLINK by app
        ");
        insta::assert_snapshot!(shown(&panel, 90, 2), @r"
        ● going on  14:00:08–now       ≥ 1,204 keys  UNLINK 67 %, TTLs ran out 33 %
        ○ over      14:01:08–14:01:11             –  UNLINK 67 %, TTLs ran out 33 %
        ");
        insta::assert_snapshot!(shown(&panel, 36, 4), @r"
        ● going on  14:00:08  ≥ 1,204 keys
                    UNLINK 67 %, TTLs ran o…
        ○ over      14:01:08             –
                    UNLINK 67 %, TTLs ran o…
        ");
    }

    #[test]
    fn causes_wrap_before_they_are_cut() {
        let mut panel = panel(1, None);
        panel.rows[0].causes = "UNLINK 67 %, TTLs ran out 30 %, HDEL 3 %".into();
        insta::assert_snapshot!(shown(&panel, 36, 3), @r"
        ● going on  14:00:08  ≥ 1,204 keys
                    UNLINK 67 %, TTLs ran
                    out 30 %, HDEL 3 %
        ");
        insta::assert_snapshot!(shown(&panel, 36, 2), @r"
        ● going on  14:00:08  ≥ 1,204 keys
                    UNLINK 67 %, TTLs ran o…
        ");
    }

    #[test]
    fn the_selected_incident_is_in_sight_and_whole() {
        for selected in 0..9 {
            for rows in [2, 3, 4, 5] {
                let lines = panel(9, Some(selected)).lines(60, rows);
                assert!(
                    lines.iter().any(|(at, _)| *at == selected),
                    "{selected} in {rows}"
                );
                assert!(
                    lines[0].1.to_string().contains("14:0"),
                    "a head comes first"
                );
            }
        }
    }
}
