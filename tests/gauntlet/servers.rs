//! Which servers the gauntlet is run on.

use std::path::{Path, PathBuf};
use std::process::Command;

/// More servers, colon-separated paths.
const MORE: &str = "AMR_TOP_TEST_SERVERS";

/// Who made a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    Redis,
    Valkey,
}

/// A server that can be started.
#[derive(Clone, Debug)]
pub(crate) struct Binary {
    pub(crate) path: PathBuf,
    pub(crate) maker: Maker,
    pub(crate) version: (u32, u32, u32),
}

impl Binary {
    /// `redis-7.0.15`: also the folder of its scenario files.
    pub(crate) fn title(&self) -> String {
        let maker = match self.maker {
            Maker::Redis => "redis",
            Maker::Valkey => "valkey",
        };
        let (major, minor, patch) = self.version;
        format!("{maker}-{major}.{minor}.{patch}")
    }

    /// Whether it is a Valkey of this version or later.
    pub(crate) fn is_valkey_since(&self, major: u32) -> bool {
        self.maker == Maker::Valkey && self.version.0 >= major
    }

    /// Whether it is of this version or later, whoever made it.
    pub(crate) fn is_since(&self, major: u32, minor: u32) -> bool {
        (self.version.0, self.version.1) >= (major, minor)
    }

    fn ask(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let output = Command::new(path)
            .arg("--version")
            .output()
            .map_err(|error| format!("'{shown} --version' does not run: {error}"))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = said
            .split_whitespace()
            .find_map(|word| word.strip_prefix("v="));
        let mut numbers = version
            .unwrap_or_default()
            .split('.')
            .map_while(|number| number.parse().ok());
        let mut next = || numbers.next();
        let Some(version) = next().zip(next()).zip(next()) else {
            return Err(format!("'{shown} --version' tells no version: {said}"));
        };
        let version = (version.0.0, version.0.1, version.1);
        let maker = if said.contains("Valkey") {
            Maker::Valkey
        } else {
            Maker::Redis
        };
        Ok(Self {
            path: path.to_owned(),
            maker,
            version,
        })
    }
}

/// The servers that were found, and a sentence for each that was not.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) binaries: Vec<Binary>,
    pub(crate) missing: Vec<String>,
}

/// The required servers and those of the environment.
pub(crate) fn all() -> Found {
    let mut found = Found::default();
    for name in ["redis-server", "valkey-server"] {
        match on_path(name) {
            Some(path) => found.take(Binary::ask(&path)),
            None => found.missing.push(format!(
                "no '{name}' on PATH, and the gauntlet needs it: 'tests/run.sh' installs it"
            )),
        }
    }
    for path in std::env::split_paths(&std::env::var_os(MORE).unwrap_or_default()) {
        if !path.as_os_str().is_empty() {
            found.take(Binary::ask(&path).map_err(|why| format!("{MORE}: {why}")));
        }
    }
    found
}

impl Found {
    /// Two binaries of one version are one server.
    fn take(&mut self, asked: Result<Binary, String>) {
        match asked {
            Ok(binary) if self.binaries.iter().any(|b| b.title() == binary.title()) => {}
            Ok(binary) => self.binaries.push(binary),
            Err(why) => self.missing.push(why),
        }
    }
}

/// A program of `PATH`.
fn on_path(name: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|file| {
            file.metadata()
                .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        })
}
