//! The keys that are watched by their full names.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::pace::{Pace, Shift};
use super::pushes::Pushes;
use super::read::Reader;
use super::waiting::Due;
use super::{BATCH, GAP, MOST_READS, TURN, open, words};
use crate::config::Settings;
use crate::model::{
    Asked, Failure, KeyRead, KeyState, Moment, Observation, Seen, Watching, shown_name,
};
use crate::source::connection::{Connection, Trouble};
use crate::source::schedule::BackOff;
use crate::source::tripwire::{is_refusal, switch_on};
use crate::source::{Clock, commands};

/// One key.
struct Known {
    name: Vec<u8>,
    shown: Arc<str>,
    last: Option<Seen>,
    /// When it was last asked for.
    read: Option<Duration>,
    /// Until when it is not read again, although it may be changed.
    rests: Duration,
    due: Option<Due>,
}

/// Keeps the keys that are watched by their full names.
pub(super) struct Keeper {
    settings: Settings,
    clock: Clock,
    out: mpsc::Sender<Observation>,
    pushes: Arc<Pushes>,
    reader: Reader,
    pace: Pace,
    keys: Vec<Known>,
    index: HashMap<Vec<u8>, usize>,
    /// Positions of keys that are due.
    queue: VecDeque<usize>,
    /// Where the next turn begins, and when it is.
    turn: (usize, Duration),
}

impl Keeper {
    pub(super) fn new(settings: Settings, clock: Clock, out: mpsc::Sender<Observation>) -> Self {
        let every = settings.interval.max(TURN);
        Self {
            reader: Reader::new(&settings.auth),
            pace: Pace::new(MOST_READS, every),
            settings,
            clock,
            out,
            pushes: Arc::default(),
            keys: Vec::new(),
            index: HashMap::new(),
            queue: VecDeque::new(),
            turn: (0, Duration::ZERO),
        }
    }

    /// Stands until it is refused or nobody listens any more.
    pub(super) async fn stand(mut self, mut names: watch::Receiver<Vec<Vec<u8>>>) {
        let mut back_off = BackOff::new();
        loop {
            let begun = self.clock.elapsed();
            match self.talk(&mut names).await {
                Ok(()) => back_off.lived(self.clock.elapsed().saturating_sub(begun)),
                Err(failure) if is_refusal(failure.kind) => {
                    let told = Watching::Stands(Err(words(&failure, &self.settings)));
                    self.say(told).await;
                    return;
                }
                Err(_) => {}
            }
            if self.out.is_closed() {
                return;
            }
            sleep(back_off.wait(Duration::from_secs(1))).await;
        }
    }

    async fn say(&self, told: Watching) {
        let moment = self.clock.now();
        let _ = self.out.send(Observation::Watching { moment, told }).await;
    }

    /// One connection, from its set-up to its end.
    async fn talk(&mut self, names: &mut watch::Receiver<Vec<Vec<u8>>>) -> Result<(), Failure> {
        self.pushes = Arc::default();
        let mut connection = open(&self.settings, self.clock, &self.pushes).await?;
        switch_on(&mut connection, &commands::tracking(), &self.settings).await?;
        self.say(Watching::Stands(Ok(()))).await;
        self.all_due(Due {
            asked: Asked::Reconnected,
            pushed: None,
        });
        loop {
            self.add(&names.borrow_and_update().clone());
            self.take_pushes();
            let batch = self.batch();
            if !batch.is_empty() {
                if self.read(&mut connection, &batch).await.is_err() {
                    return Ok(());
                }
                continue;
            }
            tokio::select! {
                () = self.pushes.heard() => {}
                () = sleep(self.wait()) => {}
                changed = names.changed() => if changed.is_err() {
                    return Ok(());
                },
                () = connection.over() => return Ok(()),
                () = self.out.closed() => return Ok(()),
            }
        }
    }

    fn add(&mut self, names: &[Vec<u8>]) {
        for name in names.iter().skip(self.keys.len()) {
            let position = self.keys.len();
            self.index.insert(name.clone(), position);
            self.keys.push(Known {
                shown: shown_name(name),
                name: name.clone(),
                last: None,
                read: None,
                rests: Duration::ZERO,
                due: None,
            });
            let due = Due {
                asked: Asked::First,
                pushed: None,
            };
            self.due(position, due);
        }
    }

