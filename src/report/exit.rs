//! The exit code of a headless diagnosis.

use std::process::ExitCode;

use crate::diagnosis::{Cause, Diagnosis, Scope};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// No loss found, or there was nothing to find.
    Clean = 0,
    /// The program failed, or no reply could be read.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// A cause that `--fail-on` names was found.
    Found = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The causes that `--fail-on` names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Causes {
    /// Every cause.
    #[default]
    Any,
    /// No cause: report only.
    None,
    /// These.
    Only(Vec<Cause>),
}

impl Causes {
    /// Reads `any`, `none` or `CAUSE[,CAUSE]`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "any" => return Ok(Self::Any),
            "none" => return Ok(Self::None),
            _ => {}
        }
        text.split(',')
            .map(|id| {
                Cause::from_id(id.trim()).ok_or_else(|| {
                    let known: Vec<_> = Cause::ALL.into_iter().map(Cause::id).collect();
                    format!("give any, none, or a list of: {}", known.join(", "))
                })
            })
            .collect::<Result<_, _>>()
            .map(Self::Only)
    }

    /// Whether a cause is among them.
    pub fn contain(&self, cause: Cause) -> bool {
        match self {
            Self::Any => true,
            Self::None => false,
            Self::Only(causes) => causes.contains(&cause),
        }
    }
}

/// [`Exit::Found`] when a named cause is confirmed or suspected. `reach` is the widest scope that
/// counts: with a window that was watched, totals since start say nothing about it.
pub fn exit_code(diagnosis: &Diagnosis, fail_on: &Causes, reach: Scope) -> Exit {
    let found = diagnosis.verdicts.iter().any(|verdict| {
        let counts = match reach {
            Scope::Window => verdict.is_loss_in_window(),
            Scope::SinceStart => verdict.is_loss(),
        };
        counts && fail_on.contain(verdict.cause)
    });
    if found { Exit::Found } else { Exit::Clean }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::diagnosis::{Ledger, Level, Verdict};

    fn diagnosis(level: Level, scope: Scope) -> Diagnosis {
        let mut verdict = Verdict::new(Cause::Flush, level, "");
        verdict.scope = scope;
        Diagnosis {
            verdicts: vec![Verdict::new(Cause::Eviction, Level::Clear, ""), verdict],
            top_cause: None,
            ledger: Ledger::default(),
            incidents: Vec::new(),
            migrations: Vec::new(),
            fates: Vec::new(),
            forecast: None,
            events: Vec::new(),
            notices: Vec::new(),
        }
    }

    #[rstest]
    #[case(Level::Confirmed, "any", Exit::Found)]
    #[case(Level::Suspected, "any", Exit::Found)]
    #[case(Level::AtRisk, "any", Exit::Clean)]
    #[case(Level::Unknown, "any", Exit::Clean)]
    #[case(Level::Clear, "any", Exit::Clean)]
    #[case(Level::Confirmed, "none", Exit::Clean)]
    #[case(Level::Confirmed, "flush", Exit::Found)]
    #[case(Level::Confirmed, "eviction, flush", Exit::Found)]
    #[case(Level::Confirmed, "eviction,instance-failure", Exit::Clean)]
    fn a_named_loss_is_found(#[case] level: Level, #[case] fail_on: &str, #[case] expected: Exit) {
        let causes = Causes::parse(fail_on).expect("parses");
        let diagnosis = diagnosis(level, Scope::Window);
        assert_eq!(exit_code(&diagnosis, &causes, Scope::Window), expected);
    }

    #[rstest]
    #[case(Scope::Window, Exit::Clean)]
    #[case(Scope::SinceStart, Exit::Found)]
    fn totals_count_only_where_nothing_else_is_known(#[case] reach: Scope, #[case] expected: Exit) {
        let diagnosis = diagnosis(Level::Suspected, Scope::SinceStart);
        assert_eq!(exit_code(&diagnosis, &Causes::Any, reach), expected);
    }

    #[test]
    fn a_wrong_cause_is_told_the_right_ones() {
        assert!(Causes::parse("flsh").is_err_and(|error| error.contains("flush")));
        assert!(Causes::parse("").is_err());
    }
}
