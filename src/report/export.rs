//! The snapshot export: a report with the numbers behind it, as files that nothing overwrites.
//!
//! A file appears whole or not at all: it is written beside its place, synchronised, then linked
//! under its name only if that name is free. Only the owner may read it.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{Format, Report, Style, json, markdown, panels};
use crate::model::{History, NodeId};

/// Exports of one moment that are kept apart by a number.
const MOST_NAMES: u32 = 1_000;

/// Why an export could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The folder or the disk refuses.
    #[error("cannot write '{}' ({source}); choose another folder", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The name is taken.
    #[error("'{}' exists already and is never overwritten; choose another name", .0.display())]
    Exists(PathBuf),
}

/// Everything that is known about a window, to be kept.
#[derive(Debug, Serialize)]
pub struct Snapshot<'a> {
    #[serde(flatten)]
    report: Report<'a>,
    program: &'static str,
    panels: Value,
    raw: Raw<'a>,
    #[serde(skip)]
    node: &'a NodeId,
}

/// `INFO` replies as the server sent them.
#[derive(Debug, Serialize)]
struct Raw<'a> {
    first: Option<&'a str>,
    last: Option<&'a str>,
}

impl<'a> Snapshot<'a> {
    /// Adds to a report the numbers of one node up to a moment, and what it said.
    pub fn new(report: Report<'a>, history: &'a History, end: Option<Duration>) -> Self {
        Self {
            report,
            program: concat!("amr-top ", env!("CARGO_PKG_VERSION")),
            panels: panels::numbers(&history.window_until(end)),
            raw: Raw {
                first: history.first_info(),
                last: history.last_info(),
            },
            node: history.node(),
        }
    }

    /// The snapshot in one of its forms; text is the report alone.
    pub fn render(&self, format: Format, style: Style) -> String {
        match format {
            Format::Text => self.report.text(style),
            Format::Json => json::render(self),
            Format::Markdown => self.markdown(),
        }
    }

    fn markdown(&self) -> String {
        let mut out = self.report.markdown();
        let blocks = [
            ("Numbers", Some(json::render(&self.panels))),
            ("First INFO reply", self.raw.first.map(str::to_owned)),
            ("Last INFO reply", self.raw.last.map(str::to_owned)),
        ];
        for (title, text) in blocks {
            if let Some(text) = text {
                let block = markdown::block(&text);
                let _ = write!(
                    out,
                    "\n<details><summary>{title}</summary>\n\n{block}\n</details>\n"
                );
            }
        }
        out
    }
}

/// A snapshot as the texts of its two files: owned, so that they can be written elsewhere than
/// on the thread that draws.
#[derive(Clone, Debug)]
pub struct Pages {
    stem: String,
    json: String,
    markdown: String,
}

impl Snapshot<'_> {
    /// The two files, named after the node and the time.
    pub fn pages(&self, at: Timestamp) -> Pages {
        let node = file_name_of(self.node.as_str());
        Pages {
            stem: format!("amr-top-{node}-{}", at.strftime("%Y%m%dT%H%M%SZ")),
            json: self.render(Format::Json, Style::default()),
            markdown: self.render(Format::Markdown, Style::default()),
        }
    }
}

impl Pages {
    /// Writes `amr-top-HOST-TIME.json` and `.md` into a folder and returns their paths.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>, ExportError> {
        for number in 1..=MOST_NAMES {
            let name = match number {
                1 => self.stem.clone(),
                n => format!("{}-{n}", self.stem),
            };
            let paths = [".json", ".md"].map(|end| folder.join(format!("{name}{end}")));
            if paths.iter().any(|path| path.symlink_metadata().is_ok()) {
                continue;
            }
            match write_new(&paths[0], &self.json) {
                Err(ExportError::Exists(_)) => continue,
                done => done?,
            }
            match write_new(&paths[1], &self.markdown) {
                Ok(()) => return Ok(paths.into()),
                Err(error) => {
                    // Half an export is none; the first file is ours.
                    let _ = fs::remove_file(&paths[0]);
                    if !matches!(error, ExportError::Exists(_)) {
                        return Err(error);
                    }
                }
            }
        }
        Err(ExportError::Exists(folder.join(&self.stem)))
    }
}

/// Writes one file by its full name. A device or a pipe is written to as it is.
pub fn export_to(path: &Path, text: &str) -> Result<(), ExportError> {
    let is_special = fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir());
    if !is_special {
        return write_new(path, text);
    }
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut device| device.write_all(text.as_bytes()))
        .map_err(|source| failed(path, &source))
}

/// Mode 0600 from the start, complete, and only where no file is.
fn write_new(path: &Path, text: &str) -> Result<(), ExportError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if path.symlink_metadata().is_ok() {
        return Err(ExportError::Exists(path.into()));
    }
    let written = tempfile::Builder::new()
        .prefix(".amr-top-")
        .suffix(".part")
        .tempfile_in(folder)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            Ok(file)
        });
    let file = written.map_err(|source| failed(path, &source))?;
    file.persist_noclobber(path).map_err(|refused| {
        if refused.error.kind() == io::ErrorKind::AlreadyExists {
            ExportError::Exists(path.into())
        } else {
            failed(path, &refused.error)
        }
    })?;
    // The name is on disk once the folder is; some file systems cannot do that, which is no loss.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

