//! Signs of trouble that a machine shows.

use std::fmt;

/// What [`Trouble::name`] is when the guest's kernel has panicked.
pub(crate) const PANIC: &str = "kernel panic";

/// How a sign of trouble affects a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Meaning {
    /// The next error mentions it.
    Noted,
    /// The guest is dead: every operation that waits for it fails at once.
    Ends,
    /// The guest is probably dead: every operation that waits for it fails, unless the
    /// guest shows within five seconds that it is alive.
    EndsIfSilent,
}

/// A sign of trouble that a machine has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trouble {
    /// The kind of trouble, such as `out of memory`.
    pub name: String,
    /// The first console line that shows it, safe to print; or the report of whatever runs
    /// the guest.
    pub line: String,
    /// How many times it was seen.
    pub count: u32,
    /// Whether whatever runs the guest has failed, which is not the guest's fault.
    pub(crate) is_infrastructure: bool,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name, line, count, ..
        } = self;
        match count {
            1 => write!(f, "{name}: {line}"),
            _ => write!(f, "{name} ({count} times): {line}"),
        }
    }
}
