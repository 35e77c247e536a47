//! What a history consists of: answered polls, and holes.

use super::observation::{Failure, Moment};
use super::packed::Packed;
use super::step::Step;

/// Polls that failed in a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    /// The first failure.
    pub from: Moment,
    /// The last failure so far.
    pub to: Moment,
    /// Failed attempts.
    pub attempts: u32,
    /// The last failure.
    pub failure: Failure,
}

/// One entry of a history, in the order of observation.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// An answered poll, and the step that led to it (none for the first).
    Sample(Packed, Option<Step>),
    /// Polls that failed.
    Gap(Gap),
}

impl Entry {
    /// When the entry was made; a gap counts from its first failure.
    pub fn moment(&self) -> Moment {
        match self {
            Self::Sample(sample, _) => sample.moment,
            Self::Gap(gap) => gap.from,
        }
    }

    /// When the entry ended; a gap with its last failure.
    pub fn end(&self) -> Moment {
        match self {
            Self::Sample(sample, _) => sample.moment,
            Self::Gap(gap) => gap.to,
        }
    }

    /// What it takes of the memory, about.
    pub(super) fn bytes(&self) -> usize {
        let beside = match self {
            Self::Sample(sample, step) => sample.bytes() + step.as_ref().map_or(0, Step::bytes),
            Self::Gap(_) => 0,
        };
        size_of::<Self>() + beside
    }

    /// The sample, if it is one.
    pub fn sample(&self) -> Option<&Packed> {
        match self {
            Self::Sample(sample, _) => Some(sample),
            Self::Gap(_) => None,
        }
    }

    /// The step that led to it, if it is a sample with one before it.
    pub fn step(&self) -> Option<&Step> {
        match self {
            Self::Sample(_, step) => step.as_ref(),
            Self::Gap(_) => None,
        }
    }
}
