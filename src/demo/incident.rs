//! The incidents: short stories in which keys go away, each in its own way.

use std::sync::Arc;
use std::time::Duration;

use redis::RedisResult;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Stage;
use super::server::Signal;
use super::traffic::{Actor, STOCK, background, stock};

/// What the demo plays. Each repeats, with a pause, until it is stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Incident {
    /// A clean-up job runs FLUSHALL on the wrong server
    #[default]
    Flush,
    /// An export fills the memory up to its limit, and the cache is evicted
    Eviction,
    /// A campaign wrote thousands of keys with one TTL, and they end together
    Expiration,
    /// A batch job deletes far more than it should, by UNLINK, HDEL and GETDEL
    Deletion,
    /// The replica hangs and falls behind; then the primary dies, and an empty one is replicated
    Replication,
    /// The server is killed without persistence and comes back empty
    Restart,
    /// A tour: expiry wave, batch deletes, eviction, then FLUSHALL
    Mixed,
}

impl Incident {
    /// All of them, the default first.
    pub const ALL: [Self; 7] = [
        Self::Flush,
        Self::Eviction,
        Self::Expiration,
        Self::Deletion,
        Self::Replication,
        Self::Restart,
        Self::Mixed,
    ];

    /// The name on the command line.
    pub fn id(self) -> &'static str {
        match self {
            Self::Flush => "flush",
            Self::Eviction => "eviction",
            Self::Expiration => "expiration",
            Self::Deletion => "deletion",
            Self::Replication => "replication",
            Self::Restart => "restart",
            Self::Mixed => "mixed",
        }
    }

    /// The incident of that name.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|incident| incident.id() == id)
    }

    /// What happens, in one sentence.
    pub fn description(self) -> &'static str {
        match self {
            Self::Flush => "a clean-up job runs FLUSHALL on the wrong server",
            Self::Eviction => {
                "an export fills the memory up to its limit, and the cache is evicted"
            }
            Self::Expiration => {
                "a campaign wrote thousands of keys with one TTL, and they end together"
            }
            Self::Deletion => {
                "a batch job deletes far more than it should, by UNLINK, HDEL and GETDEL"
            }
            Self::Replication => {
                "the replica hangs and falls behind; then the primary dies, and an empty one is replicated"
            }
            Self::Restart => "the server is killed without persistence and comes back empty",
            Self::Mixed => "a tour: expiry wave, batch deletes, eviction, then FLUSHALL",
        }
    }
}

/// Plays an incident over and over, with background traffic, until `stop` is cancelled.
pub async fn play(incident: Incident, stage: Arc<Stage>, stop: CancellationToken) {
    let story = async {
        loop {
            let told = match incident {
                Incident::Flush => flush(&stage).await,
                Incident::Eviction => eviction(&stage).await,
                Incident::Expiration => expiration(&stage).await,
                Incident::Deletion => deletion(&stage).await,
                Incident::Replication => replication(&stage).await,
                Incident::Restart => restart(&stage).await,
                Incident::Mixed => mixed(&stage).await,
            };
            // A server that is just away: the next round finds it again.
            if told.is_err() {
                seconds(1).await;
            }
        }
    };
    let all = Box::pin(async { tokio::join!(story, background(&stage)) });
    // What it returns says only whether it was stopped.
    let _ = stop.run_until_cancelled(all).await;
}

async fn seconds(n: u64) {
    sleep(Duration::from_secs(n)).await;
}

async fn flush(stage: &Stage) -> RedisResult<()> {
    seconds(8).await;
    flush_once(stage).await?;
    seconds(20).await;
    refill(stage).await?;
    seconds(10).await;
    Ok(())
}

async fn flush_once(stage: &Stage) -> RedisResult<()> {
    let mut job = Actor::at_primary(stage, "nightly-cleanup");
    job.run(redis::cmd("PING").arg("is this staging?"))
        .await
        .map(|_: String| ())?;
    job.run::<()>(redis::cmd("FLUSHALL").arg("SYNC")).await?;
    // Stays connected for a while, so that it can be found in CLIENT LIST.
    seconds(5).await;
    Ok(())
}

