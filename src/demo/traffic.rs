//! Who writes to the demo's servers: a small shop and its jobs, each with a client name of its own.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, Pipeline, RedisError, RedisResult};
use tokio::time::sleep;

use super::{DemoError, Stage};

/// Time for the replica to come online.
const ONLINE: Duration = Duration::from_secs(5);
/// Sessions, carts and products at the beginning.
pub(super) const STOCK: u64 = 20_000;
/// Commands in one round trip.
const BATCH: u64 = 500;
/// The range of ids of each kind of key.
const IDS: u64 = 12_000;

/// A named client. Dials when it is first used, and anew after a failure.
pub(super) struct Actor {
    address: String,
    name: &'static str,
    connection: Option<MultiplexedConnection>,
    dice: Dice,
}

impl Actor {
    pub(super) fn new(address: String, name: &'static str) -> Self {
        Self {
            address,
            name,
            connection: None,
            dice: Dice::new(),
        }
    }

    /// A client of the primary.
    pub(super) fn at_primary(stage: &Stage, name: &'static str) -> Self {
        Self::new(stage.primary.address(), name)
    }

    async fn connection(&mut self) -> RedisResult<&mut MultiplexedConnection> {
        if self.connection.is_none() {
            let client = redis::Client::open(format!("redis://{}", self.address))?;
            let mut connection = client.get_multiplexed_async_connection().await?;
            let mut name = redis::cmd("CLIENT");
            name.arg("SETNAME").arg(self.name);
            name.query_async::<()>(&mut connection).await?;
            self.connection = Some(connection);
        }
        self.connection
            .as_mut()
            .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotConnected).into())
    }

    pub(super) async fn run<T: FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        let answer = command.query_async(self.connection().await?).await;
        self.forget_after(answer)
    }

    pub(super) async fn send<T: FromRedisValue>(&mut self, commands: &Pipeline) -> RedisResult<T> {
        let answer = commands.query_async(self.connection().await?).await;
        self.forget_after(answer)
    }

    fn forget_after<T>(&mut self, answer: RedisResult<T>) -> RedisResult<T> {
        if answer.as_ref().is_err_and(RedisError::is_io_error) {
            self.connection = None;
        }
        answer
    }

    pub(super) fn dice(&mut self) -> &mut Dice {
        &mut self.dice
    }

    pub(super) async fn config(&mut self, name: &str, value: &str) -> RedisResult<()> {
        let mut command = redis::cmd("CONFIG");
        command.arg("SET").arg(name).arg(value);
        self.run(&command).await
    }

    /// A number from `INFO`.
    pub(super) async fn info(&mut self, section: &str, field: &str) -> RedisResult<Option<u64>> {
        let text: String = self.run(redis::cmd("INFO").arg(section)).await?;
        Ok(crate::info::Info::parse(text).u64(section, field))
    }
}

/// Random numbers good enough for traffic (xorshift64*).
pub(super) struct Dice(u64);

impl Dice {
    fn new() -> Self {
        Self(RandomState::new().hash_one(0u8) | 1)
    }

    /// A number below `n`.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16) % n.max(1)
    }
}

/// Fills the primary and waits until the replica follows.
pub(super) async fn prepare(stage: &Stage) -> Result<(), DemoError> {
    let mut shop = Actor::at_primary(stage, "shop");
    stock(&mut shop, STOCK).await?;
    let look = async {
        loop {
            let text: String = shop.run(redis::cmd("INFO").arg("replication")).await?;
            if text.contains("state=online") {
                return RedisResult::Ok(());
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    match tokio::time::timeout(ONLINE, look).await {
        Ok(online) => Ok(online?),
        Err(_) => Err(DemoError::ReplicaOffline {
            after: ONLINE,
            log: stage.replica.log(),
        }),
    }
}

/// Writes `keys` keys: carts without a TTL, sessions and products with one.
pub(super) async fn stock(actor: &mut Actor, keys: u64) -> RedisResult<()> {
    let mut left = keys;
    while left > 0 {
        let batch = left.min(BATCH);
        let mut pipe = redis::pipe();
        for _ in 0..batch {
            write_one(&mut pipe, actor.dice());
        }
        actor.send::<()>(&pipe).await?;
        left -= batch;
    }
    Ok(())
}

fn write_one(pipe: &mut Pipeline, dice: &mut Dice) {
    let id = dice.below(IDS);
    let value = "v".repeat(64 + usize::try_from(dice.below(128)).unwrap_or(0));
    match dice.below(3) {
        0 => pipe.cmd("SET").arg(format!("cart:{id}")).arg(value),
        1 => pipe
            .cmd("SET")
            .arg(format!("session:{id}"))
            .arg(value)
            .arg("EX")
            .arg(900 + dice.below(900)),
        _ => pipe
            .cmd("SET")
            .arg(format!("product:{id}"))
            .arg(value)
            .arg("EX")
            .arg(120 + dice.below(600)),
    }
    .ignore();
}

/// The traffic of every story: reads, writes with and without TTL, cache-aside, counters. Never
/// ends; while the server is away it tries again.
pub(super) async fn background(stage: &Stage) {
    let shop = async {
        let mut shop = Actor::at_primary(stage, "shop");
        loop {
            let pause = match browse(&mut shop).await {
                Ok(()) => 50,
                Err(_) => 250,
            };
            sleep(Duration::from_millis(pause)).await;
        }
    };
    let sessions = async {
        let mut sessions = Actor::at_primary(stage, "session-service");
        loop {
            let pause = match stock(&mut sessions, 8).await {
                Ok(()) => 60,
                Err(_) => 250,
            };
            sleep(Duration::from_millis(pause)).await;
        }
    };
    tokio::join!(shop, sessions);
}

/// Cache-aside: read products, fetch and store what is missing.
async fn browse(shop: &mut Actor) -> RedisResult<()> {
    let ids: Vec<u64> = (0..16).map(|_| shop.dice().below(IDS)).collect();
    let mut read = redis::pipe();
    for id in &ids {
        read.cmd("GET").arg(format!("product:{id}"));
    }
    read.cmd("INCR").arg("counter:visits").ignore();
    let found: Vec<Option<String>> = shop.send(&read).await?;
    let mut store = redis::pipe();
    for (id, _) in ids.iter().zip(&found).filter(|(_, hit)| hit.is_none()) {
        store
            .cmd("SET")
            .arg(format!("product:{id}"))
            .arg("fetched from the database".repeat(4))
            .arg("EX")
            .arg(120 + shop.dice().below(600))
            .ignore();
    }
    if store.is_empty() {
        return Ok(());
    }
    shop.send(&store).await
}
