//! TARGET: a URL, a host, a host and a port, a socket.

use std::ffi::OsString;
use std::net::Ipv6Addr;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::Url;

use super::{Auth, ConfigError, Endpoint, Sentinel};
use crate::model::inert;

/// The port of Redis.
const PORT: u16 = 6379;
/// The port of Azure Managed Redis.
const AZURE_PORT: u16 = 10_000;
/// The port of Sentinels.
const SENTINEL_PORT: u16 = 26_379;
const AZURE_SUFFIX: &str = ".redis.azure.net";

/// What a target says by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Where.
    pub(super) endpoint: Endpoint,
    /// Credentials in a URL.
    pub(super) auth: Auth,
    /// Whether it asks for TLS: by scheme, or by the name of the host.
    pub(super) tls: bool,
    /// A database number, which has no meaning here.
    pub(super) database: Option<u32>,
    /// The endpoints are those of Sentinels.
    pub(super) sentinel: Option<Sentinel>,
}

impl Target {
    /// Understands what was typed.
    pub(super) fn parse(text: &str) -> Result<Self, ConfigError> {
        let text = text.trim();
        if let Some((scheme, _)) = text.split_once("://") {
            return match scheme.to_ascii_lowercase().as_str() {
                "redis" | "valkey" => network(text, false),
                "rediss" | "valkeys" => network(text, true),
                "redis-sentinel" | "valkey-sentinel" => sentinels(text, false),
                "rediss-sentinel" | "valkeys-sentinel" => sentinels(text, true),
                "unix" | "redis+unix" | "valkey+unix" => socket(text),
                _ => Err(ConfigError::Scheme(inert(scheme, 32))),
            };
        }
        if text.starts_with('/') {
            return Ok(Self::plain(Endpoint::Unix(text.into())));
        }
        if text.contains('@') {
            return Err(ConfigError::NoScheme);
        }
        let (host, port) = host_and_port(text)?;
        let host = checked_host(host)?;
        let tls = is_azure(&host);
        let port = port.unwrap_or(default_port(&host));
        Ok(Self {
            tls,
            ..Self::plain(Endpoint::Tcp { host, port })
        })
    }

    fn plain(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            auth: Auth::default(),
            tls: false,
            database: None,
            sentinel: None,
        }
    }
}

fn is_azure(host: &str) -> bool {
    host.to_ascii_lowercase().ends_with(AZURE_SUFFIX)
}

fn default_port(host: &str) -> u16 {
    if is_azure(host) { AZURE_PORT } else { PORT }
}

/// `HOST`, `HOST:PORT`, `[V6]`, `[V6]:PORT` or a bare IPv6 address.
pub(super) fn host_and_port(text: &str) -> Result<(&str, Option<u16>), ConfigError> {
    let port = |text: &str| match text.parse() {
        Ok(port) if port > 0 => Ok(Some(port)),
        _ => Err(ConfigError::Port),
    };
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest
            .split_once(']')
            .ok_or_else(|| ConfigError::Host(inert(text, 64)))?;
        return match rest.strip_prefix(':') {
            Some(digits) => Ok((host, port(digits)?)),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(ConfigError::Host(inert(text, 64))),
        };
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok((text, None));
    }
    match text.split_once(':') {
        Some((host, digits)) => Ok((host, port(digits)?)),
        None => Ok((text, None)),
    }
}

/// A host as it will be resolved: an address, or a name with nothing strange in it.
pub(super) fn checked_host(host: &str) -> Result<String, ConfigError> {
    if host.parse::<Ipv6Addr>().is_ok() {
        return Ok(host.to_owned());
    }
    let wrong = || ConfigError::Host(inert(host, 64));
    let ascii = if host.is_ascii() {
        host.to_owned()
    } else {
        url::Host::parse(host).map_err(|_| wrong())?.to_string()
    };
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let only_digits = ascii.bytes().all(|b| b.is_ascii_digit());
    if ascii.is_empty() || ascii.len() > 253 || only_digits || !ascii.bytes().all(good) {
        return Err(wrong());
    }
    Ok(ascii)
}

