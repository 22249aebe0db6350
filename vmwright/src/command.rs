//! The scripts that run a command in a guest.

use anyhow::{Context as _, Result};

use crate::cli::MachineFlags;
use crate::environment;

/// Defines the function that becomes the command.
const RUN: &str = include_str!("command.sh");

/// Runs that function at the virtio ports.
const STREAMS: &str = include_str!("streams.sh");

/// A command in a guest, as the bash that sets the variables and arguments of the scripts.
#[derive(Debug)]
pub(crate) struct GuestCommand(String);

impl GuestCommand {
    /// The command of `words`, or a shell if there are none.
    ///
    /// # Errors
    /// A text contains NUL.
    pub(crate) fn new(flags: &MachineFlags, words: &[String]) -> Result<Self> {
        let directory = environment::directory(flags)?;
        let program = words.first().map_or("", String::as_str);
        let needs_tmp = environment::needs_tmp(directory.as_deref(), program);
        let mut exports = Vec::new();
        for (name, value) in environment::variables(flags)? {
            exports.push(format!("    export {name}={}\n", quoted(&value)?));
        }
        let words: Vec<String> = words
            .iter()
            .map(|word| quoted(word))
            .collect::<Result<_>>()?;
        let script = format!(
            "set +eu\nset_environment() {{\n    :\n{}}}\ndirectory={} needs_tmp={}\nset -- {}\n",
            exports.concat(),
            quoted(&directory.unwrap_or_default())?,
            if needs_tmp { "1" } else { "" },
            if words.is_empty() {
                "\"$BASH\"".to_owned()
            } else {
                words.join(" ")
            },
        );
        Ok(Self(script + RUN))
    }

    /// The script for a terminal.
    pub(crate) fn on_terminal(&self) -> String {
        format!("{}run \"$@\"\n", self.0)
    }

    /// The script for the ports of `streams.rs`; each stream to the host ends with `end`, which
    /// is a text for printf.
    pub(crate) fn on_ports(&self, end: &str) -> String {
        format!("{}end='{end}'\n{STREAMS}", self.0)
    }
}

fn quoted(word: &str) -> Result<String> {
    let quoted = machine::quote(word).context("passing a text to the guest")?;
    Ok(quoted.into_owned())
}
