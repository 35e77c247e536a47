//! What the operator sees, at fixed moments; and what must hold on every screen of any size.

mod support {
    pub mod stage;
}

use amr_top::app::{Action, App, Panel, Privacy, ThemeName, View};
use amr_top::diagnosis::{
    Cause, Certainty, Diagnosis, Evidence, Level, Mechanism, Scope, State, Suspect, Verdict,
};
use amr_top::model::{FailureKind, NodeId};
use amr_top::ui;
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
use rstest::rstest;
use support::stage::{self, screen, text};

const SIZES: [(u16, u16); 5] = [(80, 24), (120, 40), (200, 60), (40, 10), (39, 9)];

fn shot(name: &str, app: &App, (columns, rows): (u16, u16)) {
    let drawn = text(&screen(app, columns, rows));
    insta::assert_snapshot!(format!("{name}-{columns}x{rows}"), drawn);
}

#[rstest]
#[case("flushed", stage::flushed())]
#[case("calm", stage::calm())]
#[case("lost", stage::lost())]
#[case("empty", stage::empty())]
#[case("mixed", stage::mixed(1))]
fn overview(#[case] name: &str, #[case] app: App) {
    for size in SIZES {
        shot(name, &app, size);
    }
}

#[rstest]
#[case("enterprise", stage::ENTERPRISE)]
#[case("replica-link-down", stage::LINK_DOWN)]
#[case("replica", stage::REPLICA)]
#[case("redis-6", stage::OLD)]
fn servers(#[case] name: &str, #[case] info: &str) {
    shot(name, &stage::still(info), (120, 40));
}

#[test]
fn every_panel_fills_the_screen() {
    let app = stage::flushed();
    // Nodes are listed where there are several.
    for panel in Panel::ALL.into_iter().filter(|p| *p != Panel::Nodes) {
        let mut app = app.clone();
        app.act(Action::Focus(panel));
        app.act(Action::Zoom);
        let name = format!("zoom-{}", format!("{panel:?}").to_lowercase());
        shot(&name, &app, (80, 24));
        shot(&name, &app, (120, 40));
    }
}

#[test]
fn rows_without_room_keep_their_headings() {
    let mut app = stage::flushed();
    shot("flushed", &app, (100, 32));
    app.act(Action::Focus(Panel::Changes));
    shot("flushed-changes", &app, (100, 32));
}

/// Two incidents, the older one with suspects.
fn incidents() -> (App, Diagnosis) {
    let suspect = |command: &str, address: Option<&str>, certainty| Suspect {
        command: command.to_owned(),
        address: address.map(str::to_owned),
        name: address.map(|_| "batch-cleanup".to_owned()),
        user: None,
        library: None,
        at: Some(stage::moment(91.0).at),
        source: "slow log",
        certainty,
    };
    let mut app = stage::mixed(20);
    let mut diagnosis = app.diagnosis().clone();
    diagnosis.incidents[0].suspects = vec![
        suspect(
            "UNLINK session:9 … (512 more)",
            Some("10.9.8.7:51234"),
            Certainty::Likely,
        ),
        suspect("EVAL 3c6f…", None, Certainty::Possible),
    ];
    let mut outage = diagnosis.incidents[0].clone();
    (outage.from, outage.to) = (stage::moment(110.0), stage::moment(114.0));
    (outage.keys, outage.at_least, outage.state) = (0, false, State::GoingOn);
    outage.suspects = Vec::new();
    outage.shares.truncate(1);
    outage.shares[0].mechanism = Mechanism::Unreachable;
    (outage.shares[0].keys, outage.shares[0].share) = (0, 1.0);
    diagnosis.incidents.push(outage);
    app.act(Action::Focus(Panel::Incidents));
    app.act(Action::Zoom);
    (app, diagnosis)
}

#[test]
fn incidents_say_when_what_and_who() {
    let (mut app, diagnosis) = incidents();
    for (columns, rows) in [(80, 24), (120, 40)] {
        let area = Rect::new(0, 0, columns, rows);
        let mut buf = Buffer::empty(area);
        ui::render(&app, &diagnosis, area, &mut buf);
        insta::assert_snapshot!(format!("incidents-{columns}x{rows}"), text(&buf));
    }
    app.screen_mut().privacy = Privacy::Hidden;
    let area = Rect::new(0, 0, 120, 40);
    let mut buf = Buffer::empty(area);
    ui::render(&app, &diagnosis, area, &mut buf);
    let shown = text(&buf);
    assert!(shown.contains("likely UNLINK by •••"), "{shown}");
    for secret in ["10.9.8.7", "batch-cleanup", "session:9"] {
        assert!(!shown.contains(secret), "{secret} is still there\n{shown}");
    }
}

