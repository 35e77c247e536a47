//! Saved INFO replies instead of a server.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use jiff::Timestamp;

use crate::info::Info;
use crate::model::{Assumptions, Deployment, Moment, NodeId, Observation, Told};

/// No reply is larger.
const LARGEST_BYTES: u64 = 16 << 20;
/// Sections of which every reply has at least one.
const SECTIONS: [&str; 7] = [
    "Server",
    "Memory",
    "Stats",
    "Replication",
    "Persistence",
    "Keyspace",
    "Commandstats",
];
/// Time between two replies that do not tell it.
const UNKNOWN_SPACING: Duration = Duration::from_secs(1);

/// Why a saved reply cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InfoFileError {
    /// More than a before and an after.
    #[error("--info is given {0} times; give one file, or two in the order of their saving")]
    TooMany(usize),
    /// It cannot be read.
    #[error("cannot read '{}' ({source}); check the path and its permissions", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Too large to be a reply.
    #[error("'{}' is larger than 16 MiB; give the output of: redis-cli INFO everything", .0.display())]
    TooLarge(PathBuf),
    /// Not an INFO document.
    #[error("'{}' is not an INFO reply; save one with: redis-cli INFO everything", .0.display())]
    NotInfo(PathBuf),
}

/// One saved reply.
struct Saved {
    info: Box<str>,
    taken: Timestamp,
    /// The server's clock, microseconds since 1970.
    server_us: Option<u64>,
    run_id: Option<String>,
    uptime_s: Option<u64>,
}

/// One or two saved replies of a node, and notices about what had to be guessed. `now` dates a
/// reply that nothing else dates.
pub(super) fn deployment(
    files: &[PathBuf],
    assumptions: Assumptions,
    now: Timestamp,
) -> Result<(Deployment, Vec<String>), InfoFileError> {
    if files.len() > 2 {
        return Err(InfoFileError::TooMany(files.len()));
    }
    let saved = files
        .iter()
        .map(|path| read(path, now))
        .collect::<Result<Vec<_>, _>>()?;
    let name = files
        .last()
        .map_or("-".into(), |path| match path.file_name() {
            Some(name) if path.as_os_str() != "-" => name.to_string_lossy(),
            _ => "standard input".into(),
        });
    let keep = Duration::from_secs(u64::from(u32::MAX));
    let node = NodeId::new(&name);
    let mut deployment = Deployment::new(node.clone(), assumptions, keep);
    let mut notices = Vec::new();
    let mut moment: Option<Moment> = None;
    for (index, reply) in saved.iter().enumerate() {
        let here = match (moment, index.checked_sub(1).map(|before| &saved[before])) {
            (Some(start), Some(before)) => {
                let apart = spacing(before, reply).unwrap_or_else(|| {
                    notices.push(
                        "the replies do not tell how far apart they were taken, or stand in the \
                         wrong order: rates are not reliable"
                            .into(),
                    );
                    UNKNOWN_SPACING
                });
                Moment {
                    elapsed: start.elapsed + apart,
                    at: start.at.saturating_add(apart).unwrap_or(start.at),
                }
            }
            _ => Moment {
                elapsed: Duration::ZERO,
                at: reply.taken,
            },
        };
        moment = Some(here);
        let said = Observation::Answer {
            moment: here,
            round_trip: Duration::ZERO,
            info: reply.info.clone(),
        };
        deployment.observe(Told::Node(node.clone(), said));
    }
    Ok((deployment, notices))
}

/// How far apart two replies are: by the server's clock, else by the age of the same process.
fn spacing(before: &Saved, after: &Saved) -> Option<Duration> {
    let by_clock = match (before.server_us, after.server_us) {
        (Some(was), Some(is)) => is.checked_sub(was).map(Duration::from_micros),
        _ if before.run_id.is_some() && before.run_id == after.run_id => after
            .uptime_s
            .zip(before.uptime_s)
            .and_then(|(is, was)| is.checked_sub(was))
            .map(Duration::from_secs),
        _ => None,
    };
    by_clock.filter(|apart| !apart.is_zero())
}

