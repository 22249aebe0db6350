//! Exit statuses. All others are the command's own.

/// `vmwright` itself failed.
pub(crate) const FAILED: u8 = 125;

/// The text of `--help`. The guest's shell returns 126 and 127: see `command.sh`.
pub(crate) const HELP: &str = "\
Exit status:
  125   vmwright failed: the command line, the machine, a copy
  126   the command can't be executed
  127   the command was not found
  128+N signal N ended the command, or vmwright
  else  the command's own";

/// The status of a process that a signal has ended.
pub(crate) fn of_signal(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(FAILED)
}
