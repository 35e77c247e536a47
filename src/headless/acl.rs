//! `amr-top acl`: the rule to paste.

use std::fmt::Write as _;

use super::{HeadlessError, Until, look, print_page, tell_nothing};
use crate::cli::{Acl, Nodes, Options};
use crate::config;
use crate::model::Watch;
use crate::report::Exit;
use crate::source::acl::Dialect;

/// Prints the smallest access rule for a server, and what each right is for.
pub fn acl(acl: &Acl, options: &Options) -> Result<Exit, HeadlessError> {
    let watched = config::watched(&options.watched.watch)?;
    if let Some(kind) = &acl.kind {
        let dialect = Dialect::ALL.into_iter().find(|known| known.id() == kind);
        // The command line lets no other word through.
        return print_page(page(dialect.unwrap_or(Dialect::Redis7), "", &watched).as_bytes());
    }
    let alone = Options {
        nodes: Nodes {
            no_discover: true,
            node_map: Vec::new(),
        },
        ..options.clone()
    };
    let targets: Vec<String> = acl.target.iter().cloned().collect();
    let seen = look(&targets, &alone, Until::Answered, None)?;
    let Some(sample) = seen.deployment.first().history().last_sample() else {
        tell_nothing(&seen);
        return Ok(Exit::Failed);
    };
    let product = sample.product();
    let version = &sample.server.version;
    match Dialect::of(sample) {
        None => print_page(
            format!("{product} {version} has no access rules for users: they came with Redis 6\n")
                .as_bytes(),
        ),
        Some(dialect) if product.is_enterprise() => {
            let rights: Vec<String> = dialect
                .rights()
                .into_iter()
                .map(|(rule, _)| rule)
                .filter(|rule| rule != "+acl|log")
                .collect();
            print_page(
                format!(
                    "{product} has no ACL SETUSER: give these rights to a role in the console or \
                     the portal:\n\n-@all {}\n",
                    rights.join(" ")
                )
                .as_bytes(),
            )
        }
        Some(dialect) => {
            print_page(page(dialect, &format!(" for {product} {version}"), &watched).as_bytes())
        }
    }
}

fn page(dialect: Dialect, server: &str, watched: &[Watch]) -> String {
    let mut page = dialect.rule("amrtop");
    if !watched.is_empty() {
        let _ = write!(page, " {}", dialect.watching(watched));
    }
    page.push_str("\n\n");
    let _ = writeln!(
        page,
        "The smallest rule{server}; put a password in the place of PASSWORD. It allows no key to \
         be {}written.\n",
        if watched.is_empty() { "read or " } else { "" }
    );
    let rights = dialect.rights();
    let widest = rights.iter().map(|(rule, _)| rule.len()).max().unwrap_or(0);
    for (rule, purpose) in rights {
        let _ = writeln!(page, "  {rule:widest$}  {purpose}");
    }
    let _ = writeln!(
        page,
        "\nOnly +info is needed; without another right, what it is for is not known, and said so. \
         MONITOR, which is only\never sent on demand, needs +monitor. Watched keys need {}, and \
         each key; add --watch KEY here.",
        dialect.watching(&[])
    );
    let _ = writeln!(
        page,
        "\nWhere the server publishes keyspace events (notify-keyspace-events has E, and one of g, x, \
         e, A), these rights\nlet it tell which keys went: {}\n\n+config|get lets the user read every \
         setting of the server, its passwords for replication included; without it,\nnothing is \
         missing but these events.",
        dialect.hearing()
    );
    page
}
