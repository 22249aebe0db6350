//! The number that ties an answer to its request.

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// Names one request; every frame that answers it carries the same number.
///
/// Whatever else arrives on the line (an earlier command's late output, a
/// kernel message, a program's imitation of the protocol) carries another or
/// none, and is not taken for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nonce(u64);

impl Nonce {
    /// How many characters a nonce takes on the line.
    pub(crate) const LEN: usize = 16;

    /// A number a guest can't guess: the standard library's hash keys are
    /// seeded by the operating system.
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
