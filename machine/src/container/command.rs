//! What a container is started from.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use super::permission;
use super::refusal::{cannot, wrong};
use super::root::Root;
use crate::error::ErrorKind;
use crate::host::own_namespace::OwnNamespace;
use crate::host::process::{CommandSpec, find_in_path};
use crate::start::{RootArchive, StartScript, is_host_name};

/// The programs that every container needs, and Debian's packages of them.
const PROGRAMS: [(&str, &str); 3] = [
    ("systemd-nspawn", "systemd-container"),
    ("nsenter", "util-linux"),
    ("unshare", "util-linux"),
];

/// Arguments of systemd by which the console shows the journal, as a machine's serial console
/// shows its kernel's log.
const JOURNALD: [&str; 2] = [
    "systemd.journald.forward_to_console=1",
    "systemd.journald.max_level_console=info",
];

/// How a container is started.
///
/// ```
/// use machine::ContainerCommand;
///
/// let web = ContainerCommand::new("web")
///     .root_dir("/srv/debian")
///     .args(["--bind-ro=/srv/site"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerCommand {
    name: String,
    root: Root,
    args: Vec<OsString>,
}

impl ContainerCommand {
    /// A container of this name, which is also its host name, with `-` for `_`. It needs a root.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            root: Root::Missing,
            args: Vec::new(),
        }
    }

    /// The directory of a Linux system with systemd and bash: unpacked by `mmdebstrap`,
    /// `debootstrap` or `dnf --installroot`, say.
    ///
    /// It must belong to root: in a user namespace, to root of that.
    ///
    /// Nothing is written to it, so any number of containers may have the same: changes go to
    /// the container's [state directory](crate::Guest::state_dir), or to memory if that is on a
    /// file system that can't be used so.
    #[must_use]
    pub fn root_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.root = Root::Dir(dir.into());
        self
    }

    /// The contents of a tar archive, which may be compressed by gzip, xz or zstd; as with
    /// [`root_dir`](Self::root_dir).
    ///
    /// It is unpacked once for each version, in `$XDG_CACHE_HOME/vmwright/roots`. Devices are
    /// only accepted in `/dev`, and omitted. Extended attributes are not kept.
    #[must_use]
    pub fn root_tar(mut self, archive: impl Into<PathBuf>) -> Self {
        self.root = Root::Archive(RootArchive::Tar(archive.into()));
        self
    }

    /// The container image in an OCI layout, a directory as by `skopeo copy … oci:DIR`, for
    /// amd64; as with [`root_tar`](Self::root_tar). It needs systemd and bash, which most images
    /// lack; its configuration (command, user, variables) has no effect.
    #[must_use]
    pub fn oci_layout(mut self, dir: impl Into<PathBuf>) -> Self {
        self.root = Root::Archive(RootArchive::Oci(dir.into()));
        self
    }

    /// A start script, which makes the root directory and executes systemd-nspawn, as NixOS
    /// makes them: `run-NAME-nspawn`.
    ///
    /// Its environment has `RUN_NSPAWN_ROOT_DIR`, an empty directory for the root,
    /// `RUN_NSPAWN_SHARED_DIR`, the [directory](crate::Guest::shared_dir) for `/tmp/shared`, and
    /// `NOTIFY_SOCKET`. It must pass its arguments on to systemd-nspawn. It runs in network and
    /// mount namespaces of its own: bridges and network cards that it creates are not those of
    /// the host. A bridge `brN` is connected to the network of that number.
    #[must_use]
    pub fn start_script(mut self, path: impl Into<PathBuf>) -> Self {
        self.root = Root::Script(StartScript::new(path));
        self
    }

    /// Additional options of systemd-nspawn.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// The container's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a start script creates the container's network cards.
    pub(super) fn is_script(&self) -> bool {
        matches!(self.root, Root::Script(_))
    }

    pub(super) fn host_name(&self) -> String {
        self.name.replace('_', "-")
    }

    pub(super) fn check_name(&self) -> Result<(), ErrorKind> {
        if is_host_name(&self.host_name()) {
            return Ok(());
        }
        Err(wrong(format!(
            "its name is its host name: at most 63 letters, digits, `-` and `.`, not {:?}",
            self.name
        )))
    }

    /// Checks that this process can run containers, in its user namespace, which is returned.
    pub(super) fn check_host() -> Result<OwnNamespace, ErrorKind> {
        let namespace = permission::check()?;
        for (program, package) in PROGRAMS {
            require_program(program, package)?;
        }
        Ok(namespace)
    }

    /// The directory that the container's root begins with; none for a start script.
    pub(super) async fn lower(&self) -> Result<Option<PathBuf>, ErrorKind> {
        self.root.lower().await
    }

    /// The command that starts systemd-nspawn with its root in `root`, this value of
    /// `--private-users`, and `options`.
    pub(super) fn spec(
        &self,
        root: &Path,
        users: &str,
        options: impl IntoIterator<Item = OsString>,
    ) -> Result<CommandSpec, ErrorKind> {
        if let Root::Script(script) = &self.root {
            let options = options.into_iter().chain(self.args.iter().cloned());
            return script.clone().args(options).spec();
        }
        let host_name = self.host_name();
        let words = [
            "--quiet",
            "--boot",
            // The host's systemd need not run.
            "--register=no",
            "--keep-unit",
            "--private-network",
            // No files of the host are used.
            "--link-journal=no",
            "--resolv-conf=off",
            "--timezone=off",
        ];
        let mut args = words.map(OsString::from).to_vec();
        args.extend([
            format!("--machine={host_name}").into(),
            format!("--hostname={host_name}").into(),
            format!("--private-users={users}").into(),
            option("--directory=", root),
        ]);
        args.extend(options);
        args.extend(self.args.iter().cloned());
        // Arguments of systemd.
        args.push(format!("systemd.hostname={host_name}").into());
        args.extend(JOURNALD.map(Into::into));
        Ok(CommandSpec {
            program: "systemd-nspawn".into(),
            args,
        })
    }
}

/// An option that mounts a file or directory of the host.
pub(super) fn bind(option: &str, source: &Path, target: &str) -> OsString {
    let mut escaped = Vec::new();
    for &byte in source.as_os_str().as_bytes() {
        if matches!(byte, b':' | b'\\') {
            escaped.push(b'\\');
        }
        escaped.push(byte);
    }
    let mut word = self::option(option, OsString::from_vec(escaped));
    word.push(":");
    word.push(target);
    word
}

fn option(option: &str, value: impl AsRef<OsStr>) -> OsString {
    let mut word = OsString::from(option);
    word.push(value);
    word
}

pub(super) fn require_program(program: &str, package: &str) -> Result<(), ErrorKind> {
    match find_in_path(program) {
        Some(_) => Ok(()),
        None => Err(cannot(format!(
            "{program} is not in PATH (Debian's package {package} has it)"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colons_in_paths_are_escaped() {
        let word = bind("--bind=", Path::new("/a:b\\c"), "/tmp/shared");
        assert_eq!(word, "--bind=/a\\:b\\\\c:/tmp/shared");
    }

    #[test]
    fn a_name_is_a_host_name() {
        let check = |name: &str| ContainerCommand::new(name).check_name();
        check("client_1").unwrap();
        let error = check(&"n".repeat(64)).unwrap_err().to_string();
        assert!(error.contains("at most 63"), "{error}");
    }
}
