//! The tests on real virtual machines, one file a concern; they are also the
//! best examples of the library's use.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

/// What a caller can get wrong, and what a host can lack.
mod bad_input;
/// Waiting for, reading and writing the serial console.
mod console;
/// Start, connect, shutdown, crash, reboot, kept state, what is left behind.
mod lifecycle;
/// QEMU's two monitors, and its keys.
mod monitor;
/// The end of QEMU under each operation.
mod qemu_dies;
/// Pictures of the screen.
mod screen;
/// Commands: status, output, time-outs, standard input, floods.
mod shell;
/// Start scripts by hand, legacy and typed start commands.
mod start;
/// The image `systemd`.
mod systemd;
