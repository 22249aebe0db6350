//! User namespaces, and directories as they are seen in one.

use std::ffi::CString;
use std::fs;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::fs::CWD;
use rustix::mount::{OpenTreeFlags, open_tree};
use sha2::{Digest as _, Sha256};

use super::process::Mount;

/// How many users and groups a namespace has.
pub(crate) const IDS: u32 = 1 << 16;

/// The ids of the host that systemd reserves for containers.
const RESERVED: std::ops::Range<u32> = 0x8_0000..0x7000_0000;

/// A user namespace whose users and groups have other ids on the host.
#[derive(Debug)]
pub(crate) struct UserNamespace {
    /// The id on the host of its root.
    pub(crate) first: u32,
    namespace: File,
}

impl UserNamespace {
    /// The namespace of a container: always with the same ids for the same name. Needs root.
    pub(crate) fn of(name: &str) -> io::Result<Self> {
        let sum = Sha256::digest(name);
        let number = u32::from_be_bytes([sum[0], sum[1], sum[2], sum[3]]);
        let ranges = (RESERVED.end - RESERVED.start) / IDS;
        let first = RESERVED.start + number % ranges * IDS;
        // The namespace needs a process until its file is open.
        let mut process = Command::new("unshare")
            .args(["--user", "--", "/bin/sh", "-c", "echo && read -r _"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let namespace = map(&mut process, first);
        drop(process.stdin.take());
        process.wait()?;
        Ok(Self {
            first,
            namespace: namespace?,
        })
    }

    /// The directory `source` as it is seen in the namespace, to be mounted at `target`.
    ///
    /// # Errors
    /// On kernels before 5.12, and for file systems that don't support it.
    pub(crate) fn mount(&self, source: &Path, target: CString) -> io::Result<Mount> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let tree = open_tree(CWD, source, flags)?;
        self.shift(&tree)?;
        Ok(Mount { tree, target })
    }

    #[expect(unsafe_code, reason = "a system call that neither libc nor rustix has")]
    fn shift(&self, tree: &OwnedFd) -> io::Result<()> {
        /// `struct mount_attr` of `mount_setattr(2)`.
        #[repr(C)]
        struct Attributes {
            set: u64,
            clear: u64,
            propagation: u64,
            user_namespace: u64,
        }
        const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;
        let attributes = Attributes {
            set: MOUNT_ATTR_IDMAP,
            clear: 0,
            propagation: 0,
            user_namespace: u64::from(self.namespace.as_raw_fd().unsigned_abs()),
        };
        // SAFETY: the path is a C string, and the length is that of the attributes.
        let result = unsafe {
            libc::syscall(
                libc::SYS_mount_setattr,
                tree.as_raw_fd(),
                c"".as_ptr(),
                libc::AT_EMPTY_PATH,
                &raw const attributes,
                size_of::<Attributes>(),
            )
        };
        if result == -1 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }
}

/// Gives the namespace of a process its ids, and opens it.
fn map(process: &mut Child, first: u32) -> io::Result<File> {
    let stdout = process.stdout.take();
    let stdout = stdout.ok_or_else(|| io::Error::other("a standard stream is missing"))?;
    if BufReader::new(stdout).read_line(&mut String::new())? == 0 {
        return Err(io::Error::other("user namespaces are not permitted"));
    }
    let dir = format!("/proc/{}", process.id());
    for map in ["uid_map", "gid_map"] {
        fs::write(format!("{dir}/{map}"), format!("0 {first} {IDS}"))?;
    }
    File::open(format!("{dir}/ns/user"))
}
