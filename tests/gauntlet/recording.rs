//! Scenario files: what a poller heard of an incident, and what was done.
//!
//! A file is text: a header of `name: value` lines, a blank line, then one block an observation.
//!
//! | line | meaning |
//! |---|---|
//! | `@ ELAPSED_MS UNIX_MS ROUND_TRIP_US full` | an `INFO` reply, whole, in the lines that follow |
//! | `@ ELAPSED_MS UNIX_MS ROUND_TRIP_US changed` | a reply as changes of the one before |
//! | `=name:value` | a line with another value |
//! | `-name` | a line that is gone |
//! | `+N line` | a line that is new; it stands at place N, counted from 0 |
//! | `! ELAPSED_MS UNIX_MS RETRY_MS KIND words` | a failed poll |
//! | `* ELAPSED_MS UNIX_MS emptied` | the push that a database was emptied |
//! | `* ELAPSED_MS UNIX_MS tripwire [why not]` | whether such pushes come |
//! | `* ELAPSED_MS UNIX_MS slowlog [why not]` | the slow log, its entries in the lines that follow |
//! | `~` and fields between tabs | an entry of the slow log |
//!
//! Sections that no rule reads are left out, and what belongs to one machine is made neutral.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use amr_top::diagnosis::Cause;
use amr_top::model::{Assumptions, Failure, FailureKind, History, Moment, NodeId, Observation};
use jiff::Timestamp;

use crate::expected::Expected;

#[path = "aside.rs"]
mod aside;

/// The node of every recording.
pub(crate) const NODE: &str = "127.0.0.1:6379";
/// Set to save what was heard.
const SAVE: &str = "UPDATE_SCENARIOS";
/// Sections that no rule reads.
const UNREAD: [&str; 4] = ["CPU", "Modules", "Latencystats", "Threads"];
/// Fields that tell of the machine, and what stands there instead.
const NEUTRAL: [(&str, &str); 5] = [
    ("executable", "/usr/bin/server"),
    ("config_file", ""),
    ("os", "Linux"),
    ("gcc_version", "0.0.0"),
    ("multiplexing_api", "epoll"),
];
const KINDS: [FailureKind; 16] = [
    FailureKind::Refused,
    FailureKind::ConnectTimeout,
    FailureKind::Hanging,
    FailureKind::Closed,
    FailureKind::UnknownHost,
    FailureKind::Network,
    FailureKind::PasswordNeeded,
    FailureKind::PasswordWrong,
    FailureKind::NotPermitted,
    FailureKind::Tls,
    FailureKind::TlsExpected,
    FailureKind::PlainExpected,
    FailureKind::TooManyClients,
    FailureKind::ProtectedMode,
    FailureKind::Rubbish,
    FailureKind::Server,
];

/// An incident as it was heard.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) incident: String,
    pub(crate) server: String,
    pub(crate) expected: Expected,
    /// How sure the live verdict was.
    pub(crate) level: String,
    /// What the live verdict said of its number.
    pub(crate) at_least: bool,
    pub(crate) observations: Vec<Observation>,
}

/// Whether files are to be written.
pub(crate) fn is_saving() -> bool {
    std::env::var_os(SAVE).is_some_and(|value| value == "1")
}

/// The folder of all scenarios.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

impl Scenario {
    /// A history that has heard it.
    pub(crate) fn history(&self) -> History {
        let keep = Duration::from_secs(600);
        let mut history = History::new(NodeId::new(NODE), Assumptions::default(), keep);
        for observation in &self.observations {
            history.observe(observation.clone());
        }
        history
    }

    pub(crate) fn encode(&self) -> String {
        let keys = self.expected.keys.as_ref();
        let keys = keys.map_or("-".to_owned(), |keys| {
            format!("{}..{}", keys.start(), keys.end())
        });
        let mut text = format!(
            "incident: {}\nserver: {}\ncause: {}\nmechanism: {}\nlevel: {}\nkeys: {keys}\nat-least: {}\n\
             shares: {}\n",
            self.incident,
            self.server,
            self.expected.cause.id(),
            self.expected.mechanism,
            self.level,
            if self.at_least { "yes" } else { "no" },
            self.expected.shares.join(" ")
        );
        let mut last: Option<Vec<String>> = None;
        for observation in &self.observations {
            match observation {
                Observation::Answer {
                    moment,
                    round_trip,
                    info,
                } => {
                    let lines = neutral(info);
                    let head = format!("{} {}", head(*moment), round_trip.as_micros());
                    let changes = last.as_ref().and_then(|last| changes(last, &lines));
                    let (word, body) = match &changes {
                        Some(changes) => ("changed", changes),
                        None => ("full", &lines),
                    };
                    let _ = write!(text, "\n@ {head} {word}");
                    for line in body {
                        let _ = write!(text, "\n{line}");
                    }
                    last = Some(lines);
                }
                Observation::Failed {
                    moment,
                    failure,
                    retry_in,
                } => {
                    let _ = write!(
                        text,
                        "\n! {} {} {:?} {}",
                        head(*moment),
                        retry_in.as_millis(),
                        failure.kind,
                        failure.detail
                    );
                }
                other => text.push_str(&aside::encode(other, &head(other.moment()))),
            }
        }
        text.push('\n');
        text
    }

