//! The tests on real virtual machines, one file for each concern. They also serve as examples
//! of the library's use.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

/// Invalid arguments of callers, and missing resources of the host.
mod bad_input;
/// Polling conditions, and sleep.
mod conditions;
/// Waiting for, reading and writing the serial console.
mod console;
/// Containers: life, root shell, console, networks.
mod container;
/// The program `driver`: Python test scripts.
mod driver;
/// The evidence of failed tests.
mod failure;
/// The faults that can end a machine or block its driver.
mod fault;
/// Copying files into the guest and out of it.
mod files;
/// The guide to a first test.
mod first_test;
/// Unmodified guests: cloud images and disks.
mod guests;
/// Malicious guests.
mod hostile;
/// Interactive sessions.
mod interact;
/// Keys and typed characters.
mod keyboard;
/// Start, connect, shutdown, crash, reboot, kept state, clean-up.
mod lifecycle;
/// Machines that start from a kernel.
mod linux;
/// QEMU's two monitors, and key names.
mod monitor;
/// Ports, sockets, network links.
mod network;
/// The trace page in a browser.
mod page;
/// The trace page and the XML log of a run of the driver.
mod report;
/// Screenshots.
mod screen;
/// Commands: status, output, time-outs, standard input, floods.
mod shell;
/// Saving and restoring snapshots.
mod snapshots;
/// Start scripts, legacy and typed start commands.
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
/// The program `vmwright`: commands in fresh machines.
mod vmwright;
/// The X server and its windows.
mod windows;