#[test]
fn the_ledger_never_takes_unknown_for_zero() {
    let mut app = stage::mixed(1);
    app.act(Action::Focus(Panel::Ledger));
    app.act(Action::Zoom);
    shot("ledger", &app, (80, 24));
    shot("ledger", &app, (120, 40));
    shot("ledger", &app, (40, 10));
    let shown = text(&screen(&app, 120, 40));
    let line = shown.lines().find(|line| line.contains("evicted"));
    let line = line.expect("the way is listed");
    assert!(line.contains("unknown") && !line.contains('0'), "{line}");
}

#[test]
fn the_focused_panel_is_shown_where_one_has_room() {
    let app = stage::flushed();
    for panel in [Panel::Eviction, Panel::Commands, Panel::Changes] {
        let mut app = app.clone();
        app.act(Action::Focus(panel));
        let shown = text(&screen(&app, 80, 24));
        assert!(shown.contains(panel.title()), "{shown}");
        app.act(Action::Focus(Panel::Causes));
        let shown = text(&screen(&app, 80, 24));
        assert!(shown.contains(panel.title()), "the last one stays: {shown}");
    }
}

#[test]
fn a_card_tells_all_and_scrolls_to_its_end() {
    let mut app = stage::flushed();
    app.act(Action::Open);
    assert_eq!(app.screen().view, View::Card(Cause::Flush));
    shot("card", &app, (80, 24));
    shot("card", &app, (120, 40));
    app.act(Action::Bottom);
    let area = Rect::new(0, 0, 80, 24);
    ui::settle(&mut app, area);
    let end = app.screen().scroll;
    assert!(end > 0 && end < 100, "{end}");
    let shown = text(&screen(&app, 80, 24));
    assert!(shown.contains("Documentation"), "{shown}");
    app.act(Action::Up);
    assert_eq!(app.screen().scroll, end - 1);
}

#[test]
fn help_lists_keys_and_verdicts() {
    let mut app = stage::calm();
    app.act(Action::Help);
    shot("help", &app, (80, 24));
    shot("help", &app, (120, 60));
}

#[test]
fn a_paused_screen_cannot_be_taken_for_a_live_one() {
    let mut app = stage::flushed();
    for _ in 0..30 {
        app.act(Action::StepBack);
    }
    shot("paused", &app, (120, 40));
    let shown = text(&screen(&app, 80, 24));
    assert!(shown.contains("‖ PAUSED at 14:02:4"), "{shown}");
    assert!(shown.contains("behind live"), "{shown}");
    assert!(!shown.contains("● live"), "{shown}");
}

#[test]
fn a_filter_is_seen_while_it_is_typed() {
    let mut app = stage::flushed();
    app.act(Action::Filter);
    "get".chars().for_each(|c| {
        app.act(Action::Type(c));
    });
    shot("filter", &app, (120, 40));
}

#[test]
fn notices_stand_above_the_footer() {
    let mut app = stage::calm();
    app.say(
        "wrote amr-top-prod-cache-20261123T140313Z.json and .md",
        false,
    );
    let shown = text(&screen(&app, 80, 24));
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[22].contains("wrote amr-top-prod-cache"), "{shown}");
    assert!(lines[23].contains("help"), "{shown}");
}

#[test]
fn ascii_screens_are_ascii() {
    let mut app = stage::flushed();
    app.screen_mut().ascii = true;
    shot("ascii", &app, (80, 24));
    for view in views() {
        app.screen_mut().view = view;
        let shown = text(&screen(&app, 200, 60));
        assert!(shown.is_ascii(), "{shown}");
    }
}

fn views() -> Vec<View> {
    let cards = Cause::ALL.into_iter().map(View::Card);
    [View::Overview, View::Zoom]
        .into_iter()
        .chain(cards)
        .collect()
}

