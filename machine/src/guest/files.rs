//! Files: into the guest and out of it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backdoor_shell::Exit;
use tokio::time::timeout;

use crate::error::{Error, ErrorKind, Result, tail};
use crate::guest::commands::shell_error;
use crate::guest::shared_dir::{COPY, MODES};
use crate::host::guest_tree::LeftOut;
use crate::machine::Machine;

/// Copies `$copy` to `$target`. Modes are set last: a file that was there already has its
/// own, else, and nothing can be copied into a directory that is not to be written.
const COPY_IN: &str = r#"
[[ ! $target || $target == /* ]] || target=./$target
cp -rT -- "$copy" "$target"
for mode in "$modes"/*; do
    if [[ -d $target ]]; then
        (cd -- "$target"; xargs -0 chmod "${mode##*/}" -- <"$mode")
    else
        chmod "${mode##*/}" -- "$target"
    fi
done"#;

/// Copies `$source` to `$target` in the share, readable to us, whoever we are.
/// Neither pipes nor sockets nor devices can be made there: it prints the first of those,
/// last, after a line with `$target`, and no more than is kept of what it prints.
const COPY_OUT: &str = r#"
[[ $source == /* ]] || source=./$source
if [[ -d $source ]]; then
    special=$(
        cd -- "$source"
        find . ! -type d ! -type f ! -type l | { head -c 500000; cat >/dev/null; }
    )
fi
if [[ ${special-} ]]; then
    mkdir -- "$target"
    cd -- "$source"
    find . -type d -exec mkdir -p -- "$target/{}" \;
    find . '(' -type f -o -type l ')' -exec cp -P --parents -t "$target" -- {} +
else
    cp -rH -- "$source" "$target"
fi
chmod -R u+rwX -- "$target"
[[ ! ${special-} ]] || printf '\n%s\n%s\n' "$target" "$special""#;

/// Those of [`COPY_OUT`], of what it has printed with this `$target`.
fn special_files<'a>(printed: &'a str, target: &str) -> impl Iterator<Item = &'a str> {
    let found = printed.rsplit_once(&format!("\n{target}\n"));
    found.map_or("", |(_, last)| last).lines()
}

/// Lists the last directory on the way to `$path` that is there, or to which a link leads.
const LIST_NEAREST: &str = r#"
[[ $path == /* ]] || path=$PWD/$path
until path=${path%/*}; [[ -d ${path:=/} ]]; do :; done
printf '%s:\n' "$path"
ls -lA -- "$path/" 2>&1 | head -n 40"#;

/// # Files
///
/// Paths in the guest may hold anything but NUL: they are quoted.
impl Machine {
    /// Copies a file or directory of the host's to `target` in the guest, or
    /// into it if that is a directory, through the shared directory, which is
    /// mounted if the guest has not.
    ///
    /// The permissions are kept, the owner is root. Directories on the way are
    /// made. Symbolic links in a directory are followed.
    ///
    /// # Errors
    /// [`HostFile`](ErrorKind::HostFile), [`Share`](ErrorKind::Share),
    /// [`GuestCopy`](ErrorKind::GuestCopy), [`TimedOut`](ErrorKind::TimedOut).
    pub async fn copy_from_host(&self, source: impl AsRef<Path>, target: &str) -> Result<()> {
        let source = source.as_ref();
        let step = format!("copying the host's {} to {target}", source.display());
        self.step(&step, async {
            let real = source.canonicalize();
            let real = real.map_err(|error| self.host_file(source, error))?;
            // Only what ends in `..` has no name of its own.
            let name = self.file_name(source.file_name().map_or(&*real, |_| source))?;
            let quote = |path| self.quote("copying a file", path);
            let parent = parent(target);
            let [to, into, in_place] = [quote(target)?, quote(&parent)?, quote(&name)?];
            self.through_share(async |passage| {
                self.host_half(source, passage.copy_in(&real)).await?;
                let script = format!(
                    "target={to}; copy={}; modes={}
                    mkdir -p -- {into}
                    if [[ -d $target ]]; then target=$target/{in_place}; fi
                    {COPY_IN}",
                    passage.guest_path(COPY),
                    passage.guest_path(MODES),
                );
                let from = source.to_string_lossy();
                self.copy_in_guest(&mut passage.left, &script, &from, target)
                    .await
                    .map(drop)
            })
            .await
        })
        .await
    }

    /// Copies a file of the host's to the file `target` in the guest through
    /// the root shell: slower than [`copy_from_host`](Self::copy_from_host), but
    /// without a shared directory. Of any size, in little memory.
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
            let opened = async {
                // To open a FIFO is to wait for whoever writes to it.
                if !tokio::fs::metadata(source).await?.is_file() {
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
                }
                tokio::fs::File::open(source).await
            };
            let mut file = opened
                .await
                .map_err(|error| self.host_file(source, error))?;
            let parent = self.quote("copying a file", &parent(target))?;
            let script = format!("mkdir -p -- {parent}");
            let from = source.to_string_lossy();
            let mut left = self.limit;
            self.copy_in_guest(&mut left, &script, &from, target)
                .await?;
            self.with_shell(&step, async |running, shell| {
                let write = timeout(left, shell.write_file(target, &mut file));
                let Ok(written) = write.await else {
                    let what = format!("{target} to be written");
                    let seen = "the guest does not take all of it";
                    return Err(self.timed_out(running, &what, 1, seen));
                };
                written.map_err(|source| shell_error(running, source))
            })
            .await
            .map(drop)
        })
        .await
    }

    /// Copies a file or directory of the guest's into the host's directory
    /// `target_dir`, relative to the [output directory](crate::Builder::out_dir),
    /// and gives where it is then.
    ///
    /// What the guest has there can do no harm: of symbolic links those are
    /// kept that lead to somewhere inside of what is copied; others, and
    /// devices, sockets and pipes, are left out, which is told of at WARN.
    ///
    /// # Errors
    /// [`GuestCopy`](ErrorKind::GuestCopy) if the guest has no such file, say;
    /// [`HostFile`](ErrorKind::HostFile), [`Share`](ErrorKind::Share);
    /// [`TimedOut`](ErrorKind::TimedOut) with how much was copied, if it takes longer than
    /// this handle waits: the guest may go on to make files.
    pub async fn copy_from_machine(
        &self,
        source: &str,
        target_dir: impl AsRef<Path>,
    ) -> Result<PathBuf> {
        let step = format!("copying {source} from the guest");
        self.step(&step, async {
            let name = self.file_name(Path::new(source))?;
            let target = self.out_dir().join(target_dir).join(&name);
            let quoted = |path: &str| self.quote("copying a file", path);
            let from = quoted(source)?;
            let left_out = self.through_share(async |passage| {
                let in_share = passage.guest_path(&name);
                let script = format!("source={from}; target={}\n{COPY_OUT}", quoted(&in_share)?);
                let to = target.to_string_lossy();
                let printed = self
                    .copy_in_guest(&mut passage.left, &script, source, &to)
                    .await?;
                let copied = passage.copy_out(&name, &target);
                let mut left_out = self.host_half(&target, copied).await?;
                for path in special_files(&printed, &in_share) {
                    left_out.add(path.into());
                }
                Ok(left_out)
            });
            self.tell_left_out(source, &left_out.await?);
            Ok(target)
        })
        .await
    }

    fn tell_left_out(&self, source: &str, left_out: &LeftOut) {
        for path in &left_out.first {
            tracing::warn!(
                machine = self.name(),
                "left out of {source}: {} (not a file, or a link to elsewhere)",
                serial_log::printable(&path.to_string_lossy())
            );
        }
        if left_out.more > 0 {
            let more = left_out.more;
            tracing::warn!(
                machine = self.name(),
                "left out of {source}: at least {more} more"
            );
        }
    }

    /// An older name for [`copy_from_machine`](Self::copy_from_machine).
    pub async fn copy_from_vm(
        &self,
        source: &str,
        target_dir: impl AsRef<Path>,
    ) -> Result<PathBuf> {
        self.copy_from_machine(source, target_dir).await
    }

    /// Waits until there is a file, or anything else, at `path` in the guest.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut) with what there is on the way to it.
    pub async fn wait_for_file(&self, path: &str) -> Result<()> {
        let quoted = self.quote("waiting for a file", path)?;
        let what = format!("file {path}");
        let test = format!("[[ -e {quoted} ]]");
        match self.wait_in_guest(&what, &test, "it does not exist").await {
            Err(error) if error.is_timeout() => {
                let list = format!("path={quoted}; {LIST_NEAREST}");
                Err(self.with_output(error, "what there is", &list).await)
            }
            done => done,
        }
    }

    /// Gives the last of what the script prints.
    async fn copy_in_guest(
        &self,
        left: &mut Duration,
        script: &str,
        from: &str,
        to: &str,
    ) -> Result<String> {
        let (exit, output) = self.guest_half(left, script).await?;
        match exit {
            Exit::Status(0) => Ok(String::from_utf8_lossy(output.as_ref()).into_owned()),
            Exit::TimedOut => Err(self.copy_timed_out(&format!("{from} to be copied to {to}"))),
            Exit::Status(_) => Err(self.error(ErrorKind::GuestCopy {
                from: from.to_owned(),
                to: to.to_owned(),
                output: tail(output.as_ref()),
            })),
        }
    }

    fn file_name(&self, path: &Path) -> Result<String> {
        let name = path.file_name().and_then(|name| name.to_str());
        name.map(str::to_owned).ok_or_else(|| {
            let reason = format!("{} does not end in the name of a file", path.display());
            self.bad_argument("copying a file", reason)
        })
    }

    pub(crate) fn host_file(&self, path: &Path, source: io::Error) -> Error {
        self.error(ErrorKind::HostFile {
            path: path.to_owned(),
            source,
        })
    }
}

/// The directory that holds `path`, as the guest's `dirname` would say it.
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
    fn what_others_print_is_no_special_file() {
        let listed = |printed| special_files(printed, "/to").collect::<Vec<_>>();
        assert_eq!(
            listed("cp: of /to\n\n/to\n./pipe\n./sub/disk\n"),
            ["./pipe", "./sub/disk"]
        );
        assert_eq!(listed("cp: of /to\n"), [""; 0]);
    }
}
