//! A sample as an hour of them is kept.
//!
//! From one poll to the next a few dozen numbers move, and nothing else: names, settings, roles and
//! which fields the server exposes stay for hours. So many samples share one [`Mould`], which is
//! such a sample and its numbers, and each keeps only the numbers that are not the mould's, as
//! differences of a byte or three. Nothing is lost: [`Packed::sample`] gives back what was packed.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::differences::{Numbers, differences};
use super::node::{Product, Role};
use super::observation::Moment;
use super::sample::{Db, Keyspace, Limit, Memory, Replication, Sample};
use super::unread::Unread;

/// A sample, small.
#[derive(Clone, Debug, PartialEq)]
pub struct Packed {
    /// When the reply had arrived.
    pub moment: Moment,
    mould: Arc<Mould>,
    /// The mould was made for it.
    is_first: bool,
    /// By how much numbers differ from the mould's; see [`Numbers`].
    moved: Box<[u8]>,
}

/// What samples have in common.
#[derive(Debug, PartialEq)]
pub(super) struct Mould {
    /// A sample in which every number that is there is zero.
    blank: Arc<Sample>,
    /// Those numbers, of one sample.
    numbers: Box<[u64]>,
    /// Where the numbers of memory and replication begin.
    memory: usize,
    replication: usize,
}

/// Packs one sample after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Packer {
    /// Moulds and how many samples came from each, the last used first.
    moulds: Vec<(Arc<Mould>, u32)>,
}

/// So many samples share a mould: differences grow with time.
const USES: u32 = 256;

/// So many moulds are tried: a save that begins and ends, a field that comes and goes.
const KINDS: usize = 4;

/// What a number takes in a mould, with its part of the name that it stands under: a little too much
/// for most.
const NUMBER_BYTES: usize = 80;

/// The moment of no sample.
const NEVER: Moment = Moment {
    elapsed: Duration::ZERO,
    at: Timestamp::UNIX_EPOCH,
};

impl Packer {
    /// The same sample, small. It is left as it was; it is changed in between because that is
    /// cheaper than a copy.
    pub(super) fn pack(&mut self, sample: &mut Sample) -> Packed {
        let moment = std::mem::replace(&mut sample.moment, NEVER);
        let mut numbers = Vec::new();
        sample.numbers(&mut |number| numbers.push(std::mem::take(number)));
        let (mould, uses) = self.mould(sample, &numbers);
        fill(&mut numbers.iter().copied(), |visit| sample.numbers(visit));
        sample.moment = moment;
        Packed {
            moment,
            moved: differences(&mould.numbers, &numbers),
            mould,
            is_first: uses == 0,
        }
    }

    /// Takes memory for a sample that a mould already holds.
    pub(super) fn share(&self, sample: &mut Sample) {
        for (mould, _) in &self.moulds {
            sample.share(&mould.blank);
        }
    }

    /// The mould of a blank sample, a known one or one made of these numbers, and how many samples
    /// came from it before.
    fn mould(&mut self, blank: &Sample, numbers: &[u64]) -> (Arc<Mould>, u32) {
        let known = |(mould, _): &(Arc<Mould>, u32)| *mould.blank == *blank;
        let place = self.moulds.iter().position(known);
        let (mould, uses) = match place.map(|place| self.moulds.remove(place)) {
            Some((mould, uses)) if uses < USES => (mould, uses),
            worn => {
                let blank = match worn {
                    Some((mould, _)) => Arc::clone(&mould.blank),
                    None => Arc::new(blank.clone()),
                };
                (Arc::new(Mould::new(blank, numbers)), 0)
            }
        };
        self.moulds.insert(0, (Arc::clone(&mould), uses + 1));
        self.moulds.truncate(KINDS);
        (mould, uses)
    }
}

impl Mould {
    fn new(blank: Arc<Sample>, numbers: &[u64]) -> Self {
        let mut dbs = blank.keyspace.dbs.clone();
        let memory = count(|visit| dbs.iter_mut().for_each(|db| db.numbers(visit)));
        let mut gauges = blank.memory.clone();
        let replication = memory + count(|visit| gauges.numbers(visit));
        Self {
            blank,
            numbers: numbers.into(),
            memory,
            replication,
        }
    }

