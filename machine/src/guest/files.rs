//! Files: into the guest and out of it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Guest;
use super::copy_dir::{COPY, MODES, Transfer};
use crate::error::{Error, ErrorKind, Result, tail};
use crate::host::guest_tree::LeftOut;

/// The scripts' parts of copies.
const COPY_IN: &str = include_str!("copy_in.sh");
const COPY_OUT: &str = include_str!("copy_out.sh");

/// Waiting for a file.
const FILE_EXISTS: &str = include_str!("file_exists.sh");
const LIST_NEAREST: &str = include_str!("list_nearest.sh");

/// The operation, in errors.
const COPYING: &str = "copying a file";

/// The special files that [`COPY_OUT`] has listed for this `$target`.
fn special_files<'a>(printed: &'a str, target: &str) -> impl Iterator<Item = &'a str> {
    let found = printed.rsplit_once(&format!("\n{target}\n"));
    found.map_or("", |(_, last)| last).lines()
}

/// # Files
///
/// Paths in the guest may hold anything but NUL: they are quoted.
impl Guest {
    /// Copies a file or directory of the host to `target` in the guest, or into it if that
    /// is a directory: through a directory that the host shares with this guest alone,
    /// mounted at `/run/vmwright/copies` by the first copy; in a guest or by a QEMU without
    /// 9p, as a tar archive through the root shell.
    ///
    /// The permissions are kept, the owner is root. Parent directories are created.
    /// Symbolic links in a directory are followed.
    ///
    /// # Errors
    /// [`HostFile`](ErrorKind::HostFile), [`Share`](ErrorKind::Share),
    /// [`GuestCopy`](ErrorKind::GuestCopy), [`TimedOut`](ErrorKind::TimedOut).
    pub async fn copy_from_host(&self, source: impl AsRef<Path>, target: &str) -> Result<()> {
        let source = source.as_ref();
        let step = format!("copying the host's {} to {target}", source.display());
        self.step(&step, async {
            let real = tokio::fs::canonicalize(source).await;
            let real = real.map_err(|error| self.host_file(source, error))?;
            // Only a path that ends in `..` has no file name.
            let name = self.file_name(source.file_name().map_or(&*real, |_| source))?;
            self.through_copy_dir(async |transfer| {
                self.host_half(source, transfer.copy_in(&real)).await?;
                self.send(source, transfer).await?;
                self.take_from_share(source, &name, target, transfer).await
            })
            .await
        })
        .await
    }

    /// The guest's half of a copy from the host.
    async fn take_from_share(
        &self,
        source: &Path,
        name: &str,
        target: &str,
        transfer: &mut Transfer,
    ) -> Result<()> {
        let script = self
            .script(COPYING)
            .set("target", target)?
            .set("parent", &parent(target))?
            .set("name", name)?
            .set("copy", &transfer.guest_path(COPY))?
            .set("modes", &transfer.guest_path(MODES))?
            .append(COPY_IN)
            .into_text();
        let from = source.to_string_lossy();
        let copied = self.copy_in_guest(&mut transfer.left, &script, &from, target);
        copied.await.map(drop)
    }

    /// Copies a file of the host to the file `target` in the guest through the root shell:
    /// slower than [`copy_from_host`](Self::copy_from_host), but without a shared
    /// directory. Of any size, in bounded memory.
    ///
    /// # Errors
    /// [`HostFile`](ErrorKind::HostFile); [`GuestCopy`](ErrorKind::GuestCopy);
    /// [`Shell`](ErrorKind::Shell) if the guest can't write the file.
    pub async fn copy_from_host_via_shell(
        &self,
        source: impl AsRef<Path>,
        target: &str,
    ) -> Result<()> {
        let source = source.as_ref();
        let step = format!(
            "copying the host's {} to {target} via the shell",
            source.display()
        );
        self.step(&step, async {
            let opened = open(source).await;
            let mut file = opened.map_err(|error| self.host_file(source, error))?;
            let make_parent = ["mkdir", "-p", "--", &parent(target)];
            let make_parent = self.command_line(COPYING, make_parent)?;
            let from = source.to_string_lossy();
            let mut left = self.limit();
            self.copy_in_guest(&mut left, &make_parent, &from, target)
                .await?;
            let written = self.write_via_shell(&step, target, &mut file, left);
            written.await.map(drop)
        })
        .await
    }

    /// Copies a file or directory of the guest into the host's directory `target_dir`,
    /// relative to the [output directory](crate::Builder::out_dir), and returns the path
    /// of the copy.
    ///
    /// Nothing in the guest can make the copy reach outside of that directory: symbolic
    /// links are kept if they lead to something inside of what is copied. Other links,
    /// devices, sockets and pipes are omitted, with a warning.
    ///
    /// # Errors
    /// [`GuestCopy`](ErrorKind::GuestCopy) if the guest has no such file, say;
    /// [`HostFile`](ErrorKind::HostFile), [`Share`](ErrorKind::Share);
    /// [`TimedOut`](ErrorKind::TimedOut) with the amount copied so far: the guest may
    /// create files without end.
    pub async fn copy_from_machine(
        &self,
        source: &str,
        target_dir: impl AsRef<Path>,
    ) -> Result<PathBuf> {
        let step = format!("copying {source} from the guest");
        self.step(&step, async {
            let name = self.file_name(Path::new(source))?;
            let target = self.out_dir().join(target_dir).join(&name);
            let omitted = self.through_copy_dir(async |transfer| {
                let in_share = transfer.guest_path(&name);
                let printed = self
                    .put_into_share(source, &in_share, &target, transfer)
                    .await?;
                self.receive(&name, &target, transfer).await?;
                let copied = transfer.copy_out(&name, &target);
                let mut omitted = self.host_half(&target, copied).await?;
                for path in special_files(&printed, &in_share) {
                    omitted.add(path.into());
                }
                Ok(omitted)
            });
            self.warn_of_omitted(source, &omitted.await?);
            Ok(target)
        })
        .await
    }

