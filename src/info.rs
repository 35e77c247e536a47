//! One `INFO` reply as fields, nothing more: no meaning, no units, no clock.
//!
//! The grammar is Redis's own: sections start with `# Name`, lines are `name:value` split at the
//! **first** colon, lines end in `\r\n`; a name has no blanks. Three things follow from real servers:
//!
//! - fields are keyed by *(section, name)*, because some names repeat in other sections;
//! - composite values (`keys=3,expires=1,…`) are read by key name, never by position, because
//!   every product appends its own items;
//! - a line that is not understood is kept ([`Info::unknown_lines`]) and never fatal.
//!
//! Numbers are returned as `Option`: a field that is absent, empty or not a number is unknown and
//! never zero.

use std::fmt;

/// A parsed `INFO` reply. Holds the text as the server sent it and an index into it.
#[derive(Clone, PartialEq, Eq)]
pub struct Info {
    text: Box<str>,
    fields: Vec<Field>,
    /// One fingerprint of the name for each field: looking a name up compares these first.
    prints: Vec<u32>,
    sections: Vec<Span>,
    unknown: Vec<Span>,
}

/// The largest number that is believed, 2⁵³: nine petabytes, and in microseconds the year 2255.
/// Proxies have been seen to print more; sums of believed numbers stay within 64 bits.
pub const MOST: u64 = 1 << 53;

fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|n| *n <= MOST)
}

/// Prose has colons too ("Welcome to the proxy: please …"); names have no blanks.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Length and three letters: cheap, and different enough for the names of one reply.
fn fingerprint(name: &str) -> u32 {
    let bytes = name.as_bytes();
    let letter = |at: usize| bytes.get(at).copied().unwrap_or(0);
    let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    let last = bytes.len().saturating_sub(1);
    u32::from_le_bytes([length, letter(0), letter(last / 2), letter(last)])
}

/// A half-open byte range of [`Info::text`]. Replies are far below 4 GiB (see
/// [`crate::source`], which refuses larger ones).
#[derive(Clone, Copy, PartialEq, Eq)]
struct Span {
    start: u32,
    end: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Field {
    section: u32,
    name: Span,
    value: Span,
}

impl Info {
    /// Parses a reply. Never fails: what is not a header, a blank or a `name:value` line is kept
    /// as an unknown line. Text past 4 GiB is ignored.
    pub fn parse(text: impl Into<Box<str>>) -> Self {
        let text = text.into();
        let mut info = Self {
            fields: Vec::with_capacity(256),
            prints: Vec::with_capacity(256),
            sections: Vec::new(),
            unknown: Vec::new(),
            text,
        };
        let mut start = 0usize;
        while start < info.text.len() {
            let end = info.text[start..]
                .find('\n')
                .map_or(info.text.len(), |at| start + at);
            if u32::try_from(end).is_err() {
                break;
            }
            info.line(start, end);
            start = end + 1;
        }
        info
    }

    fn line(&mut self, start: usize, end: usize) {
        let line = &self.text[start..end];
        let leading = line.len() - line.trim_start().len();
        let trimmed = line.trim();
        let start = start + leading;
        let end = start + trimmed.len();
        if trimmed.is_empty() {
            return;
        }
        if let Some(header) = trimmed.strip_prefix('#') {
            let padding = header.len() - header.trim_start().len();
            self.sections.push(Span::new(start + 1 + padding, end));
            return;
        }
        match trimmed.find(':') {
            Some(colon) if is_name(&trimmed[..colon]) => {
                self.prints.push(fingerprint(&trimmed[..colon]));
                self.fields.push(Field {
                    // 0 means "before the first header", so sections are counted from one.
                    section: u32::try_from(self.sections.len()).unwrap_or(u32::MAX),
                    name: Span::new(start, start + colon),
                    value: Span::new(start + colon + 1, end),
                });
            }
            _ => self.unknown.push(Span::new(start, end)),
        }
    }

