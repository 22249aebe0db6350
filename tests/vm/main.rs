//! The tests on real virtual machines, one file a concern; they are also the
//! best examples of the library's use.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

/// What a caller can get wrong, and what a host can lack.
mod bad_input;
/// Conditions that must hold all the time, and sleep.
mod conditions;
/// Waiting for, reading and writing the serial console.
mod console;
/// The program `driver`: Python test scripts.
mod driver;
/// What is kept of tests that fail.
mod failure;
/// Every way in which a machine can die, or make its driver wait.
mod fault;
/// Into the guest and out of it.
mod files;
/// A guest that means harm.
mod hostile;
/// Sessions for people.
mod interact;
/// Keys and characters.
mod keyboard;
/// Start, connect, shutdown, crash, reboot, kept state, what is left behind.
mod lifecycle;
/// QEMU's two monitors, and its keys.
mod monitor;
/// Ports, sockets, cables.
mod network;
/// The trace page in a browser.
mod page;
/// What a run of the driver leaves.
mod report;
/// Pictures of the screen.
mod screen;
/// Commands: status, output, time-outs, standard input, floods.
mod shell;
/// Back to earlier moments.
mod snapshots;
/// Start scripts by hand, legacy and typed start commands.
mod start;
/// The image `systemd`.
mod systemd;
/// Templates and clones.
mod templates;
/// Virtual terminals.
mod terminal;
/// Reading the screen, and the pointer.
mod text;
/// systemd units and jobs, of the system and of users.
mod units;
/// The X server and its windows.
mod windows;
