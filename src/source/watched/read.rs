//! Reading keys without touching them.

use std::time::Duration;

use redis::{RedisError, RedisResult, Value};

use crate::config::Auth;
use crate::model::{KeyState, inert};
use crate::source::connection::{Connection, Trouble};
use crate::source::{commands, seal};

/// Reads keys, as many a round trip as it is given.
pub(super) struct Reader {
    auth: Auth,
    /// Whether the server tells sizes; it may refuse `MEMORY USAGE`.
    tells_size: bool,
}

impl Reader {
    pub(super) fn new(auth: &Auth) -> Self {
        Self {
            auth: auth.clone(),
            tells_size: true,
        }
    }

    /// The state of each key, in their order.
    pub(super) async fn look(
        &mut self,
        connection: &mut Connection,
        names: &[&[u8]],
    ) -> Result<Vec<KeyState>, Trouble> {
        let questions = commands::look(names, self.tells_size);
        let answers = connection.ask_all(&questions).await?;
        let each = if self.tells_size { 3 } else { 2 };
        if answers.len() != names.len() * each {
            return Err(Trouble::Rubbish("an answer is missing".into()));
        }
        let states = answers.chunks(each).map(|answers| self.state(answers));
        // Sizes are not asked for again where one was refused.
        let states: Result<Vec<_>, Trouble> = states.collect();
        if answers.chunks(each).any(refuses_size) {
            self.tells_size = false;
        }
        states
    }

    fn state(&self, answers: &[RedisResult<Value>]) -> Result<KeyState, Trouble> {
        let ttl = match &answers[0] {
            Ok(Value::Int(-2)) => return Ok(KeyState::Absent),
            Ok(Value::Int(ms)) => u64::try_from(*ms).ok().map(Duration::from_millis),
            Ok(_) => return Err(Trouble::Rubbish("an odd reply to PTTL".into())),
            Err(error) => return self.refused(error),
        };
        let kind = match &answers[1] {
            Ok(Value::SimpleString(kind)) if kind == "none" => return Ok(KeyState::Absent),
            Ok(Value::SimpleString(kind)) => inert(kind, 24).into(),
            Ok(_) => return Err(Trouble::Rubbish("an odd reply to TYPE".into())),
            Err(error) => return self.refused(error),
        };
        let size_bytes = match answers.get(2) {
            Some(Ok(Value::Int(bytes))) => u64::try_from(*bytes).ok(),
            _ => None,
        };
        Ok(KeyState::Present {
            kind,
            ttl,
            size_bytes,
        })
    }

    /// A refusal that lasts is a state of the key; another is asked again.
    fn refused(&self, error: &RedisError) -> Result<KeyState, Trouble> {
        let code = error.code().unwrap_or_default();
        let lasts = matches!(
            code,
            "NOPERM" | "MOVED" | "ASK" | "CROSSSLOT" | "CLUSTERDOWN"
        );
        if !lasts {
            return Err(Trouble::Rubbish(code.to_owned()));
        }
        let said = error.detail().unwrap_or_default();
        let help = match code {
            "NOPERM" => "; grant +pttl +type +memory|usage and the key's name",
            "MOVED" | "ASK" => "; look at the node that holds it",
            _ => "",
        };
        let words = format!("{code} {said}{help}");
        Ok(KeyState::Unreadable(seal::words(&words, &self.auth)))
    }
}

fn refuses_size(answers: &[RedisResult<Value>]) -> bool {
    matches!(answers, [Ok(_), Ok(_), Err(_)])
}
