//! What trials do to servers, in bulk.

use redis::Connection;

/// Runs one command, written as in `redis-cli`, with blanks between the words.
pub(crate) fn run(redis: &mut Connection, line: &str) -> redis::Value {
    command(line)
        .query(redis)
        .unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// Runs one command that must be refused with these words.
pub(crate) fn refused(redis: &mut Connection, line: &str, words: &str) {
    let reply = command(line).query::<redis::Value>(redis);
    assert!(
        reply
            .as_ref()
            .is_err_and(|error| error.to_string().contains(words)),
        "{line}: {reply:?}"
    );
}

/// A command as it is written in `redis-cli`.
pub(crate) fn command(line: &str) -> redis::Cmd {
    let mut words = line.split(' ');
    let mut command = redis::cmd(words.next().unwrap_or_default());
    for word in words {
        command.arg(word);
    }
    command
}

/// Writes keys `PREFIX:0…` with one pipeline; `extra` follows the value, for example `PX 500`.
pub(crate) fn fill(redis: &mut Connection, prefix: &str, keys: u64, extra: &str) {
    let mut pipeline = redis::pipe();
    for n in 0..keys {
        let command = pipeline
            .cmd("SET")
            .arg(format!("{prefix}:{n}"))
            .arg("value");
        for word in extra.split_whitespace() {
            command.arg(word);
        }
    }
    pipeline.exec(redis).expect("keys are written");
}

/// Writes keys `PREFIX:0…` of so many bytes each, some at a time: buffers stay small.
pub(crate) fn fill_bytes(redis: &mut Connection, prefix: &str, keys: u64, bytes: usize) {
    let value = "x".repeat(bytes);
    for some in names(prefix, keys).chunks(50) {
        let mut pipeline = redis::pipe();
        for key in some {
            pipeline.cmd("SET").arg(key).arg(&value);
        }
        pipeline.exec(redis).expect("keys are written");
    }
}

/// Runs one command on every key `PREFIX:0…`, with one pipeline.
pub(crate) fn each(redis: &mut Connection, line: &str, prefix: &str, keys: u64) {
    let mut pipeline = redis::pipe();
    for n in 0..keys {
        pipeline.add_command(on(line, &format!("{prefix}:{n}")));
    }
    pipeline.exec(redis).expect("the commands run");
}

/// A command on a key; words after the first come behind the key.
pub(crate) fn on(line: &str, key: &str) -> redis::Cmd {
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut command = redis::cmd(name);
    command.arg(key);
    for word in rest.split_whitespace() {
        command.arg(word);
    }
    command
}

/// The names `PREFIX:0…`.
pub(crate) fn names(prefix: &str, keys: u64) -> Vec<String> {
    (0..keys).map(|n| format!("{prefix}:{n}")).collect()
}

/// A number of `INFO`.
pub(crate) fn info(redis: &mut Connection, field: &str) -> u64 {
    info_word(redis, field)
        .parse()
        .unwrap_or_else(|error| panic!("{field}: {error}"))
}

/// A word of `INFO`.
pub(crate) fn info_word(redis: &mut Connection, field: &str) -> String {
    let info: String = command("INFO ALL").query(redis).expect("INFO runs");
    let value = crate::words::field(&info, field);
    value
        .unwrap_or_else(|| panic!("no '{field}' in:\n{info}"))
        .to_owned()
}

/// Keys of the database that the client is in.
pub(crate) fn size(redis: &mut Connection) -> u64 {
    command("DBSIZE").query(redis).expect("DBSIZE runs")
}
