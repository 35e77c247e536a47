//! Naming keys to watch.

use super::{App, Effect};
use crate::format;
use crate::model::Watch;

impl App {
    /// What is watched from the start.
    pub fn watch(&mut self, wanted: Vec<Watch>) {
        self.wanted = wanted;
        self.screen.watches |= !self.wanted.is_empty();
    }

    /// What is watched by name.
    pub fn wanted(&self) -> &[Watch] {
        &self.wanted
    }

    /// Takes the name that was typed; the line stays open while there is something to mend.
    pub(super) fn name(&mut self) -> Option<Effect> {
        let typed = self.screen.naming.value().to_owned();
        if typed.is_empty() {
            self.screen.stop_naming();
            return None;
        }
        let watch = match Watch::parse(&typed) {
            Ok(watch) => watch,
            Err(why) => {
                self.say(why, true);
                return None;
            }
        };
        if self.wanted.contains(&watch) {
            self.say("that is watched already", false);
        } else if let Some(why) = watch.refusal(&self.wanted) {
            self.say(why, true);
        } else {
            self.wanted.push(watch.clone());
            self.screen.watches = true;
            self.screen.stop_naming();
            self.say(format!("watching {}", self.watched_words()), false);
            return Some(Effect::Watch(watch));
        }
        self.screen.stop_naming();
        None
    }

    /// `3 keys and 1 prefix of database 0`.
    pub fn watched_words(&self) -> String {
        let is_key = |watch: &&Watch| matches!(watch, Watch::Key(_));
        let keys = self.wanted.iter().filter(is_key).count();
        let prefixes = self.wanted.len() - keys;
        let parts = [
            (keys > 0).then(|| format::keys(keys as u64)),
            (prefixes > 0).then(|| {
                let word = if prefixes == 1 { "prefix" } else { "prefixes" };
                format!("{prefixes} {word}")
            }),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        format!("{} of database 0", parts.join(" and "))
    }
}
