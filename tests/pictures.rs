//! The picture in the README is the program's own screen.
//!
//! `UPDATE_PICTURES=1 cargo test --test pictures` writes it anew.

mod support {
    pub mod stage;
}

use std::path::Path;

use amr_top::app::ThemeName;
use amr_top::ui::picture::svg;
use support::stage;

#[test]
fn the_picture_is_the_real_screen() {
    let app = stage::flushed();
    let picture = svg(&stage::screen(&app, 120, 40), ThemeName::Dark);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/screen.svg");
    if std::env::var_os("UPDATE_PICTURES").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is writable");
        std::fs::write(&path, &picture).expect("the picture is writable");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == picture,
        "assets/screen.svg is not the screen of today: look at it after \
         `UPDATE_PICTURES=1 cargo test --test pictures`"
    );
}

/// Writes screens to look at while designing: `PICTURES_TO=folder cargo test --test pictures`.
#[test]
fn pictures_to_look_at() {
    let Some(folder) = std::env::var_os("PICTURES_TO") else {
        return;
    };
    for (name, buffer, theme) in gallery() {
        let path = Path::new(&folder).join(format!("{name}.svg"));
        std::fs::write(path, svg(&buffer, theme)).expect("the folder is writable");
    }
}

fn gallery() -> Vec<(String, ratatui::buffer::Buffer, ThemeName)> {
    use amr_top::app::{Action, Panel, View};
    use amr_top::diagnosis::Cause;

    let mut all = Vec::new();
    let mut add = |name: &str, app: &amr_top::app::App, (columns, rows): (u16, u16)| {
        all.push((
            name.to_owned(),
            stage::screen(app, columns, rows),
            app.screen().theme,
        ));
    };
    let flushed = stage::flushed();
    let sizes = [("80", (80, 24)), ("120", (120, 40)), ("200", (200, 60))];
    for (size, at) in sizes {
        add(&format!("flushed-{size}"), &flushed, at);
        add(&format!("calm-{size}"), &stage::calm(), at);
        add(&format!("lost-{size}"), &stage::lost(), at);
    }
    for panel in Panel::ALL {
        let mut app = flushed.clone();
        app.act(Action::Focus(panel));
        app.act(Action::Zoom);
        add(&format!("zoom-{panel:?}-120"), &app, (120, 40));
    }
    let mut app = flushed.clone();
    app.screen_mut().view = View::Card(Cause::Flush);
    add("card-120", &app, (120, 40));
    add("card-80", &app, (80, 24));
    let mut app = flushed.clone();
    app.act(Action::Help);
    add("help-80", &app, (80, 24));
    add("help-120", &app, (120, 40));
    let mut app = flushed.clone();
    (0..40).for_each(|_| {
        app.act(Action::StepBack);
    });
    add("paused-120", &app, (120, 40));
    add(
        "enterprise-120",
        &stage::still(stage::ENTERPRISE),
        (120, 40),
    );
    add("replica-120", &stage::still(stage::LINK_DOWN), (120, 40));
    let mut app = flushed.clone();
    app.screen_mut().theme = ThemeName::Light;
    add("light-120", &app, (120, 40));
    app.screen_mut().theme = ThemeName::Contrast;
    add("contrast-120", &app, (120, 40));
    app.screen_mut().theme = ThemeName::Plain;
    add("plain-120", &app, (120, 40));
    app.screen_mut().ascii = true;
    add("ascii-80", &app, (80, 24));
    all
}
