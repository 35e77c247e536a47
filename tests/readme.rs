//! The tables of the README say what the program says. `UPDATE_README=1 cargo test --test readme`
//! writes them.

use std::fmt::Write as _;

use amr_top::diagnosis::Cause;
use amr_top::keymap;
use amr_top::source::acl::Dialect;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

fn causes() -> String {
    let mut table = String::from("| id | cause | what happens |\n|---|---|---|\n");
    for cause in Cause::ALL {
        let explanation = cause.explanation();
        let first = explanation
            .split_inclusive(". ")
            .next()
            .unwrap_or(explanation);
        let _ = writeln!(
            table,
            "| `{}` | {} | {} |",
            cause.id(),
            cause.title(),
            first.trim()
        );
    }
    table
}

/// Replaces what stands between `<!-- NAME…-->` and `<!-- /NAME -->`.
fn with_table(readme: &str, name: &str, table: &str) -> String {
    let start = readme
        .find(&format!("<!-- {name}"))
        .expect("the table has a beginning");
    let start = start + readme[start..].find("-->").expect("the comment ends") + "-->".len();
    let end = readme
        .find(&format!("<!-- /{name} -->"))
        .expect("the table has an end");
    format!("{}\n{table}{}", &readme[..start], &readme[end..])
}

#[test]
fn the_tables_are_those_of_the_program() {
    let readme = std::fs::read_to_string(PATH).expect("the README is there");
    let expected = with_table(&readme, "causes", &causes());
    let expected = with_table(&expected, "keys", &keymap::markdown());
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(PATH, &expected).expect("the README can be written");
    }
    let readme = std::fs::read_to_string(PATH).expect("the README is there");
    assert!(
        readme == expected,
        "out of date: UPDATE_README=1 cargo test --test readme"
    );
}

#[test]
fn the_access_rules_are_those_of_the_program() {
    let readme = std::fs::read_to_string(PATH).expect("the README is there");
    let hearing = format!("ACL SETUSER amrtop {}", Dialect::Redis7.hearing());
    for rule in [Dialect::Redis7.rule("amrtop"), hearing] {
        assert!(readme.lines().any(|line| line == rule), "not there: {rule}");
    }
}