fn read(path: &Path, now: Timestamp) -> Result<Saved, InfoFileError> {
    let failed = |source| InfoFileError::Unreadable {
        path: path.into(),
        source,
    };
    let mut bytes = Vec::new();
    let mut written = None;
    if path.as_os_str() == "-" {
        let mut input = io::stdin().lock().take(LARGEST_BYTES + 1);
        input.read_to_end(&mut bytes).map_err(failed)?;
    } else {
        let file = fs::File::open(path).map_err(failed)?;
        written = file.metadata().and_then(|meta| meta.modified()).ok();
        let mut input = file.take(LARGEST_BYTES + 1);
        input.read_to_end(&mut bytes).map_err(failed)?;
    }
    if bytes.len() as u64 > LARGEST_BYTES {
        return Err(InfoFileError::TooLarge(path.into()));
    }
    let text: Box<str> = decode(&bytes).into();
    let info = Info::parse(text.clone());
    if !is_reply(&info) {
        return Err(InfoFileError::NotInfo(path.into()));
    }
    let server_us = info.u64("Server", "server_time_usec");
    let by_server = server_us
        .and_then(|us| i64::try_from(us).ok())
        .and_then(|us| Timestamp::from_microsecond(us).ok());
    let by_file = written
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .and_then(|since| i64::try_from(since.as_secs()).ok())
        .and_then(|seconds| Timestamp::from_second(seconds).ok());
    Ok(Saved {
        taken: by_server.or(by_file).unwrap_or(now),
        server_us,
        run_id: info.get("Server", "run_id").map(str::to_owned),
        uptime_s: info.u64("Server", "uptime_in_seconds"),
        info: text,
    })
}

/// Whether this is an `INFO` reply, whoever made it. The oldest servers print no headings.
fn is_reply(info: &Info) -> bool {
    let has_heading = SECTIONS.iter().any(|section| info.has_section(section));
    !info.is_empty() && (has_heading || info.get("", "redis_version").is_some())
}

/// Text as editors and shells save it: PowerShell's `>` writes UTF-16. What is no text is replaced
/// and shown.
fn decode(bytes: &[u8]) -> String {
    let units = |bytes: &[u8], unit: fn([u8; 2]) -> u16| -> String {
        let pairs = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        char::decode_utf16(pairs)
            .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect()
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => units(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => units(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        bytes => String::from_utf8_lossy(bytes).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use rstest::rstest;

    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("temporary file");
        file.write_all(text.as_bytes()).expect("writes");
        file
    }

    #[rstest]
    #[case("server_time_usec:1000000", "server_time_usec:8000000", 7.0, 0)]
    #[case("server_time_usec:8000000", "server_time_usec:1000000", 1.0, 1)]
    #[case(
        "run_id:a\nuptime_in_seconds:5",
        "run_id:a\nuptime_in_seconds:65",
        60.0,
        0
    )]
    #[case(
        "run_id:a\nuptime_in_seconds:5",
        "run_id:b\nuptime_in_seconds:65",
        1.0,
        1
    )]
    #[case("a:1", "a:1", 1.0, 1)]
    fn replies_are_as_far_apart_as_they_tell(
        #[case] first: &str,
        #[case] later: &str,
        #[case] seconds: f64,
        #[case] notices: usize,
    ) {
        let files = [first, later].map(|text| file(&format!("# Server\n{text}\n")));
        let paths = files.each_ref().map(|file| file.path().to_path_buf());
        let (read, said) =
            deployment(&paths, Assumptions::default(), Timestamp::UNIX_EPOCH).expect("reads");
        let window = read.first().history().window();
        let (start, end) = (window.start(), window.end());
        let apart = end.expect("ends").seconds_since(start.expect("starts"));
        assert!((apart - seconds).abs() < 1e-6, "{apart}");
        assert_eq!(said.len(), notices);
    }

    #[test]
    fn text_is_read_as_it_was_saved() {
        let text = "# Server\r\nredis_version:7\r\n";
        let utf16: Vec<u16> = text.encode_utf16().collect();
        let le = utf16.iter().flat_map(|unit| unit.to_le_bytes());
        let be = utf16.iter().flat_map(|unit| unit.to_be_bytes());
        let saved: [Vec<u8>; 4] = [
            text.into(),
            [0xef, 0xbb, 0xbf].into_iter().chain(text.bytes()).collect(),
            [0xff, 0xfe].into_iter().chain(le).collect(),
            [0xfe, 0xff].into_iter().chain(be).collect(),
        ];
        for bytes in saved {
            assert_eq!(decode(&bytes), text);
        }
        assert_eq!(decode(b"dir:/\xe9"), "dir:/\u{fffd}");
    }

    #[test]
    fn the_oldest_replies_have_no_headings() {
        assert!(is_reply(&Info::parse(
            "redis_version:2.4.18\r\nused_memory:1\r\n"
        )));
    }

    #[rstest]
    #[case("")]
    #[case("hello\n")]
    #[case("a:1\n")]
    #[case("# Heading\nurl = https://x\n")]
    fn other_files_are_refused(#[case] text: &str) {
        let file = file(text);
        let read = deployment(
            &[file.path().into()],
            Assumptions::default(),
            Timestamp::UNIX_EPOCH,
        );
        assert!(matches!(read, Err(InfoFileError::NotInfo(_))));
    }
}