    pub(crate) fn decode(text: &str) -> Result<Self, String> {
        let (header, body) = text.split_once("\n\n").ok_or("no header")?;
        let field = |name: &str| {
            let value = |line: &'_ str| {
                let value = line.strip_prefix(name)?.strip_prefix(':')?;
                Some(value.trim().to_owned())
            };
            let mut lines = header.lines();
            lines.find_map(value).ok_or(format!("no '{name}'"))
        };
        let keys = match field("keys")?.split_once("..") {
            Some((least, most)) => Some(number(least)?..=number(most)?),
            None => None,
        };
        let cause = field("cause")?;
        let mut reader = Reader::default();
        body.lines().try_for_each(|line| reader.read(line))?;
        Ok(Self {
            incident: field("incident")?,
            server: field("server")?,
            expected: Expected {
                cause: Cause::from_id(&cause).ok_or(format!("no cause '{cause}'"))?,
                mechanism: field("mechanism")?,
                keys,
                shares: field("shares")?
                    .split_whitespace()
                    .map(str::to_owned)
                    .collect(),
            },
            level: field("level")?,
            at_least: field("at-least")? == "yes",
            observations: reader.end()?,
        })
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|error| format!("'{text}': {error}"))
}

fn head(moment: Moment) -> String {
    format!(
        "{} {}",
        moment.elapsed.as_millis(),
        moment.at.as_millisecond()
    )
}

/// Reads a body line by line.
#[derive(Default)]
struct Reader {
    done: Vec<Observation>,
    /// The head of the reply that is being read.
    open: Option<(Moment, Duration)>,
    /// The lines of the reply, and of the one before where they change it.
    lines: Vec<String>,
    added: Vec<(usize, String)>,
}

impl Reader {
    fn read(&mut self, line: &str) -> Result<(), String> {
        if let Some(head) = line.strip_prefix("@ ") {
            self.close();
            let mut words = head.split(' ');
            let moment = moment(&mut words)?;
            let round_trip = Duration::from_micros(number(words.next().unwrap_or_default())?);
            self.open = Some((moment, round_trip));
            if words.next() == Some("full") {
                self.lines.clear();
            }
        } else if let Some(head) = line.strip_prefix("! ") {
            self.close();
            let mut words = head.splitn(5, ' ');
            let moment = moment(&mut words)?;
            let retry_in = Duration::from_millis(number(words.next().unwrap_or_default())?);
            let kind = words.next().unwrap_or_default();
            let known = KINDS.into_iter().find(|k| format!("{k:?}") == kind);
            self.done.push(Observation::Failed {
                moment,
                failure: Failure {
                    kind: known.ok_or(format!("no kind '{kind}'"))?,
                    detail: words.next().unwrap_or_default().to_owned(),
                },
                retry_in,
            });
        } else if let Some(head) = line.strip_prefix("* ") {
            self.close();
            let mut words = head.splitn(4, ' ');
            let moment = moment(&mut words)?;
            let what = words.next().unwrap_or_default();
            self.done.push(aside::decode(moment, what, words.next())?);
        } else if let Some(fields) = line.strip_prefix('~') {
            aside::add_entry(&mut self.done, fields)?;
        } else if let Some(changed) = line.strip_prefix('=') {
            let at = self.place(name_of(changed))?;
            changed.clone_into(&mut self.lines[at]);
        } else if let Some(name) = line.strip_prefix('-') {
            let at = self.place(name)?;
            self.lines.remove(at);
        } else if let Some(added) = line.strip_prefix('+') {
            let (at, line) = added.split_once(' ').ok_or(format!("'{line}'"))?;
            let at = usize::try_from(number(at)?).map_err(|error| error.to_string())?;
            self.added.push((at, line.to_owned()));
        } else {
            self.lines.push(line.to_owned());
        }
        Ok(())
    }

    fn place(&self, name: &str) -> Result<usize, String> {
        let mut names = self.lines.iter().map(|line| name_of(line));
        names
            .position(|known| known == name)
            .ok_or(format!("no line '{name}' to change"))
    }

    /// The reply that was being read is whole.
    fn close(&mut self) {
        let Some((moment, round_trip)) = self.open.take() else {
            return;
        };
        for (at, line) in std::mem::take(&mut self.added) {
            let at = at.min(self.lines.len());
            self.lines.insert(at, line);
        }
        self.done.push(Observation::Answer {
            moment,
            round_trip,
            info: (self.lines.join("\r\n") + "\r\n").into_boxed_str(),
        });
    }

