//! `MONITOR` on demand: what it costs is said first, what it showed last.

use std::time::Duration;

use super::{App, Effect, NOTICE_STAYS};
use crate::model::{Observation, Told};

impl App {
    /// Watching every command has a price: it is named, and only who asks again means it.
    pub(super) fn monitor(&mut self, warned: Option<Duration>) -> Option<Effect> {
        let now = self.now.elapsed;
        if warned.is_some_and(|at| now.saturating_sub(at) <= NOTICE_STAYS) {
            self.say("MONITOR runs for 3 s", false);
            return Some(Effect::Monitor(self.history().node().clone()));
        }
        self.warned = Some(now);
        self.say(
            "MONITOR shows every command for 3 s and can halve the server's throughput meanwhile: \
             M again to run it",
            true,
        );
        None
    }

    /// Takes in what was said, and tells which member it concerned; what a monitor showed is said at
    /// once.
    pub(super) fn take_in(&mut self, told: Told) -> Option<usize> {
        self.tick(told.moment());
        if let Told::Node(_, Observation::Monitored { monitored, .. }) = &told {
            match monitored {
                Ok(seen) => self.say(seen.sentence(), false),
                Err(why) => self.say(format!("MONITOR did not run: {why}"), true),
            }
        }
        self.deployment.observe(told)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::app::Action;
    use crate::model::{Assumptions, Deployment, Moment, NodeId};

    fn at(s: u64) -> Moment {
        let elapsed = Duration::from_secs(s);
        let at = Timestamp::UNIX_EPOCH + elapsed;
        Moment { elapsed, at }
    }

    #[test]
    fn only_who_asks_twice_means_it() {
        let keep = Duration::from_secs(9);
        let node = NodeId::new("h:1");
        let deployment = Deployment::new(node.clone(), Assumptions::default(), keep);
        let mut app = App::new(deployment, Duration::from_secs(1), at(0));
        assert_eq!(app.act(Action::Monitor), None);
        let notice = app.notice().expect("the price is named");
        assert!(notice.text.contains("halve the server's throughput"));
        assert_eq!(app.act(Action::Monitor), Some(Effect::Monitor(node)));
        assert_eq!(app.act(Action::Monitor), None, "each time anew");
        app.act(Action::Down);
        assert_eq!(
            app.act(Action::Monitor),
            None,
            "something else came between"
        );
        app.tick(at(60));
        assert_eq!(app.act(Action::Monitor), None, "the warning is gone");
    }
}
