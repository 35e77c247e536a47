//! All keys under one prefix: which of them vanished.
//!
//! `CLIENT TRACKING ON BCAST PREFIX …` makes the server push the name of every key under the prefix
//! that is changed, by whomever. That costs it something with each such write, so more than
//! [`MOST_NAMES`] names a second switch it off for good.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::pushes::Pushes;
use super::read::Reader;
use super::waiting::{Due, Waiting};
use super::{BATCH, MOST_READS, number, open, words};
use crate::config::Settings;
use crate::model::{
    Asked, Failure, KeyRead, KeyState, Observation, Seen, Watch, Watching, shown_name,
};
use crate::source::connection::{Connection, Trouble};
use crate::source::rate::Rate;
use crate::source::schedule::BackOff;
use crate::source::tripwire::{is_refusal, switch_on};
use crate::source::{Clock, commands};

/// Names that may be pushed in a second.
const MOST_NAMES: usize = 1_000;
/// Keys that are remembered, with what they were: those that were changed last.
const REMEMBERED: usize = 2_000;
/// Names are looked at together when they come in quick succession.
const GAP: Duration = Duration::from_millis(50);

/// A key that was seen.
struct Member {
    id: u64,
    last: Option<Seen>,
    /// It was told to have gone.
    is_told: bool,
}

impl Member {
    /// Whether it was not there when it was last read.
    fn is_absent(&self) -> bool {
        matches!(&self.last, Some(last) if last.state == KeyState::Absent)
    }
}

/// Keeps one prefix.
pub(super) struct Keeper {
    settings: Settings,
    clock: Clock,
    out: mpsc::Sender<Observation>,
    numbers: Arc<AtomicU64>,
    prefix: String,
    pushes: Arc<Pushes>,
    reader: Reader,
    members: HashMap<Vec<u8>, Member>,
    /// Names in the order in which they were first seen.
    order: VecDeque<Vec<u8>>,
    waiting: Waiting,
    /// Names that are pushed.
    pushed: Rate,
    /// Names that are read: a server that is emptied again and again has all of them read each time.
    read: Rate,
}

impl Keeper {
    pub(super) fn new(
        settings: Settings,
        clock: Clock,
        out: mpsc::Sender<Observation>,
        numbers: Arc<AtomicU64>,
        prefix: &str,
    ) -> Self {
        Self {
            reader: Reader::new(&settings.auth),
            settings,
            clock,
            out,
            numbers,
            prefix: prefix.to_owned(),
            pushes: Arc::default(),
            members: HashMap::new(),
            order: VecDeque::new(),
            waiting: Waiting::default(),
            pushed: Rate::new(MOST_NAMES),
            read: Rate::new(MOST_READS as usize),
        }
    }

    /// Stands until it is refused, becomes too much, or nobody listens any more.
    pub(super) async fn stand(mut self) {
        let mut back_off = BackOff::new();
        loop {
            let begun = self.clock.elapsed();
            let why = match self.talk().await {
                Ok(Ended::HungUp) => {
                    back_off.lived(self.clock.elapsed().saturating_sub(begun));
                    None
                }
                Ok(Ended::TooMuch) => Some(format!(
                    "more than {MOST_NAMES} of its keys change in a second; name a narrower one"
                )),
                Err(failure) => is_refusal(failure.kind).then(|| words(&failure, &self.settings)),
            };
            if let Some(why) = why {
                let prefix = Watch::Prefix(self.prefix.clone()).shown();
                let told = Watching::PrefixOff { prefix, why };
                let moment = self.clock.now();
                let _ = self.out.send(Observation::Watching { moment, told }).await;
                return;
            }
            if self.out.is_closed() {
                return;
            }
            sleep(back_off.wait(Duration::from_secs(1))).await;
        }
    }

