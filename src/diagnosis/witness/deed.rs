//! A command that somebody ran, from whichever witness.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::super::case::Case;
use super::super::{Cause, Certainty, Suspect};
use super::Span;
use crate::model::{Caught, Class, Client, Moment, SlowEntry, Step, class_of};

/// Witnesses know whole seconds, and clocks are compared to a round trip.
const SLACK: SignedDuration = SignedDuration::from_secs(1);
/// A `DEL` of fewer keys is everyday.
const MANY: usize = 10;

/// Where a deed is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    SlowLog,
    LargeRequests,
    ClientList,
    /// Slow log and client list say the same.
    Both,
    Monitor,
}

impl Source {
    fn words(self) -> &'static str {
        match self {
            Self::SlowLog => "slow log",
            Self::LargeRequests => "log of large requests",
            Self::ClientList => "client list",
            Self::Both => "slow log, client list",
            Self::Monitor => "monitor",
        }
    }
}

/// A command that somebody ran.
#[derive(Clone, Debug)]
pub(super) struct Deed<'a> {
    pub(super) command: Cow<'a, str>,
    /// The command's name, lower case.
    verb: String,
    classes: Cow<'a, [Class]>,
    arguments: Option<usize>,
    pub(super) address: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    user: Option<&'a str>,
    library: Option<&'a str>,
    /// It ran between these, by our clock.
    earliest: Timestamp,
    pub(super) latest: Timestamp,
    order: u64,
    source: Source,
    /// The entry of the slow log.
    pub(super) entry: Option<&'a SlowEntry>,
}

/// Everything that the witnesses told, but for what a primary sent to its replica: whoever did that
/// is connected to the primary.
pub(super) fn all<'a>(case: &Case<'a>) -> Vec<Deed<'a>> {
    let ahead = ahead(case);
    let testimony = case.window.witnesses();
    let entries = testimony.slow_log().unwrap_or_default().into_iter();
    let logged = entries.map(|entry| Deed::logged(entry, ahead));
    let lists = testimony.clients();
    let clients = lists.flat_map(|(at, list)| list.rows.iter().map(move |row| Deed::last(row, at)));
    let monitors = testimony.monitors().filter_map(Result::ok);
    let caught = monitors.flat_map(|monitor| &monitor.caught);
    let caught = caught.map(|caught| Deed::caught(caught, ahead));
    let deeds = logged.chain(clients).chain(caught);
    let links = links(case);
    deeds
        .filter(|deed| {
            let is_sent = |address| is_link(&links, address) || case.is_server(address);
            !deed.address.is_some_and(is_sent)
        })
        .collect()
}

/// The primaries that this node had, as `INFO` names them and as its list of clients does. Between
/// the first and the last reading they are told by the steps that changed them.
fn links(case: &Case<'_>) -> BTreeSet<String> {
    let ends = [case.window.first(), case.window.last()];
    let ends = ends
        .into_iter()
        .flatten()
        .map(|sample| sample.replication().primary);
    let steps = case.window.steps().filter_map(Step::replication);
    let between = steps.flat_map(|(was, is)| [was.primary.clone(), is.primary.clone()]);
    let lists = case.window.witnesses();
    let linked = lists.clients().map(|(_, list)| list.primary.clone());
    ends.chain(between).chain(linked).flatten().collect()
}

/// Where `INFO` knows a primary by a host name only, its port tells.
fn is_link(links: &BTreeSet<String>, address: &str) -> bool {
    let port = |address: &str| Some(address.rsplit_once(':')?.1.to_owned());
    let is_name = |link: &str| {
        let host = link.rsplit_once(':').map_or(link, |(host, _)| host);
        !host.contains(':') && host.bytes().any(|byte| byte.is_ascii_alphabetic())
    };
    let mut links = links.iter();
    links.any(|link| *link == address || (is_name(link) && port(link) == port(address)))
}

