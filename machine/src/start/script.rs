//! Start scripts.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::error::ErrorKind;
use crate::host::process::CommandSpec;

/// An executable named `run-NAME-vm` that starts QEMU by `exec`.
///
/// It passes its arguments and the words of `$QEMU_OPTS` to QEMU, works in its current
/// directory, keeps its disk in `${NIX_DISK_IMAGE:-./NAME.qcow2}`, and shares `$SHARED_DIR`
/// with the guest by 9p or virtiofs under the tag `shared`. Its environment contains `TMPDIR`,
/// `SHARED_DIR`, `USE_TMPDIR=1`, `VM_ACCEL` (`kvm` or `tcg`), and for each network N
/// `QEMU_VDE_SOCKET_N`, the socket of its `vde_switch`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartScript {
    path: PathBuf,
    args: Vec<OsString>,
}

impl StartScript {
    /// The start script at `path`, which is not read before the machine starts.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            args: Vec::new(),
        }
    }

    /// Additional arguments for QEMU, passed to the script.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// NAME in `run-NAME-vm`; `None` if the script's name has another form.
    pub fn machine_name(&self) -> Option<String> {
        let file = self.path.file_name()?.to_str()?;
        let name = file.strip_prefix("run-")?.strip_suffix("-vm")?;
        (!name.is_empty()).then(|| name.to_owned())
    }

    pub(crate) fn spec(&self) -> Result<CommandSpec, ErrorKind> {
        let missing = |source| ErrorKind::StartScript {
            path: self.path.clone(),
            source,
        };
        // Absolute, because the script is started in the state directory. Links are not
        // resolved, because the script's name contains the machine's name.
        let program = std::path::absolute(&self.path).map_err(missing)?;
        let metadata = program.metadata().map_err(missing)?;
        if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
            return Err(ErrorKind::NotExecutable { path: program });
        }
        Ok(CommandSpec {
            program: program.into(),
            args: self.args.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_in_the_file_name() {
        let name = |path: &str| StartScript::new(path).machine_name();
        assert_eq!(
            name("/nix/store/x-vm/bin/run-server-1-vm"),
            Some("server-1".to_owned())
        );
        assert_eq!(name("run--vm"), None);
        assert_eq!(name("/run-a-vm/start.sh"), None);
    }
}