fn network(text: &str, tls: bool) -> Result<Target, ConfigError> {
    let (_, rest) = text.split_once("://").unwrap_or(("", text));
    let authority_ends = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    // A '@' behind the authority means that a '/', '?' or '#' stands bare in the password.
    if rest[authority_ends..].contains('@') {
        return Err(ConfigError::UnescapedPassword);
    }
    let authority = &rest[..authority_ends];
    let (login, place) = match authority.rsplit_once('@') {
        Some((login, place)) => (Some(login), place),
        None => (None, authority),
    };
    let (host, port) = host_and_port(place)?;
    let host = match (host.is_empty(), decoded(host)) {
        (true, _) => return Err(ConfigError::Host(String::new())),
        (_, Some(host)) => checked_host(&host)?,
        (_, None) => return Err(ConfigError::Host(inert(host, 64))),
    };
    // The rest is left to the library: it knows paths and queries.
    let url = Url::parse(&format!("redis://h{}", &rest[authority_ends..]))
        .map_err(|_| ConfigError::Host(inert(place, 64)))?;
    let path = url.path().trim_matches('/');
    let database = match path {
        "" => query(&url, "db").and_then(|db| db.parse().ok()),
        number => Some(number.parse().map_err(|_| ConfigError::Path)?),
    };
    Ok(Target {
        auth: login.map_or(Ok(Auth::default()), login_of)?,
        tls,
        database,
        sentinel: None,
        endpoint: Endpoint::Tcp {
            port: port.unwrap_or(default_port(&host)),
            host,
        },
    })
}

/// Whether Sentinels can know a primary by this name; nothing in it means anything to a shell.
pub(crate) fn is_sentinel_name(name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || ".-_:".contains(c);
    !name.is_empty() && name.chars().all(is_part)
}

/// `redis-sentinel://[user:password@]host[:port][,host[:port]…]/name`: the credentials are those of
/// the servers.
fn sentinels(text: &str, tls: bool) -> Result<Target, ConfigError> {
    let (_, rest) = text.split_once("://").unwrap_or(("", text));
    let (login, rest) = match rest.rsplit_once('@') {
        Some((login, rest)) => (Some(login), rest),
        None => (None, rest),
    };
    let (hosts, name) = rest.split_once('/').ok_or(ConfigError::SentinelName)?;
    let name = decoded(name).ok_or(ConfigError::SentinelName)?;
    if !is_sentinel_name(&name) {
        return Err(ConfigError::SentinelName);
    }
    let endpoint = |place: &str| {
        let (host, port) = host_and_port(place)?;
        Ok(Endpoint::Tcp {
            host: checked_host(host)?,
            port: port.unwrap_or(SENTINEL_PORT),
        })
    };
    let endpoints: Vec<Endpoint> = hosts.split(',').map(endpoint).collect::<Result<_, _>>()?;
    Ok(Target {
        auth: login.map_or(Ok(Auth::default()), login_of)?,
        tls,
        sentinel: Some(Sentinel {
            name,
            endpoints: endpoints.clone(),
            auth: None,
        }),
        ..Target::plain(endpoints[0].clone())
    })
}

fn socket(text: &str) -> Result<Target, ConfigError> {
    let url = Url::parse(text).map_err(|_| ConfigError::SocketPath)?;
    if url.host_str().is_some_and(|host| !host.is_empty()) || url.path().len() < 2 {
        return Err(ConfigError::SocketPath);
    }
    let path: Vec<u8> = percent_decode_str(url.path()).collect();
    let given = |name| query(&url, name).filter(|text| !text.is_empty());
    Ok(Target {
        auth: Auth {
            user: given("user"),
            password: given("pass").or_else(|| given("password")),
        },
        database: given("db").and_then(|db| db.parse().ok()),
        ..Target::plain(Endpoint::Unix(PathBuf::from(OsString::from_vec(path))))
    })
}

fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// `user:password`, each percent-encoded; either may be empty.
fn login_of(login: &str) -> Result<Auth, ConfigError> {
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let part = |text: &str| match decoded(text) {
        Some(text) => Ok((!text.is_empty()).then_some(text)),
        None => Err(ConfigError::UnescapedPassword),
    };
    Ok(Auth {
        user: part(user)?,
        password: part(password)?,
    })
}

