//! Who answered.

use crate::info::Info;
use crate::model::node::{Product, Version};
use crate::model::text::inert;

/// Identity of the process that answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Server {
    /// Product.
    pub product: Option<Product>,
    /// Its version.
    pub version: Version,
    /// Random per process start; the key of a counting epoch.
    pub run_id: Option<String>,
    /// The port that it listens on by its own word.
    pub port: Option<u64>,
    /// Seconds since the process started. `None` where bogus: Redis Enterprise prints the Unix
    /// time here.
    pub uptime_s: Option<u64>,
    /// The server's clock, microseconds since 1970 (6.2+).
    pub time_us: Option<u64>,
    /// Connections now.
    pub clients: Option<u64>,
    /// Whether cluster mode is on.
    pub cluster: Option<bool>,
    /// It is a Sentinel, which holds no keys.
    pub sentinel: bool,
    /// Commands a second as the server counts them over 1.6 s.
    pub ops_per_s: Option<u64>,
    /// A graceful shutdown is under way (7.0+).
    pub shutting_down: bool,
    /// Empty where the server runs without a file; `None` where not exposed.
    pub config_file: Option<String>,
}

impl Server {
    /// Its numbers, those that are there, always in this order.
    pub(super) fn numbers(&mut self, visit: &mut dyn FnMut(&mut u64)) {
        let told = [
            &mut self.uptime_s,
            &mut self.time_us,
            &mut self.clients,
            &mut self.ops_per_s,
        ];
        told.into_iter().flatten().for_each(visit);
    }

    pub(super) fn parse(info: &Info, host: &str) -> Self {
        let product = Product::detect(info, host);
        let time_us = info.u64("Server", "server_time_usec");
        let text = |name| info.get("Server", name).map(|value| inert(value, 128));
        Self {
            product: Some(product),
            version: Version::detect(info, product),
            run_id: text("run_id").filter(|id| !id.is_empty()),
            port: info.u64("Server", "tcp_port"),
            uptime_s: info
                .u64("Server", "uptime_in_seconds")
                .filter(|uptime| is_sane_uptime(*uptime, time_us)),
            time_us,
            clients: info.u64("Clients", "connected_clients"),
            cluster: info.flag("Cluster", "cluster_enabled"),
            sentinel: ["redis_mode", "server_mode"]
                .iter()
                .any(|name| info.get("Server", name) == Some("sentinel")),
            ops_per_s: info.u64("Stats", "instantaneous_ops_per_sec"),
            shutting_down: info.u64("Server", "shutdown_in_milliseconds").is_some(),
            config_file: text("config_file"),
        }
    }
}

/// Redis Enterprise has been seen to print the Unix time as uptime: nothing has been up for
/// thirty years.
fn is_sane_uptime(uptime_s: u64, time_us: Option<u64>) -> bool {
    const THIRTY_YEARS_S: u64 = 30 * 365 * 86_400;
    uptime_s < THIRTY_YEARS_S && time_us.is_none_or(|now| uptime_s < now / 1_000_000)
}
