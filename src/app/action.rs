//! What a user can ask for, and what of it needs the outside world.

use std::time::Duration;

use super::panel::Panel;
use crate::model::{NodeId, Watch};

/// A request of the user; keys are mapped to these in [`crate::keymap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Leave the program.
    Quit,
    /// Write a snapshot of what is shown.
    Export,
    /// Focus one panel.
    Focus(Panel),
    /// Focus the next panel.
    FocusNext,
    /// Focus the panel before.
    FocusPrevious,
    /// Up one row, or to the panel above.
    Up,
    /// Down one row, or to the panel below.
    Down,
    /// To the panel on the left.
    Left,
    /// To the panel on the right.
    Right,
    /// Up ten rows.
    PageUp,
    /// Down ten rows.
    PageDown,
    /// To the first row.
    Top,
    /// To the last row.
    Bottom,
    /// Open what the selection stands on: a cause's card, the screen as of an incident's end, or
    /// the panel full screen.
    Open,
    /// The focused panel full screen, and back.
    Zoom,
    /// One level back: out of help, filter, card, zoom.
    Back,
    /// Type a filter.
    Filter,
    /// Name a key to watch.
    Watch,
    /// A character typed into the filter or the name.
    Type(char),
    /// Take back the last character.
    Erase,
    /// Keep what was typed and stop typing.
    Accept,
    /// Sort the table in focus by the next column: of commands, or of nodes.
    Sort,
    /// Stop the screen, or let it go on; polling goes on.
    Pause,
    /// One observation back.
    StepBack,
    /// One observation forward.
    StepForward,
    /// To the first sign of the incident before.
    PreviousIncident,
    /// To the first sign of the incident after.
    NextIncident,
    /// To the change before.
    PreviousChange,
    /// To the change after.
    NextChange,
    /// Poll twice as often.
    Faster,
    /// Poll half as often.
    Slower,
    /// The next graph span.
    Span,
    /// Hide addresses and names, or show them.
    Privacy,
    /// The next theme.
    Theme,
    /// Watch every command for some seconds (`MONITOR`); asked for twice, it is meant.
    Monitor,
    /// Show the keys.
    Help,
}

/// What the event loop has to do in the outside world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Leave the program.
    Quit,
    /// Write a snapshot of what is shown.
    Export,
    /// Run `MONITOR` on a node for some seconds.
    Monitor(NodeId),
    /// Poll at this interval from now on.
    SetInterval(Duration),
    /// Watch this besides.
    Watch(Watch),
}