fn failed(path: &Path, source: &io::Error) -> ExportError {
    ExportError::Write {
        path: path.into(),
        source: plain(source),
    }
}

/// The system's words without the path of the temporary file.
fn plain(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => match error.get_ref().and_then(|inner| inner.source()) {
            Some(source) => source
                .downcast_ref::<io::Error>()
                .and_then(io::Error::raw_os_error)
                .map_or_else(
                    || io::Error::from(error.kind()),
                    io::Error::from_raw_os_error,
                ),
            None => io::Error::from(error.kind()),
        },
    }
}

/// An address as part of a file name.
fn file_name_of(address: &str) -> String {
    let name: String = address
        .chars()
        .map(|c| match c {
            'A'..='Z' | 'a'..='z' | '0'..='9' | '.' | '_' | '-' => c,
            _ => '-',
        })
        .take(100)
        .collect();
    let name = name.trim_matches(['-', '.']);
    if name.is_empty() { "server" } else { name }.to_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use rstest::rstest;

    use super::*;
    use crate::report::fixture;

    const AT: i64 = 1_795_442_587;

    fn exported(folder: &Path) -> Result<Vec<PathBuf>, ExportError> {
        let (history, diagnosis) = fixture::flush();
        let report = Report::of_one(&history.window(), &diagnosis, &[]);
        let snapshot = Snapshot::new(report, &history, None);
        let at = Timestamp::from_second(AT).expect("is a time");
        snapshot.pages(at).write(folder)
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("is a folder");
        let mut names: Vec<_> = entries
            .map(|entry| {
                entry
                    .expect("is there")
                    .file_name()
                    .to_string_lossy()
                    .into()
            })
            .collect();
        names.sort();
        names
    }

    #[test]
    fn an_export_never_overwrites_and_is_private() {
        let folder = tempfile::tempdir().expect("temporary folder");
        for _ in 0..3 {
            for path in exported(folder.path()).expect("exports") {
                let mode = fs::metadata(&path).expect("is there").permissions().mode();
                assert_eq!(mode & 0o777, 0o600, "{}", path.display());
            }
        }
        assert_eq!(
            names(folder.path()),
            [
                "amr-top-cache-6379-20261123T140307Z-2.json",
                "amr-top-cache-6379-20261123T140307Z-2.md",
                "amr-top-cache-6379-20261123T140307Z-3.json",
                "amr-top-cache-6379-20261123T140307Z-3.md",
                "amr-top-cache-6379-20261123T140307Z.json",
                "amr-top-cache-6379-20261123T140307Z.md",
            ]
        );
    }

    #[test]
    fn a_taken_half_moves_the_pair_on() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let taken = folder.path().join("amr-top-cache-6379-20261123T140307Z.md");
        fs::write(&taken, "mine").expect("writes");
        let paths = exported(folder.path()).expect("exports");
        assert!(
            paths
                .iter()
                .all(|path| path.to_string_lossy().contains("Z-2."))
        );
        assert_eq!(fs::read_to_string(taken).expect("is there"), "mine");
        assert_eq!(names(folder.path()).len(), 3);
    }

    #[test]
    fn an_export_holds_the_numbers_and_the_raw_replies() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let paths = exported(folder.path()).expect("exports");
        let text = fs::read_to_string(&paths[0]).expect("is there");
        let json: Value = serde_json::from_str(&text).expect("is JSON");
        assert_eq!(json["schema"], "amr-top/report/1");
        assert_eq!(json["verdicts"][0]["cause"], "flush");
        assert_eq!(json["panels"]["keyspace"]["dbs"][0]["keys"], 1_177);
        assert_eq!(json["panels"]["memory"]["limit_from"], "unlimited");
        assert_eq!(json["panels"]["commandstats"][0]["class"], "flush");
        let raw = |which: &str| json["raw"][which].as_str().map(str::to_owned);
        assert!(raw("first").is_some_and(|text| text.contains("keys=51417")));
        assert!(raw("last").is_some_and(|text| text.contains("keys=1177")));
        let markdown = fs::read_to_string(&paths[1]).expect("is there");
        assert!(markdown.contains("keys=51417") && markdown.contains("keys=1177"));
    }

    #[rstest]
    #[case("/proc", "/proc/amr-top-")]
    #[case("/nonexistent", "/nonexistent/amr-top-")]
    #[case("/dev/null", "/dev/null/amr-top-")]
    fn a_folder_that_refuses_is_named(#[case] folder: &str, #[case] says: &str) {
        let error = exported(Path::new(folder))
            .expect_err("refuses")
            .to_string();
        assert!(error.contains(says), "{error}");
        assert!(!error.contains(".part"), "{error}");
        assert!(error.contains("choose another folder"), "{error}");
    }

    #[test]
    fn a_full_device_is_told() {
        let error = export_to(Path::new("/dev/full"), "x").expect_err("is full");
        assert!(error.to_string().contains("No space left"), "{error}");
    }

    #[rstest]
    #[case("cache:6379", "cache-6379")]
    #[case("[::1]:6379", "1--6379")]
    #[case("/run/redis.sock", "run-redis.sock")]
    #[case("../../etc/passwd", "etc-passwd")]
    #[case("", "server")]
    fn addresses_become_file_names(#[case] address: &str, #[case] name: &str) {
        assert_eq!(file_name_of(address), name);
    }
}
