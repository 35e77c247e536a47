//! One table of keys: what a key does, the footer, the help and the README all come from it.

mod table;

use std::fmt::Write as _;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::app::{Action, Mode, Panel, View};
use table::ROWS;

/// Where keys are pressed: [`Mode`] and [`View`] as one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Overview,
    Zoom,
    Card,
    Typing,
    Naming,
    Help,
}

/// Which panels a row needs the focus on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    Any,
    Only(Panel),
    /// Any but those whose rows open something of their own.
    Plain,
}

impl On {
    fn holds(self, focus: Panel) -> bool {
        match self {
            Self::Any => true,
            Self::Only(panel) => panel == focus,
            Self::Plain => !matches!(focus, Panel::Causes | Panel::Incidents | Panel::Nodes),
        }
    }
}

/// A key as the table names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    /// A key without Ctrl or Alt; Shift is part of the character.
    Plain(KeyCode),
    /// Ctrl and a letter.
    Ctrl(char),
    /// Any character: it is typed.
    Text,
}

/// What the footer says: keys, word, and rank; the lowest rank is said first.
#[derive(Clone, Copy, Debug)]
struct Hint(u8, &'static str, &'static str);

/// One line of help: keys that belong together.
#[derive(Debug)]
struct Row {
    group: &'static str,
    keys: &'static str,
    words: &'static str,
    hint: Option<Hint>,
    places: &'static [Place],
    on: On,
    bound: &'static [(Key, Action)],
}

fn place(mode: Mode, view: View) -> Place {
    match (mode, view) {
        (Mode::Typing, _) => Place::Typing,
        (Mode::Naming, _) => Place::Naming,
        (Mode::Help, _) => Place::Help,
        (Mode::Browse, View::Overview) => Place::Overview,
        (Mode::Browse, View::Zoom) => Place::Zoom,
        (Mode::Browse, View::Card(_)) => Place::Card,
    }
}

fn rows(mode: Mode, view: View, focus: Panel) -> impl Iterator<Item = &'static Row> {
    let place = place(mode, view);
    ROWS.iter()
        .filter(move |row| row.places.contains(&place) && row.on.holds(focus))
}

/// The key that a terminal reported, as the table names it.
fn key_of(event: KeyEvent) -> Option<Key> {
    let modifiers = event.modifiers;
    match event.code {
        KeyCode::Char(c) if modifiers == KeyModifiers::CONTROL => {
            Some(Key::Ctrl(c.to_ascii_lowercase()))
        }
        KeyCode::Tab if modifiers == KeyModifiers::SHIFT => Some(Key::Plain(KeyCode::BackTab)),
        code if modifiers.difference(KeyModifiers::SHIFT).is_empty() => Some(Key::Plain(code)),
        _ => None,
    }
}

/// What a key asks for, where the user is looking.
pub fn action(key: KeyEvent, mode: Mode, view: View, focus: Panel) -> Option<Action> {
    let pressed = key_of(key)?;
    rows(mode, view, focus)
        .flat_map(|row| row.bound)
        .find_map(|(key, action)| match (key, pressed) {
            (Key::Text, Key::Plain(KeyCode::Char(c))) => Some(Action::Type(c)),
            (key, pressed) => (*key == pressed).then_some(*action),
        })
}

/// Keys and words for the footer, the most important first: draw as many as there is room for.
pub fn hints(mode: Mode, view: View, focus: Panel) -> Vec<(&'static str, &'static str)> {
    let mut hints: Vec<Hint> = rows(mode, view, focus).filter_map(|row| row.hint).collect();
    hints.sort_by_key(|hint| hint.0);
    hints
        .into_iter()
        .map(|Hint(_, keys, word)| (keys, word))
        .collect()
}

/// All keys for the help: group, keys, words; rows of a group follow each other.
pub fn help() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    ROWS.iter()
        .filter(|row| !row.group.is_empty())
        .map(|row| (row.group, row.keys, row.words))
}