/// Percent-decoded text; `None` where it is not UTF-8 or a `%` stands bare.
fn decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let bare = bytes.iter().enumerate().any(|(at, b)| {
        *b == b'%'
            && !bytes
                .get(at + 1..at + 3)
                .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    });
    if bare {
        return None;
    }
    percent_decode_str(text)
        .decode_utf8()
        .ok()
        .map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("redis-sentinel://a/mymaster", "a:26379", "mymaster")]
    #[case("redis-sentinel://u:p@a:1,[::1]/m-1", "a:1 [::1]:26379", "m-1")]
    fn sentinels_are_asked_by_a_name(#[case] text: &str, #[case] all: &str, #[case] name: &str) {
        let target = Target::parse(text).expect("parses");
        let sentinel = target.sentinel.expect("is one");
        let places: Vec<String> = sentinel.endpoints.iter().map(ToString::to_string).collect();
        assert_eq!((&*places.join(" "), &*sentinel.name), (all, name));
        assert_eq!(target.auth.password.is_some(), text.contains('@'));
    }

    #[rstest]
    #[case("redis-sentinel://a")]
    #[case("redis-sentinel://a/")]
    #[case("redis-sentinel://a/b c")]
    #[case("redis-sentinel:///m")]
    fn a_sentinel_without_host_or_name_is_refused(#[case] text: &str) {
        assert!(Target::parse(text).is_err());
    }

    #[rstest]
    #[case("localhost", "localhost:6379", false)]
    #[case("cache:7000", "cache:7000", false)]
    #[case("10.0.0.7", "10.0.0.7:6379", false)]
    #[case("::1", "[::1]:6379", false)]
    #[case("[::1]", "[::1]:6379", false)]
    #[case("[2001:db8::1]:7001", "[2001:db8::1]:7001", false)]
    #[case("redis://check", "check:6379", false)]
    #[case("REDIS://h:1/0", "h:1", false)]
    #[case("redis://h?protocol=resp3", "h:6379", false)]
    #[case("rediss://h", "h:6379", true)]
    #[case("rediss://[::1]:6380/", "[::1]:6380", true)]
    #[case("valkeys://h", "h:6379", true)]
    #[case(
        "a.westeurope.redis.azure.net",
        "a.westeurope.redis.azure.net:10000",
        true
    )]
    #[case("a.REDIS.azure.net:10001", "a.REDIS.azure.net:10001", true)]
    #[case("redis://a.redis.azure.net", "a.redis.azure.net:10000", false)]
    #[case("rediss://a.redis.azure.net", "a.redis.azure.net:10000", true)]
    #[case("redis.azure.net.example", "redis.azure.net.example:6379", false)]
    #[case("unix:///run/redis.sock", "/run/redis.sock", false)]
    #[case("redis+unix:///run/a%20b.sock?db=2", "/run/a b.sock", false)]
    #[case("/run/redis.sock", "/run/redis.sock", false)]
    #[case("bücher.example", "xn--bcher-kva.example:6379", false)]
    fn targets_are_understood(#[case] text: &str, #[case] endpoint: &str, #[case] tls: bool) {
        let target = Target::parse(text).expect("parses");
        assert_eq!(target.endpoint.to_string(), endpoint);
        assert_eq!(target.tls, tls);
        assert_eq!(target.auth, Auth::default());
    }

    #[rstest]
    #[case("redis://:secret@h", None, Some("secret"))]
    #[case("redis://u:secret@h:1/0", Some("u"), Some("secret"))]
    #[case("redis://u@h", Some("u"), None)]
    #[case("redis://@h", None, None)]
    #[case("redis://u:p%40ss%2Fw%3Ard%23%25@h", Some("u"), Some("p@ss/w:rd#%"))]
    #[case("redis://:p@ss@h", None, Some("p@ss"))]
    #[case("redis://:a+b@h", None, Some("a+b"))]
    #[case("unix:///s?user=u&pass=a%2Fb", Some("u"), Some("a/b"))]
    fn credentials_are_decoded(
        #[case] text: &str,
        #[case] user: Option<&str>,
        #[case] password: Option<&str>,
    ) {
        let auth = Target::parse(text).expect("parses").auth;
        assert_eq!(auth.user.as_deref(), user);
        assert_eq!(auth.password.as_deref(), password);
    }

    #[rstest]
    #[case("redis://h/3", Some(3))]
    #[case("redis://h/0", Some(0))]
    #[case("redis://h?db=4", Some(4))]
    #[case("redis://h", None)]
    fn a_database_number_is_noticed(#[case] text: &str, #[case] database: Option<u32>) {
        assert_eq!(Target::parse(text).expect("parses").database, database);
    }

    #[rstest]
    #[case("redis://:p@ss/w:rd#@h:1")]
    #[case("redis://:hunter2/x@h:1")]
    #[case("redis://:hunter2#@h")]
    #[case("redis://:hunter2%@h")]
    #[case("user:hunter2@h:6379")]
    #[case("http://u:hunter2@h")]
    #[case("redis://:hunter2@h:99999")]
    #[case("redis://:hunter2@")]
    #[case("redis://:hunter2@h/db")]
    #[case("unix://hunter2")]
    #[case("")]
    #[case("6379")]
    #[case("h:port")]
    #[case("h:0")]
    #[case("ho st")]
    #[case("[::1")]
    #[case("h\u{1b}[31m")]
    fn errors_say_what_to_do_and_no_password(#[case] text: &str) {
        let error = Target::parse(text).expect_err("is wrong").to_string();
        assert!(!error.contains("hunter2"), "{error}");
        assert!(!error.contains("w:rd"), "{error}");
        assert!(!error.chars().any(char::is_control), "{error}");
        assert!(!error.starts_with(char::is_uppercase), "{error}");
    }
}
