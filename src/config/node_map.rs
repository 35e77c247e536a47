//! `--node-map`: where nodes can be reached that announce addresses which cannot.

use super::target::{checked_host, host_and_port};
use super::{ConfigError, Endpoint};
use crate::model::{NodeId, inert};

/// Announced addresses and what to dial instead. Without an entry, an address is dialled as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeMap(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    announced: (String, Option<u16>),
    reachable: (String, Option<u16>),
}

impl NodeMap {
    /// Understands `ANNOUNCED=REACHABLE`, each a host with or without a port.
    pub fn parse(given: &[String]) -> Result<Self, ConfigError> {
        let entry = |text: &String| {
            let wrong = || ConfigError::NodeMap(inert(text, 128));
            let (announced, reachable) = text.split_once('=').ok_or_else(wrong)?;
            let place = |text: &str| {
                let (host, port) = host_and_port(text.trim()).map_err(|_| wrong())?;
                Ok((checked_host(host).map_err(|_| wrong())?, port))
            };
            Ok(Entry {
                announced: place(announced)?,
                reachable: place(reachable)?,
            })
        };
        Ok(Self(given.iter().map(entry).collect::<Result<_, _>>()?))
    }

    /// Where to dial an announced address: an entry with its port first, then one of its host.
    /// `None` for what is no network address.
    pub fn reach(&self, node: &NodeId) -> Option<Endpoint> {
        let (host, port) = node.host_and_port()?;
        let by = |wanted: Option<u16>| {
            let mut entries = self.0.iter();
            entries.find(|entry| entry.announced.0 == host && entry.announced.1 == wanted)
        };
        let (host, port) = match by(Some(port)).or_else(|| by(None)) {
            Some(entry) => (&*entry.reachable.0, entry.reachable.1.unwrap_or(port)),
            None => (host, port),
        };
        Some(Endpoint::Tcp {
            host: host.to_owned(),
            port,
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn map(entries: &[&str]) -> Result<NodeMap, ConfigError> {
        NodeMap::parse(&entries.iter().map(|e| (*e).to_owned()).collect::<Vec<_>>())
    }

    #[rstest]
    #[case("10.0.0.3:6379", "localhost:7003")]
    #[case("10.0.0.3:6380", "gateway:6380")]
    #[case("10.0.0.4:6379", "[::1]:9")]
    #[case("[2001:db8::1]:1", "[2001:db8::1]:1")]
    #[case("10.0.0.9:1", "10.0.0.9:1")]
    fn an_address_is_dialled_as_mapped(#[case] announced: &str, #[case] dialled: &str) {
        let map = map(&[
            "10.0.0.3=gateway",
            "10.0.0.3:6379=localhost:7003",
            "10.0.0.4=[::1]:9",
        ]);
        let endpoint = map.expect("parses").reach(&NodeId::new(announced));
        assert_eq!(endpoint.map(|e| e.to_string()).as_deref(), Some(dialled));
    }

    #[rstest]
    #[case("10.0.0.3")]
    #[case("=a")]
    #[case("a=")]
    #[case("a:x=b")]
    fn nonsense_is_refused(#[case] text: &str) {
        assert!(matches!(map(&[text]), Err(ConfigError::NodeMap(said)) if said == text));
    }

    #[test]
    fn a_socket_is_reached_by_no_network() {
        assert_eq!(
            NodeMap::default().reach(&NodeId::new("/run/redis.sock")),
            None
        );
    }
}
