//! Errors of containers that can't be started.

use crate::error::ErrorKind;

/// The error of a host that can't run the container.
pub(super) fn cannot(reason: impl Into<String>) -> ErrorKind {
    ErrorKind::Container {
        reason: reason.into(),
    }
}

pub(super) fn wrong(reason: impl Into<String>) -> ErrorKind {
    ErrorKind::BadArgument {
        doing: "a container".to_owned(),
        reason: reason.into(),
    }
}
