//! The program: hooks, parse, dispatch, exit code.

use std::io::{self, Write as _};
use std::process::ExitCode;

use amr_top::cli::{self, Cli, Command};
use amr_top::config::{self, ConfigError, Environment};
use amr_top::headless::{self, HeadlessError};
use amr_top::report::Exit;
use color_eyre::eyre::{Report, Result, eyre};

fn main() -> ExitCode {
    let outcome = color_eyre::config::HookBuilder::default()
        .display_env_section(false)
        .install()
        .and_then(|()| run());
    outcome.unwrap_or_else(|report| complain(&report)).into()
}

fn run() -> Result<Exit> {
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(help) => return Ok(show(&help)),
    };
    let exit = match &cli.command {
        Some(Command::Check(check)) => headless::check(check, &cli.options)?,
        Some(Command::Snapshot(snapshot)) => headless::snapshot(snapshot, &cli.options)?,
        Some(Command::Completions { shell }) => headless::print_page(&cli::completions(*shell))?,
        Some(Command::Man) => headless::print_page(&cli::man()?)?,
        Some(Command::Demo(demo)) => run_demo(demo, &cli.options)?,
        None => dashboard(cli.target.as_deref(), &cli.options)?,
    };
    Ok(exit)
}

/// Opens the dashboard on a server.
fn dashboard(target: Option<&str>, options: &cli::Options) -> Result<Exit> {
    let _resolved = config::resolve(target, options, &Environment::read(), |prompt| {
        rpassword::prompt_password(prompt)
    })?;
    // Call site of the dashboard: tui::run(resolved.settings, resolved.notices, look).
    Err(eyre!("dashboard is not built yet; use: amr-top check"))
}

/// Opens the dashboard on an incident.
fn run_demo(_demo: &cli::Demo, _options: &cli::Options) -> Result<Exit> {
    // Call site of the demo.
    Err(eyre!("demo is not built yet"))
}

/// Help and version to standard output, usage errors to standard error.
fn show(help: &clap::Error) -> Exit {
    // Nobody may be listening, and that is no failure.
    let _ = help.print();
    match help.exit_code() {
        0 => Exit::Clean,
        _ => Exit::Usage,
    }
}

/// One line for what the user can mend; a full report for what only we can.
fn complain(report: &Report) -> Exit {
    let mut out = io::stderr().lock();
    let (written, exit) = if let Some(error) = report.downcast_ref::<HeadlessError>() {
        (writeln!(out, "amr-top: {error}"), error.exit())
    } else if let Some(error) = report.downcast_ref::<ConfigError>() {
        let exit = if error.is_usage() {
            Exit::Usage
        } else {
            Exit::Failed
        };
        (writeln!(out, "amr-top: {error}"), exit)
    } else {
        (writeln!(out, "amr-top: {report:?}"), Exit::Failed)
    };
    // Where not even standard error can be written to, the exit code has to do.
    let _ = written;
    exit
}