/// All keys as a Markdown table for the README.
pub fn markdown() -> String {
    let mut text = String::from("| | keys | |\n|---|---|---|\n");
    let mut last = "";
    for (group, keys, words) in help() {
        let heading = if group == last { "" } else { group };
        last = group;
        let keys: Vec<String> = keys
            .split_whitespace()
            .map(|key| format!("`{key}`"))
            .collect();
        let keys = keys.join(" ");
        let _ = writeln!(text, "| {heading} | {keys} | {words} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table::{DO, FILTERING, HELPING, LOOK, MOVE, NAMING, TIME};
    use super::*;
    use crate::diagnosis::Cause;

    const MODES: [Mode; 4] = [Mode::Browse, Mode::Typing, Mode::Naming, Mode::Help];
    const VIEWS: [View; 3] = [View::Overview, View::Zoom, View::Card(Cause::Flush)];

    fn contexts() -> impl Iterator<Item = (Mode, View, Panel)> {
        MODES.into_iter().flat_map(|mode| {
            VIEWS
                .into_iter()
                .flat_map(move |view| Panel::ALL.into_iter().map(move |panel| (mode, view, panel)))
        })
    }

    fn plain(c: char) -> KeyEvent {
        KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)
    }

    /// Every action; a new one does not compile until it is listed.
    fn actions() -> Vec<Action> {
        let mut all: Vec<Action> = Panel::ALL.into_iter().map(Action::Focus).collect();
        let mut next = Some(Action::Quit);
        while let Some(action) = next {
            all.push(action);
            next = match action {
                Action::Quit => Some(Action::Export),
                Action::Export => Some(Action::FocusNext),
                Action::Focus(_) | Action::FocusNext => Some(Action::FocusPrevious),
                Action::FocusPrevious => Some(Action::Up),
                Action::Up => Some(Action::Down),
                Action::Down => Some(Action::Left),
                Action::Left => Some(Action::Right),
                Action::Right => Some(Action::PageUp),
                Action::PageUp => Some(Action::PageDown),
                Action::PageDown => Some(Action::Top),
                Action::Top => Some(Action::Bottom),
                Action::Bottom => Some(Action::Open),
                Action::Open => Some(Action::Zoom),
                Action::Zoom => Some(Action::Back),
                Action::Back => Some(Action::Filter),
                Action::Filter => Some(Action::Watch),
                Action::Watch => Some(Action::Erase),
                Action::Type(_) | Action::Erase => Some(Action::Accept),
                Action::Accept => Some(Action::Sort),
                Action::Sort => Some(Action::Pause),
                Action::Pause => Some(Action::StepBack),
                Action::StepBack => Some(Action::StepForward),
                Action::StepForward => Some(Action::PreviousIncident),
                Action::PreviousIncident => Some(Action::NextIncident),
                Action::NextIncident => Some(Action::PreviousChange),
                Action::PreviousChange => Some(Action::NextChange),
                Action::NextChange => Some(Action::Faster),
                Action::Faster => Some(Action::Slower),
                Action::Slower => Some(Action::Span),
                Action::Span => Some(Action::Privacy),
                Action::Privacy => Some(Action::Theme),
                Action::Theme => Some(Action::Help),
                Action::Help => Some(Action::Monitor),
                Action::Monitor => None,
            };
        }
        all.push(Action::Type('\0'));
        all
    }

    #[test]
    fn every_action_has_a_key_somewhere() {
        for action in actions() {
            let reachable = contexts().any(|(mode, view, focus)| {
                rows(mode, view, focus)
                    .flat_map(|row| row.bound)
                    .any(|(_, bound)| *bound == action)
            });
            assert!(reachable, "{action:?} has no key");
        }
    }

    #[test]
    fn no_key_is_bound_twice_in_one_place() {
        for (mode, view, focus) in contexts() {
            let mut seen: Vec<Key> = Vec::new();
            for (key, action) in rows(mode, view, focus).flat_map(|row| row.bound) {
                assert!(
                    !seen.contains(key),
                    "{key:?} is bound again to {action:?} in {mode:?} {view:?} {focus:?}"
                );
                let text = matches!(key, Key::Plain(KeyCode::Char(_))) && seen.contains(&Key::Text);
                assert!(!text, "{key:?} can never be typed");
                seen.push(*key);
            }
        }
    }

    #[test]
    fn every_row_is_in_force_somewhere_and_names_its_keys() {
        for row in ROWS {
            assert!(contexts().any(|(mode, view, focus)| {
                rows(mode, view, focus).any(|other| std::ptr::eq(other, row))
            }));
            for (key, _) in row.bound {
                let name = match key {
                    Key::Plain(KeyCode::Char(' ')) => "Space".to_owned(),
                    Key::Plain(KeyCode::Char('2'..='8')) => "-".to_owned(),
                    Key::Plain(KeyCode::Char(c)) => c.to_string(),
                    Key::Plain(KeyCode::BackTab) => "Shift-Tab".to_owned(),
                    Key::Plain(KeyCode::PageUp) => "PgUp".to_owned(),
                    Key::Plain(KeyCode::PageDown) => "PgDn".to_owned(),
                    Key::Plain(code) => format!("{code:?}"),
                    Key::Ctrl(c) => format!("Ctrl-{}", c.to_ascii_uppercase()),
                    Key::Text => "any character".to_owned(),
                };
                assert!(
                    row.keys.contains(&name),
                    "{:?} does not name {name}",
                    row.keys
                );
            }
        }
    }

    #[test]
    fn ctrl_c_quits_everywhere() {
        let key = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        for (mode, view, focus) in contexts() {
            assert_eq!(action(key, mode, view, focus), Some(Action::Quit));
        }
    }

    #[test]
    fn a_filter_takes_every_character() {
        for c in ('!'..='~').chain([' ', 'é', '键']) {
            assert_eq!(
                action(plain(c), Mode::Typing, View::Overview, Panel::Commands),
                Some(Action::Type(c))
            );
        }
        let shifted = KeyEvent::new(KeyCode::Char('Q'), KeyModifiers::SHIFT);
        assert_eq!(
            action(shifted, Mode::Typing, View::Overview, Panel::Commands),
            Some(Action::Type('Q'))
        );
        let alt = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::ALT);
        assert_eq!(
            action(alt, Mode::Typing, View::Overview, Panel::Commands),
            None
        );
    }

    #[test]
    fn shift_does_not_matter_for_signs() {
        let key = KeyEvent::new(KeyCode::Char('{'), KeyModifiers::SHIFT);
        assert_eq!(
            action(key, Mode::Browse, View::Overview, Panel::Causes),
            Some(Action::PreviousIncident)
        );
        let tab = KeyEvent::new(KeyCode::Tab, KeyModifiers::SHIFT);
        assert_eq!(
            action(tab, Mode::Browse, View::Overview, Panel::Causes),
            Some(Action::FocusPrevious)
        );
    }

    #[test]
    fn the_footer_begins_with_what_the_place_is_for() {
        let first = |mode, view, focus| hints(mode, view, focus)[0];
        assert_eq!(
            first(Mode::Browse, View::Overview, Panel::Causes),
            ("Enter", "open")
        );
        assert_eq!(
            first(Mode::Browse, View::Overview, Panel::Eviction),
            ("Enter", "zoom")
        );
        assert_eq!(
            first(Mode::Browse, View::Zoom, Panel::Incidents),
            ("Enter", "go there")
        );
        assert_eq!(
            first(Mode::Browse, View::Zoom, Panel::Eviction),
            ("Esc", "back")
        );
        assert_eq!(
            first(Mode::Help, View::Overview, Panel::Causes),
            ("Esc", "close")
        );
        assert!(hints(Mode::Browse, View::Overview, Panel::Commands).contains(&("o", "sort")));
        assert!(!hints(Mode::Browse, View::Overview, Panel::Causes).contains(&("o", "sort")));
    }

    #[test]
    fn the_readme_table_names_every_group_once() {
        let table = markdown();
        for group in [MOVE, LOOK, TIME, DO, FILTERING, NAMING, HELPING] {
            assert_eq!(table.matches(&format!("| {group} |")).count(), 1, "{group}");
        }
        assert!(table.contains("| `[` `]` | one poll back, forward |"));
    }
}
