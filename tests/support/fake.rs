//! Servers that a real one cannot be made to be: old, foreign, broken.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// What a fake does with one question.
pub enum Act {
    /// Sends this and waits for the next question.
    Say(Vec<u8>),
    /// Sends this and hangs up.
    SayAndHangUp(Vec<u8>),
    /// Keeps the connection and says nothing more, whatever comes.
    Silence,
}

/// A bulk string of the protocol.
pub fn bulk(text: &str) -> Act {
    Act::Say(format!("${}\r\n{text}\r\n", text.len()).into_bytes())
}

/// An error of the protocol.
pub fn error(words: &str) -> Act {
    Act::Say(format!("-{words}\r\n").into_bytes())
}

/// A question: the number of the connection, from 0, and the words.
pub type Question = (usize, Vec<String>);

/// A server on a free port that counts what it is asked.
pub struct Fake {
    pub port: u16,
    asked: Arc<Mutex<Vec<Question>>>,
}

impl Fake {
    /// Answers every question with `reply(connection, words)`.
    pub fn answering(reply: impl Fn(usize, &[&str]) -> Act + Send + Sync + 'static) -> Self {
        let asked = Arc::<Mutex<Vec<Question>>>::default();
        let log = Arc::clone(&asked);
        let reply = Arc::new(reply);
        Self {
            port: listen(move |number, stream| {
                let (log, reply) = (Arc::clone(&log), Arc::clone(&reply));
                let _ = converse(stream, |words| {
                    lock(&log).push((number, words.to_vec()));
                    let words: Vec<&str> = words.iter().map(String::as_str).collect();
                    reply(number, &words)
                });
            }),
            asked,
        }
    }

    /// Says this to whoever connects, before any question, and hangs up.
    pub fn greeting(words: &'static [u8]) -> Self {
        Self {
            port: listen(move |_, mut stream| {
                let _ = stream.write_all(words);
            }),
            asked: Arc::default(),
        }
    }

    /// Says this after the first bytes of a question, whatever they are.
    pub fn blurting(words: &'static [u8], then_hang_up: bool) -> Self {
        Self {
            port: listen(move |_, mut stream| {
                let mut some = [0u8; 4096];
                let _ = stream.read(&mut some);
                let _ = stream.write_all(words);
                while !then_hang_up && stream.read(&mut some).is_ok_and(|n| n > 0) {}
            }),
            asked: Arc::default(),
        }
    }

    /// What was asked so far, words joined with blanks.
    pub fn asked(&self) -> Vec<(usize, String)> {
        let asked = lock(&self.asked);
        let joined = asked.iter().map(|(n, words)| (*n, words.join(" ")));
        joined.collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The listener lives as long as the test process; threads end with their connections.
fn listen(serve: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(number, stream));
        }
    });
    port
}

fn converse(stream: TcpStream, mut reply: impl FnMut(&[String]) -> Act) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    let mut silent = false;
    loop {
        let Some(words) = question(&mut reader)? else {
            return Ok(());
        };
        match reply(&words) {
            Act::Say(bytes) if !silent => writer.write_all(&bytes)?,
            Act::SayAndHangUp(bytes) if !silent => return writer.write_all(&bytes),
            _ => silent = true,
        }
    }
}

fn question(reader: &mut impl BufRead) -> std::io::Result<Option<Vec<String>>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let count: usize = number(&line, '*')?;
    (0..count)
        .map(|_| {
            line.clear();
            reader.read_line(&mut line)?;
            let mut word = vec![0; number(&line, '$')? + 2];
            reader.read_exact(&mut word)?;
            word.truncate(word.len() - 2);
            Ok(String::from_utf8_lossy(&word).into_owned())
        })
        .collect::<std::io::Result<_>>()
        .map(Some)
}

fn number(line: &str, mark: char) -> std::io::Result<usize> {
    line.trim()
        .strip_prefix(mark)
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| std::io::Error::other(format!("not a request: {line:?}")))
}
