//! From what was typed to [`Settings`]: precedence and checks.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::login::{Environment, auth, auth_of_sentinels, is_for_sentinels};
use super::target::Target;
use super::{ConfigError, Endpoint, NodeMap, Plan, Settings, Tls};
use crate::cli::{Options, TlsOptions, show_duration};
use crate::model::{Assumptions, INTERVAL_RANGE, Watch, inert};

/// Where to connect when nobody says.
const DEFAULT_TARGET: &str = "127.0.0.1";
/// Nobody waits longer for one reply.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// A plan, and what the user should know about how they were understood.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// What is to be watched.
    pub plan: Plan,
    /// One line each.
    pub notices: Vec<String>,
}

/// Makes a plan of the targets, the options and the environment. `ask` prompts for a password, once.
pub fn resolve(
    targets: &[String],
    options: &Options,
    environment: &Environment,
    ask: impl FnOnce(&str) -> io::Result<String>,
) -> Result<Resolved, ConfigError> {
    let default = [DEFAULT_TARGET.to_owned()];
    let texts = if targets.is_empty() {
        &default
    } else {
        targets
    };
    let mut notices = Vec::new();
    let mut settings: Vec<Settings> = Vec::new();
    let mut sentinel = None;
    let mut ask = Some(ask);
    for text in texts {
        let target = Target::parse(text)?;
        if target.database.is_some_and(|number| number != 0) {
            notices.push(
                "database number in the URL is ignored: amr-top never sends SELECT; all databases \
                 are shown"
                    .into(),
            );
        }
        if target.sentinel.is_some() {
            if texts.len() > 1 {
                return Err(ConfigError::SentinelAlone);
            }
            sentinel.clone_from(&target.sentinel);
        }
        let said = settings.first().map(|first| first.auth.password.clone());
        let prompt = |prompt: &str| match (said.flatten(), ask.take()) {
            (Some(known), _) => Ok(known),
            (None, Some(ask)) => ask(prompt),
            (None, None) => Ok(String::new()),
        };
        settings.push(one(target, options, environment, prompt)?);
    }
    match &mut sentinel {
        Some(sentinel) => sentinel.auth = auth_of_sentinels(&options.login, environment)?,
        None if is_for_sentinels(&options.login) => return Err(ConfigError::NoSentinel),
        None => {}
    }
    Ok(Resolved {
        plan: Plan {
            targets: settings,
            discover: !options.nodes.no_discover,
            node_map: NodeMap::parse(&options.nodes.node_map)?,
            sentinel,
        },
        notices,
    })
}

fn one(
    target: Target,
    options: &Options,
    environment: &Environment,
    ask: impl FnOnce(&str) -> io::Result<String>,
) -> Result<Settings, ConfigError> {
    let tls = tls(&options.tls, &target)?;
    let interval = options.interval;
    if !INTERVAL_RANGE.contains(&interval) {
        return Err(ConfigError::Interval(show_duration(interval)));
    }
    let auth = auth(&target, &options.login, environment, ask)?;
    let host = match &target.endpoint {
        Endpoint::Tcp { host, .. } => host.clone(),
        Endpoint::Unix(_) => String::new(),
    };
    Ok(Settings {
        endpoint: target.endpoint,
        auth,
        tls,
        interval,
        connect_timeout: wait("--connect-timeout", options.connect_timeout)?,
        timeout: wait("--timeout", options.timeout)?,
        assumptions: Assumptions {
            maxmemory_bytes: options.known.maxmemory,
            policy: options.known.eviction_policy.clone(),
            host,
        },
        tripwire: true,
        watch: watched(&options.watched.watch)?,
        sample: options.watched.sample,
        monitor: None,
    })
}

/// Keys and prefixes, each once.
pub fn watched(given: &[String]) -> Result<Vec<Watch>, ConfigError> {
    let mut wanted = Vec::new();
    for text in given {
        let refused = |why: String| ConfigError::Watch {
            given: inert(text, 64),
            why,
        };
        let watch = Watch::parse(text).map_err(|why| refused(why.to_owned()))?;
        if let Some(why) = watch.refusal(&wanted) {
            return Err(refused(why));
        }
        if !wanted.contains(&watch) {
            wanted.push(watch);
        }
    }
    Ok(wanted)
}

