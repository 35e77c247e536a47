//! How many keys will expire soon, by a sample; and how many went before their time.

use std::time::Duration;

use serde::Serialize;

use super::case::Case;
use crate::format;

/// What a sample of keys foretells.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Forecast {
    /// Keys in the sample.
    pub sampled_keys: usize,
    /// Those of them with a TTL.
    pub with_ttl: usize,
    /// The part of those with a TTL that expires within `within_s`, 0 to 1, by the end of the
    /// window.
    pub share: f64,
    /// Seconds.
    pub within_s: u64,
    /// Keys of earlier samples that were looked at again.
    pub checked: usize,
    /// Those of them that went before their time.
    pub early: usize,
    /// Questions that the last sample took.
    pub calls: usize,
    /// Milliseconds that its answers took.
    pub took_ms: u64,
    /// Two sentences: what comes, and what it cost; or why there is no sample.
    pub summary: String,
}

/// Times that are spoken of, the shortest first, in seconds.
const WITHIN: [u64; 7] = [60, 360, 900, 3_600, 21_600, 86_400, 604_800];
/// The first time in which so many expire is told.
const NOTABLE: f64 = 0.33;

/// The forecast of a window; `None` where nothing was sampled.
pub(super) fn of(case: &Case<'_>) -> Option<Forecast> {
    let (moment, sampled) = case.window.sampled()?;
    let sampled = match sampled {
        Ok(sampled) => sampled,
        Err(why) => {
            return Some(Forecast {
                summary: format!("no keys were sampled: {why}"),
                ..Forecast::default()
            });
        }
    };
    let now = case.window.end().map_or(moment.elapsed, |end| end.elapsed);
    let now = now.max(moment.elapsed);
    let with_ttl = sampled.deadlines.len();
    let share = |within: u64| {
        let until = now + Duration::from_secs(within);
        let expired = sampled.deadlines.partition_point(|at| *at <= until);
        expired as f64 / with_ttl.max(1) as f64
    };
    let within_s = WITHIN.into_iter().find(|within| share(*within) >= NOTABLE);
    let within_s = within_s.unwrap_or(WITHIN[WITHIN.len() - 1]);
    let mut forecast = Forecast {
        sampled_keys: sampled.keys,
        with_ttl,
        share: (share(within_s) * 1_000.0).round() / 1_000.0,
        within_s,
        checked: sampled.checked,
        early: sampled.early,
        calls: sampled.calls,
        took_ms: u64::try_from(sampled.took.as_millis()).unwrap_or(u64::MAX),
        summary: String::new(),
    };
    forecast.summary = forecast.sentences();
    Some(forecast)
}

impl Forecast {
    fn sentences(&self) -> String {
        let comes = if self.with_ttl == 0 {
            format!("none of {} has a TTL", sampled(self.sampled_keys))
        } else {
            format!(
                "{} of keys with TTL expire in the next {} ({}, {} with TTL)",
                format::share(self.share),
                format::seconds(self.within_s),
                sampled(self.sampled_keys),
                format::count(self.with_ttl as u64)
            )
        };
        let early = match (self.early, self.checked) {
            (0, 0) => String::new(),
            (early, checked) => format!(
                "; {} of {} looked at again went before their time",
                format::count(early as u64),
                format::count(checked as u64)
            ),
        };
        format!(
            "{comes}{early}. It took {}, {} ms; SCAN reaps expired keys",
            format::plural(self.calls as u64, "call"),
            format::count(self.took_ms)
        )
    }
}

fn sampled(keys: usize) -> String {
    format::plural(keys as u64, "sampled key")
}
