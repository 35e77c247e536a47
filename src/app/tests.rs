use super::*;
use crate::diagnosis::{State, diagnose};
use crate::model::{Assumptions, Failure, FailureKind, NodeId, Observation};

fn answer(second: u64, info: &str) -> Observation {
    let elapsed = Duration::from_secs(second);
    let moment = Moment {
        elapsed,
        at: jiff::Timestamp::UNIX_EPOCH + elapsed,
    };
    Observation::Answer {
        moment,
        round_trip: Duration::ZERO,
        info: info.into(),
    }
}

fn info(keys: u64, flushes: u64) -> String {
    format!(
        "# Server\r\nredis_version:7.0.15\r\nrun_id:a\r\n# Stats\r\nexpired_keys:0\r\n# Replication\r\n\
         role:master\r\n# Commandstats\r\ncmdstat_flushall:calls={flushes},usec=1\r\n# Keyspace\r\n\
         db0:keys={keys},expires=0\r\n"
    )
}

fn failed(second: u64) -> Observation {
    let elapsed = Duration::from_secs(second);
    Observation::Failed {
        moment: Moment {
            elapsed,
            at: jiff::Timestamp::UNIX_EPOCH + elapsed,
        },
        failure: Failure {
            kind: FailureKind::Refused,
            detail: String::new(),
        },
        retry_in: Duration::from_secs(1),
    }
}

fn told(said: Observation) -> Told {
    Told::Node(NodeId::new("h:1"), said)
}

/// Ten polls, one a second; the sixth sees a flush.
fn watched() -> App {
    let mut app = watched_for(5);
    for second in 6..=10 {
        app.observe(told(answer(second, &info(0, 1))));
    }
    app
}

/// Polls of fifty keys, one a second.
fn watched_for(seconds: u64) -> App {
    let keep = Duration::from_secs(3_600);
    let deployment = Deployment::new(NodeId::new("h:1"), Assumptions::default(), keep);
    let start = Moment {
        elapsed: Duration::ZERO,
        at: jiff::Timestamp::UNIX_EPOCH,
    };
    let mut app = App::new(deployment, Duration::from_secs(1), start);
    for second in 1..=seconds {
        app.observe(told(answer(second, &info(50, 0))));
    }
    app
}

fn shown(app: &App) -> Option<u64> {
    app.sample().map(|sample| sample.moment.elapsed.as_secs())
}

#[test]
fn a_paused_screen_stands_while_observations_come_in() {
    let mut app = watched();
    app.act(Action::Pause);
    app.observe(told(answer(11, &info(7, 1))));
    assert_eq!((shown(&app), app.history().len()), (Some(10), 11));
    app.act(Action::Pause);
    assert_eq!(shown(&app), Some(11));
}

#[test]
fn stepping_back_judges_what_was_known_then() {
    let mut app = watched();
    assert_eq!(app.diagnosis().top_cause, Some(Cause::Flush));
    for _ in 0..5 {
        app.act(Action::StepBack);
    }
    assert_eq!((shown(&app), app.diagnosis().top_cause), (Some(5), None));
    app.act(Action::StepForward);
    assert_eq!(
        (shown(&app), app.diagnosis().top_cause),
        (Some(6), Some(Cause::Flush))
    );
}

#[test]
fn the_ends_of_history_are_walls() {
    let mut app = watched();
    for _ in 0..30 {
        app.act(Action::StepBack);
    }
    assert_eq!(shown(&app), Some(1));
    for _ in 0..30 {
        app.act(Action::StepForward);
    }
    assert_eq!(shown(&app), Some(10));
}

#[test]
fn jumps_go_from_change_to_change() {
    let mut app = watched();
    app.act(Action::PreviousChange);
    assert_eq!(shown(&app), Some(6), "the flush");
    app.act(Action::PreviousChange);
    assert_eq!(shown(&app), Some(1), "the beginning");
    app.act(Action::NextChange);
    assert_eq!(shown(&app), Some(6));
    app.act(Action::NextChange);
    assert_eq!(app.cursor(), Cursor::Live);
}

/// Fifty polls: a flush at the tenth, unanswered polls from 25 to 28, a flush at the fortieth.
fn twice_flushed() -> App {
    let mut app = watched_for(0);
    for second in 1..=50 {
        let flushes = u64::from(second >= 10) + u64::from(second >= 40);
        let keys = match second {
            10..=19 | 40.. => 0,
            _ => 50,
        };
        app.observe(told(match second {
            25..=28 => failed(second),
            _ => answer(second, &info(keys, flushes)),
        }));
    }
    app
}

