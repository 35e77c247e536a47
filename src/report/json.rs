//! JSON that is safe to look at: characters that could steer a terminal are written as `\u`
//! escapes, so nothing is lost and nothing happens.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use crate::model::inert;

/// Indented JSON, ending in a line break.
pub(super) fn render(value: &impl Serialize) -> String {
    let mut out = Vec::with_capacity(16 * 1024);
    let mut serializer = Serializer::with_formatter(&mut out, Safe(PrettyFormatter::new()));
    // Plain values written to memory: there is nothing that could fail.
    let written = value.serialize(&mut serializer);
    debug_assert!(written.is_ok(), "a report serialises: {written:?}");
    out.push(b'\n');
    String::from_utf8(out).unwrap_or_default()
}

struct Safe(PrettyFormatter<'static>);

impl Formatter for Safe {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut written = 0;
        for (at, c) in fragment.char_indices() {
            let mut bytes = [0; 4];
            let text: &str = c.encode_utf8(&mut bytes);
            if (c.is_ascii() && c != '\u{7f}') || inert(text, 1) == text {
                continue;
            }
            writer.write_all(&fragment.as_bytes()[written..at])?;
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                write!(writer, "\\u{unit:04x}")?;
            }
            written = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[written..])
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Report, fixture};

    #[test]
    fn a_flush_as_json() {
        let (history, diagnosis) = fixture::flush();
        let report = Report::of_one(&history.window(), &diagnosis, &["a notice".into()]);
        insta::assert_snapshot!(report.json());
    }

    #[test]
    fn nothing_read_as_json() {
        let (history, diagnosis) = fixture::outage();
        let report = Report::of_one(&history.window(), &diagnosis, &[]);
        insta::assert_snapshot!(report.json());
    }

    #[test]
    fn steering_characters_are_escaped_and_kept() {
        let text = "a\u{1b}[2J\u{9b}b\u{202e}\u{7f}ü\u{e0001}\"\\";
        let json = render(&text);
        assert!(!json.trim_end().chars().any(char::is_control), "{json}");
        assert!(!json.contains('\u{202e}') && json.contains('ü'), "{json}");
        let back: String = serde_json::from_str(&json).expect("is JSON");
        assert_eq!(back, text);
    }
}
