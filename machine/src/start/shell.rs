//! Shell command lines as start commands.

use std::ffi::OsString;

use crate::host::process::CommandSpec;

/// A shell command line that starts QEMU. The driver appends arguments for QEMU. Example:
/// `qemu-system-x86_64 -m 512 -hda "$HOME/disk.qcow2"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellCommand {
    line: String,
}

impl ShellCommand {
    /// A command line, which is not parsed before the machine starts.
    pub fn new(line: impl Into<String>) -> Self {
        Self { line: line.into() }
    }

    pub(super) fn spec(&self) -> CommandSpec {
        let script = format!("{} \"$@\"", self.line);
        CommandSpec {
            program: "sh".into(),
            args: ["-c", &script, "sh"].map(OsString::from).to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn arguments_are_appended() {
        let spec = ShellCommand::new("X='a  b' && printf '<%s>' \"$X\" -m 1").spec();
        let output = Command::new(spec.program)
            .args(spec.args)
            .args(["-qmp", "unix:/a b"])
            .output()
            .unwrap();
        assert_eq!(output.stdout, b"<a  b><-m><1><-qmp><unix:/a b>");
    }
}