    fn due(&mut self, position: usize, due: Due) {
        let key = &mut self.keys[position];
        if let Some(known) = &mut key.due {
            known.and(due);
        } else {
            key.due = Some(due);
            self.queue.push_back(position);
        }
    }

    fn all_due(&mut self, due: Due) {
        for position in 0..self.keys.len() {
            self.due(position, due);
        }
    }

    fn take_pushes(&mut self) {
        let heard = self.pushes.take();
        for (name, moment) in heard.names {
            if let Some(position) = self.index.get(&name) {
                let due = Due {
                    asked: Asked::Pushed,
                    pushed: Some(moment),
                };
                self.due(*position, due);
            }
        }
        if let Some(moment) = heard.emptied {
            self.all_due(Due {
                asked: Asked::Emptied,
                pushed: Some(moment),
            });
        }
    }

    /// What is read in the next round trip.
    fn batch(&mut self) -> Vec<usize> {
        let now = self.clock.elapsed();
        let mut room = self.pace.room(now, self.queue.len()).min(BATCH);
        let mut batch = Vec::new();
        for _ in 0..self.queue.len() {
            let Some(position) = self.queue.pop_front() else {
                break;
            };
            let key = &self.keys[position];
            let rested = key.rests <= now;
            if room > 0 && rested {
                room -= 1;
                batch.push(position);
            } else {
                self.queue.push_back(position);
            }
        }
        self.pace.took(batch.len());
        if batch.is_empty() && self.turn.1 <= now {
            batch = self.next_in_turn(now);
        }
        batch
    }

    /// Some keys that were not read for a while.
    fn next_in_turn(&mut self, now: Duration) -> Vec<usize> {
        self.turn.1 = now + TURN;
        let count = self.keys.len();
        let mut batch = Vec::new();
        for at in 0..count {
            let position = (self.turn.0 + at) % count;
            let key = &mut self.keys[position];
            if key.due.is_none() && key.read.is_some_and(|read| read + TURN <= now) {
                key.due = Some(Due {
                    asked: Asked::Turn,
                    pushed: None,
                });
                batch.push(position);
            }
            if batch.len() == BATCH {
                break;
            }
        }
        self.turn.0 = batch.last().map_or(0, |last| last + 1);
        batch
    }

    /// How long nothing is due.
    fn wait(&self) -> Duration {
        let now = self.clock.elapsed();
        let rests = self.queue.iter().map(|position| self.keys[*position].rests);
        let due = rests.min().map(|at| at.max(self.pace.opens(now)));
        let until = due.map_or(self.turn.1, |at| at.min(self.turn.1));
        // Never a busy loop, whatever the clocks say.
        until.saturating_sub(now).max(Duration::from_millis(1))
    }

    /// Reads some keys and tells what is news.
    async fn read(&mut self, connection: &mut Connection, batch: &[usize]) -> Result<(), Trouble> {
        let names: Vec<&[u8]> = batch
            .iter()
            .map(|position| &*self.keys[*position].name)
            .collect();
        let states = self.reader.look(connection, &names).await?;
        let moment = self.clock.now();
        let mut read = Vec::new();
        for (position, state) in batch.iter().zip(states) {
            read.extend(self.learn(*position, moment, state));
        }
        if !read.is_empty() {
            let _ = self.out.send(Observation::Keys { moment, read }).await;
        }
        match self.pace.shift() {
            Some(Shift::Slow) => self.say(Watching::Slowed(true)).await,
            Some(Shift::Normal) => self.say(Watching::Slowed(false)).await,
            None => {}
        }
        Ok(())
    }

    /// Takes in a state; what is told of it, if anything.
    fn learn(&mut self, position: usize, moment: Moment, state: KeyState) -> Option<KeyRead> {
        let key = &mut self.keys[position];
        key.read = Some(moment.elapsed);
        let due = key.due.take().unwrap_or(Due {
            asked: Asked::Turn,
            pushed: None,
        });
        if due.pushed.is_some() {
            key.rests = moment.elapsed + GAP;
        }
        let seen = Seen { moment, state };
        let is_news =
            due.asked == Asked::Pushed || key.last.as_ref().is_none_or(|last| !last.is_same(&seen));
        let asked = match key.last {
            None => Asked::First,
            Some(_) => due.asked,
        };
        let state = seen.state.clone();
        let before = key.last.replace(seen);
        is_news.then(|| KeyRead {
            id: position as u64,
            name: Arc::clone(&key.shown),
            is_member: false,
            state,
            before,
            asked,
            pushed: due.pushed,
        })
    }
}
