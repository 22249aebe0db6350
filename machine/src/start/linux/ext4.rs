//! File systems made from trees, without privileges.

use std::fs::Metadata;
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use walkdir::WalkDir;

use super::tree::Attributes;
use crate::host::process::find_in_path;

/// The free space of a root, at least, in bytes. The file is sparse.
const FREE: u64 = 2 << 30;

/// The number of files that can be added.
const FREE_FILES: u64 = 1 << 16;

/// Makes the file system `image` from the tree `dir`, with the attributes in the guest that
/// `attributes` returns for a file's.
pub(super) fn make(
    dir: &Path,
    image: &Path,
    attributes: impl Fn(&Metadata) -> Attributes,
) -> io::Result<()> {
    let mut changes = Vec::new();
    let (mut size, mut files) = (0, 0);
    for entry in WalkDir::new(dir).sort_by_file_name() {
        let entry = entry?;
        let metadata = entry.metadata()?;
        size += metadata.blocks() * 512;
        files += 1;
        let path = entry.path().strip_prefix(dir).map_err(io::Error::other)?;
        change(&mut changes, path, &metadata, attributes(&metadata))?;
    }
    let mut mke2fs = Command::new(tool("mke2fs")?);
    mke2fs
        .args(["-q", "-F", "-t", "ext4", "-L", "root"])
        // The guest would do it in the background.
        .args(["-E", "lazy_itable_init=0,lazy_journal_init=0"])
        .args(["-N", &(files + FREE_FILES).to_string(), "-d"])
        .arg(dir)
        .arg(image)
        .arg(format!("{}k", (size + size / 4 + FREE) >> 10));
    run(mke2fs, &[])?;
    let mut debugfs = Command::new(tool("debugfs")?);
    debugfs.args(["-w", "-f", "-"]).arg(image);
    let printed = run(debugfs, &changes)?;
    // It prints its version, and goes on after errors.
    match printed.lines().find(|line| !line.starts_with("debugfs ")) {
        Some(line) => Err(io::Error::other(format!("debugfs printed: {line}"))),
        None => Ok(()),
    }
}

/// Adds commands of debugfs that give a file other attributes.
fn change(
    commands: &mut Vec<u8>,
    path: &Path,
    file: &Metadata,
    guest: Attributes,
) -> io::Result<()> {
    let path = path.as_os_str().as_bytes();
    let mut set = |field: &str, value: String| -> io::Result<()> {
        if path.contains(&b'\n') {
            return Err(io::Error::other("a file's name contains a line break"));
        }
        write!(commands, "set_inode_field \"/")?;
        // A quote is doubled.
        for byte in path {
            commands.extend(if *byte == b'"' {
                &b"\"\""[..]
            } else {
                std::slice::from_ref(byte)
            });
        }
        writeln!(commands, "\" {field} {value}")
    };
    if u64::from(file.uid()) != guest.uid {
        set("uid", guest.uid.to_string())?;
    }
    if u64::from(file.gid()) != guest.gid {
        set("gid", guest.gid.to_string())?;
    }
    if !file.is_symlink() && file.mode() & 0o7777 != guest.mode {
        set("mode", format!("0{:o}", file.mode() & !0o7777 | guest.mode))?;
    }
    Ok(())
}

/// A program of e2fsprogs, which is not in the path of every user.
fn tool(name: &str) -> io::Result<PathBuf> {
    let in_sbin = ["/usr/sbin", "/sbin"].map(|dir| Path::new(dir).join(name));
    let found = find_in_path(name).or_else(|| in_sbin.into_iter().find(|path| path.exists()));
    found.ok_or_else(|| {
        io::Error::other(format!(
            "{name} is missing: install Debian's package `e2fsprogs`, say"
        ))
    })
}

/// Runs a program that must succeed with this input, and returns what it prints to its
/// standard error.
fn run(mut command: Command, input: &[u8]) -> io::Result<String> {
    // Read from a file, so that the program can print meanwhile.
    let mut stdin = tempfile::tempfile()?;
    stdin.write_all(input)?;
    io::Seek::rewind(&mut stdin)?;
    command.stdin(stdin).stdout(Stdio::null());
    let output = command.output()?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        return Ok(stderr);
    }
    let program = command.get_program().display().to_string();
    Err(io::Error::other(format!("{program}: {}", stderr.trim())))
}
