use rstest::rstest;

use super::*;

fn read(line: &str) -> Result<Cli, clap::Error> {
    Cli::read(line.split_whitespace().map(OsString::from))
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[rstest]
#[case("amr-top", None)]
#[case("amr-top myhost", Some("myhost"))]
#[case("amr-top -i 2s myhost:1", Some("myhost:1"))]
#[case("amr-top redis://check", Some("redis://check"))]
#[case("amr-top checkmate", Some("checkmate"))]
fn the_dashboard_takes_a_target(#[case] line: &str, #[case] target: Option<&str>) {
    let cli = read(line).expect("parses");
    assert!(cli.command.is_none());
    assert_eq!(cli.targets.first().map(String::as_str), target);
}

#[rstest]
#[case("amr-top check h")]
#[case("amr-top h check")]
#[case("amr-top -i 2s check h")]
#[case("amr-top check -i 2s h")]
#[case("amr-top check h -i 2s")]
fn options_stand_before_or_after_the_command(#[case] line: &str) {
    let cli = read(line).expect("parses");
    let Some(Command::Check(check)) = cli.command else {
        panic!("not a check")
    };
    assert_eq!(check.targets, ["h"]);
    let expected = if line.contains("-i") { 2 } else { 1 };
    assert_eq!(cli.options.interval, Duration::from_secs(expected));
}

#[rstest]
#[case("amr-top a check b")]
#[case("amr-top a demo")]
#[case("amr-top check --once --for 3s")]
#[case("amr-top check --info f h")]
#[case("amr-top h check --info f")]
#[case("amr-top check --format yaml")]
#[case("amr-top check --fail-on rust")]
#[case("amr-top --eviction-policy lru")]
#[case("amr-top --interval 5")]
#[case("amr-top snapshot")]
fn nonsense_is_a_usage_error(#[case] line: &str) {
    assert_eq!(read(line).map_err(|error| error.exit_code()).err(), Some(2));
}