/// How far the server's clock is ahead of ours; nothing where it does not tell.
pub(super) fn ahead(case: &Case<'_>) -> SignedDuration {
    let apart = case.last.and_then(|sample| {
        let server = i64::try_from(sample.server.time_us?).ok()?;
        let server = Timestamp::from_microsecond(server).ok()?;
        Some(server.duration_since(sample.moment.at))
    });
    apart.unwrap_or_default()
}

/// When the server started, by our clock.
pub(super) fn started(case: &Case<'_>) -> Option<Timestamp> {
    let last = case.last?;
    let uptime = SignedDuration::from_secs(i64::try_from(last.server.uptime_s?).ok()?);
    last.moment.at.checked_sub(uptime + SLACK + SLACK).ok()
}

impl<'a> Deed<'a> {
    fn logged(entry: &'a SlowEntry, ahead: SignedDuration) -> Self {
        let at = entry.at.saturating_sub(ahead).unwrap_or(entry.at);
        Self {
            command: Cow::Borrowed(&entry.command),
            verb: entry.command_name(),
            classes: Cow::Borrowed(&entry.classes),
            arguments: Some(entry.arguments),
            address: entry.address.as_deref(),
            name: entry.name.as_deref(),
            user: None,
            library: None,
            earliest: at,
            latest: at,
            order: entry.id,
            source: match entry.bytes {
                None => Source::SlowLog,
                Some(_) => Source::LargeRequests,
            },
            entry: Some(entry),
        }
    }

    /// What a monitor saw.
    fn caught(caught: &'a Caught, ahead: SignedDuration) -> Self {
        let first = caught.first.saturating_sub(ahead).unwrap_or(caught.first);
        Self {
            earliest: first,
            source: Source::Monitor,
            entry: None,
            ..Self::logged(&caught.entry, ahead)
        }
    }

    /// The last command of a client; idle time is cut to whole seconds.
    fn last(client: &'a Client, at: Moment) -> Self {
        let idle = SignedDuration::from_secs(i64::try_from(client.idle_s).unwrap_or(i64::MAX));
        let latest = at.at.saturating_sub(idle).unwrap_or(at.at);
        Self {
            command: Cow::Owned(client.command.replace('|', " ").to_ascii_uppercase()),
            verb: client.command.clone(),
            classes: Cow::Owned(vec![client.class]),
            arguments: None,
            address: client.address.as_deref(),
            name: client.name.as_deref(),
            user: client.user.as_deref(),
            library: client.library.as_deref(),
            earliest: latest.saturating_sub(SLACK).unwrap_or(latest),
            latest,
            order: 0,
            source: Source::ClientList,
            entry: None,
        }
    }

    /// Whether it can have run in that time.
    pub(super) fn is_within(&self, (from, to): Span) -> bool {
        self.latest.duration_since(from) >= -SLACK && self.earliest.duration_since(to) <= SLACK
    }

    /// Whether it is one of these commands and names a key.
    pub(super) fn is_on(&self, key: &str, verbs: &[String]) -> bool {
        verbs.contains(&self.verb) && self.command.split(' ').skip(1).any(|word| word == key)
    }

    pub(super) fn newest_first(&self, other: &Self) -> Ordering {
        let key = |deed: &Self| (deed.latest, deed.order);
        key(other).cmp(&key(self))
    }

    pub(super) fn is_script(&self) -> bool {
        class_of(&self.verb) == Some(Class::Script)
    }

    /// Whether somebody watched it happen.
    pub(super) fn was_seen(&self) -> bool {
        self.source == Source::Monitor
    }

    /// Whether only the name of a script's command is known.
    pub(super) fn is_guess(&self) -> bool {
        self.source == Source::ClientList && self.is_script()
    }

    /// Whether it can have taken keys in this way: it does, or it is a script of which no more is
    /// known.
    pub(super) fn can_be(&self, cause: Cause) -> bool {
        let by_scripts = matches!(cause, Cause::Flush | Cause::Deletion);
        self.does(cause) || (by_scripts && self.is_guess())
    }

