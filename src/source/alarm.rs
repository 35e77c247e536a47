//! When the witnesses are worth asking: something moved between two answers. Pure.

use crate::model::{Class, Continuity, Counter, Sample, Step};

/// Keys that must go between two answers, by neither expiry nor eviction, and their part of all.
const KEYS: u64 = 100;
const PART: u64 = 100;
/// A fall of a small keyspace that counts.
const FEW_KEYS: u64 = 10;
const FEW_PART: u64 = 10;
/// Calls of commands that remove or replace keys which are no alarm, however quiet it was before.
const CALLS: u64 = 20;
/// How many times the usual rate is a jump.
const JUMP: f64 = 4.0;
/// How much of a new rate goes into the usual one.
const LEARN: f64 = 0.3;

/// What an answer shows against the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Alarm {
    /// Keys went, or commands that take keys away were called more than usual.
    pub(super) moved: bool,
    /// Commands that take keys away were refused.
    pub(super) refused: bool,
}

/// Listens to the answers of one server.
#[derive(Debug, Default)]
pub(super) struct Listener {
    last: Option<Sample>,
    /// Calls a second of commands that remove or replace keys.
    usual: f64,
}

impl Listener {
    /// Compares an answer with the one before.
    pub(super) fn hear(&mut self, sample: Sample) -> Alarm {
        let step = self
            .last
            .as_ref()
            .map(|last| Step::between(last, &sample, false));
        self.last = Some(sample);
        match step {
            Some(step) if step.continuity == Continuity::Same => self.judge(&step),
            // Another process is asked as at first contact.
            _ => {
                self.usual = 0.0;
                Alarm::default()
            }
        }
    }

    fn judge(&mut self, step: &Step) -> Alarm {
        let rare = [Class::Flush, Class::Admin, Class::Move];
        let has_flushed = rare.iter().any(|class| step.effective_of(*class) > 0);
        let often = [Class::Delete, Class::Empty, Class::Overwrite];
        let calls: u64 = often.iter().map(|class| step.effective_of(*class)).sum();
        let is_jump = self.is_jump(calls, step.seconds());
        let refused = rare.iter().chain(&often).any(|class| {
            let mut commands = step.of(*class);
            commands.any(|command| command.rejected > 0)
        });
        Alarm {
            moved: has_flushed || is_jump || has_fallen(step),
            refused,
        }
    }

    fn is_jump(&mut self, calls: u64, seconds: f64) -> bool {
        let rate = calls as f64 / seconds.max(0.001);
        let is_jump = calls >= CALLS && rate > JUMP * self.usual;
        self.usual += LEARN * (rate - self.usual);
        is_jump
    }
}

/// A notable part of the keys went, and neither their time to live nor the memory limit took it.
fn has_fallen(step: &Step) -> bool {
    let by_the_server = [Counter::ExpiredKeys, Counter::EvictedKeys]
        .map(|counter| step.counter(counter).at_least())
        .iter()
        .sum();
    let fall = step.fall().saturating_sub(by_the_server);
    let before = step.keys_before.unwrap_or(0);
    let is = |keys, part| fall >= keys && fall >= before / part;
    is(KEYS, PART) || is(FEW_KEYS, FEW_PART)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use rstest::rstest;

    use super::*;
    use crate::info::Info;
    use crate::model::{Assumptions, Moment};

    /// An answer at a second: keys, FLUSHALLs, DELs, DELs that were refused, expired keys.
    fn sample(s: u64, [keys, flushes, deletes, refused, expired]: [u64; 5]) -> Sample {
        let info = format!(
            "# Server\nredis_version:7.0.15\nrun_id:a\n# Stats\nexpired_keys:{expired}\n\
             evicted_keys:0\n# Replication\nrole:master\n# Commandstats\n\
             cmdstat_flushall:calls={flushes}\n\
             cmdstat_del:calls={deletes},usec=1,usec_per_call=1,rejected_calls={refused},\
             failed_calls=0\n# Keyspace\ndb0:keys={keys},expires=0\n"
        );
        let elapsed = Duration::from_secs(s);
        let at = Timestamp::constant(1_700_000_000, 0) + elapsed;
        let info = Info::parse(info);
        let assumptions = Assumptions::default();
        Sample::new(Moment { elapsed, at }, Duration::ZERO, &info, &assumptions)
    }

    #[rstest]
    #[case::nothing([1_000, 1, 50, 0, 0], false, false)]
    #[case::a_flush([1_000, 2, 50, 0, 0], true, false)]
    #[case::some_deletes([997, 1, 53, 0, 0], false, false)]
    #[case::many_deletes([1_000, 1, 150, 0, 0], true, false)]
    #[case::a_fall([880, 1, 50, 0, 0], true, false)]
    #[case::a_fall_by_expiry([880, 1, 50, 0, 120], false, false)]
    #[case::refused([1_000, 1, 50, 1, 0], false, true)]
    fn an_answer_is_alarming(#[case] after: [u64; 5], #[case] moved: bool, #[case] refused: bool) {
        let mut listener = Listener::default();
        let first = listener.hear(sample(1, [1_000, 1, 50, 0, 0]));
        assert_eq!(first, Alarm::default());
        assert_eq!(listener.hear(sample(2, after)), Alarm { moved, refused });
    }

    #[test]
    fn what_always_happens_is_no_alarm() {
        let mut listener = Listener::default();
        let alarms: Vec<bool> = (0..20)
            .map(|s| listener.hear(sample(s, [1_000, 0, s * 1_000, 0, 0])).moved)
            .collect();
        assert!(alarms[1], "a jump from nothing");
        assert!(!alarms[5..].contains(&true), "{alarms:?}");
        let jump = sample(20, [1_000, 0, 200_000, 0, 0]);
        assert!(listener.hear(jump).moved);
    }
}
