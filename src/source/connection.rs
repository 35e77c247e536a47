//! One conversation with one server.
//!
//! The client library's own `MultiplexedConnection`, over a stream of ours, never its connection
//! manager: that one hides restarts, blocks for seconds on a dead server and never leaves a flow
//! that has gone silent. On the connection that polls, the library sends nothing by itself: no
//! protocol switch (`RESP2`), no database, no client name; on the one that is pushed to, it sends
//! `HELLO 3` with the credentials.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::aio::SendError;
use redis::{
    AsyncConnectionConfig, Cmd, Pipeline, PushInfo, RedisConnectionInfo, RedisError, RedisResult,
};
use redis::{ProtocolVersion, Value};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::dial::dial;
use super::failure::{self, Scene};
use super::tap::{Record, Tap, Witness};
use super::{Clock, commands};
use crate::config::{Endpoint, Settings};
use crate::model::Failure;

/// Why a question brought no answer.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// No reply within the timeout. The reply may still come; the library then drops it.
    Timeout,
    /// The server said no, or the stream broke.
    Error(RedisError),
    /// An answer came and is not an `INFO` document.
    Rubbish(String),
}

impl From<RedisError> for Trouble {
    fn from(error: RedisError) -> Self {
        Self::Error(error)
    }
}

/// A conversation. Ends when dropped.
pub(crate) struct Connection {
    wire: MultiplexedConnection,
    witness: Witness,
    over: CancellationToken,
    timeout: Duration,
    /// Keeps the task that moves the bytes alive.
    _driver: AbortOnDropHandle<()>,
}

impl Connection {
    /// Dials and authenticates. `proven` as in [`dial`].
    pub(crate) async fn open(
        settings: &Settings,
        clock: Clock,
        proven: bool,
    ) -> Result<Self, Failure> {
        // Neither password nor database: the library then has nothing to set up.
        let bare = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP2)
            .set_skip_set_lib_name();
        let config = AsyncConnectionConfig::new();
        let witness = Witness::default();
        let mut connection = Self::set_up(settings, clock, proven, &bare, config, witness).await?;
        let scene = scene(settings, proven);
        connection.authenticate(settings, scene).await?;
        Ok(connection)
    }

    /// Dials, switches to RESP3 and authenticates; what the server pushes goes to `pushed`.
    pub(super) async fn open_pushed(
        settings: &Settings,
        clock: Clock,
        pushed: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<Self, Failure> {
        let mut who = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP3)
            .set_skip_set_lib_name();
        if let Some(password) = &settings.auth.password {
            let user = settings.auth.user.as_deref().unwrap_or("default");
            who = who.set_username(user).set_password(password);
        }
        let witness = Witness::default();
        let arrivals = witness.clone();
        let config = AsyncConnectionConfig::new().set_push_sender(move |push| {
            arrivals.whole();
            pushed(push);
            Ok::<(), SendError>(())
        });
        Self::set_up(settings, clock, true, &who, config, witness).await
    }

    async fn set_up(
        settings: &Settings,
        clock: Clock,
        proven: bool,
        who: &RedisConnectionInfo,
        config: AsyncConnectionConfig,
        witness: Witness,
    ) -> Result<Self, Failure> {
        let stream = Tap::new(dial(settings, clock, proven).await?, witness.clone());
        let scene = scene(settings, proven);
        let config = config
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let (wire, driver) = MultiplexedConnection::new_with_config(who, stream, config)
            .await
            .map_err(|error| failure::replied(&error, &witness.record(), scene))?;
        let over = CancellationToken::new();
        let hung_up = over.clone();
        let driver = tokio::spawn(async move {
            driver.await;
            hung_up.cancel();
        });
        Ok(Self {
            wire,
            witness,
            over,
            timeout: settings.timeout,
            _driver: AbortOnDropHandle::new(driver),
        })
    }

    async fn authenticate(&mut self, settings: &Settings, scene: Scene<'_>) -> Result<(), Failure> {
        let Some(command) = commands::auth(&settings.auth) else {
            return Ok(());
        };
        match self.ask(&command).await {
            Ok(Value::Okay) => Ok(()),
            Ok(_) => Err(failure::rubbish("an odd reply to AUTH")),
            Err(Trouble::Error(error)) if failure::needs_no_password(&error) => Ok(()),
            Err(trouble) => Err(self.explain(&trouble, scene, 1)),
        }
    }

    /// Asks one question.
    pub(crate) async fn ask(&mut self, command: &Cmd) -> Result<Value, Trouble> {
        self.witness.asked();
        let reply = timeout(self.timeout, self.wire.send_packed_command(command)).await;
        let value = reply.map_err(|_| Trouble::Timeout)??;
        self.witness.answered();
        Ok(value.extract_error()?)
    }

    /// Says something that is answered by pushes, if at all.
    pub(super) async fn say(&mut self, command: &Cmd) -> Result<(), Trouble> {
        self.witness.asked();
        let sent = timeout(self.timeout, self.wire.send_packed_command(command)).await;
        sent.map_err(|_| Trouble::Timeout)??;
        Ok(())
    }

    /// Asks several questions in one round trip; each has its own result.
    pub(crate) async fn ask_all(
        &mut self,
        questions: &Pipeline,
    ) -> Result<Vec<RedisResult<Value>>, Trouble> {
        self.witness.asked();
        let reply = timeout(self.timeout, questions.query_async(&mut self.wire)).await;
        let values = reply.map_err(|_| Trouble::Timeout)??;
        self.witness.answered();
        Ok(values)
    }

    /// Asks a question beside the others: the connection stays free meanwhile.
    pub(super) fn aside(
        &self,
        command: Cmd,
    ) -> impl Future<Output = Result<Value, Trouble>> + Send + use<> {
        let (mut wire, patience) = (self.wire.clone(), self.timeout);
        let witness = self.witness.clone();
        async move {
            let reply = timeout(patience, wire.send_packed_command(&command)).await;
            let value = reply.map_err(|_| Trouble::Timeout)??;
            witness.whole();
            Ok(value.extract_error()?)
        }
    }

    /// Returns when the other side has hung up or the stream broke.
    pub(crate) async fn over(&self) {
        self.over.cancelled().await;
    }

    /// Whether the stream has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// What crossed the wire.
    pub(crate) fn record(&self) -> Record {
        self.witness.record()
    }

    /// The failure behind a trouble. `timeouts` counts those in a row, this one included.
    pub(crate) fn explain(&self, trouble: &Trouble, scene: Scene<'_>, timeouts: u32) -> Failure {
        match trouble {
            Trouble::Timeout => failure::hanging(self.timeout, &self.record(), timeouts),
            Trouble::Error(error) => failure::replied(error, &self.record(), scene),
            Trouble::Rubbish(words) => failure::rubbish(words.clone()),
        }
    }
}

/// What a failure of this conversation is judged by.
pub(crate) fn scene(settings: &Settings, proven: bool) -> Scene<'_> {
    Scene {
        auth: &settings.auth,
        plain_tcp: settings.tls.is_none() && matches!(settings.endpoint, Endpoint::Tcp { .. }),
        proven,
    }
}
