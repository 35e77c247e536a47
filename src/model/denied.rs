//! Attempts that the server's access rules stopped (`ACL LOG`).

use jiff::Timestamp;

use super::catalogue::{Class, class_of};
use super::text::inert;

/// The longest name or address, in characters.
const LONGEST: usize = 64;

/// Somebody tried a command that takes keys away and was refused: no loss, and worth knowing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// When, by our clock; the last time of several.
    pub at: Timestamp,
    /// The command, upper case and inert.
    pub command: String,
    /// How often.
    pub count: u64,
    /// The user that was refused, inert.
    pub user: Option<String>,
    /// Where from, `ip:port`, inert.
    pub address: Option<String>,
    /// The name that the client gave itself, inert.
    pub name: Option<String>,
}

impl Denied {
    /// Understands an entry: `object` is the command where the rules of commands stopped it, and a
    /// key, which is not kept, where those of keys did. `client` is a line as in `CLIENT LIST`.
    /// `None` where the command takes no key away.
    pub fn new(
        at: Timestamp,
        count: u64,
        (reason, object): (&str, &str),
        user: &str,
        client: &str,
    ) -> Option<Self> {
        let field = |name: &str| {
            let mut words = client.split(' ');
            let value = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            value.filter(|value| !value.is_empty())
        };
        let command = match reason {
            "command" => object,
            "key" => field("cmd")?,
            _ => return None,
        };
        let command = command.to_ascii_lowercase();
        let class = class_of(&command).or_else(|| class_of(command.split('|').next()?))?;
        if matches!(class, Class::Expire | Class::Script) {
            return None;
        }
        let text = |text: &str| inert(text, LONGEST);
        Some(Self {
            at,
            command: text(&command.replace('|', " ").to_ascii_uppercase()),
            count,
            user: Some(user).filter(|user| !user.is_empty()).map(text),
            address: field("addr").map(text),
            name: field("name").map(text),
        })
    }

    /// One line: `denied: FLUSHALL 3×, last at 2026-11-23 14:03:07 UTC, by 10.0.0.7:51234 (ann)`.
    pub fn sentence(&self) -> String {
        let by = self.address.iter().map(|address| format!(" {address}"));
        let names = [&self.name, &self.user].into_iter().flatten();
        let who: String = by.chain(names.map(|name| format!(" ({name})"))).collect();
        let by = if who.is_empty() { "" } else { ", by" };
        format!(
            "denied: {} {}×, last at {} UTC{by}{who}",
            self.command,
            self.count,
            self.at.strftime("%F %H:%M:%S")
        )
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const CLIENT: &str = "id=3 addr=10.0.0.7:51234 name=job age=1 cmd=del user=ann";

    #[rstest]
    #[case("command", "flushall", Some("FLUSHALL"))]
    #[case("command", "cluster|reset", Some("CLUSTER RESET"))]
    #[case("command", "get", None)]
    #[case("command", "eval", None)]
    #[case("key", "secret-key", Some("DEL"))]
    #[case("auth", "ann", None)]
    fn only_what_takes_keys_is_kept(
        #[case] reason: &str,
        #[case] object: &str,
        #[case] command: Option<&str>,
    ) {
        let denied = Denied::new(Timestamp::UNIX_EPOCH, 3, (reason, object), "ann", CLIENT);
        assert_eq!(denied.as_ref().map(|denied| &*denied.command), command);
        assert!(!format!("{denied:?}").contains("secret"));
    }

    #[test]
    fn it_says_who_tried() {
        let object = ("command", "flushall");
        let denied = Denied::new(Timestamp::UNIX_EPOCH, 3, object, "ann", CLIENT);
        assert_eq!(
            denied.expect("is kept").sentence(),
            "denied: FLUSHALL 3×, last at 1970-01-01 00:00:00 UTC, by 10.0.0.7:51234 (job) (ann)"
        );
    }
}
