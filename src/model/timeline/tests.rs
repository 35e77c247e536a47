//! How much a history keeps of a server that says too much.

use super::*;

/// An answer of many commands and databases, all of which move with every second.
fn answer(second: u64, command: impl Fn(u64) -> String) -> Observation {
    let commands = (0..1_000).map(|n| format!("cmdstat_{}:calls={second}\r\n", command(n)));
    let dbs = (0..1_000).map(|n| format!("db{n}:keys={},expires=0\r\n", n + second));
    let text = format!(
        "# Server\r\nrun_id:a\r\n# Commandstats\r\n{}# Keyspace\r\n{}",
        commands.collect::<String>(),
        dbs.collect::<String>()
    );
    Observation::Answer {
        moment: Moment {
            elapsed: Duration::from_secs(second),
            at: jiff::Timestamp::UNIX_EPOCH,
        },
        round_trip: Duration::ZERO,
        info: text.into(),
    }
}

fn history(bytes: usize) -> History {
    let node = NodeId::new("x");
    let mut history = History::new(node, Assumptions::default(), Duration::MAX);
    history.keep_at_most(Most {
        entries: usize::MAX,
        bytes,
    });
    history
}

#[test]
fn a_server_that_renames_everything_does_not_fill_the_memory() {
    const BYTES: usize = 4 << 20;
    let mut history = history(BYTES);
    for second in 0..40 {
        history.observe(answer(second, |n| format!("c{second}-{n}")));
        let sum: usize = history.entries.iter().map(Entry::bytes).sum();
        assert_eq!(history.bytes, sum);
        assert!(sum <= BYTES, "{sum}");
    }
    assert!((2..20).contains(&history.len()), "{}", history.len());
    assert_eq!(history.window().samples().count(), history.len());
}

#[test]
fn names_that_come_and_go_are_held_once() {
    let mut history = history(usize::MAX);
    for second in 0..40 {
        let kind = second % 2;
        history.observe(answer(second, |n| format!("c{kind}-{n}")));
    }
    let name = |step: &Step| step.commands.iter().next().map(|ran| ran.name.as_ptr());
    let mut names: Vec<_> = history.window().steps().filter_map(name).collect();
    assert_eq!(names.len(), 39);
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 2);
}

#[test]
fn a_node_that_left_forgets_all_but_its_limits() {
    let mut history = history(1 << 20);
    history.keep = Duration::from_secs(10);
    for second in 0..5 {
        history.observe(answer(second, |n| format!("c{n}")));
    }
    let last = history.window().end().expect("an answer");
    let later = |s: u64| Moment {
        elapsed: last.elapsed + Duration::from_secs(s),
        ..last
    };
    history.fade(later(8));
    let sum: usize = history.entries.iter().map(Entry::bytes).sum();
    assert_eq!((history.len(), history.bytes), (3, sum));
    history.fade(later(11));
    assert_eq!((history.len(), history.bytes), (0, 0));
    assert_eq!(history.most.bytes, 1 << 20);
}
