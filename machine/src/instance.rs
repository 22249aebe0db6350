//! One QEMU, from spawn to exit.

pub(crate) mod arguments;
pub(crate) mod clone_agent;
mod diagnosis;
mod launch;
pub(crate) mod migration;
pub(crate) mod network_info;
pub(crate) mod saved_state;