#[test]
fn privacy_leaves_no_address() {
    let mut app = stage::flushed();
    app.screen_mut().privacy = Privacy::Hidden;
    shot("private", &app, (120, 40));
    let mut all = String::new();
    for view in views() {
        for panel in Panel::ALL {
            app.act(Action::Focus(panel));
            app.screen_mut().view = view;
            all += &text(&screen(&app, 200, 60));
        }
    }
    for address in ["prod-cache", "10.0.0.9", "10.0.0.10", "example.com"] {
        assert!(!all.contains(address), "{address} is still there");
    }
    app.screen_mut().view = View::Overview;
    app.say(
        "snapshot written: amr-top-prod-cache.example.com-6379-x.json",
        false,
    );
    let said = text(&screen(&app, 120, 40));
    assert!(said.contains("snapshot written"), "{said}");
    assert!(!said.contains("prod-cache"), "{said}");
    let mut lost = stage::still(stage::LINK_DOWN);
    lost.screen_mut().privacy = Privacy::Hidden;
    assert!(!text(&screen(&lost, 200, 60)).contains("127.0.0.1"));
}

#[test]
fn the_plain_theme_has_no_colour() {
    let mut app = stage::lost();
    app.screen_mut().theme = ThemeName::Plain;
    for view in views() {
        app.screen_mut().view = view;
        for cell in &screen(&app, 120, 40).content {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{cell:?}");
        }
    }
}

/// A diagnosis with every level, in both scopes.
fn every_level() -> Diagnosis {
    let levels = [
        Level::Confirmed,
        Level::Suspected,
        Level::AtRisk,
        Level::Unknown,
        Level::Clear,
    ];
    let verdicts = Cause::ALL.into_iter().enumerate().map(|(at, cause)| {
        let mut verdict = Verdict::new(cause, levels[at / 2], format!("summary {at}"));
        if at % 2 == 1 {
            verdict.scope = Scope::SinceStart;
        }
        verdict.keys_lost = (at < 4).then_some(1_204);
        verdict.at_least = at == 2;
        verdict
    });
    let mut diagnosis = stage::empty().diagnosis().clone();
    diagnosis.verdicts = verdicts.collect();
    diagnosis
}

#[rstest]
#[case(80, 24)]
#[case(120, 40)]
fn severity_is_a_word_and_a_symbol(#[case] columns: u16, #[case] rows: u16) {
    let area = Rect::new(0, 0, columns, rows);
    let mut buf = Buffer::empty(area);
    let mut app = stage::calm();
    app.act(Action::Zoom);
    ui::render(&app, &every_level(), area, &mut buf);
    let shown = text(&buf);
    for mark in [
        "▲ CONFIRMED",
        "△ suspected",
        "◇ at risk",
        "? unknown",
        "· clear",
        "since start",
        "≥ 1,204 keys",
        "−1,204 keys",
    ] {
        assert!(shown.contains(mark), "{mark}\n{shown}");
    }
}

#[test]
fn what_happened_before_the_watch_does_not_shout() {
    let app = stage::calm();
    let area = Rect::new(0, 0, 120, 40);
    let mut buf = Buffer::empty(area);
    ui::render(&app, &every_level(), area, &mut buf);
    let colours = |row: u16| buf[(2, row)].fg;
    assert_ne!(colours(2), colours(3), "live and past look the same");
}

#[test]
fn too_small_is_said_politely() {
    let shown = text(&screen(&stage::calm(), 39, 9));
    assert!(shown.contains("40×10"), "{shown}");
    assert!(text(&screen(&stage::calm(), 40, 10)).contains("amr-top"));
}

#[test]
fn no_size_brings_the_screen_down() {
    let apps = [
        stage::flushed(),
        stage::lost(),
        stage::still(stage::ENTERPRISE),
    ];
    let sizes = (0..45).chain([46, 60, 79, 80, 81, 100, 119, 120, 200, 300]);
    let sizes: Vec<u16> = sizes.collect();
    for (at, columns) in sizes.iter().enumerate() {
        for (nth, rows) in sizes.iter().enumerate() {
            screen(&apps[(at + nth) % apps.len()], *columns, *rows);
        }
    }
}

