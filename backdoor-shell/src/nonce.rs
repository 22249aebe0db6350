//! The random number that links an answer to its request.

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// Identifies a request. Every frame that answers it carries the same number.
///
/// Everything else on the line (late output of an earlier command, kernel messages, programs
/// that imitate the protocol) carries another number or none, and is not part of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nonce(u64);

impl Nonce {
    /// The length of an encoded nonce.
    pub(crate) const LEN: usize = 16;

    /// Creates a number that a guest can't guess: the operating system seeds the standard
    /// library's hash keys.
    pub fn random() -> Self {
        Self(RandomState::new().build_hasher().finish())
    }
}

impl From<u64> for Nonce {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$x}", self.0, width = Self::LEN)
    }
}
