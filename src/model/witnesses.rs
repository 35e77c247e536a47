//! What the witnesses of one node have said: slow log, client list, log of denied attempts, keyspace
//! events.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::time::Duration;

use super::clients::Clients;
use super::denied::Denied;
use super::events::Heard;
use super::monitored::Monitored;
use super::observation::Moment;
use super::slowlog::SlowEntry;

/// Entries of the slow log that are kept at most, the newest.
const ENTRIES: usize = 256;
/// Client lists that are kept at most, the newest.
const LISTS: usize = 32;
/// Denied attempts that are kept at most.
const DENIED: usize = 32;
/// Monitors that are kept at most, the newest.
const MONITORS: usize = 8;

/// Sums of keyspace events that are kept at most, the newest: an hour of events every other second.
const HEARD: usize = 2_000;

/// Everything that was said, bounded.
#[derive(Clone, Debug, Default)]
pub(super) struct Witnesses {
    /// The newest first.
    entries: Vec<Known<SlowEntry>>,
    /// The first reading of the slow log.
    read: Option<Known<()>>,
    no_slow_log: Option<Known<String>>,
    /// The oldest first.
    lists: VecDeque<Known<(Moment, Clients)>>,
    no_list: Option<Known<String>>,
    denied: Option<Known<Result<Vec<Denied>, String>>>,
    /// The oldest first.
    monitors: VecDeque<Known<Result<Monitored, String>>>,
    /// The oldest first.
    heard: VecDeque<Known<Heard>>,
    no_events: Option<Known<String>>,
}

/// Something, and since when windows know it.
#[derive(Clone, Debug)]
struct Known<T> {
    since: Duration,
    what: T,
}

impl Witnesses {
    /// Takes in entries of the slow log, or why there are none. Those that are known already stay
    /// as they are.
    pub(super) fn slow_log(&mut self, since: Duration, log: Result<Vec<SlowEntry>, String>) {
        let entries = match log {
            Ok(entries) => entries,
            Err(what) => {
                self.no_slow_log = Some(Known { since, what });
                return;
            }
        };
        self.no_slow_log = None;
        self.read.get_or_insert(Known { since, what: () });
        for what in entries {
            let key = |entry: &SlowEntry| (entry.id, entry.at, entry.bytes.is_some());
            let is_known = |known: &Known<SlowEntry>| key(&known.what) == key(&what);
            if !self.entries.iter().any(is_known) {
                self.entries.push(Known { since, what });
            }
        }
        self.entries
            .sort_by_key(|known| Reverse((known.what.at, known.what.id)));
        self.entries.truncate(ENTRIES);
    }

    /// Takes in a list of clients, or why there is none.
    pub(super) fn clients(
        &mut self,
        since: Duration,
        moment: Moment,
        clients: Result<Clients, String>,
    ) {
        match clients {
            Ok(clients) => {
                if self.lists.len() == LISTS {
                    self.lists.pop_front();
                }
                let what = (moment, clients);
                self.lists.push_back(Known { since, what });
            }
            Err(what) => self.no_list = Some(Known { since, what }),
        }
    }

    /// Takes in denied attempts, or why they are not known. The server counts them up, so the
    /// newest word holds all.
    pub(super) fn denied(&mut self, since: Duration, mut denied: Result<Vec<Denied>, String>) {
        if let Ok(denied) = &mut denied {
            denied.truncate(DENIED);
        }
        self.denied = Some(Known {
            since,
            what: denied,
        });
    }

    /// Takes in what a monitor showed, or why it did not run.
    pub(super) fn monitored(&mut self, since: Duration, what: Result<Monitored, String>) {
        if self.monitors.len() == MONITORS {
            self.monitors.pop_front();
        }
        self.monitors.push_back(Known { since, what });
    }

    /// Takes in what was heard of removals.
    pub(super) fn heard(&mut self, since: Duration, what: Heard) {
        if self.heard.len() == HEARD {
            self.heard.pop_front();
        }
        self.heard.push_back(Known { since, what });
    }

    /// Takes in why it is not known whether events are published.
    pub(super) fn no_events(&mut self, since: Duration, what: String) {
        self.no_events = Some(Known { since, what });
    }

    /// It is known again.
    pub(super) fn events_are_known(&mut self) {
        self.no_events = None;
    }

    pub(super) fn leave_out_names(&mut self) {
        for known in &mut self.entries {
            known.what = known.what.without_names();
        }
        self.lists.clear();
        self.denied = None;
        self.monitors.clear();
        for known in &mut self.heard {
            known.what.leave_out_names();
        }
    }
}

/// What the witnesses had said by the end of a window.
#[derive(Clone, Copy, Debug)]
pub struct Testimony<'a> {
    all: &'a Witnesses,
    end: Option<Duration>,
}