    /// What it takes of the memory, about.
    fn bytes(&self) -> usize {
        let replicas = self.blank.replication.bytes();
        size_of::<Sample>() + self.numbers.len() * NUMBER_BYTES + replicas
    }
}

impl Packed {
    /// What was packed.
    pub fn sample(&self) -> Sample {
        let mut sample = (*self.mould.blank).clone();
        sample.moment = self.moment;
        fill(&mut self.numbers(), |visit| sample.numbers(visit));
        sample
    }

    /// What it takes of the memory, about. The first of a mould answers for the mould.
    pub(super) fn bytes(&self) -> usize {
        let mould = if self.is_first { self.mould.bytes() } else { 0 };
        self.moved.len() + mould
    }

    /// Its databases.
    pub fn keyspace(&self) -> Keyspace {
        let mut keyspace = self.mould.blank.keyspace.clone();
        let dbs = &mut keyspace.dbs;
        fill(&mut self.numbers(), |visit| {
            for db in dbs {
                db.numbers(visit);
            }
        });
        keyspace
    }

    /// Keys in all databases; `None` where the keyspace is not exposed.
    pub fn keys(&self) -> Option<u64> {
        self.sum(|db| db.keys)
    }

    /// Keys with a TTL in all databases.
    pub fn expires(&self) -> Option<u64> {
        self.sum(|db| db.expires)
    }

    fn sum(&self, of: fn(&Db) -> u64) -> Option<u64> {
        let keyspace = &self.mould.blank.keyspace;
        let mut numbers = self.numbers();
        keyspace.exposed.then(|| {
            keyspace.dbs.iter().fold(0, |sum: u64, db| {
                let mut db = *db;
                fill(&mut numbers, |visit| db.numbers(visit));
                sum.saturating_add(of(&db))
            })
        })
    }

    /// Its memory gauges.
    pub fn memory(&self) -> Memory {
        let mut memory = self.mould.blank.memory.clone();
        let mut numbers = self.numbers().skip(self.mould.memory);
        fill(&mut numbers, |visit| memory.numbers(visit));
        memory
    }

    /// The memory limit.
    pub fn limit(&self) -> Limit {
        self.mould.blank.memory.limit
    }

    /// The eviction policy.
    pub fn policy(&self) -> Option<&str> {
        self.mould.blank.memory.policy.as_deref()
    }

    /// Its role, replicas and offsets.
    pub fn replication(&self) -> Replication {
        let mut replication = self.mould.blank.replication.clone();
        let mut numbers = self.numbers().skip(self.mould.replication);
        fill(&mut numbers, |visit| replication.numbers(visit));
        replication
    }

    /// Id of its replication history.
    pub fn replid(&self) -> Option<&str> {
        self.mould.blank.replication.replid.as_deref()
    }

    /// Primary or replica.
    pub fn role(&self) -> Role {
        self.mould.blank.replication.role
    }

    /// Whether it is a node of a cluster; `None` where not exposed.
    pub fn is_cluster(&self) -> Option<bool> {
        self.mould.blank.server.cluster
    }

    /// The product.
    pub fn product(&self) -> Product {
        self.mould.blank.product()
    }

    /// The version of the product.
    pub fn version(&self) -> Option<&str> {
        self.mould.blank.server.version.0.as_deref()
    }

    /// Key counts are partial while a data set is being loaded.
    pub fn is_loading(&self) -> bool {
        self.mould.blank.is_loading()
    }

    /// Whether the reply carried command statistics.
    pub fn has_commands(&self) -> bool {
        self.mould.blank.commands.is_some()
    }

    /// What the reply says beside its fields.
    pub fn unread(&self) -> &Unread {
        &self.mould.blank.unread
    }

    fn numbers(&self) -> Numbers<'_> {
        Numbers::new(&self.mould.numbers, &self.moved)
    }
}

/// Gives the numbers of a part their values.
fn fill(values: &mut dyn Iterator<Item = u64>, part: impl FnOnce(&mut dyn FnMut(&mut u64))) {
    part(&mut |number| *number = values.next().unwrap_or(0));
}

