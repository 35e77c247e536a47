//! Who is connected to a server, as far as it matters: the clients whose last command can make keys
//! vanish (`CLIENT LIST`).

use std::time::Duration;

use super::catalogue::{Class, class_of};
use super::text::inert;

/// Rows that are kept at most, the most dangerous commands first.
const MOST: usize = 64;
/// The longest name, address or version, in characters.
const LONGEST: usize = 64;

/// One reply to `CLIENT LIST`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clients {
    /// Clients whose last command can make keys vanish; 64 at most. The link to a primary is none:
    /// what it sends, others have done.
    pub rows: Vec<Client>,
    /// On a replica: the address of the link to its primary (flag `M`), inert.
    pub primary: Option<String>,
    /// All rows of the reply, our own connections among them.
    pub total: usize,
    /// Size of the reply.
    pub bytes: usize,
    /// From the question to the whole reply: an upper bound of what it cost the server.
    pub took: Duration,
}

/// One client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// `ip:port`, inert.
    pub address: Option<String>,
    /// The name that it gave itself (`CLIENT SETNAME`), inert.
    pub name: Option<String>,
    /// Its ACL user, inert; since Redis 6.
    pub user: Option<String>,
    /// Its library and the library's version, inert; since Redis 7.2.
    pub library: Option<String>,
    /// Its last command as the server prints it: `flushall`, `cluster|reset`.
    pub command: String,
    /// How that can make keys vanish.
    pub class: Class,
    /// Seconds since it connected.
    pub age_s: Option<u64>,
    /// Whole seconds since its last command.
    pub idle_s: u64,
    /// The database that it has selected.
    pub db: Option<u64>,
}

impl Clients {
    /// Reads a reply: one client a line, `name=value` words.
    pub fn parse(text: &str, took: Duration) -> Self {
        let lines = || text.lines().filter(|line| line.contains('='));
        let link = lines().find(|line| is_primary(line));
        let people = lines().filter(|line| !is_primary(line));
        let mut rows: Vec<Client> = people.filter_map(Client::parse).collect();
        let is_mild = |class| !matches!(class, Class::Flush | Class::Admin);
        rows.sort_by_key(|row| (is_mild(row.class), row.class, row.idle_s));
        rows.truncate(MOST);
        Self {
            rows,
            primary: link.and_then(|line| Some(inert(field(line, "addr")?, LONGEST))),
            total: lines().count(),
            bytes: text.len(),
            took,
        }
    }
}

impl Client {
    /// Reads a line; `None` for a client whose last command takes no key away.
    fn parse(line: &str) -> Option<Self> {
        let field = |name: &str| field(line, name);
        let command = field("cmd")?.to_ascii_lowercase();
        let plain = command.split('|').next().unwrap_or_default();
        let class = class_of(&command).or_else(|| class_of(plain))?;
        let text = |name| field(name).map(|value| inert(value, LONGEST));
        let library = text("lib-name").map(|name| match text("lib-ver") {
            Some(version) => format!("{name} {version}"),
            None => name,
        });
        Some(Self {
            address: text("addr"),
            name: text("name"),
            user: text("user"),
            library,
            command: inert(&command, LONGEST),
            class,
            age_s: field("age").and_then(|s| s.parse().ok()),
            idle_s: field("idle")?.parse().ok()?,
            db: field("db").and_then(|n| n.parse().ok()),
        })
    }
}

/// A word of a line; `None` where it is empty.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let mut words = line.split(' ');
    let value = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))?;
    Some(value).filter(|value| !value.is_empty())
}

/// Whether this is the link of a replica to its primary.
fn is_primary(line: &str) -> bool {
    field(line, "flags").is_some_and(|flags| flags.contains('M'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLY: &str = "\
id=3 addr=10.0.0.7:51234 laddr=10.0.0.1:6379 fd=8 name=batch age=120 idle=2 flags=N db=3 sub=0 \
psub=0 multi=-1 qbuf=0 argv-mem=0 events=r cmd=del user=etl redir=-1 resp=2 lib-name=redis-py \
lib-ver=5.0.1\n\
id=4 addr=10.0.0.8:1 fd=9 name= age=1 idle=0 flags=N db=0 cmd=flushall user=default\n\
id=5 addr=10.0.0.9:1 fd=10 name= age=1 idle=0 flags=N db=0 cmd=get user=default\n\
id=6 addr=10.0.0.9:2 fd=11 name=\u{1b}[2J age=1 idle=0 flags=N db=0 cmd=cluster|reset\n\
id=7 addr=10.0.0.9:3 fd=12 name=new age=0 idle=0 flags=N db=0 cmd=NULL\n";

    #[test]
    fn clients_whose_last_command_takes_keys_are_kept() {
        let clients = Clients::parse(REPLY, Duration::from_millis(3));
        let commands: Vec<&str> = clients.rows.iter().map(|row| &*row.command).collect();
        assert_eq!(commands, ["flushall", "cluster|reset", "del"]);
        assert_eq!((clients.total, clients.bytes), (5, REPLY.len()));
        let batch = &clients.rows[2];
        assert_eq!(batch.address.as_deref(), Some("10.0.0.7:51234"));
        assert_eq!(batch.name.as_deref(), Some("batch"));
        assert_eq!(batch.user.as_deref(), Some("etl"));
        assert_eq!(batch.library.as_deref(), Some("redis-py 5.0.1"));
        assert_eq!(
            (batch.class, batch.age_s, batch.idle_s, batch.db),
            (Class::Delete, Some(120), 2, Some(3))
        );
        assert_eq!(clients.rows[0].name, None);
        assert_eq!(clients.rows[1].name.as_deref(), Some("␛[2J"));
    }

    #[test]
    fn the_link_to_a_primary_is_nobody() {
        let link = "id=8 addr=10.0.0.2:6379 name= idle=0 flags=M db=0 cmd=flushall";
        let clients = Clients::parse(&format!("{link}\n{REPLY}"), Duration::ZERO);
        assert_eq!(clients.primary.as_deref(), Some("10.0.0.2:6379"));
        assert_eq!((clients.rows.len(), clients.total), (3, 6));
        assert_eq!(Clients::parse(REPLY, Duration::ZERO).primary, None);
    }

    #[test]
    fn nonsense_is_nobody_and_many_are_cut() {
        for odd in [
            "",
            "\r\n",
            "cmd=",
            "cmd=del",
            "cmd=del idle=x",
            "===\n\u{0}",
        ] {
            assert!(Clients::parse(odd, Duration::ZERO).rows.is_empty());
        }
        let many: Vec<String> = (0..500)
            .map(|n| format!("addr=h:{n} idle={n} cmd=del"))
            .collect();
        let many = many.join("\n");
        let clients = Clients::parse(&many, Duration::ZERO);
        assert_eq!((clients.rows.len(), clients.total), (MOST, 500));
        assert_eq!(clients.rows[0].address.as_deref(), Some("h:0"));
    }
}
