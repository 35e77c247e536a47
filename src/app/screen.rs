//! What the user is looking at: focus, zoom, filter, preferences. No data.

use std::time::Duration;

use tui_input::{Input, InputRequest};

use super::action::Action;
use super::nodes::NodeSort;
use super::panel::Panel;
use crate::diagnosis::Cause;
use crate::model::NodeId;

/// What fills the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// All panels.
    #[default]
    Overview,
    /// The focused panel alone.
    Zoom,
    /// The full card of one cause.
    Card(Cause),
}

/// Who gets the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The panels.
    #[default]
    Browse,
    /// The filter line.
    Typing,
    /// The line on which a key to watch is named.
    Naming,
    /// The list of keys is shown over everything.
    Help,
}

/// Order of the command table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Most destructive class first.
    #[default]
    Danger,
    /// Most calls first.
    Calls,
    /// Most calls a second first.
    Rate,
    /// Most refused or failed first.
    Refused,
    /// By name.
    Name,
}

/// Time that graphs span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Span {
    /// One minute.
    Minute,
    /// Five minutes.
    #[default]
    FiveMinutes,
    /// A quarter of an hour.
    Quarter,
    /// An hour.
    Hour,
}

impl Span {
    /// As a duration.
    pub fn duration(self) -> Duration {
        Duration::from_secs(match self {
            Self::Minute => 60,
            Self::FiveMinutes => 300,
            Self::Quarter => 900,
            Self::Hour => 3_600,
        })
    }

    /// As a label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Minute => "1 min",
            Self::FiveMinutes => "5 min",
            Self::Quarter => "15 min",
            Self::Hour => "1 h",
        }
    }
}

/// Whether addresses and names are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Privacy {
    /// As they are.
    #[default]
    Shown,
    /// Replaced by dots, for screenshots.
    Hidden,
}

/// Colour schemes; the colours themselves live in the drawing room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ThemeName {
    /// Calm colours on a dark ground.
    #[default]
    Dark,
    /// For light terminals.
    Light,
    /// Strong contrast, no dim text.
    Contrast,
    /// No colour at all; also for `NO_COLOR`.
    Plain,
}

/// The view state.
#[derive(Clone, Debug, Default)]
pub struct Screen {
    /// The panel that has the focus.
    pub focus: Panel,
    /// What fills the screen.
    pub view: View,
    /// Who gets the keys.
    pub mode: Mode,
    /// Filter of the command table.
    pub filter: Input,
    /// Filter of the nodes.
    pub node_filter: Input,
    /// Key or prefix that is being named.
    pub naming: Input,
    /// Whether something is watched by name.
    pub watches: bool,
    /// Whether there are several nodes.
    pub several: bool,
    /// Order of the nodes, where the user has chosen one.
    pub node_sort: Option<NodeSort>,
    /// The order until then.
    pub(super) usual_sort: NodeSort,
    /// Order of the command table.
    pub sort: Sort,
    /// Graph span.
    pub span: Span,
    /// Whether addresses are shown.
    pub privacy: Privacy,
    /// Colours.
    pub theme: ThemeName,
    /// Draw with ASCII only.
    pub ascii: bool,
    /// First line of the card that is shown.
    pub scroll: usize,
    /// The panel that had the focus last, causes apart.
    detail: Option<Panel>,
    /// The cause that the user has moved the selection to.
    pub(super) chosen: Option<Cause>,
    /// When the incident begins that the user has moved the selection to.
    pub(super) chosen_incident: Option<Duration>,
    /// The node that the user has moved the selection to.
    pub(super) chosen_node: Option<NodeId>,
    rows: [usize; Panel::ALL.len()],
}

impl Screen {
    /// Selected row of a panel; may lie past its end when rows have gone.
    pub fn row(&self, panel: Panel) -> usize {
        self.rows[panel as usize]
    }

    /// The panel to show under the causes where there is room for one.
    pub fn detail(&self) -> Panel {
        let focus = Some(self.focus).filter(|panel| *panel != Panel::Causes);
        focus.or(self.detail).unwrap_or(Panel::Keyspace)
    }

    /// Whether up and down scroll a text rather than move a selection.
    pub(super) fn scrolls(&self) -> bool {
        self.mode == Mode::Help || matches!(self.view, View::Card(_))
    }

    /// Order of the nodes.
    pub fn node_sort(&self) -> NodeSort {
        self.node_sort.unwrap_or(self.usual_sort)
    }

    /// Nothing lies over the panels.
    pub(super) fn is_at_rest(&self) -> bool {
        self.mode == Mode::Browse && self.view == View::Overview
    }

    pub(super) fn set_row_of(&mut self, panel: Panel, row: usize) {
        self.rows[panel as usize] = row;
    }