/// How many numbers a part has.
fn count(part: impl FnOnce(&mut dyn FnMut(&mut u64))) -> usize {
    let mut count = 0;
    part(&mut |_| count += 1);
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::info::Info;
    use crate::model::Assumptions;

    const REPLY: &str = include_str!("../../tests/fixtures/info/redis-7.0.15-primary.txt");

    /// The reply with other numbers, up and down, small and large.
    fn sample(second: u64) -> Sample {
        let field = |name: &str, value: u64| format!("\n{name}:{value}\r\n");
        let known = [
            ("uptime_in_seconds", 7, 7 + second),
            (
                "used_memory",
                2_127_168,
                2_000_000 + second * 7_919 % 90_000,
            ),
            ("evicted_keys", 0, (second % 5 / 4) << 50),
            ("total_commands_processed", 6_215, second * second),
        ];
        let text = known
            .iter()
            .fold(REPLY.to_owned(), |text, (name, was, is)| {
                text.replace(&field(name, *was), &field(name, *is))
            });
        let text = text.replace("keys=5135", &format!("keys={}", 5_135 - second % 3));
        let text = text.replace("calls=500,", &format!("calls={},", 500 + second));
        let policy = if second / 400 == 1 {
            "noeviction"
        } else {
            "volatile-lru"
        };
        let text = text.replace("volatile-lru", policy);
        let moment = Moment {
            elapsed: Duration::from_secs(second),
            at: Timestamp::UNIX_EPOCH,
        };
        let took = Duration::from_micros(300 + second % 7);
        Sample::new(moment, took, &Info::parse(text), &Assumptions::default())
    }

    #[test]
    fn what_was_packed_comes_back() {
        let mut packer = Packer::default();
        for second in 0..1_000 {
            let plain = sample(second);
            let mut taken = plain.clone();
            let kept = packer.pack(&mut taken);
            assert_eq!(taken, plain);
            assert_eq!(kept.sample(), plain);
            assert_eq!(kept.keyspace(), plain.keyspace);
            assert_eq!(kept.memory(), plain.memory);
            assert_eq!(kept.replication(), plain.replication);
            assert_eq!(kept.keys(), plain.keys());
            assert_eq!(kept.expires(), plain.keyspace.expires());
        }
    }

    #[test]
    fn samples_of_one_kind_share_a_mould() {
        let mut packer = Packer::default();
        let kept: Vec<Packed> = (0..1_000).map(|at| packer.pack(&mut sample(at))).collect();
        let moulds = kept.chunk_by(|a, b| Arc::ptr_eq(&a.mould, &b.mould));
        // A mould wears out after 256. From 400 to 800 the policy is another one.
        assert_eq!(
            moulds.map(<[_]>::len).collect::<Vec<_>>(),
            [256, 144, 256, 144, 112, 88]
        );
        assert!(kept.iter().all(|sample| sample.moved.len() < 60));
    }

    #[test]
    fn the_first_of_a_mould_answers_for_it() {
        let mut packer = Packer::default();
        let kept: Vec<Packed> = (0..400).map(|at| packer.pack(&mut sample(at))).collect();
        let large = kept.iter().map(|sample| sample.bytes() > 1_000);
        let large: Vec<usize> = large
            .enumerate()
            .filter(|(_, is)| *is)
            .map(|(at, _)| at)
            .collect();
        assert_eq!(large, [0, 256]);
    }

    #[test]
    fn what_comes_and_goes_makes_no_mould_each_time() {
        let mut packer = Packer::default();
        let mut moulds: Vec<Packed> = Vec::new();
        for second in 0..100 {
            let mut plain = sample(second);
            plain.persistence.saving = Some(second % 3 == 0);
            let kept = packer.pack(&mut plain);
            assert_eq!(kept.sample(), plain);
            let is_known = |known: &Packed| Arc::ptr_eq(&known.mould, &kept.mould);
            if !moulds.iter().any(is_known) {
                moulds.push(kept);
            }
        }
        assert_eq!(moulds.len(), 2);
    }
}