/// Traffic brings the data back, over a few seconds.
async fn refill(stage: &Stage) -> RedisResult<()> {
    let mut warmer = Actor::at_primary(stage, "cache-warmer");
    for _ in 0..40 {
        stock(&mut warmer, STOCK / 40).await?;
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

async fn eviction(stage: &Stage) -> RedisResult<()> {
    seconds(6).await;
    pressure(stage, 20).await?;
    seconds(10).await;
    let mut admin = Actor::at_primary(stage, "admin");
    admin.config("maxmemory", "0").await?;
    admin
        .run::<()>(redis::cmd("UNLINK").arg(exports()).arg("export:none"))
        .await?;
    refill(stage).await?;
    seconds(10).await;
    Ok(())
}

/// Ids of the blobs that an export writes.
fn exports() -> Vec<String> {
    (0..600).map(|n| format!("export:{n}")).collect()
}

/// Sets a limit just above what is used, then writes blobs beyond it.
async fn pressure(stage: &Stage, for_seconds: u64) -> RedisResult<()> {
    let mut export = Actor::at_primary(stage, "report-export");
    let used = export.info("memory", "used_memory").await?.unwrap_or(0);
    let limit = used + (1 << 20);
    export.config("maxmemory-policy", "allkeys-lru").await?;
    export.config("maxmemory", &limit.to_string()).await?;
    let blob = "x".repeat(8 * 1024);
    for name in exports().iter().cycle().take(usize_of(for_seconds * 20)) {
        export
            .run::<()>(redis::cmd("SET").arg(name).arg(&blob))
            .await?;
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

fn usize_of(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

async fn expiration(stage: &Stage) -> RedisResult<()> {
    seconds(3).await;
    campaign(stage, 8_000).await?;
    seconds(25).await;
    Ok(())
}

/// Writes coupons that all end `ttl_ms` from now, give or take a second.
async fn campaign(stage: &Stage, ttl_ms: u64) -> RedisResult<()> {
    let mut campaign = Actor::at_primary(stage, "campaign-service");
    for batch in 0..30 {
        let mut pipe = redis::pipe();
        for n in 0..500 {
            pipe.cmd("SET")
                .arg(format!("coupon:{batch}:{n}"))
                .arg("20% off")
                .arg("PX")
                .arg(ttl_ms + campaign.dice().below(1_500))
                .ignore();
        }
        campaign.send::<()>(&pipe).await?;
        sleep(Duration::from_millis(20)).await;
    }
    sleep(Duration::from_millis(ttl_ms + 1_500)).await;
    Ok(())
}

async fn deletion(stage: &Stage) -> RedisResult<()> {
    seconds(6).await;
    delete_much(stage).await?;
    seconds(15).await;
    refill(stage).await?;
    seconds(5).await;
    Ok(())
}

/// Empties hashes, takes tokens, then unlinks every cart that SCAN finds.
async fn delete_much(stage: &Stage) -> RedisResult<()> {
    let mut job = Actor::at_primary(stage, "batch-cleanup");
    let mut write = redis::pipe();
    for n in 0..400 {
        let (hash, token) = (format!("profile:{n}"), format!("token:{n}"));
        write.cmd("HSET").arg(hash).arg("name").arg("n").ignore();
        write.cmd("SET").arg(token).arg("t").ignore();
    }
    job.send::<()>(&write).await?;
    seconds(2).await;
    for n in 0..400 {
        let mut pipe = redis::pipe();
        pipe.cmd("HDEL").arg(format!("profile:{n}")).arg("name");
        pipe.cmd("GETDEL").arg(format!("token:{n}"));
        job.send::<redis::Value>(&pipe).await?;
        sleep(Duration::from_millis(5)).await;
    }
    let mut cursor = 0u64;
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor)
            .arg("MATCH")
            .arg("cart:*")
            .arg("COUNT")
            .arg(300);
        let (next, keys): (u64, Vec<String>) = job.run(&scan).await?;
        if !keys.is_empty() {
            job.run::<()>(redis::cmd("UNLINK").arg(keys)).await?;
        }
        if next == 0 {
            return Ok(());
        }
        cursor = next;
        sleep(Duration::from_millis(60)).await;
    }
}

async fn replication(stage: &Stage) -> RedisResult<()> {
    seconds(6).await;
    signal_replica(stage, Signal::Stop);
    heavy_writes(stage, 10).await?;
    signal_replica(stage, Signal::Cont);
    seconds(12).await;

    signal_replica(stage, Signal::Stop);
    heavy_writes(stage, 5).await?;
    kill_and_restart(stage).await;
    signal_replica(stage, Signal::Cont);
    seconds(15).await;
    refill(stage).await?;
    Ok(())
}

fn signal_replica(stage: &Stage, signal: Signal) {
    // It runs for as long as the stage stands; if not, the screen shows just that.
    let _ = stage.replica.signal(signal);
}

/// About 2 MB of writes a second.
async fn heavy_writes(stage: &Stage, for_seconds: u64) -> RedisResult<()> {
    let mut import = Actor::at_primary(stage, "price-import");
    let value = "p".repeat(2_000);
    for _ in 0..for_seconds * 20 {
        let mut pipe = redis::pipe();
        for _ in 0..50 {
            let id = import.dice().below(3_000);
            pipe.cmd("SET")
                .arg(format!("price:{id}"))
                .arg(&value)
                .ignore();
        }
        import.send::<()>(&pipe).await?;
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn restart(stage: &Stage) -> RedisResult<()> {
    seconds(8).await;
    kill_and_restart(stage).await;
    seconds(20).await;
    refill(stage).await?;
    seconds(10).await;
    Ok(())
}

/// Kills the primary; it comes back empty three seconds later.
async fn kill_and_restart(stage: &Stage) {
    // Both fail only where the server is gone for good; the screen then shows an outage.
    let _ = stage.primary.signal(Signal::Kill);
    seconds(3).await;
    let _ = stage.primary.restart();
}

async fn mixed(stage: &Stage) -> RedisResult<()> {
    seconds(6).await;
    campaign(stage, 5_000).await?;
    seconds(5).await;
    delete_much(stage).await?;
    seconds(5).await;
    pressure(stage, 12).await?;
    seconds(3).await;
    Actor::at_primary(stage, "admin")
        .config("maxmemory", "0")
        .await?;
    flush_once(stage).await?;
    seconds(20).await;
    refill(stage).await?;
    seconds(10).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn names_are_those_of_the_command_line() {
        for incident in Incident::ALL {
            assert_eq!(Incident::from_id(incident.id()), Some(incident));
            let value = incident.to_possible_value().unwrap();
            assert_eq!(value.get_name(), incident.id());
            let help = value.get_help().unwrap().to_string();
            assert!(help.eq_ignore_ascii_case(incident.description()), "{help}");
        }
        assert_eq!(Incident::ALL, Incident::value_variants());
        assert_eq!(Incident::default(), Incident::ALL[0]);
    }
}
