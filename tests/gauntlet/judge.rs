//! What a trial expects of the diagnosis, poll by poll.

use amr_top::diagnosis::{Cause, diagnose};
use amr_top::model::Observation;
use amr_top::report::Report;

use crate::expected::{Expected, check_sound};
use crate::recording::{self, Scenario};
use crate::stage::{QUIET, Stage};
use crate::table::Row;
use crate::words;

/// A verdict must be there after so many polls …
const POLLS: usize = 2;
/// … is waited for this long, to tell how late it is …
const PATIENCE: usize = 30;
/// … and must still be there after so many more.
const STAYS: usize = 3;

/// Recordings that are kept: of which servers, and which incidents if not all.
const SAVED: [(&str, &str); 5] = [
    ("redis-7.0.", ""),
    ("redis-8.0.", "hash-field-ttl"),
    ("redis-8.0.", "evicted-by-client-buffers"),
    ("valkey-9.", "expire-in-the-past"),
    ("redis-6.2.", "expired-while-down"),
];

impl Stage {
    pub(crate) fn check_healthy(&self) {
        let diagnosis = self.diagnosis();
        check_sound(&diagnosis).unwrap_or_else(|why| panic!("{why}"));
        let losses: Vec<_> = diagnosis
            .verdicts
            .iter()
            .filter(|v| v.is_loss_in_window())
            .collect();
        // With one reading there is no window to speak of: totals since start are all there is.
        let is_watched = self.history().window().has_interval();
        if self.may_be_down && self.history().window().open_gap().is_some() {
            return;
        }
        if !losses.is_empty() || is_watched && diagnosis.top_cause.is_some() {
            Row::of(&self.row).got = words::of_diagnosis(&diagnosis);
            panic!("a loss is claimed where nothing was lost: {losses:#?}");
        }
    }

    /// Something that took nothing must be among the notices soon, and nothing may follow.
    pub(crate) fn is_told(&mut self, words: &str) {
        let is_told = |stage: &Self| {
            let notices = stage.diagnosis().notices;
            notices.iter().any(|notice| notice.contains(words))
        };
        for _ in 0..POLLS {
            let is_down = self.history().window().open_gap().is_some();
            if !is_told(self) || is_down {
                self.next();
            }
        }
        let notices = self.diagnosis().notices;
        assert!(is_told(self), "'{words}' is not told: {notices:#?}");
        (0..QUIET).for_each(|_| self.next());
    }

    /// What was done has just ended: it must be named, and soon.
    pub(crate) fn expect(&mut self, expected: Expected) {
        let most = expected.keys.as_ref().map_or(0, |keys| *keys.end());
        self.expect_growing(expected, || most);
    }

    /// The same where keys still go: `most` tells how many have gone by now.
    pub(crate) fn expect_growing(&mut self, mut expected: Expected, mut most: impl FnMut() -> u64) {
        let end = self.clock.elapsed();
        let mut polls = 0;
        loop {
            expected.keys = expected.keys.map(|keys| *keys.start()..=most());
            let said = self.look(&expected);
            match said {
                Ok(()) => break,
                Err(why) => assert!(polls < PATIENCE, "{why}"),
            }
            self.next();
            let told = self.eye().told.last().map(Observation::moment);
            polls += usize::from(told.is_some_and(|moment| moment.elapsed > end));
            Row::of(&self.row).polls = Some(polls);
        }
        Row::of(&self.row).polls = Some(polls);
        assert!(polls <= POLLS, "named after {polls} polls, not {POLLS}");
        self.keep(&expected);
        for _ in 0..STAYS {
            self.next();
            expected.keys = expected.keys.map(|keys| *keys.start()..=most());
            self.look(&expected)
                .unwrap_or_else(|why| panic!("named, and then no more: {why}"));
        }
    }

    /// A verdict must rest on this field.
    pub(crate) fn proves(&self, cause: Cause, field: &str) {
        let diagnosis = self.diagnosis();
        let verdict = diagnosis.of(cause).expect("every cause has a verdict");
        let mut evidence = verdict.evidence.iter();
        assert!(evidence.any(|e| e.field == field), "{verdict:#?}");
    }

    fn look(&self, expected: &Expected) -> Result<(), String> {
        let diagnosis = self.diagnosis();
        let mut row = Row::of(&self.row);
        row.expected = expected.words();
        row.got = words::of_diagnosis(&diagnosis);
        drop(row);
        check_sound(&diagnosis).unwrap_or_else(|why| panic!("{why}"));
        expected.check(&diagnosis)
    }

    /// The recording must tell the same as what was heard; it is saved where that is asked for.
    fn keep(&self, expected: &Expected) {
        let eye = self.eye();
        let diagnosis = self.diagnosis();
        let verdict = diagnosis.of(expected.cause).expect("it was just named");
        let scenario = Scenario {
            incident: self.name.to_owned(),
            server: self.binary.title(),
            expected: expected.clone(),
            level: verdict.level.id().to_owned(),
            at_least: verdict.at_least,
            observations: eye.told.clone(),
        };
        let text = scenario.encode();
        let replayed = Scenario::decode(&text).unwrap_or_else(|why| panic!("{why}:\n{text}"));
        let again = replayed.history();
        let diagnosis_again = diagnose(&again.window());
        let live = Report::of_one(&eye.history.window(), &diagnosis, &[]).json();
        let replay = Report::of_one(&again.window(), &diagnosis_again, &[]).json();
        assert!(live == replay, "live:\n{live}\nreplayed:\n{replay}");
        assert_eq!(diagnosis, diagnosis_again);
        if recording::is_saving() && self.is_worth_saving() {
            scenario.save(&text);
        }
    }

    /// Redis 7.0 stands for all, and for others what is different there.
    fn is_worth_saving(&self) -> bool {
        let title = self.binary.title();
        let is_of = |(server, incident): &(&str, &str)| {
            title.starts_with(server) && (self.name == *incident || incident.is_empty())
        };
        SAVED.iter().any(is_of)
    }
}
