//! A cluster of pretended nodes in one process: real INFO replies with counters that move, and no
//! more of the protocol than a watch on them needs.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    dead_code,
    unreachable_pub,
    reason = "compiled into tests and benchmarks, and none uses all of it; its counters follow the clock"
)]

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const INFO: &str = include_str!("../fixtures/info/redis-7.0.15-primary.txt");
const SLOTS: usize = 16_384;

/// A cluster that is served until the runtime ends.
pub struct Cluster {
    pub ports: Vec<u16>,
}

impl Cluster {
    /// So many primaries. The one at `evicting` is full and evicts.
    pub async fn serve(nodes: usize, evicting: Option<usize>) -> Self {
        let mut listeners = Vec::new();
        for _ in 0..nodes {
            listeners.push(TcpListener::bind("127.0.0.1:0").await.expect("a free port"));
        }
        let port = |listener: &TcpListener| listener.local_addr().expect("an address").port();
        let ports: Vec<u16> = listeners.iter().map(port).collect();
        let view: Arc<str> = view(&ports).into();
        let begun = Instant::now();
        for (place, listener) in listeners.into_iter().enumerate() {
            let node = Arc::new(Node {
                place,
                evicts: evicting == Some(place),
                begun,
                view: Arc::clone(&view),
                info: info(place),
            });
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let node = Arc::clone(&node);
                    tokio::spawn(async move { node.converse(stream).await });
                }
            });
        }
        Self { ports }
    }
}

/// `CLUSTER NODES`.
fn view(ports: &[u16]) -> String {
    let count = ports.len();
    let mut view = String::new();
    for (n, port) in ports.iter().enumerate() {
        let (first, last) = (SLOTS * n / count, SLOTS * (n + 1) / count - 1);
        let _ = writeln!(
            view,
            "{n:0>40} 127.0.0.1:{port}@{} master - 0 0 {n} connected {first}-{last}",
            port ^ 1
        );
    }
    view
}

/// The reply with what a node has of its own, and marks where counters stand.
fn info(place: usize) -> Vec<String> {
    let own = |line: &str| {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        match name {
            "run_id" => format!("run_id:{place:0>40}"),
            "master_replid" => format!("master_replid:{:0>40}", format!("{place}f")),
            "cluster_enabled" => "cluster_enabled:1".to_owned(),
            "server_time_usec"
            | "uptime_in_seconds"
            | "total_commands_processed"
            | "expired_keys"
            | "evicted_keys"
            | "used_memory"
            | "maxmemory"
            | "db0"
            | "maxmemory_policy" => {
                format!("{name}:\0{value}")
            }
            name if name.starts_with("slave") => String::new(),
            "cmdstat_set" | "cmdstat_get" => format!("{name}:\0"),
            _ => line.to_owned(),
        }
    };
    INFO.lines().map(own).collect()
}

struct Node {
    place: usize,
    evicts: bool,
    begun: Instant,
    view: Arc<str>,
    info: Vec<String>,
}

impl Node {
    fn reply(&self) -> String {
        let ms = u64::try_from(self.begun.elapsed().as_millis()).expect("a short run");
        let ops = ms * 4;
        let evicted = if self.evicts { ms / 4 } else { 0 };
        let mut out = String::with_capacity(8_192);
        for line in &self.info {
            match line.split_once('\0') {
                None => out.push_str(line),
                Some((name, _)) => {
                    out.push_str(name);
                    let _ = match name {
                        "server_time_usec:" => {
                            write!(out, "{}", 1_795_400_000_000_000 + ms * 1_000)
                        }
                        "uptime_in_seconds:" => write!(out, "{}", 90_000 + ms / 1_000),
                        "total_commands_processed:" => write!(out, "{}", 1_000_000 + ops),
                        "expired_keys:" => write!(out, "{}", 40_000 + ms / 100),
                        "evicted_keys:" => write!(out, "{evicted}"),
                        "used_memory:" => write!(out, "{}", 60_000_000 + ms % 1_000 * 100),
                        "maxmemory:" => write!(
                            out,
                            "{}",
                            if self.evicts { 60_000_000 } else { 100_000_000 }
                        ),
                        "maxmemory_policy:" => write!(out, "allkeys-lru"),
                        "db0:" => write!(
                            out,
                            "keys={},expires=900,avg_ttl=50000",
                            100_000 + self.place as u64 - evicted.min(90_000)
                        ),
                        _ => write!(
                            out,
                            "calls={},usec={},usec_per_call=1.00,rejected_calls=0,failed_calls=0",
                            ops / 2,
                            ops / 2
                        ),
                    };
                }
            }
            out.push_str("\r\n");
        }
        out
    }

    async fn converse(&self, mut stream: TcpStream) {
        let mut buffer = Vec::new();
        let mut chunk = vec![0; 16_384];
        loop {
            let Ok(n @ 1..) = stream.read(&mut chunk).await else {
                return;
            };
            buffer.extend_from_slice(&chunk[..n]);
            let mut out = Vec::new();
            while let Some((words, used)) = question(&buffer) {
                buffer.drain(..used);
                self.answer(&words, &mut out);
            }
            if stream.write_all(&out).await.is_err() {
                return;
            }
        }
    }

    fn answer(&self, words: &[String], out: &mut Vec<u8>) {
        let first = words.first().map(|word| word.to_ascii_uppercase());
        let second = words.get(1).map(|word| word.to_ascii_uppercase());
        let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
        let reply = match (first.as_deref(), second.as_deref()) {
            (Some("INFO"), _) => bulk(&self.reply()),
            (Some("CLUSTER"), Some("NODES")) => bulk(&self.view),
            (Some("HELLO"), _) => "%1\r\n$5\r\nproto\r\n:3\r\n".to_owned(),
            (Some("CLIENT"), Some("LIST")) => bulk("id=1 addr=127.0.0.1:1 name= cmd=ping\n"),
            (Some("CLIENT" | "AUTH"), _) => "+OK\r\n".to_owned(),
            (Some("SLOWLOG" | "ACL" | "CONFIG"), _) => "*0\r\n".to_owned(),
            _ => "-ERR unknown command\r\n".to_owned(),
        };
        out.extend_from_slice(reply.as_bytes());
    }
}

/// The first whole question in a buffer, and its length.
fn question(buffer: &[u8]) -> Option<(Vec<String>, usize)> {
    let mut at = 0;
    let line = |at: &mut usize| -> Option<usize> {
        let rest = buffer.get(*at..)?;
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let number = std::str::from_utf8(rest.get(1..end)?).ok()?.parse().ok()?;
        *at += end + 2;
        Some(number)
    };
    let count = line(&mut at)?;
    let mut words = Vec::with_capacity(count);
    for _ in 0..count {
        let length = line(&mut at)?;
        let word = buffer.get(at..at + length)?;
        words.push(String::from_utf8_lossy(word).into_owned());
        at += length + 2;
        if at > buffer.len() {
            return None;
        }
    }
    Some((words, at))
}
