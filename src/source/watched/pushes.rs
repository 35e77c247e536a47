//! What the server has pushed and nobody has looked at yet.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use redis::{PushInfo, PushKind, Value};
use tokio::sync::Notify;

use crate::model::Moment;

/// Names that wait; further ones are only counted.
const MOST: usize = 4_000;

/// Invalidations, each with the time of its first push.
#[derive(Default)]
pub(super) struct Pushes {
    heard: Mutex<Heard>,
    news: Notify,
}

/// What was pushed since the last look.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) names: HashMap<Vec<u8>, Moment>,
    /// All keys at once: a database was emptied.
    pub(super) emptied: Option<Moment>,
    /// Names that were pushed, repetitions included.
    pub(super) count: usize,
}

impl Pushes {
    /// Takes in what the client library was pushed.
    pub(super) fn push(&self, push: PushInfo, moment: Moment) {
        if push.kind != PushKind::Invalidate {
            return;
        }
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if push.data.iter().all(|data| *data == Value::Nil) {
            heard.emptied.get_or_insert(moment);
        }
        let names = push.data.into_iter().filter_map(|data| match data {
            Value::Array(names) => Some(names),
            _ => None,
        });
        for name in names.flatten() {
            if let Value::BulkString(name) = name {
                heard.count = heard.count.saturating_add(1);
                if heard.names.len() < MOST {
                    heard.names.entry(name).or_insert(moment);
                }
            }
        }
        drop(heard);
        self.news.notify_one();
    }

    /// What was pushed since the last time.
    pub(super) fn take(&self) -> Heard {
        std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns when something was pushed since the last time.
    pub(super) async fn heard(&self) {
        self.news.notified().await;
    }
}
