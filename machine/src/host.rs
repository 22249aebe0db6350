//! The host: directories, processes, networks, the accelerator and the terminal.

pub(crate) mod accelerator;
pub(crate) mod blocking;
pub(crate) mod cache_dir;
pub(crate) mod cgroup;
pub(crate) mod completion;
pub(crate) mod file_sums;
pub(crate) mod files;
pub(crate) mod guest_tree;
pub(crate) mod leader;
pub(crate) mod orphan_cleanup;
pub(crate) mod own_namespace;
pub(crate) mod process;
pub(crate) mod qemu_img;
pub(crate) mod qemu_option;
pub(crate) mod relative_path;
pub(crate) mod root_dir;
pub(crate) mod sha256;
pub(crate) mod sockets;
pub(crate) mod sparse;
pub(crate) mod state_dir;
pub(crate) mod terminal;
pub(crate) mod tmp_dir;
pub(crate) mod user_namespace;
pub(crate) mod vlan;