    fn end(mut self) -> Result<Vec<Observation>, String> {
        self.close();
        if self.done.is_empty() {
            return Err("no observation".into());
        }
        Ok(self.done)
    }
}

fn moment<'a>(words: &mut impl Iterator<Item = &'a str>) -> Result<Moment, String> {
    let elapsed = Duration::from_millis(number(words.next().unwrap_or_default())?);
    let at = number(words.next().unwrap_or_default())?;
    let at = i64::try_from(at).map_err(|error| error.to_string())?;
    let at = Timestamp::from_millisecond(at).map_err(|error| error.to_string())?;
    Ok(Moment { elapsed, at })
}

/// What a line is known by.
fn name_of(line: &str) -> &str {
    line.split_once(':').map_or(line, |(name, _)| name)
}

/// The lines that are kept of a reply.
fn neutral(info: &str) -> Vec<String> {
    let mut kept = Vec::new();
    let mut is_read = true;
    for line in info.lines().map(str::trim_end).filter(|l| !l.is_empty()) {
        if let Some(section) = line.strip_prefix("# ") {
            is_read = !UNREAD.contains(&section);
        }
        if is_read {
            let name = name_of(line);
            let neutral = NEUTRAL.iter().find(|(known, _)| *known == name);
            kept.push(match neutral {
                Some((name, value)) => format!("{name}:{value}"),
                None => line.to_owned(),
            });
        }
    }
    kept
}

/// How to get from one reply to the next; `None` where the lines came in another order.
fn changes(was: &[String], is: &[String]) -> Option<Vec<String>> {
    let (mut changed, mut removed, mut added) = (Vec::new(), Vec::new(), Vec::new());
    let has = |lines: &[String], name: &str| lines.iter().any(|line| name_of(line) == name);
    for line in was {
        if !has(is, name_of(line)) {
            removed.push(format!("-{}", name_of(line)));
        }
    }
    for (at, line) in is.iter().enumerate() {
        let same = was.iter().find(|known| name_of(known) == name_of(line));
        match same {
            Some(same) if same == line => {}
            Some(_) => changed.push(format!("={line}")),
            None => added.push(format!("+{at} {line}")),
        }
    }
    let order = |lines: &[String], other: &[String]| -> Vec<String> {
        let names = lines.iter().map(|line| name_of(line).to_owned());
        names.filter(|name| has(other, name)).collect()
    };
    let is_order_kept = order(was, is) == order(is, was);
    is_order_kept.then(|| [removed, changed, added].concat())
}

/// Whether a file holds such an observation.
#[allow(
    clippy::allow_attributes,
    dead_code,
    reason = "the replay reads what was kept"
)]
pub(crate) fn is_kept(observation: &Observation) -> bool {
    !matches!(
        observation,
        Observation::Clients { .. } | Observation::Denied { .. } | Observation::Monitored { .. }
    )
}

/// What a file can tell of an observation.
#[allow(
    clippy::allow_attributes,
    dead_code,
    reason = "the replay reads what was cut already"
)]
pub(crate) fn to_the_millisecond(mut observation: Observation) -> Observation {
    let ms = |time: Duration| Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(0));
    let us = |time: Duration| Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(0));
    match &mut observation {
        Observation::Answer { round_trip, .. } => *round_trip = us(*round_trip),
        Observation::Failed { retry_in, .. } => *retry_in = ms(*retry_in),
        _ => {}
    }
    match &mut observation {
        Observation::Clients { moment, .. }
        | Observation::Denied { moment, .. }
        | Observation::Monitored { moment, .. }
        | Observation::Answer { moment, .. }
        | Observation::Failed { moment, .. }
        | Observation::Emptied { moment }
        | Observation::Tripwire { moment, .. }
        | Observation::SlowLog { moment, .. }
        | Observation::Keys { moment, .. }
        | Observation::Sampled { moment, .. }
        | Observation::Topology { moment, .. }
        | Observation::Heard { moment, .. }
        | Observation::Listening { moment, .. }
        | Observation::Watching { moment, .. } => {
            let at = Timestamp::from_millisecond(moment.at.as_millisecond());
            *moment = Moment {
                elapsed: ms(moment.elapsed),
                at: at.unwrap_or(moment.at),
            };
        }
    }
    observation
}

impl Scenario {
    /// Writes it to its place.
    #[allow(
        clippy::allow_attributes,
        dead_code,
        reason = "the replay writes reports only"
    )]
    pub(crate) fn save(&self, text: &str) {
        let folder = folder().join(&self.server);
        std::fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join(format!("{}.txt", self.incident));
        std::fs::write(file, text).expect("a file");
    }
}