    /// The reply as the server sent it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Section names in the order of the reply, for example `Memory`.
    pub fn sections(&self) -> impl Iterator<Item = &str> {
        self.sections.iter().map(|span| self.at(*span))
    }

    /// Whether the reply carries this section's header, in any case.
    pub fn has_section(&self, section: &str) -> bool {
        self.sections()
            .any(|name| name.eq_ignore_ascii_case(section))
    }

    /// Every `(section, name, value)` in the order of the reply. The section is empty for lines
    /// before the first header.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.fields.iter().map(|field| {
            (
                self.section_of(*field),
                self.at(field.name),
                self.at(field.value),
            )
        })
    }

    /// Every `(name, value)` of one section; of all sections of that name, should it repeat.
    pub fn section<'a>(&'a self, section: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let is_wanted = |name: &str| name.eq_ignore_ascii_case(section);
        let wanted: Vec<u32> = (1u32..)
            .zip(self.sections())
            .filter(|(_, name)| is_wanted(name))
            .map(|(number, _)| number)
            .collect();
        self.fields
            .iter()
            .filter(move |field| wanted.binary_search(&field.section).is_ok())
            .map(|field| (self.at(field.name), self.at(field.value)))
    }

    /// Lines that are neither header nor `name:value`.
    pub fn unknown_lines(&self) -> impl Iterator<Item = &str> {
        self.unknown.iter().map(|span| self.at(*span))
    }

    /// The number of `name:value` lines.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether no `name:value` line was found: the reply is not an `INFO` document.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The text of a field, `None` where the server does not expose it.
    ///
    /// Looked for first in `section`, then in any section: products move fields about, and old
    /// servers printed `# Stats` fields elsewhere.
    pub fn get(&self, section: &str, name: &str) -> Option<&str> {
        let wanted = fingerprint(name);
        let mut elsewhere = None;
        for (field, print) in self.fields.iter().zip(&self.prints) {
            if *print == wanted && self.at(field.name) == name {
                if self.section_of(*field).eq_ignore_ascii_case(section) {
                    return Some(self.at(field.value));
                }
                elsewhere = elsewhere.or(Some(self.at(field.value)));
            }
        }
        elsewhere
    }

    /// A whole number; `None` where absent, not one, or beyond [`MOST`].
    pub fn u64(&self, section: &str, name: &str) -> Option<u64> {
        number(self.get(section, name)?)
    }

    /// A finite decimal; a trailing `%` is allowed, `nan` and `inf` are unknown.
    pub fn f64(&self, section: &str, name: &str) -> Option<f64> {
        let value: f64 = self
            .get(section, name)?
            .trim_end_matches('%')
            .parse()
            .ok()?;
        value.is_finite().then_some(value)
    }

    /// A `0`/`1` field.
    pub fn flag(&self, section: &str, name: &str) -> Option<bool> {
        match self.get(section, name)? {
            "0" => Some(false),
            "1" => Some(true),
            _ => None,
        }
    }

    fn at(&self, span: Span) -> &str {
        &self.text[span.start as usize..span.end as usize]
    }

    fn section_of(&self, field: Field) -> &str {
        match field.section {
            0 => "",
            n => self
                .sections
                .get(n as usize - 1)
                .map_or("", |span| self.at(*span)),
        }
    }
}

impl fmt::Debug for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.fields()
                    .map(|(section, name, value)| ((section, name), value)),
            )
            .finish()
    }
}

impl Span {
    /// Offsets are checked against `u32` by [`Info::parse`] before a line is read.
    fn new(start: usize, end: usize) -> Self {
        Self {
            start: u32::try_from(start).unwrap_or(u32::MAX),
            end: u32::try_from(end).unwrap_or(u32::MAX),
        }
    }
}

/// Reads a composite value such as `keys=3,expires=1,avg_ttl=0` by key name.
///
/// Extra and unknown items are ignored; the first of two equal names wins.
#[derive(Clone, Copy)]
pub struct Composite<'a>(&'a str);

