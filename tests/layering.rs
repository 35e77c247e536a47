//! Who may know whom: the rooms of the house, held by a test.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot read the sources has failed"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What stands in the code, and the rooms where it may stand. A room is a file or folder of `src`
/// by its first name: `ui` is `src/ui.rs` and everything under `src/ui/`.
const ALLOWED: &[(&str, &[&str])] = &[
    ("redis::", &["source", "demo"]),
    ("rustls::", &["source"]),
    ("ratatui::", &["ui", "tui", "keymap", "main"]),
    // `headless` asks how wide the terminal is.
    ("crossterm::", &["ui", "tui", "keymap", "main", "headless"]),
    (
        "std::fs",
        &["report", "config", "main", "demo", "source", "headless"],
    ),
    // The clock. The leash of `demo` needs deadlines for processes; nothing observed comes of it.
    ("Instant::now", &["source", "tui", "demo"]),
    ("SystemTime::now", &["source", "tui"]),
    ("Timestamp::now", &["source", "tui"]),
    ("Zoned::now", &["source", "tui"]),
];

/// Rooms without a runtime, a network, a terminal or files.
const PURE: &[&str] = &["format", "info", "model", "diagnosis", "app"];

/// What a pure room may not touch.
const IMPURE: &[&str] = &[
    "tokio",
    "std::net",
    "std::process",
    "std::env",
    "std::thread",
];

/// The rooms that a room may use; a room that is not listed may use all.
const KNOWS: &[(&str, &[&str])] = &[
    ("format", &[]),
    ("info", &[]),
    ("model", &["format", "info"]),
    ("diagnosis", &["format", "info", "model"]),
    ("app", &["format", "info", "model", "diagnosis"]),
    ("report", &["format", "info", "model", "diagnosis"]),
    ("demo", &["info", "model", "diagnosis"]),
    ("cli", &["diagnosis", "report", "demo"]),
    ("config", &["model", "cli"]),
    ("source", &["format", "config", "info", "model"]),
    (
        "headless",
        &[
            "format",
            "info",
            "model",
            "diagnosis",
            "report",
            "cli",
            "config",
            "source",
        ],
    ),
    ("keymap", &["app"]),
    (
        "ui",
        &["format", "info", "model", "diagnosis", "app", "keymap"],
    ),
    ("tui", &["model", "app", "config", "source", "keymap", "ui"]),
];

/// One source file: its room, its path, and its code without comments and tests.
struct File {
    room: String,
    path: String,
    code: String,
}

#[test]
fn what_is_used_is_used_where_it_may_be() {
    complain(&|file| {
        let wrong = ALLOWED
            .iter()
            .filter(|(what, rooms)| mentions(&file.code, what) && !rooms.contains(&&*file.room));
        wrong
            .map(|(what, rooms)| format!("uses {what}, which belongs to {rooms:?}"))
            .collect()
    });
}

#[test]
fn pure_rooms_stay_pure() {
    complain(&|file| {
        let found = IMPURE.iter().filter(|what| mentions(&file.code, what));
        found
            .filter(|_| PURE.contains(&&*file.room))
            .map(|what| format!("uses {what} in a pure room"))
            .collect()
    });
}

#[test]
fn dependencies_point_one_way() {
    complain(&|file| {
        let Some((_, known)) = KNOWS.iter().find(|(room, _)| *room == file.room) else {
            return Vec::new();
        };
        rooms_used(&file.code)
            .into_iter()
            .filter(|used| *used != file.room && !known.contains(&used.as_str()))
            .map(|used| format!("uses crate::{used}; it may use {known:?}"))
            .collect()
    });
}

#[test]
fn the_checks_see_what_they_look_for() {
    assert!(mentions("use std::fs;", "std::fs"));
    assert!(mentions("{ redis::cmd }", "redis::"));
    assert!(!mentions("amr_redis::x()", "redis::"));
    let used = rooms_used("use crate::{info::Info, model};\nfn f() { crate::source::x() }");
    assert_eq!(
        used.into_iter().collect::<Vec<_>>(),
        ["info", "model", "source"]
    );
    assert_eq!(
        code(
            "//! redis::\nuse a; // redis::\n#[cfg(doc)]\nuse b;\n#[cfg(test)]\nmod tests { redis:: }"
        ),
        "use a; \n"
    );
    assert!(
        files()
            .iter()
            .any(|file| file.room == "source" && mentions(&file.code, "redis::"))
    );
}

/// Runs a check on every file and fails with all that it found.
fn complain(check: &dyn Fn(&File) -> Vec<String>) {
    let found: Vec<String> = files()
        .iter()
        .flat_map(|file| {
            let wrong = check(file).into_iter();
            wrong
                .map(|wrong| format!("{} {wrong}", file.path))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

fn files() -> Vec<File> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&src, &mut paths);
    let read = |path: &PathBuf| {
        let inside = path.strip_prefix(&src).expect("inside src");
        let first = inside.components().next().expect("a name");
        File {
            room: Path::new(first.as_os_str())
                .with_extension("")
                .display()
                .to_string(),
            path: format!("src/{}", inside.display()),
            code: code(&fs::read_to_string(path).expect("source text")),
        }
    };
    paths.iter().map(read).collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The text up to the unit tests, without comments and without imports for the documentation.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    let mut out = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(doc)]" {
            lines.next();
            continue;
        }
        let line = line.split("//").next().unwrap_or(line);
        if !line.trim().is_empty() {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// Whether `what` stands in the code, not as the end of a longer name.
fn mentions(code: &str, what: &str) -> bool {
    code.match_indices(what).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// The first names after `crate::`, also inside `crate::{a, b::c}`.
fn rooms_used(code: &str) -> BTreeSet<String> {
    let name = |text: &str| -> String {
        let text = text.trim_start();
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let mut used = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        let rest = &code[at + found.len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let top = list.split(|c| {
                depth += i32::from(c == '{') - i32::from(c == '}');
                depth <= 0 && (c == ',' || c == '}')
            });
            // The list ends with the brace that closes it.
            let end = closing(list);
            used.extend(top.take_while(|item| offset(list, item) < end).map(name));
        } else {
            used.insert(name(rest));
        }
    }
    used.retain(|room| !room.is_empty());
    used
}

/// Where the brace that was opened before `list` closes.
fn closing(list: &str) -> usize {
    let mut depth = 1;
    list.char_indices()
        .find(|(_, c)| {
            depth += i32::from(*c == '{') - i32::from(*c == '}');
            depth == 0
        })
        .map_or(list.len(), |(at, _)| at)
}

fn offset(whole: &str, part: &str) -> usize {
    part.as_ptr() as usize - whole.as_ptr() as usize
}