    async fn talk(&mut self) -> Result<Ended, Failure> {
        self.pushes = Arc::default();
        let mut connection = open(&self.settings, self.clock, &self.pushes).await?;
        let command = commands::tracking_prefix(&self.prefix);
        switch_on(&mut connection, &command, &self.settings).await?;
        let told = Watching::Stands(Ok(()));
        let moment = self.clock.now();
        let _ = self.out.send(Observation::Watching { moment, told }).await;
        // What was known before a connection was lost may have gone meanwhile.
        let due = Due {
            asked: Asked::Reconnected,
            pushed: None,
        };
        for name in &self.order {
            self.waiting.add(name.clone(), due);
        }
        loop {
            if self.look(&mut connection).await.is_err() {
                return Ok(Ended::HungUp);
            }
            sleep(GAP).await;
            tokio::select! {
                () = std::future::ready(()), if !self.waiting.is_empty() => {}
                () = self.pushes.heard() => {}
                () = connection.over() => return Ok(Ended::HungUp),
                () = self.out.closed() => return Ok(Ended::HungUp),
            }
            if !self.take_pushes() {
                return Ok(Ended::TooMuch);
            }
        }
    }

    /// What was pushed waits to be read. `false` where it is too much.
    fn take_pushes(&mut self) -> bool {
        let heard = self.pushes.take();
        if self.pushed.is_beyond(self.clock.elapsed(), heard.count) {
            return false;
        }
        for (name, moment) in heard.names {
            let due = Due {
                asked: Asked::Pushed,
                pushed: Some(moment),
            };
            self.waiting.add(name, due);
        }
        if let Some(moment) = heard.emptied {
            let due = Due {
                asked: Asked::Emptied,
                pushed: Some(moment),
            };
            // What was not there has nothing to lose; should it come, its name is pushed.
            let there = |name: &&Vec<u8>| self.members.get(*name).is_none_or(|m| !m.is_absent());
            for name in self.order.iter().filter(there) {
                self.waiting.add(name.clone(), due);
            }
        }
        true
    }

    /// Reads keys that wait, as many as may be read now, and tells which went and which came back.
    async fn look(&mut self, connection: &mut Connection) -> Result<(), Trouble> {
        loop {
            let now = self.clock.elapsed();
            let some = self.waiting.take(self.read.room(now).min(BATCH));
            if some.is_empty() {
                return Ok(());
            }
            self.read.is_beyond(now, some.len());
            let list: Vec<&[u8]> = some.iter().map(|(name, _)| &**name).collect();
            let states = self.reader.look(connection, &list).await?;
            let moment = self.clock.now();
            let mut read = Vec::new();
            for ((name, due), state) in some.iter().zip(states) {
                read.extend(self.learn(name, Seen { moment, state }, *due));
            }
            if !read.is_empty() {
                let _ = self.out.send(Observation::Keys { moment, read }).await;
            }
        }
    }

    fn learn(&mut self, name: &[u8], seen: Seen, due: Due) -> Option<KeyRead> {
        if !self.members.contains_key(name) {
            self.remember(name);
        }
        let member = self.members.get_mut(name)?;
        let is_absent = seen.state == KeyState::Absent;
        let was_absent = member.is_absent();
        let state = seen.state.clone();
        let before = member.last.replace(seen);
        // One that comes and goes within a look was there in between.
        let is_news = if is_absent {
            !was_absent
        } else {
            member.is_told
        };
        member.is_told = is_absent && (is_news || member.is_told);
        is_news.then(|| KeyRead {
            id: member.id,
            name: shown_name(name),
            is_member: true,
            state,
            before,
            asked: due.asked,
            pushed: due.pushed,
        })
    }

    fn remember(&mut self, name: &[u8]) {
        if self.order.len() == REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.members.remove(&oldest);
        }
        self.order.push_back(name.to_vec());
        let member = Member {
            id: number(&self.numbers),
            last: None,
            is_told: false,
        };
        self.members.insert(name.to_vec(), member);
    }
}

/// Why a connection is not used any more.
enum Ended {
    HungUp,
    TooMuch,
}
