//! Names of systemd units.

use std::fmt;

/// A systemd unit of the system manager or of a user's service manager.
///
/// A `&str` or `String` converts to a unit of the system manager:
///
/// ```
/// # use machine::Unit;
/// let system: Unit = "nginx.service".into();
/// let of_alice = Unit::of_user("alice", "pipewire.service");
/// assert_eq!(of_alice.to_string(), "pipewire.service of user alice");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    name: String,
    user: Option<String>,
}

impl Unit {
    /// A unit of `user`'s service manager, which runs only if the user is logged in or
    /// lingering is enabled.
    pub fn of_user(user: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            user: Some(user.into()),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The user, unless it is a unit of the system manager.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }
}

impl<T: Into<String>> From<T> for Unit {
    fn from(name: T) -> Self {
        Self {
            name: name.into(),
            user: None,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.user {
            Some(user) => write!(f, "{} of user {user}", self.name),
            None => f.write_str(&self.name),
        }
    }
}
