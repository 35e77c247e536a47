//! What somebody wants to know about by name.

use super::text::inert;

/// Keys that may be watched by their full names.
pub const MOST_WATCHED: usize = 1_000;
/// Prefixes that may be watched, each on a connection of its own.
pub const MOST_PREFIXES: usize = 8;
/// Characters of a name that are shown.
pub(super) const SHOWN: usize = 64;

/// What somebody wants to know about: a key, or all keys whose names begin alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Watch {
    /// One key by its full name.
    Key(String),
    /// Keys that begin with this; never empty.
    Prefix(String),
}

impl Watch {
    /// Reads what was typed: a name, or a prefix and `*`. A star that belongs to a name is written
    /// `\*`, a backslash `\\`.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut name = String::with_capacity(text.len());
        let mut chars = text.chars().peekable();
        let mut stars = false;
        while let Some(c) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some(c @ ('*' | '\\')) => name.push(c),
                    _ => return Err("a backslash stands before '*' or another backslash"),
                },
                '*' if chars.peek().is_none() => stars = true,
                '*' => return Err("'*' only stands at the end; write '\\*' for one in a name"),
                c => name.push(c),
            }
        }
        match (name.is_empty(), stars) {
            (true, true) => Err("'*' alone is every key: every write would be told; name a prefix"),
            (true, false) => Err("a key needs a name"),
            (false, true) => Ok(Self::Prefix(name)),
            (false, false) => Ok(Self::Key(name)),
        }
    }

    /// Why this cannot be watched beside `others`; `None` where it can.
    pub fn refusal(&self, others: &[Self]) -> Option<String> {
        let keys = |watch: &&Self| matches!(watch, Self::Key(_));
        let count = others.iter().filter(keys).count();
        match self {
            Self::Key(_) if count >= MOST_WATCHED => {
                Some(format!("{MOST_WATCHED} keys are watched at most"))
            }
            Self::Prefix(_) if others.len() - count >= MOST_PREFIXES => {
                Some(format!("{MOST_PREFIXES} prefixes are watched at most"))
            }
            Self::Key(_) | Self::Prefix(_) => None,
        }
    }

    /// As it is shown: inert, a prefix with its star.
    pub fn shown(&self) -> String {
        match self {
            Self::Key(name) => inert(name, SHOWN),
            Self::Prefix(name) => format!("{}*", inert(name, SHOWN)),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("session:42", Ok(Watch::Key("session:42".into())))]
    #[case("session:*", Ok(Watch::Prefix("session:".into())))]
    #[case(r"5\*", Ok(Watch::Key("5*".into())))]
    #[case(r"a\\*", Ok(Watch::Prefix(r"a\".into())))]
    #[case("a?[b]", Ok(Watch::Key("a?[b]".into())))]
    #[case("", Err("name"))]
    #[case("*", Err("every key"))]
    #[case("a*b", Err("at the end"))]
    #[case(r"a\b", Err("backslash"))]
    fn what_is_typed(#[case] text: &str, #[case] expected: Result<Watch, &str>) {
        match (Watch::parse(text), expected) {
            (Ok(is), Ok(should)) => assert_eq!(is, should),
            (Err(is), Err(should)) => assert!(is.contains(should), "{is}"),
            (is, should) => panic!("{is:?}, not {should:?}"),
        }
    }

    #[test]
    fn there_is_a_limit() {
        let keys: Vec<Watch> = (0..MOST_WATCHED)
            .map(|n| Watch::Key(n.to_string()))
            .collect();
        assert!(Watch::Key("one more".into()).refusal(&keys).is_some());
        assert!(Watch::Prefix("a".into()).refusal(&keys).is_none());
    }
}
