//! Scripts and transactions, which run the commands that take keys.

use super::suspects::{ROWS, SCRIPTS, TRANSACTIONS};
use crate::diagnosis::mechanism::Mechanism;

/// What ran around the commands of an interval.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrap {
    Nothing,
    Script,
    Transaction,
}

impl Wrap {
    pub(super) fn of(excess: &[u64; ROWS]) -> Self {
        if excess[SCRIPTS] > 0 {
            Self::Script
        } else if excess[TRANSACTIONS] > 0 {
            Self::Transaction
        } else {
            Self::Nothing
        }
    }

    pub(super) fn around(self, mechanism: Mechanism) -> Mechanism {
        let is_delete = matches!(
            mechanism,
            Mechanism::Del
                | Mechanism::Unlink
                | Mechanism::Getdel
                | Mechanism::ConditionalDelete
                | Mechanism::ModuleDelete
        );
        match self {
            Self::Script if is_delete => Mechanism::ScriptedDelete,
            Self::Transaction if is_delete => Mechanism::TransactionDelete,
            _ => mechanism,
        }
    }
}