fn wait(option: &'static str, given: Duration) -> Result<Duration, ConfigError> {
    if given > LONGEST_WAIT {
        return Err(ConfigError::TooLong {
            option,
            given: show_duration(given),
            most: "10m",
        });
    }
    Ok(given)
}

/// TLS by scheme, by host, by `--tls`, or by any option that only TLS has.
fn tls(options: &TlsOptions, target: &Target) -> Result<Option<Tls>, ConfigError> {
    let files = [&options.cacert, &options.cert, &options.key];
    let wanted = options.tls
        || options.insecure
        || options.sni.is_some()
        || files.iter().any(|file| file.is_some());
    if wanted && matches!(target.endpoint, Endpoint::Unix(_)) {
        return Err(ConfigError::TlsOverSocket);
    }
    if options.cert.is_some() != options.key.is_some() {
        return Err(ConfigError::HalfCertificate);
    }
    for file in files.into_iter().flatten() {
        read(file)?;
    }
    Ok((wanted || target.tls).then(|| Tls {
        ca: options.cacert.clone(),
        cert: options.cert.clone(),
        key: options.key.clone(),
        sni: options.sni.clone(),
        insecure: options.insecure,
    }))
}

pub(super) fn read(file: &Path) -> Result<Vec<u8>, ConfigError> {
    fs::read(file).map_err(|source| ConfigError::Unreadable {
        path: file.into(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::io::Write as _;

    use rstest::rstest;

    use super::*;
    use crate::cli::Cli;
    use crate::config::Auth;

    fn options(line: &str) -> Options {
        let words = std::iter::once("amr-top").chain(line.split_whitespace());
        Cli::read(words.map(OsString::from))
            .expect("parses")
            .options
    }

    fn no_prompt(_: &str) -> io::Result<String> {
        Err(io::Error::other("nobody is there"))
    }

    fn plain(target: Option<&str>, line: &str) -> Result<Resolved, ConfigError> {
        let targets: Vec<String> = target.map(str::to_owned).into_iter().collect();
        resolve(&targets, &options(line), &Environment::default(), no_prompt)
    }

    #[test]
    fn without_a_word_it_is_the_local_server() {
        let Resolved { plan, notices } = plain(None, "").expect("resolves");
        let settings = &plan.targets[0];
        assert_eq!(settings.node().as_str(), "127.0.0.1:6379");
        assert_eq!(settings.auth, Auth::default());
        assert_eq!(settings.tls, None);
        assert_eq!(settings.interval, Duration::from_secs(1));
        assert!(notices.is_empty());
    }

    #[rstest]
    #[case("h", "", false)]
    #[case("h", "--tls", true)]
    #[case("h", "--insecure", true)]
    #[case("h", "--sni name", true)]
    #[case("rediss://h", "", true)]
    #[case("redis://h", "--tls", true)]
    #[case("x.redis.azure.net", "", true)]
    #[case("redis://x.redis.azure.net", "", false)]
    fn tls_is_on_where_asked(#[case] target: &str, #[case] line: &str, #[case] on: bool) {
        let resolved = plain(Some(target), line).expect("resolves");
        assert_eq!(resolved.plan.targets[0].tls.is_some(), on);
    }

    #[rstest]
    #[case("redis://:url@h", true, true, "url")]
    #[case("h", true, true, "file")]
    #[case("h", false, true, "asked")]
    #[case("h", false, false, "ours")]
    fn the_first_password_wins(
        #[case] target: &str,
        #[case] file: bool,
        #[case] ask: bool,
        #[case] expected: &str,
    ) {
        let mut secret = tempfile::NamedTempFile::new().expect("temporary file");
        secret.write_all(b"file\r\nsecond line\n").expect("writes");
        let mut options = options("");
        options.login.password_file = file.then(|| secret.path().into());
        options.login.ask_pass = ask;
        let environment = Environment {
            amr_top_password: Some("ours".into()),
            rediscli_auth: Some("theirs".into()),
            ..Environment::default()
        };
        let resolved = resolve(&[target.to_owned()], &options, &environment, |_| {
            Ok("asked".into())
        });
        let password = resolved.expect("resolves").plan.targets[0]
            .auth
            .password
            .clone();
        assert_eq!(password.as_deref(), Some(expected));
    }

    #[test]
    fn sentinels_may_have_a_password_of_their_own() {
        let mut secret = tempfile::NamedTempFile::new().expect("temporary file");
        secret.write_all(b"file\n").expect("writes");
        let environment = Environment {
            amr_top_sentinel_password: Some("variable".into()),
            ..Environment::default()
        };
        let target = ["redis-sentinel://:servers@h/m".to_owned()];
        let told = |options: &Options, environment: &Environment| {
            let resolved = resolve(&target, options, environment, no_prompt).expect("resolves");
            assert!(!format!("{resolved:?}").contains("variable"));
            let servers = resolved.plan.targets[0].auth.password.clone();
            assert_eq!(servers.as_deref(), Some("servers"));
            let sentinel = resolved.plan.sentinel.expect("is one");
            sentinel
                .auth
                .map(|auth| (auth.user, auth.password.unwrap_or_default()))
        };
        let mut options = options("");
        assert_eq!(told(&options, &Environment::default()), None);
        assert_eq!(
            told(&options, &environment),
            Some((None, "variable".into()))
        );
        options.login.sentinel_password_file = Some(secret.path().into());
        options.login.sentinel_user = Some("ann".into());
        let expected = Some((Some("ann".into()), "file".into()));
        assert_eq!(told(&options, &environment), expected);
    }

    #[rstest]
    #[case(None, Some("theirs"), Some("theirs"))]
    #[case(Some(""), Some("theirs"), Some("theirs"))]
    #[case(Some("ours"), None, Some("ours"))]
    #[case(None, Some(""), None)]
    fn empty_variables_are_unset(
        #[case] ours: Option<&str>,
        #[case] theirs: Option<&str>,
        #[case] expected: Option<&str>,
    ) {
        let environment = Environment {
            amr_top_password: ours.map(Into::into),
            rediscli_auth: theirs.map(Into::into),
            ..Environment::default()
        };
        assert_eq!(
            environment.password().expect("is text").as_deref(),
            expected
        );
    }

    #[rstest]
    #[case("h", "--interval 50ms", "out of range")]
    #[case("h", "--interval 2h", "out of range")]
    #[case("h", "--timeout 1h", "too long")]
    #[case("h", "--user ann", "without a password")]
    #[case("redis-sentinel://h/m", "--sentinel-user ann", "without a password")]
    #[case("h", "--sentinel-password-file Cargo.toml", "redis-sentinel://")]
    #[case("h", "--cert c.pem", "belong together")]
    #[case("h", "--cacert /nonexistent/ca.pem", "/nonexistent/ca.pem")]
    #[case("h", "--password-file /nonexistent/p", "/nonexistent/p")]
    #[case("unix:///s", "--tls", "socket")]
    #[case("h", "--ask-pass", "nobody is there")]
    fn errors_name_what_is_wrong(#[case] target: &str, #[case] line: &str, #[case] says: &str) {
        let error = plain(Some(target), line).expect_err("is wrong").to_string();
        assert!(error.contains(says), "{error}");
    }

    #[test]
    fn a_database_number_is_told_to_be_ignored() {
        let resolved = plain(Some("redis://h/3"), "").expect("resolves");
        assert!(resolved.notices[0].contains("never sends SELECT"));
        assert!(plain(Some("redis://h/0"), "").is_ok_and(|r| r.notices.is_empty()));
    }

    #[test]
    fn the_users_knowledge_is_passed_on() {
        let line = "--maxmemory 4gb --eviction-policy volatile-lru";
        let assumed = plain(Some("h:1"), line)
            .expect("resolves")
            .plan
            .targets
            .remove(0)
            .assumptions;
        assert_eq!(assumed.maxmemory_bytes, Some(4 << 30));
        assert_eq!(assumed.policy.as_deref(), Some("volatile-lru"));
        assert_eq!(assumed.host, "h");
    }

    #[test]
    fn settings_do_not_print_the_password() {
        let resolved = plain(Some("redis://u:hunter2@h"), "").expect("resolves");
        assert!(!format!("{resolved:?}").contains("hunter2"));
    }
}
