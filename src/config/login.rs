//! Who we say we are: to the servers, and to Sentinels where that differs.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use super::resolve::read;
use super::target::Target;
use super::{Auth, ConfigError};
use crate::cli::Login;

/// The environment variables that this program reads.
#[derive(Default)]
pub struct Environment {
    pub(super) amr_top_password: Option<OsString>,
    pub(super) rediscli_auth: Option<OsString>,
    pub(super) amr_top_sentinel_password: Option<OsString>,
}

impl Environment {
    /// Reads them.
    pub fn read() -> Self {
        Self {
            amr_top_password: std::env::var_os("AMR_TOP_PASSWORD"),
            rediscli_auth: std::env::var_os("REDISCLI_AUTH"),
            amr_top_sentinel_password: std::env::var_os("AMR_TOP_SENTINEL_PASSWORD"),
        }
    }

    /// The password, if one is set and not empty.
    pub(super) fn password(&self) -> Result<Option<String>, ConfigError> {
        first_set(&[
            ("AMR_TOP_PASSWORD", &self.amr_top_password),
            ("REDISCLI_AUTH", &self.rediscli_auth),
        ])
    }

    /// That of Sentinels, likewise.
    fn sentinel_password(&self) -> Result<Option<String>, ConfigError> {
        let name = "AMR_TOP_SENTINEL_PASSWORD";
        first_set(&[(name, &self.amr_top_sentinel_password)])
    }
}

fn first_set(
    variables: &[(&'static str, &Option<OsString>)],
) -> Result<Option<String>, ConfigError> {
    for (name, value) in variables {
        match value {
            Some(value) if !value.is_empty() => {
                return match value.to_str() {
                    Some(text) => Ok(Some(text.to_owned())),
                    None => Err(ConfigError::NotText(name)),
                };
            }
            _ => {}
        }
    }
    Ok(None)
}

/// The first password found: URL, file, prompt, environment.
pub(super) fn auth(
    target: &Target,
    login: &Login,
    environment: &Environment,
    ask: impl FnOnce(&str) -> io::Result<String>,
) -> Result<Auth, ConfigError> {
    let user = target.auth.user.clone().or_else(|| login.user.clone());
    let password = if let Some(password) = &target.auth.password {
        Some(password.clone())
    } else if let Some(file) = &login.password_file {
        Some(first_line(file)?)
    } else if login.ask_pass {
        let place = &target.endpoint;
        let prompt = match &user {
            Some(user) => format!("Password of {user} for {place}: "),
            None => format!("Password for {place}: "),
        };
        Some(ask(&prompt).map_err(ConfigError::Prompt)?).filter(|text| !text.is_empty())
    } else {
        environment.password()?
    };
    checked(user, password)
}

/// A user without a password cannot log in.
fn checked(user: Option<String>, password: Option<String>) -> Result<Auth, ConfigError> {
    match (user, password) {
        (Some(user), None) => Err(ConfigError::NoPassword(user)),
        (user, password) => Ok(Auth { user, password }),
    }
}

/// What Sentinels are told, where that is not what servers are told.
pub(super) fn auth_of_sentinels(
    login: &Login,
    environment: &Environment,
) -> Result<Option<Auth>, ConfigError> {
    let user = login.sentinel_user.clone();
    let password = match &login.sentinel_password_file {
        Some(file) => Some(first_line(file)?),
        None => environment.sentinel_password()?,
    };
    let auth = checked(user, password)?;
    Ok(Some(auth).filter(|auth| *auth != Auth::default()))
}

fn first_line(file: &Path) -> Result<String, ConfigError> {
    let bytes = read(file)?;
    let text = String::from_utf8(bytes).map_err(|_| ConfigError::Unreadable {
        path: file.into(),
        source: io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"),
    })?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(ConfigError::EmptyPasswordFile(file.into())),
    }
}

/// Whether something was said for Sentinels alone.
pub(super) fn is_for_sentinels(login: &Login) -> bool {
    login.sentinel_user.is_some() || login.sentinel_password_file.is_some()
}
