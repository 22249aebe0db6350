//! What a guest's programs print, turned into values. No I/O.

pub(crate) mod mounts;
pub(crate) mod systemctl;
pub(crate) mod virtual_terminal;
pub(crate) mod xwininfo;
