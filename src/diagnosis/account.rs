//! The losses of one cause that count, added up.

use super::ledger::Loss;
use super::mechanism::Mechanism;
use super::{Evidence, Reading, Verdict, words};

/// What one cause took.
pub(super) struct Account<'a> {
    pub(super) losses: Vec<&'a Loss>,
    pub(super) keys: u64,
    /// An upper bound, where there is one.
    pub(super) most: Option<u64>,
    pub(super) first: &'a Loss,
    pub(super) last: &'a Loss,
    pub(super) biggest: &'a Loss,
    /// How, by keys, the largest first.
    pub(super) shares: Vec<(Mechanism, u64)>,
}

impl<'a> Account<'a> {
    pub(super) fn of(losses: Vec<&'a Loss>) -> Option<Self> {
        let (first, last) = (*losses.first()?, *losses.last()?);
        let mut account = Self {
            keys: 0,
            most: Some(0),
            first,
            last,
            biggest: first,
            shares: Vec::new(),
            losses: Vec::new(),
        };
        for at_once in losses.chunk_by(|a, b| a.to == b.to) {
            let most = account.most.zip(most_at_once(at_once));
            account.most = most.map(|(sum, most)| sum.saturating_add(most));
        }
        for loss in &losses {
            account.keys = account.keys.saturating_add(loss.keys);
            if loss.keys > account.biggest.keys {
                account.biggest = loss;
            }
            let known = account
                .shares
                .iter_mut()
                .find(|(m, _)| *m == loss.mechanism);
            match known {
                Some((_, keys)) => *keys = keys.saturating_add(loss.keys),
                None => account.shares.push((loss.mechanism, loss.keys)),
            }
        }
        account
            .shares
            .sort_by_key(|(_, keys)| std::cmp::Reverse(*keys));
        account.losses = losses;
        Some(account)
    }

    /// The mechanism that took most.
    pub(super) fn mechanism(&self) -> Mechanism {
        self.shares
            .first()
            .map_or(self.first.mechanism, |(mechanism, _)| *mechanism)
    }

    /// Says of the readings around the biggest loss that they tell of a part, where there are more.
    pub(super) fn mark(&self, evidence: &mut [Evidence]) {
        let mut intervals: Vec<_> = self.losses.iter().map(|loss| loss.to).collect();
        intervals.dedup();
        if intervals.len() < 2 {
            return;
        }
        let readings = evidence.iter_mut().filter(|e| e.before != Reading::None);
        for proof in readings {
            let all = intervals.len();
            proof.note = format!("{}; in the largest of {all} intervals", proof.note);
        }
    }

    /// Whether the number is a lower bound.
    pub(super) fn at_least(&self) -> bool {
        self.most != Some(self.keys)
    }
}

/// An upper bound of what went in one interval. Losses that share a residual may each have taken
/// all of it, but not all of them at once.
fn most_at_once(losses: &[&Loss]) -> Option<u64> {
    let (mut keys, mut most, mut exact) = (0u64, 0u64, true);
    for loss in losses {
        keys = keys.saturating_add(loss.keys);
        most = most.max(loss.most?);
        exact &= !loss.at_least();
    }
    Some(if exact { keys } else { keys.max(most) })
}

/// Fills in what an account says.
pub(super) fn with_account(mut verdict: Verdict, account: &Account<'_>) -> Verdict {
    verdict.mechanism = Some(account.mechanism());
    verdict.keys_lost = Some(account.keys);
    verdict.at_least = account.at_least();
    verdict.at_most = account.most;
    verdict.first_seen = Some(account.first.to.at);
    verdict.last_seen = Some(account.last.to.at);
    verdict
}

/// `1,204 keys`, `1,204 to 1,260 keys`, or `at least 1,204 keys`.
pub(super) fn amount(account: &Account<'_>) -> String {
    match account.most {
        Some(most) if most == account.keys => words::keys(account.keys),
        Some(most) if most <= account.keys.saturating_add(account.keys / 4) => {
            format!("{} to {}", words::count(account.keys), words::keys(most))
        }
        _ => format!("at least {}", words::keys(account.keys)),
    }
}
