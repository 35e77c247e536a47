//! Errors that were replied, by the word that they begin with.

use crate::info::{Composite, Info};
use crate::model::text::inert;

/// Prefixes that are kept at most. Servers stop at 128 since Redis 7.2.6; before, every script that
/// makes up errors of its own adds as many as it likes.
const MOST: usize = 1_024;

/// Those of the servers themselves, which are kept beside any number of others.
const OWN: &[&str] = &[
    "ASK",
    "BUSY",
    "BUSYGROUP",
    "BUSYKEY",
    "CLUSTERDOWN",
    "CROSSSLOT",
    "ERR",
    "EXECABORT",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "MOVED",
    "NOAUTH",
    "NOPERM",
    "NOREPLICAS",
    "NOSCRIPT",
    "OOM",
    "READONLY",
    "TRYAGAIN",
    "UNKILLABLE",
    "WRONGPASS",
    "WRONGTYPE",
];

/// Prefixes and counts, sorted; `None` where the reply does not carry the section.
pub(super) fn errors(info: &Info) -> Option<Vec<(String, u64)>> {
    let lines = || info.section("Errorstats");
    let is_too_much = lines().nth(MOST).is_some();
    let mut errors: Vec<(String, u64)> = lines()
        .filter_map(|(name, value)| {
            let prefix = name.strip_prefix("errorstat_")?;
            let is_kept = !is_too_much || OWN.contains(&prefix);
            let count = Composite::new(value).u64("count")?;
            is_kept.then(|| (inert(prefix, 48), count))
        })
        .collect();
    errors.sort();
    errors.dedup_by(|a, b| a.0 == b.0);
    // Dragonfly has a section of this name with counts of its own.
    let is_foreign = errors.is_empty() && !is_too_much && lines().next().is_some();
    (info.has_section("Errorstats") && !is_foreign).then_some(errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(prefixes: impl Iterator<Item = String>) -> Option<Vec<(String, u64)>> {
        let lines = prefixes.map(|prefix| format!("errorstat_{prefix}:count=3\r\n"));
        errors(&Info::parse(format!(
            "# Errorstats\r\n{}",
            lines.collect::<String>()
        )))
    }

    #[test]
    fn of_too_many_prefixes_only_the_servers_own_are_kept() {
        let own = || OWN.iter().map(|&own| own.to_owned());
        let made_up = |n: usize| (0..n).map(|n| format!("user{n}"));
        let all = read(own().chain(made_up(MOST - OWN.len())));
        assert_eq!(all.map(|all| all.len()), Some(MOST));
        let kept = read(made_up(MOST).chain(own()));
        let expected = own().map(|own| (own, 3));
        assert_eq!(kept, Some(expected.collect()));
    }
}