    /// The requests that concern the view alone.
    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Focus(Panel::Nodes) if !self.several => {}
            Action::Focus(panel) => self.focus_on(panel),
            Action::FocusNext => self.focus_by(1),
            Action::FocusPrevious => self.focus_by(Panel::ALL.len() - 1),
            Action::Left => self.focus_horizontally(false),
            Action::Right => self.focus_horizontally(true),
            Action::Zoom => self.toggle_zoom(),
            Action::Back => self.back(),
            Action::Filter => {
                if self.focus != Panel::Nodes {
                    self.focus_on(Panel::Commands);
                }
                self.mode = Mode::Typing;
            }
            Action::Watch => {
                self.focus_on(Panel::Watched);
                self.naming.reset();
                self.mode = Mode::Naming;
            }
            Action::Type(c) => {
                self.line().handle(InputRequest::InsertChar(c));
            }
            Action::Erase => {
                self.line().handle(InputRequest::DeletePrevChar);
            }
            Action::Accept => self.mode = Mode::Browse,
            Action::Sort if self.focus == Panel::Nodes => {
                self.node_sort = Some(next(self.node_sort(), &NodeSort::ALL));
            }
            Action::Sort => self.sort = next(self.sort, &SORTS),
            Action::Span => self.span = next(self.span, &SPANS),
            Action::Theme => self.theme = next(self.theme, &THEMES),
            Action::Privacy => {
                self.privacy = match self.privacy {
                    Privacy::Shown => Privacy::Hidden,
                    Privacy::Hidden => Privacy::Shown,
                }
            }
            Action::Help => {
                self.scroll = 0;
                self.mode = if self.mode == Mode::Help {
                    Mode::Browse
                } else {
                    Mode::Help
                }
            }
            _ => {}
        }
    }

    /// The filter of the panel in focus.
    fn filter_in_use(&mut self) -> &mut Input {
        match self.focus {
            Panel::Nodes => &mut self.node_filter,
            _ => &mut self.filter,
        }
    }

    /// What is typed into.
    fn line(&mut self) -> &mut Input {
        match self.mode {
            Mode::Naming => &mut self.naming,
            _ => self.filter_in_use(),
        }
    }

    /// Whether a panel has a place on the screen.
    pub fn has(&self, panel: Panel) -> bool {
        match panel {
            Panel::Watched => self.watches || self.focus == panel,
            Panel::Nodes => self.several,
            _ => true,
        }
    }

    fn focus_on(&mut self, panel: Panel) {
        self.detail = Some(self.detail());
        self.focus = panel;
        if let View::Card(_) = self.view {
            self.view = View::Overview;
        }
    }

    fn focus_by(&mut self, by: usize) {
        let mut to = self.focus as usize;
        loop {
            to = (to + by) % Panel::ALL.len();
            if self.has(Panel::ALL[to]) {
                return self.focus_on(Panel::ALL[to]);
            }
        }
    }

    fn focus_horizontally(&mut self, right: bool) {
        let (row, column) = self.focus.place();
        let to = if right {
            column.checked_add(1)
        } else {
            column.checked_sub(1)
        };
        if let Some(panel) = to.and_then(|column| Panel::GRID[row].get(column)) {
            self.focus_on(*panel);
        }
    }

    pub(super) fn focus_vertically(&mut self, down: bool) {
        let (row, column) = self.focus.place();
        let focus = self.focus;
        let (above, under) = Panel::GRID.split_at(row);
        let other = |row: &&[Panel; 2]| row[column] != focus && self.has(row[column]);
        let to = if down {
            under.iter().find(other)
        } else {
            above.iter().rev().find(other)
        };
        if let Some(row) = to {
            self.focus_on(row[column]);
        }
    }

    pub(super) fn open(&mut self, cause: Option<Cause>) {
        match (self.focus, self.view, cause) {
            (Panel::Causes, View::Overview | View::Zoom, Some(cause)) => {
                self.view = View::Card(cause);
                self.scroll = 0;
            }
            _ => self.toggle_zoom(),
        }
    }

    /// Where nothing is watched, the panel goes with the line.
    pub(super) fn stop_naming(&mut self) {
        self.mode = Mode::Browse;
        self.naming.reset();
        if !self.watches {
            self.focus_on(Panel::Causes);
            self.detail = None;
        }
    }

    fn toggle_zoom(&mut self) {
        self.view = if self.view == View::Zoom {
            View::Overview
        } else {
            View::Zoom
        };
    }

    fn back(&mut self) {
        match self.mode {
            Mode::Help => {
                self.mode = Mode::Browse;
                self.scroll = 0;
            }
            Mode::Typing => {
                self.mode = Mode::Browse;
                self.filter_in_use().reset();
            }
            Mode::Naming => self.stop_naming(),
            Mode::Browse if self.view == View::Overview => self.filter_in_use().reset(),
            Mode::Browse => self.view = View::Overview,
        }
    }
}

const SORTS: [Sort; 5] = [
    Sort::Danger,
    Sort::Calls,
    Sort::Rate,
    Sort::Refused,
    Sort::Name,
];
const SPANS: [Span; 4] = [Span::Minute, Span::FiveMinutes, Span::Quarter, Span::Hour];
const THEMES: [ThemeName; 4] = [
    ThemeName::Dark,
    ThemeName::Light,
    ThemeName::Contrast,
    ThemeName::Plain,
];

fn next<T: Copy + PartialEq>(now: T, all: &[T]) -> T {
    let at = all.iter().position(|one| *one == now).unwrap_or(0);
    all[(at + 1) % all.len()]
}