#[test]
fn jumps_go_to_the_first_sign_of_each_incident() {
    let mut app = twice_flushed();
    let seen: Vec<(u64, bool)> = (0..4)
        .map(|_| {
            app.act(Action::PreviousIncident);
            let end = app.window().end().expect("entries");
            (end.elapsed.as_secs(), app.notice().is_some())
        })
        .collect();
    assert_eq!(
        seen,
        [(40, false), (28, false), (10, false), (10, true)],
        "the outage with its gap, then a wall"
    );
    for expected in [28, 40] {
        app.act(Action::NextIncident);
        let end = app.window().end().expect("entries");
        assert_eq!(end.elapsed.as_secs(), expected);
        assert_eq!(
            app.selected_incident().map(|i| i.state),
            Some(State::GoingOn)
        );
    }
    app.act(Action::NextIncident);
    assert_eq!(app.cursor(), Cursor::Live);
}

#[test]
fn without_incidents_a_jump_says_so_and_stays() {
    let mut app = watched_for(3);
    app.act(Action::NextIncident);
    assert_eq!(app.cursor(), Cursor::Live);
    let said = app.notice().map(|notice| notice.text.as_str());
    assert_eq!(said, Some("no incident so far"));
    app.act(Action::Focus(Panel::Incidents));
    app.act(Action::Open);
    let said = app.notice().map(|notice| notice.text.as_str());
    assert_eq!(said, Some("no incident to go to"));
}

#[test]
fn an_incident_opens_as_of_its_end_and_stays_selected() {
    let mut app = twice_flushed();
    app.act(Action::Focus(Panel::Incidents));
    app.act(Action::Zoom);
    app.act(Action::Down);
    app.act(Action::Down);
    app.act(Action::Open);
    assert_eq!((shown(&app), app.screen().view), (Some(10), View::Overview));
    assert_eq!(app.diagnosis().top_cause, Some(Cause::Flush));
    let from = |app: &App| app.selected_incident().map(|i| i.from.elapsed.as_secs());
    assert_eq!((from(&app), app.rows(Panel::Incidents)), (Some(9), 1));
    app.act(Action::Pause);
    assert_eq!((from(&app), app.rows(Panel::Incidents)), (Some(9), 3));
}

#[test]
fn the_ledger_is_beside_causes_and_incidents() {
    let mut app = watched();
    let mut go = |action: Action| {
        app.act(action);
        app.screen().focus
    };
    assert_eq!(go(Action::Right), Panel::Ledger);
    assert_eq!(go(Action::Down), Panel::Eviction);
    assert_eq!(go(Action::Up), Panel::Ledger);
    assert_eq!(go(Action::Left), Panel::Causes);
    assert_eq!(go(Action::Focus(Panel::Incidents)), Panel::Incidents);
    assert_eq!(go(Action::Right), Panel::Ledger);
}

#[test]
fn the_selection_stays_on_its_cause_when_verdicts_change_places() {
    let mut app = watched();
    app.act(Action::PreviousChange);
    app.act(Action::StepBack);
    let row = app
        .diagnosis()
        .verdicts
        .iter()
        .position(|v| v.cause == Cause::Flush);
    for _ in 0..row.expect("a verdict") {
        app.act(Action::Down);
    }
    assert_eq!(app.selected_cause(), Some(Cause::Flush));
    app.act(Action::Pause);
    assert_eq!(app.diagnosis().verdicts[0].cause, Cause::Flush);
    assert_eq!(app.selected_cause(), Some(Cause::Flush));
    app.act(Action::Open);
    assert_eq!(app.screen().view, View::Card(Cause::Flush));
}

#[test]
fn the_interval_stays_in_its_range() {
    let mut app = watched();
    for _ in 0..20 {
        app.act(Action::Faster);
    }
    assert_eq!(app.interval(), *INTERVAL_RANGE.start());
    for _ in 0..40 {
        app.act(Action::Slower);
    }
    assert_eq!(app.interval(), *INTERVAL_RANGE.end());
}

#[test]
fn a_filter_shows_any_command() {
    let mut app = watched();
    assert_eq!(app.rows(Panel::Commands), 1);
    app.act(Action::Filter);
    for c in "get".chars() {
        app.act(Action::Type(c));
    }
    assert_eq!(app.rows(Panel::Commands), 0);
    app.act(Action::Back);
    assert_eq!(app.rows(Panel::Commands), 1);
}

#[test]
fn live_stepped_back_and_headless_are_one_path() {
    let mut app = watched();
    let texts: Vec<(u64, String)> = (1..=10)
        .map(|s| (s, info(if s >= 6 { 0 } else { 50 }, u64::from(s >= 6))))
        .collect();
    for length in (1..=10).rev() {
        let keep = Duration::from_secs(3_600);
        let mut headless = History::new(NodeId::new("h:1"), Assumptions::default(), keep);
        for (second, text) in &texts[..length] {
            headless.observe(answer(*second, text));
        }
        assert_eq!(
            app.diagnosis(),
            &diagnose(&headless.window()),
            "after {length} polls"
        );
        app.act(Action::StepBack);
    }
}
