//! What a guest's programs print, turned into values. No I/O.

pub(crate) mod mounts;
pub(crate) mod network;
pub(crate) mod screen;
pub(crate) mod systemctl;
pub(crate) mod xwininfo;
