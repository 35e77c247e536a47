//! The program: hooks, parse, dispatch, exit code.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use amr_top::app::{App, Privacy, Screen, ThemeName};
use amr_top::cli::{self, Cli, Command};
use amr_top::config::{self, ConfigError, Environment, Resolved};
use amr_top::demo::server::ServerError;
use amr_top::demo::{Demo, DemoError, bundled};
use amr_top::headless::{self, HeadlessError};
use amr_top::model::{Assumptions, NodeId};
use amr_top::report::{Exit, Pages, Report, Scene, Snapshot};
use amr_top::source::sentinel::SentinelError;
use amr_top::tui;
use color_eyre::eyre::{Report as Trouble, Result};

fn main() -> ExitCode {
    let outcome = tui::terminal::install_hooks().and_then(|()| run());
    outcome.unwrap_or_else(|report| complain(&report).into())
}

fn run() -> Result<ExitCode> {
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(help) => return Ok(show(&help).into()),
    };
    let exit = match &cli.command {
        None => return dashboard(&cli.targets, &cli.options),
        Some(Command::Demo(demo)) => return play(demo, &cli.options),
        Some(Command::Check(check)) => headless::check(check, &cli.options)?,
        Some(Command::Snapshot(snapshot)) => headless::snapshot(snapshot, &cli.options)?,
        Some(Command::Acl(acl)) => headless::acl(acl, &cli.options)?,
        Some(Command::Completions { shell }) => headless::print_page(&cli::completions(*shell))?,
        Some(Command::Man) => headless::print_page(&cli::man()?)?,
    };
    Ok(exit.into())
}

/// Opens the dashboard on a server.
fn dashboard(targets: &[String], options: &cli::Options) -> Result<ExitCode> {
    let resolved = resolve(targets, options)?;
    let notice = resolved.notices.first().cloned();
    let show = tui::dashboard(resolved.plan, look(options, notice), export(options));
    show_screen(show)
}

/// Opens the dashboard on an incident that is played for it.
fn play(demo: &cli::Demo, options: &cli::Options) -> Result<ExitCode> {
    let stage = match Demo::start(demo.incident) {
        Ok(stage) => stage,
        Err(DemoError::Server(ServerError::NotFound)) => return replay(options),
        Err(error) => return Err(error.into()),
    };
    let ours = options.without_secrets();
    let nobody = Environment::default();
    let resolved = config::resolve(&[stage.address()], &ours, &nobody, |_| Ok(String::new()))?;
    let notice = format!(
        "demo: {}; nothing of yours is touched",
        demo.incident.description()
    );
    let show = tui::dashboard(resolved.plan, look(options, Some(notice)), export(options));
    show_screen(show)
}

/// Shows the bundled incident, where no server can be started.
fn replay(options: &cli::Options) -> Result<ExitCode> {
    let notice = "no redis-server on PATH: this is a recorded incident, shown as it happened";
    let look = look(options, Some(notice.to_owned()));
    let node = NodeId::new("recorded-incident:6379");
    let show = tui::replay(
        node,
        Assumptions::default(),
        bundled(),
        look,
        export(options),
    );
    show_screen(show)
}

fn resolve(targets: &[String], options: &cli::Options) -> Result<Resolved> {
    let ask = |prompt: &str| rpassword::prompt_password(prompt);
    Ok(config::resolve(
        targets,
        options,
        &Environment::read(),
        ask,
    )?)
}

/// Shows a screen to its end. A look-up or a disk that hangs does not keep the shell waiting.
fn show_screen(screen: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(screen);
    runtime.shutdown_background();
    outcome
}

/// How the screen looks at first. `NO_COLOR` is honoured as <https://no-color.org> has it.
fn look(options: &cli::Options, notice: Option<String>) -> tui::Options {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let mut screen = Screen::default();
    screen.ascii = options.ascii;
    if options.no_color || no_color {
        screen.theme = ThemeName::Plain;
    }
    tui::Options { screen, notice }
}

/// Takes what a snapshot needs out of the dashboard; the job writes it to the current folder.
fn export(options: &cli::Options) -> impl Fn(&App) -> tui::ExportJob + use<> {
    let redact = options.redact;
    move |app: &App| {
        // What is hidden on the screen is not handed out either.
        let redact = redact || app.screen().privacy == Privacy::Hidden;
        let deployment = redact.then(|| app.deployment().without_names());
        let diagnosis = redact.then(|| app.diagnosis().without_names());
        let deployment = deployment.as_ref().unwrap_or(app.deployment());
        let diagnosis = diagnosis.as_ref().unwrap_or(app.diagnosis());
        let extent = app.extent();
        let scene = Scene {
            deployment,
            extent: &extent,
            end: app.end(),
        };
        let report = Report::new(&scene, diagnosis, &[]);
        let history = deployment.members()[app.shown()].history();
        let pages = Snapshot::new(report, history, app.end()).pages(app.now().at);
        Box::new(move || write(&pages))
    }
}

fn write(pages: &Pages) -> std::result::Result<String, String> {
    let paths = pages.write(Path::new("."));
    let paths = paths.map_err(|error| error.to_string())?;
    let names: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    Ok(format!("snapshot written: {}", names.join(" and ")))
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

/// One line, with the causes; panics have a report of their own.
fn complain(report: &Trouble) -> Exit {
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
    } else if let Some(error) = report.downcast_ref::<SentinelError>() {
        (writeln!(out, "amr-top: {error}"), Exit::Failed)
    } else if let Some(error) = report.downcast_ref::<DemoError>() {
        (writeln!(out, "amr-top: {error}"), Exit::Failed)
    } else {
        (writeln!(out, "amr-top: {report:#}"), Exit::Failed)
    };
    // Where not even standard error can be written to, the exit code has to do.
    let _ = written;
    exit
}
