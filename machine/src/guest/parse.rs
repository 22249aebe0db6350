//! Parsers for the output of a guest's programs. No I/O.

pub(crate) mod mounts;
pub(crate) mod systemctl;
pub(crate) mod virtual_terminal;
pub(crate) mod xwininfo;