impl<'a> Composite<'a> {
    /// Wraps a value without reading it.
    pub fn new(value: &'a str) -> Self {
        Self(value)
    }

    /// The text of one item.
    pub fn get(self, key: &str) -> Option<&'a str> {
        self.0
            .split(',')
            .find_map(|item| item.split_once('=').filter(|(name, _)| *name == key))
            .map(|(_, value)| value)
    }

    /// One item as a whole number; `None` where absent, not one, or beyond [`MOST`].
    pub fn u64(self, key: &str) -> Option<u64> {
        number(self.get(key)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_are_found_by_section_and_name() {
        let info = Info::parse("# Memory\r\nused_memory:10\r\n\r\n# Hotkeys\r\nused_memory:99\r\n");
        assert_eq!(info.u64("Memory", "used_memory"), Some(10));
        assert_eq!(info.u64("hotkeys", "used_memory"), Some(99));
        assert_eq!(info.sections().collect::<Vec<_>>(), ["Memory", "Hotkeys"]);
    }

    #[test]
    fn a_value_keeps_its_colons_and_a_header_its_spaces() {
        let info = Info::parse("# Cluster Info\nexecutable:C:/redis/x\ncluster_state:ok\n");
        assert_eq!(info.get("Cluster Info", "executable"), Some("C:/redis/x"));
        assert!(info.has_section("cluster info"));
    }

    #[test]
    fn absent_empty_and_garbled_numbers_are_unknown() {
        let info = Info::parse(
            "# Stats\r\nevicted_keys:\r\nexpired_keys:many\r\nratio:nan\r\nshare:12.5%\r\n",
        );
        assert_eq!(info.u64("Stats", "evicted_keys"), None);
        assert_eq!(info.u64("Stats", "expired_keys"), None);
        assert_eq!(info.u64("Stats", "absent"), None);
        assert_eq!(
            Composite::new("keys=18446744073709551615").u64("keys"),
            None
        );
        assert_eq!(info.f64("Stats", "ratio"), None);
        assert_eq!(info.f64("Stats", "share"), Some(12.5));
    }

    #[test]
    fn a_section_may_come_any_number_of_times() {
        let many = "# S\n".repeat(100_000);
        let info = Info::parse(format!("{many}a:1\n# T\nb:2\n{many}c:3\n"));
        let fields: Vec<_> = info.section("s").collect();
        assert_eq!(fields, [("a", "1"), ("c", "3")]);
        assert_eq!(info.get("T", "b"), Some("2"));
    }

    #[test]
    fn lines_that_are_no_fields_are_kept() {
        let info = Info::parse("hello\n:odd\nWelcome to: me\n# S\na:1\n\0b:2");
        assert_eq!(
            info.unknown_lines().collect::<Vec<_>>(),
            ["hello", ":odd", "Welcome to: me", "\0b:2"]
        );
        assert_eq!(info.u64("S", "a"), Some(1));
    }

    #[test]
    fn composites_are_read_by_name() {
        let db = Composite::new("keys=3,expires=1,avg_ttl=20,subexpiry=4");
        assert_eq!(
            (
                db.u64("expires"),
                db.u64("subexpiry"),
                db.u64("cached_keys")
            ),
            (Some(1), Some(4), None)
        );
    }

    proptest! {
        #[test]
        fn any_text_parses_and_is_kept(text in any::<String>()) {
            let info = Info::parse(text.clone());
            prop_assert_eq!(info.text(), &text);
            prop_assert!(info.fields().all(|(_, name, _)| !name.is_empty()));
        }

        #[test]
        fn what_is_written_is_read(name in "[a-z_]{1,20}", value in "[ -~]{0,40}") {
            let info = Info::parse(format!("# S\r\n{name}:{value}\r\n"));
            prop_assert_eq!(info.get("S", &name), Some(value.trim_end()));
        }
    }
}