impl<'a> Testimony<'a> {
    pub(super) fn new(all: &'a Witnesses, end: Option<Duration>) -> Self {
        Self { all, end }
    }

    fn known<T>(&self, known: &'a Known<T>) -> Option<&'a T> {
        let is_known = self.end.is_some_and(|end| end >= known.since);
        is_known.then_some(&known.what)
    }

    /// The slow log, the newest entry first; `None` before it was read.
    pub fn slow_log(&self) -> Option<Vec<&'a SlowEntry>> {
        self.known(self.all.read.as_ref()?)?;
        let entries = self.all.entries.iter();
        Some(entries.filter_map(|known| self.known(known)).collect())
    }

    /// Why the slow log cannot be read.
    pub fn no_slow_log(&self) -> Option<&'a str> {
        self.known(self.all.no_slow_log.as_ref()?)
            .map(String::as_str)
    }

    /// Lists of clients with the moments at which they came, the oldest first.
    pub fn clients(&self) -> impl DoubleEndedIterator<Item = (Moment, &'a Clients)> + use<'a> {
        let this = *self;
        let lists = self.all.lists.iter();
        lists
            .filter_map(move |known| this.known(known))
            .map(|(moment, clients)| (*moment, clients))
    }

    /// Why clients were not listed.
    pub fn no_clients(&self) -> Option<&'a str> {
        self.known(self.all.no_list.as_ref()?).map(String::as_str)
    }

    /// Denied attempts.
    pub fn denied(&self) -> &'a [Denied] {
        let said = self.all.denied.as_ref().and_then(|known| self.known(known));
        match said {
            Some(Ok(denied)) => denied,
            _ => &[],
        }
    }

    /// What monitors showed, or why they did not run, the oldest first.
    pub fn monitors(
        &self,
    ) -> impl DoubleEndedIterator<Item = Result<&'a Monitored, &'a str>> + use<'a> {
        let this = *self;
        let monitors = self.all.monitors.iter();
        let monitors = monitors.filter_map(move |known| this.known(known));
        monitors.map(|what| what.as_ref().map_err(String::as_str))
    }

    /// What was heard of removals, the oldest first.
    pub fn heard(&self) -> impl DoubleEndedIterator<Item = &'a Heard> + use<'a> {
        let this = *self;
        let heard = self.all.heard.iter();
        heard.filter_map(move |known| this.known(known))
    }

    /// Why it is not known whether events are published.
    pub fn no_events(&self) -> Option<&'a str> {
        self.known(self.all.no_events.as_ref()?).map(String::as_str)
    }

    /// Why denied attempts are not known.
    pub fn no_denied(&self) -> Option<&'a str> {
        let said = self.known(self.all.denied.as_ref()?)?;
        said.as_ref().err().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn entry(id: u64) -> SlowEntry {
        let at = Timestamp::constant(1_700_000_000, 0) + Duration::from_secs(id);
        let words = ["DEL".to_owned(), "secret".to_owned()];
        SlowEntry::new(id, at, Duration::ZERO, &words).by("10.0.0.7:1", "job")
    }

    fn ids(witnesses: &Witnesses, end_s: u64) -> Option<Vec<u64>> {
        let testimony = Testimony::new(witnesses, Some(Duration::from_secs(end_s)));
        let log = testimony.slow_log()?;
        Some(log.iter().map(|entry| entry.id).collect())
    }

    #[test]
    fn later_rounds_add_to_the_slow_log_and_earlier_windows_do_not_know_it() {
        let mut witnesses = Witnesses::default();
        assert_eq!(ids(&witnesses, 9), None);
        witnesses.slow_log(Duration::from_secs(1), Ok(vec![entry(2), entry(1)]));
        witnesses.slow_log(Duration::from_secs(5), Ok(vec![entry(3), entry(2)]));
        assert_eq!(ids(&witnesses, 5), Some(vec![3, 2, 1]));
        witnesses.slow_log(Duration::from_secs(6), Err("NOPERM".to_owned()));
        let now = Testimony::new(&witnesses, Some(Duration::from_secs(7)));
        assert_eq!(now.no_slow_log(), Some("NOPERM"));
        assert_eq!(ids(&witnesses, 7), Some(vec![3, 2, 1]), "is not forgotten");
        let many = (10..900).map(entry).collect();
        witnesses.slow_log(Duration::from_secs(8), Ok(many));
        let kept = ids(&witnesses, 9).expect("was read");
        assert_eq!((kept.len(), kept[0]), (ENTRIES, 899));
    }

    #[test]
    fn names_are_left_out() {
        let mut witnesses = Witnesses::default();
        witnesses.slow_log(Duration::ZERO, Ok(vec![entry(1)]));
        witnesses.leave_out_names();
        let told = format!("{witnesses:?}");
        for name in ["secret", "10.0.0.7", "job"] {
            assert!(!told.contains(name), "{told}");
        }
    }
}
