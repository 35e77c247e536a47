//! A Sentinel that was given as a server: it holds no keys, and knows where they are.

use crate::config::{Endpoint, Tls, is_sentinel_name};
use crate::info::{Composite, Info};
use crate::model::{Failure, FailureKind};

/// Names that are told at most.
const MOST: usize = 4;

/// Why nothing can be seen here, where a reply to `INFO` is that of a Sentinel: the detail is what to
/// give instead, one address a name that it watches.
pub(in crate::source) fn mistaken(
    reply: &str,
    endpoint: &Endpoint,
    tls: Option<&Tls>,
) -> Option<Failure> {
    let info = Info::parse(reply);
    let mode = ["redis_mode", "server_mode"].map(|name| info.get("Server", name));
    if !mode.contains(&Some("sentinel")) {
        return None;
    }
    // `master0:name=mymaster,status=ok,address=10.0.0.1:6379,slaves=1,sentinels=3`
    let lines = info.section("Sentinel");
    let masters = lines.filter(|(name, _)| name.starts_with("master"));
    let names: Vec<String> = masters
        .filter_map(|(_, value)| Composite::new(value).get("name").map(str::to_owned))
        .filter(|name| is_sentinel_name(name))
        .collect();
    let scheme = match tls {
        Some(_) => "rediss-sentinel",
        None => "redis-sentinel",
    };
    let place = match endpoint {
        Endpoint::Unix(_) => "HOST:PORT".to_owned(),
        tcp @ Endpoint::Tcp { .. } => tcp.to_string(),
    };
    let address = |name: &str| format!("{scheme}://{place}/{name}");
    let mut told: Vec<String> = names.iter().take(MOST).map(|name| address(name)).collect();
    match names.len() {
        0 => told.push(address("NAME")),
        all if all > MOST => told.push(format!("{} more", all - MOST)),
        _ => {}
    }
    Some(Failure {
        kind: FailureKind::Sentinel,
        detail: told.join(" or "),
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn told(masters: &str, tls: Option<&Tls>) -> Option<String> {
        let reply = format!(
            "# Server\r\nredis_version:7.0.15\r\nredis_mode:sentinel\r\n# Sentinel\r\n{masters}"
        );
        mistaken(&reply, &place(), tls).map(|failure| failure.sentence())
    }

    fn place() -> Endpoint {
        Endpoint::Tcp {
            host: "::1".to_owned(),
            port: 26_379,
        }
    }

    #[rstest]
    #[case("", "redis-sentinel://[::1]:26379/NAME")]
    #[case("master0:name=a,status=ok\r\n", "redis-sentinel://[::1]:26379/a")]
    #[case(
        "master0:name=a,status=ok\r\nmaster1:name=b.c,status=ok\r\n",
        "redis-sentinel://[::1]:26379/a or redis-sentinel://[::1]:26379/b.c"
    )]
    #[case(
        "master0:name=$(reboot),status=ok\r\nmaster1:name=b,status=ok\r\n",
        "redis-sentinel://[::1]:26379/b"
    )]
    fn what_to_give_instead_is_told(#[case] masters: &str, #[case] instead: &str) {
        let sentence = format!("this is a Sentinel, which holds no keys; give {instead}");
        assert_eq!(told(masters, None), Some(sentence));
    }

    #[test]
    fn it_is_spoken_to_in_the_same_way() {
        let told = told("master0:name=a\r\n", Some(&Tls::default()));
        assert!(told.is_some_and(|told| told.ends_with("give rediss-sentinel://[::1]:26379/a")));
    }

    #[test]
    fn a_server_is_no_sentinel() {
        let reply = "# Server\r\nredis_mode:standalone\r\n";
        assert_eq!(mistaken(reply, &place(), None), None);
    }
}