fn wild() -> impl Strategy<Value = (Diagnosis, Vec<Action>)> {
    let action = prop_oneof![
        Just(Action::FocusNext),
        Just(Action::Zoom),
        Just(Action::Open),
        Just(Action::Back),
        Just(Action::Down),
        Just(Action::Bottom),
        Just(Action::Help),
        Just(Action::Filter),
        Just(Action::StepBack),
        Just(Action::Span),
        Just(Action::Sort),
        Just(Action::Theme),
        Just(Action::Privacy),
    ];
    let verdict = (0..10usize, ".{0,80}", any::<Option<u64>>(), "\\PC{0,40}");
    let verdicts = prop::collection::vec(verdict, 0..12);
    (verdicts, prop::collection::vec(action, 0..12)).prop_map(|(verdicts, actions)| {
        let mut diagnosis = every_level();
        diagnosis.notices = verdicts.iter().map(|v| v.3.clone()).collect();
        diagnosis.verdicts = verdicts
            .into_iter()
            .map(|(at, summary, keys, note)| {
                let mut verdict = diagnosis.verdicts[at].clone();
                verdict.evidence.push(Evidence {
                    node: NodeId::new(&note),
                    field: note.clone(),
                    before: keys.into(),
                    after: summary.as_str().into(),
                    note: summary.clone(),
                    at: None,
                });
                verdict.next_steps.push(summary.clone());
                verdict.summary = summary;
                verdict.keys_lost = keys;
                verdict
            })
            .collect();
        (diagnosis, actions)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_content_brings_the_screen_down(
        (diagnosis, actions) in wild(),
        columns in 0..300u16,
        rows in 0..120u16,
    ) {
        let mut app = stage::lost();
        for action in actions {
            app.act(action);
        }
        let area = Rect::new(0, 0, columns, rows);
        let mut buf = Buffer::empty(area);
        ui::render(&app, &diagnosis, area, &mut buf);
        ui::settle(&mut app, area);
    }
}

#[test]
fn a_failure_says_what_to_try() {
    let shown = text(&screen(&stage::lost(), 200, 60));
    assert!(shown.contains(FailureKind::Refused.advice()), "{shown}");
    assert!(shown.contains("retry in 3 s (try 4)"), "{shown}");
    let narrow = text(&screen(&stage::lost(), 80, 24)).replace('\n', "");
    assert!(narrow.contains("is the port right?"), "{narrow}");
}

/// A string that is there, and a list that was deleted when the flush ran.
fn watched() -> App {
    use amr_top::model::{Asked, KeyRead, KeyState, Observation, Seen, Watch};
    let mut app = stage::flushed();
    let end = app
        .window()
        .end()
        .expect("something was observed")
        .elapsed
        .as_secs_f64();
    let state = |kind: &str, ttl_s: u64| KeyState::Present {
        kind: kind.into(),
        ttl: Some(std::time::Duration::from_secs(ttl_s)),
        size_bytes: Some(88),
    };
    let read = |id, name: &str, state, before, asked| KeyRead {
        id,
        name: name.into(),
        is_member: false,
        state,
        before,
        asked,
        pushed: (asked == Asked::Pushed).then(|| stage::moment(end)),
    };
    let before = Seen {
        moment: stage::moment(end - 60.0),
        state: state("list", 3_472),
    };
    app.watch(vec![
        Watch::Key("session:42".into()),
        Watch::Key("session:43".into()),
    ]);
    app.observe(stage::told(Observation::Keys {
        moment: stage::moment(end),
        read: vec![
            read(0, "session:43", state("string", 900), None, Asked::First),
            read(
                1,
                "session:42",
                KeyState::Absent,
                Some(before),
                Asked::Pushed,
            ),
        ],
    }));
    app
}

#[test]
fn watched_keys_have_a_panel_of_their_own() {
    let mut app = watched();
    shot("watched", &app, (120, 60));
    app.act(Action::Focus(Panel::Watched));
    shot("watched", &app, (80, 24));
    let seen = text(&screen(&app, 120, 60));
    assert!(
        seen.contains("session:42") && seen.contains("to go"),
        "{seen}"
    );
    app.screen_mut().privacy = Privacy::Hidden;
    let hidden = text(&screen(&app, 120, 60));
    assert!(!hidden.contains("session:4"), "{hidden}");
}

#[test]
fn a_key_to_watch_is_named_on_a_line() {
    let mut app = stage::calm();
    app.act(Action::Watch);
    "session:*x".chars().for_each(|c| {
        app.act(Action::Type(c));
    });
    shot("naming", &app, (80, 24));
    // What cannot be watched says why, and the line stays.
    assert_eq!(app.act(Action::Accept), None);
    let seen = text(&screen(&app, 80, 24));
    assert!(
        seen.contains("only stands at the end") && seen.contains("session:*x"),
        "{seen}"
    );
    app.act(Action::Erase);
    let watch = amr_top::model::Watch::Prefix("session:".into());
    assert_eq!(
        app.act(Action::Accept),
        Some(amr_top::app::Effect::Watch(watch))
    );
    // Where nothing is watched, the panel goes with the line.
    let mut app = stage::calm();
    app.act(Action::Watch);
    app.act(Action::Back);
    assert!(!text(&screen(&app, 80, 24)).contains("Watched"));
}