    /// Whether it takes keys in this way.
    pub(super) fn does(&self, cause: Cause) -> bool {
        let does = |class| self.classes.contains(&class);
        let verb = self.verb.as_str();
        match cause {
            Cause::Flush => does(Class::Flush),
            Cause::Deletion => {
                let is_many = self.arguments.is_none_or(|arguments| arguments >= MANY);
                does(Class::Delete) && (is_many || verb.starts_with("ft.") || self.is_script())
            }
            Cause::Overwrite => {
                let reads = ["sort", "georadius", "georadiusbymember", "renamenx"];
                does(Class::Overwrite) && !reads.contains(&verb)
            }
            Cause::Relocation => does(Class::Move),
            Cause::Expiration => does(Class::Expire) && verb.contains("expire"),
            Cause::Replication => matches!(verb, "replicaof" | "slaveof"),
            Cause::Eviction
            | Cause::InstanceFailure
            | Cause::RejectedWrites
            | Cause::Unexplained => false,
        }
    }

    /// Whether both tell of the same command of the same client.
    fn is_same_as(&self, other: &Self) -> bool {
        self.address.is_some()
            && self.address == other.address
            && self.verb == other.verb
            && self.is_within((other.earliest, other.latest))
    }

    /// Somebody who may have done it. `ahead` is how far the server's clock is ahead of ours.
    pub(super) fn suspect(&self, ahead: SignedDuration, certainty: Certainty) -> Suspect {
        let at = match self.entry {
            Some(entry) => entry.at,
            None => self.latest.saturating_add(ahead).unwrap_or(self.latest),
        };
        Suspect {
            command: self.command.clone().into_owned(),
            address: self.address.map(str::to_owned),
            name: self.name.map(str::to_owned),
            user: self.user.map(str::to_owned),
            library: self.library.map(str::to_owned),
            at: Some(at),
            source: self.source.words(),
            certainty,
        }
    }
}

/// A command inside a script is logged before the script: by Redis without a client, by Valkey
/// with the script's own. The script is the one to name.
pub(super) fn without_inner(found: Vec<Deed<'_>>) -> Vec<Deed<'_>> {
    let scripts: Vec<(Option<&str>, Timestamp, u64)> = found
        .iter()
        .filter(|outer| outer.address.is_some() && outer.is_script() && !outer.is_guess())
        .map(|outer| (outer.address, outer.latest, outer.order))
        .collect();
    let is_inner = |inner: &Deed<'_>| {
        scripts.iter().any(|(address, at, order)| {
            let is_before = inner.address == *address && inner.order < *order;
            let is_beside = at.duration_since(inner.latest).abs() <= SLACK;
            let is_logged = inner.entry.is_some() && !inner.is_script();
            is_beside && (inner.address.is_none() || (is_logged && is_before))
        })
    };
    let found = found.into_iter();
    found.filter(|deed| !is_inner(deed)).collect()
}

/// What several witnesses tell of one command becomes one deed: the log knows the arguments, the
/// list of clients the user and the library.
pub(super) fn together(found: Vec<Deed<'_>>) -> Vec<Deed<'_>> {
    let (listed, mut together): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|deed| deed.source == Source::ClientList);
    for row in listed {
        let same = together.iter_mut().find(|deed| deed.is_same_as(&row));
        match same {
            Some(deed) if deed.entry.is_some() || deed.was_seen() => {
                deed.user = deed.user.or(row.user);
                deed.library = deed.library.or(row.library);
                deed.name = deed.name.or(row.name);
                if !deed.was_seen() {
                    deed.source = Source::Both;
                }
            }
            // The same client in a later list.
            Some(_) => {}
            None => together.push(row),
        }
    }
    // Who was seen to do it comes first, then who is known from two witnesses.
    together.sort_by_key(|deed| match deed.source {
        Source::Monitor => 0,
        Source::Both => 1,
        _ => 2,
    });
    together
}
