//! The loop against a scripted world, on a screen in memory.

mod world;

use crossterm::event::{KeyCode, KeyModifiers};

use super::*;
use crate::app::{Cursor, Mode, Panel, View};
use world::{Script, World, answer, play};

#[tokio::test(start_paused = true)]
async fn keys_change_the_app_and_q_quits() {
    let world = World::new();
    let (end, app) = play(&world, |script| async {
        script.keys("6zq").await;
        Some(script)
    })
    .await;
    assert_eq!(end.expect("no trouble"), End::Quit);
    assert_eq!(app.screen().focus, Panel::Commands);
    assert_eq!(app.screen().view, View::Zoom);
}

#[tokio::test(start_paused = true)]
async fn a_filter_may_contain_q() {
    let world = World::new();
    let (end, app) = play(&world, |script| async {
        script.keys("/qp").await;
        script
            .event(Event::Key(KeyEvent::new(
                KeyCode::Char('c'),
                KeyModifiers::CONTROL,
            )))
            .await;
        Some(script)
    })
    .await;
    assert_eq!(end.expect("no trouble"), End::Quit);
    assert_eq!(app.screen().mode, Mode::Typing);
    assert_eq!(app.screen().filter.value(), "qp");
}

#[tokio::test(start_paused = true)]
async fn many_observations_are_drawn_once() {
    let world = World::new();
    let (_, app) = play(&world, |script| async {
        world.drawn(1).await;
        for second in 1..=50 {
            script.observations.try_send(answer(second)).expect("room");
        }
        world.drawn(2).await;
        world.settled().await;
        assert_eq!(world.draws.get(), 2);
        script.keys("q").await;
        Some(script)
    })
    .await;
    assert_eq!(app.history().len(), 50);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_drawn_when_nothing_changed() {
    let world = World::new();
    play(&world, |script| async {
        world.drawn(1).await;
        script.keys("vWQ").await;
        let mut release = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        release.kind = KeyEventKind::Release;
        script.event(Event::Key(release)).await;
        script.event(Event::FocusGained).await;
        world.settled().await;
        assert_eq!(world.draws.get(), 1);
        script.event(Event::Resize(80, 24)).await;
        world.drawn(2).await;
        script.keys("q").await;
        Some(script)
    })
    .await
    .0
    .expect("no trouble");
}

#[tokio::test(start_paused = true)]
async fn ages_move_once_a_second() {
    let world = World::new();
    play(&world, |script| async {
        world.drawn(1).await;
        tokio::time::sleep(Duration::from_millis(5_500)).await;
        assert_eq!(world.draws.get(), 6);
        script.keys("q").await;
        Some(script)
    })
    .await
    .0
    .expect("no trouble");
}

#[tokio::test(start_paused = true)]
async fn a_flood_does_not_starve_the_keys() {
    let world = World::new();
    let (end, _) = play(&world, |script| async {
        let flood = async {
            for second in 1.. {
                if script.observations.send(answer(second)).await.is_err() {
                    return;
                }
            }
        };
        let keys = async {
            world.drawn(5).await;
            script.keys("q").await;
        };
        tokio::join!(flood, keys);
        Some(script)
    })
    .await;
    assert_eq!(end.expect("no trouble"), End::Quit);
    assert!(world.draws.get() < 20, "{} draws", world.draws.get());
}

#[tokio::test(start_paused = true)]
async fn interval_keys_reach_the_poller() {
    let world = World::new();
    play(&world, |script| async {
        script.keys("+--q").await;
        Some(script)
    })
    .await
    .0
    .expect("no trouble");
    let said: Vec<u128> = world
        .intervals
        .borrow()
        .iter()
        .map(Duration::as_millis)
        .collect();
    assert_eq!(said, [2_000, 1_000, 500]);
}

#[tokio::test(start_paused = true)]
async fn a_paused_screen_keeps_taking_in() {
    let world = World::new();
    let (_, app) = play(&world, |script| async {
        script.answer(1).await;
        world.drawn(2).await;
        script.keys(" ").await;
        world.drawn(3).await;
        script.answer(2).await;
        script.answer(3).await;
        world.settled().await;
        script.keys("q").await;
        Some(script)
    })
    .await;
    assert_eq!(app.history().len(), 3);
    assert_eq!(app.cursor(), Cursor::At(Duration::from_secs(1)));
}

#[tokio::test(start_paused = true)]
async fn a_failed_snapshot_is_a_notice() {
    let world = World::new();
    let job: ExportJob = Box::new(|| Err("cannot write here: read-only file system".to_owned()));
    world.jobs.borrow_mut().push(job);
    let (_, app) = play(&world, |script| async {
        world.drawn(1).await;
        script.keys("s").await;
        // The key, then the outcome.
        world.drawn(3).await;
        script.keys("q").await;
        Some(script)
    })
    .await;
    let notice = app.notice().expect("something was said");
    assert!(notice.trouble);
    assert!(notice.text.contains("read-only"));
}

#[tokio::test]
async fn a_slow_disk_does_not_freeze_the_screen_and_quitting_waits_for_it() {
    let world = World::new();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (written, check) = std::sync::mpsc::channel::<()>();
    world.jobs.borrow_mut().push(Box::new(move || {
        held.recv().map_err(|error| error.to_string())?;
        written.send(()).map_err(|error| error.to_string())?;
        Ok("snapshot written".to_owned())
    }));
    let (end, app) = play(&world, |script| async {
        world.drawn(1).await;
        script.keys("s").await;
        world.drawn(2).await;
        script.keys("6").await;
        world.drawn(3).await;
        script.keys("s").await;
        world.drawn(4).await;
        script.keys("q").await;
        world.drawn(5).await;
        release.send(()).expect("the job waits");
        Some(script)
    })
    .await;
    assert_eq!(end.expect("no trouble"), End::Quit);
    assert_eq!(app.screen().focus, Panel::Commands);
    assert!(check.try_recv().is_ok(), "the loop waited for the snapshot");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_keys_ends_the_program() {
    let world = World::new();
    let (end, _) = play(&world, |script| async {
        drop(script);
        None
    })
    .await;
    assert_eq!(end.expect("no trouble"), End::TerminalGone);

    let (end, _) = play(&World::new(), |script| async {
        script
            .events
            .send(Err(io::Error::other("gone")))
            .await
            .expect("the loop runs");
        Some(script)
    })
    .await;
    let report = end.expect_err("a read error is an error");
    assert!(format!("{report:#}").contains("cannot read keys"));
}

#[tokio::test(start_paused = true)]
async fn signals_end_with_their_customary_code() {
    let world = World::new();
    let (end, _) = play(&world, |script| async {
        script.ends.send(End::Signal(15)).await.expect("room");
        Some(script)
    })
    .await;
    let end = end.expect("no trouble");
    assert_eq!(end, End::Signal(15));
    assert_eq!(end.exit_code(), 143);
    assert_eq!(End::Quit.exit_code(), 0);
    assert_eq!(End::TerminalGone.exit_code(), 129);
}

#[tokio::test(start_paused = true)]
async fn the_screen_stays_when_observations_end() {
    let world = World::new();
    let (end, app) = play(&world, |script| async {
        let Script {
            events,
            observations,
            ends,
        } = script;
        observations.send(answer(1)).await.expect("the loop runs");
        drop(observations);
        world.drawn(2).await;
        world.settled().await;
        let (observations, _) = mpsc::channel(1);
        let script = Script {
            events,
            observations,
            ends,
        };
        script.keys("q").await;
        Some(script)
    })
    .await;
    assert_eq!(end.expect("no trouble"), End::Quit);
    assert_eq!(app.history().len(), 1);
}
