//! What a reply says beside its fields.

use super::text::inert;
use crate::format;
use crate::info::Info;

/// Lines that are shown, and how much of each, in characters.
const SHOWN: usize = 3;
const LONGEST: usize = 48;

/// Lines of a reply that are neither blank, nor a heading, nor `name:value`: a proxy's banner, a
/// cut end, other bytes. They are never fatal, and the raw reply has them all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// How many lines.
    pub lines: u32,
    /// The first of them, inert and cut.
    pub first: Vec<String>,
}

impl Unread {
    pub(super) fn of(info: &Info) -> Self {
        let first = info.unknown_lines().take(SHOWN);
        Self {
            lines: u32::try_from(info.unknown_lines().count()).unwrap_or(u32::MAX),
            first: first.map(|line| inert(line, LONGEST)).collect(),
        }
    }

    /// One line for people; `None` where everything was understood.
    pub fn sentence(&self) -> Option<String> {
        if self.lines == 0 {
            return None;
        }
        let were = if self.lines == 1 { "was" } else { "were" };
        let quoted: Vec<String> = self.first.iter().map(|line| format!("'{line}'")).collect();
        let more = if self.lines as usize > self.first.len() {
            ", …"
        } else {
            ""
        };
        Some(format!(
            "{} of the reply {were} not understood: {}{more}",
            format::plural(u64::from(self.lines), "line"),
            quoted.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("# S\r\na:1\r\n\r\n", None)]
    #[case(
        "HELLO\u{1b}[2J\n# S\na:1\n",
        Some("1 line of the reply was not understood: 'HELLO␛[2J'")
    )]
    #[case(
        "\0\0\n# S\na:1\nused_mem",
        Some("2 lines of the reply were not understood: '␀␀', 'used_mem'")
    )]
    #[case(
        "a\nb\nc\nd\n",
        Some("4 lines of the reply were not understood: 'a', 'b', 'c', …")
    )]
    fn they_are_counted_and_the_first_are_shown(#[case] reply: &str, #[case] said: Option<&str>) {
        let unread = Unread::of(&Info::parse(reply));
        assert_eq!(unread.sentence().as_deref(), said);
    }
}
