//! The smallest set of rights with which everything works that is done without being asked for.
//!
//! The rules come from [`commands::ALL`]: a command that is not on the list needs no right. `AUTH`
//! and `HELLO` need none on any server.

use super::commands::{self, Entry};
use crate::model::{Product, Sample, Watch, inert};

/// A kind of server, by what its access rules know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Redis 6.0: no rules for channels.
    Redis60,
    /// Redis 6.2.
    Redis62,
    /// Redis 7.0 and later.
    Redis7,
    /// Valkey 8.0, and 7.2.
    Valkey80,
    /// Valkey 8.1 and later: with logs of large requests.
    Valkey81,
}

impl Dialect {
    /// All, for the command line.
    pub const ALL: [Self; 5] = [
        Self::Redis60,
        Self::Redis62,
        Self::Redis7,
        Self::Valkey80,
        Self::Valkey81,
    ];

    /// The word on the command line.
    pub fn id(self) -> &'static str {
        match self {
            Self::Redis60 => "redis-6.0",
            Self::Redis62 => "redis-6.2",
            Self::Redis7 => "redis-7",
            Self::Valkey80 => "valkey-8",
            Self::Valkey81 => "valkey-8.1",
        }
    }

    /// The kind of server that answered; `None` where there are no access rules, before Redis 6,
    /// or where the server does not tell what it is.
    pub fn of(sample: &Sample) -> Option<Self> {
        let version = sample.server.version.0.as_deref()?;
        let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
        let mut part = || parts.next().flatten().unwrap_or(0);
        let version = (part(), part());
        match (sample.product(), version) {
            (_, (0..6, _)) => None,
            (Product::Valkey, (0..=7, _) | (8, 0)) => Some(Self::Valkey80),
            (Product::Valkey, _) => Some(Self::Valkey81),
            (_, (6, 0 | 1)) => Some(Self::Redis60),
            (_, (6, _)) => Some(Self::Redis62),
            _ => Some(Self::Redis7),
        }
    }

    fn has(self, name: &str) -> bool {
        match name {
            "commandlog|get" => self == Self::Valkey81,
            "client|no-touch" => !matches!(self, Self::Redis60 | Self::Redis62),
            _ => true,
        }
    }

    /// Each right, as a rule, and what it is for.
    pub fn rights(self) -> Vec<(String, &'static str)> {
        let mut rights: Vec<(String, &'static str)> = Vec::new();
        let needed = |entry: &&Entry| {
            let is_extra = entry.is_on_demand() || entry.hears_channels();
            !entry.is_open() && !is_extra && !entry.is_for_sentinels()
        };
        for entry in commands::ALL.iter().filter(needed) {
            let rule = format!("+{}", entry.name);
            let is_new = rights.iter().all(|(known, _)| *known != rule);
            if is_new && self.has(entry.name) {
                rights.push((rule, entry.purpose));
            }
        }
        rights
    }

    /// What is needed besides to hear removals where the server publishes them: the right, then the
    /// channels.
    pub fn hearing(self) -> String {
        let rights = commands::ALL.iter().filter(|entry| entry.hears_channels());
        let rights = rights.map(|entry| format!("+{}", entry.name));
        // Redis 6.0 has no rules for channels.
        let channels = (self != Self::Redis60).then(|| format!("&{}", commands::channel("*", "*")));
        rights.chain(channels).collect::<Vec<_>>().join(" ")
    }

    /// What is needed besides to watch these keys: rights, then what may be read.
    pub fn watching(self, watched: &[Watch]) -> String {
        let rights = commands::ALL
            .iter()
            .filter(|entry| entry.arguments.starts_with("<key>"));
        let rights = rights.map(|entry| format!("+{}", entry.name));
        // Before Redis 7 reading alone cannot be allowed; the commands only read all the same.
        let may = match self {
            Self::Redis60 | Self::Redis62 => "~",
            _ => "%R~",
        };
        let keys = watched.iter().map(|watch| match watch {
            Watch::Key(name) => format!("{may}{}", literal(name)),
            Watch::Prefix(prefix) => format!("{may}{}*", literal(prefix)),
        });
        rights.chain(keys).collect::<Vec<_>>().join(" ")
    }

    /// The rule to paste, with a placeholder for the password.
    pub fn rule(self, user: &str) -> String {
        let channels = match self {
            Self::Redis60 => "",
            _ => " resetchannels",
        };
        let rights = self.rights();
        let rights: Vec<&str> = rights.iter().map(|(rule, _)| &**rule).collect();
        format!(
            "ACL SETUSER {user} on >PASSWORD resetkeys{channels} -@all {}",
            rights.join(" ")
        )
    }
}

/// A name as a pattern that matches nothing else.
fn literal(name: &str) -> String {
    let mut pattern = String::with_capacity(name.len());
    for c in name.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    inert(&pattern, 255)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use rstest::rstest;

    use super::*;
    use crate::info::Info;
    use crate::model::{Assumptions, Moment};

    #[rstest]
    #[case("redis_version:5.0.7", None)]
    #[case("redis_version:6.0.16", Some(Dialect::Redis60))]
    #[case("redis_version:6.2.16", Some(Dialect::Redis62))]
    #[case("redis_version:8.6.3", Some(Dialect::Redis7))]
    #[case("redis_version:7.2.4\r\nvalkey_version:8.0.1", Some(Dialect::Valkey80))]
    #[case("redis_version:7.2.4\r\nvalkey_version:9.1.0", Some(Dialect::Valkey81))]
    #[case("uptime_in_seconds:1", None)]
    fn a_server_is_known_by_its_version(#[case] line: &str, #[case] dialect: Option<Dialect>) {
        let info = Info::parse(format!("# Server\r\n{line}\r\n"));
        let moment = Moment {
            elapsed: Duration::ZERO,
            at: Timestamp::UNIX_EPOCH,
        };
        let sample = Sample::new(moment, Duration::ZERO, &info, &Assumptions::default());
        assert_eq!(Dialect::of(&sample), dialect);
    }

    #[test]
    fn watching_needs_reading_and_names_only_these_keys() {
        let watched = [
            Watch::Key("a*b".to_owned()),
            Watch::Prefix("cart:".to_owned()),
        ];
        assert_eq!(
            Dialect::Redis7.watching(&watched),
            r"+pttl +type +memory|usage %R~a\*b %R~cart:*"
        );
        assert!(
            Dialect::Redis62
                .watching(&watched)
                .ends_with(r" ~a\*b ~cart:*")
        );
    }

    #[test]
    fn each_right_is_given_once_and_nothing_that_writes() {
        for dialect in Dialect::ALL {
            let rule = dialect.rule("amrtop");
            assert!(rule.contains(" -@all +info "), "{rule}");
            assert_eq!(rule.matches("+slowlog|get").count(), 1);
            assert_eq!(
                rule.contains("+commandlog|get"),
                dialect == Dialect::Valkey81
            );
            for unwanted in ["monitor", "auth", "hello", "allkeys", "~", "+@"] {
                assert!(!rule.contains(unwanted), "{rule}");
            }
        }
    }
}