    /// The guest's half of a copy to the host. Returns the end of its output.
    async fn put_into_share(
        &self,
        source: &str,
        in_share: &str,
        target: &Path,
        transfer: &mut Transfer,
    ) -> Result<String> {
        let script = self
            .script(COPYING)
            .set("source", source)?
            .set("target", in_share)?
            .append(COPY_OUT)
            .into_text();
        let to = target.to_string_lossy();
        self.copy_in_guest(&mut transfer.left, &script, source, &to)
            .await
    }

    fn warn_of_omitted(&self, source: &str, omitted: &LeftOut) {
        for path in &omitted.first {
            tracing::warn!(
                machine = self.name(),
                "left out of {source}: {} (not a file, or a link to elsewhere)",
                serial_log::printable(&path.to_string_lossy())
            );
        }
        if omitted.more > 0 {
            let more = omitted.more;
            tracing::warn!(
                machine = self.name(),
                "left out of {source}: at least {more} more"
            );
        }
    }

    /// The former name of [`copy_from_machine`](Self::copy_from_machine).
    pub async fn copy_from_vm(
        &self,
        source: &str,
        target_dir: impl AsRef<Path>,
    ) -> Result<PathBuf> {
        self.copy_from_machine(source, target_dir).await
    }

    /// Waits until a file, or anything else, exists at `path` in the guest.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut) with a listing of its nearest existing parent
    /// directory.
    pub async fn wait_for_file(&self, path: &str) -> Result<()> {
        self.wait_for_path(path, "").await
    }

    /// The same for a word of the shell, which expands it as `test -e WORD` does: a path in
    /// quotes, with `~`, a pattern or a variable. A path that exists as it is written is
    /// found, too.
    ///
    /// # Errors
    /// As [`wait_for_file`](Self::wait_for_file).
    pub async fn wait_for_file_word(&self, word: &str) -> Result<()> {
        self.wait_for_path(word, word).await
    }

    async fn wait_for_path(&self, path: &str, word: &str) -> Result<()> {
        let doing = "waiting for a file";
        let what = format!("file {path}");
        let script = self.script(doing).set("path", path)?.set("word", word)?;
        let script = script.append(FILE_EXISTS);
        match self.wait_in_guest(&what, script, "it does not exist").await {
            Err(error) if error.is_timeout() => {
                let list = self.script(doing).set("path", path)?.append(LIST_NEAREST);
                Err(self
                    .with_output(error, "what there is", &list.into_text())
                    .await)
            }
            done => done,
        }
    }

    /// Runs the guest's half of a copy and returns the end of its output.
    pub(super) async fn copy_in_guest(
        &self,
        left: &mut Duration,
        script: &str,
        from: &str,
        to: &str,
    ) -> Result<String> {
        let (exit, output) = self.guest_half(left, script).await?;
        match exit {
            exit if exit.success() => Ok(String::from_utf8_lossy(output.as_ref()).into_owned()),
            exit if exit.is_timeout() => {
                self.copy_timed_out(&format!("{from} to be copied to {to}"))
                    .await
            }
            _ => Err(self.error(ErrorKind::GuestCopy {
                from: from.to_owned(),
                to: to.to_owned(),
                output: tail(output.as_ref()),
            })),
        }
    }

    fn file_name(&self, path: &Path) -> Result<String> {
        let wrong = match path.file_name().map(|name| name.to_str()) {
            Some(Some(name)) => return Ok(name.to_owned()),
            Some(None) => "ends in a name that is not UTF-8",
            None => "does not end in the name of a file",
        };
        Err(self.bad_argument(COPYING, format!("{} {wrong}", path.display())))
    }

    pub(super) fn host_file(&self, path: &Path, source: io::Error) -> Error {
        self.error(ErrorKind::HostFile {
            path: path.to_owned(),
            source,
        })
    }
}

/// Opens a regular file: opening a FIFO would wait for a writer.
async fn open(path: &Path) -> io::Result<tokio::fs::File> {
    if !tokio::fs::metadata(path).await?.is_file() {
        let kind = io::ErrorKind::InvalidInput;
        return Err(io::Error::new(kind, "it is not a file"));
    }
    tokio::fs::File::open(path).await
}

/// The parent directory of `path`, as the guest's `dirname` prints it.
fn parent(path: &str) -> String {
    match Path::new(path).parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_string_lossy().into_owned(),
        Some(_) => ".".to_owned(),
        None => "/".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_paths_are_special_files() {
        let listed = |printed| special_files(printed, "/to").collect::<Vec<_>>();
        assert_eq!(
            listed("cp: of /to\n\n/to\n./pipe\n./sub/disk\n"),
            ["./pipe", "./sub/disk"]
        );
        assert_eq!(listed("cp: of /to\n"), [""; 0]);
    }
}
