//! Control groups: where each container manages its own processes.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;
use walkdir::WalkDir;

use crate::error::ErrorKind;
use crate::host::orphan_cleanup::OrphanCleanup;

/// The file by which the processes of a group of version 1 are frozen.
const FREEZER: &str = "freezer.state";

/// How an ordinary user runs a command in a control group of the user's own.
pub(crate) const BY_USER: &str = "systemd-run --user --scope --property=Delegate=yes --";

/// A new control group in that of this process, in each hierarchy of the host: cgroup v2, v1
/// or both.
///
/// A container's systemd manages the group in which it is started as if no other did, so two
/// containers must not share one. The groups are removed on drop, or when this process is
/// killed; their processes must be killed before.
#[derive(Debug)]
pub(crate) struct Cgroup {
    dirs: Vec<PathBuf>,
    orphan_cleanup: OrphanCleanup,
}

impl Cgroup {
    /// Creates it. Hierarchies that are read-only are left out, but not all may be.
    pub(crate) fn create(name: &str) -> Result<Self, ErrorKind> {
        let [cgroups, mounts] = ["/proc/self/cgroup", "/proc/self/mountinfo"].map(read);
        let unique = format!("vmwright-{name}-{}", Uuid::new_v4().simple());
        let own = own_dirs(&cgroups?, &mounts?);
        let dirs: Vec<PathBuf> = own.into_iter().map(|dir| dir.join(&unique)).collect();
        // First, so that the groups never exist without it.
        let orphan_cleanup = OrphanCleanup::remove_cgroups(&dirs);
        let orphan_cleanup = orphan_cleanup.map_err(|source| ErrorKind::Spawn {
            program: "/bin/sh".into(),
            source,
        })?;
        let mut created = Vec::new();
        let mut is_denied = false;
        for dir in dirs {
            match fs::create_dir(&dir) {
                Ok(()) => created.push(dir),
                Err(error) => is_denied |= error.kind() == io::ErrorKind::PermissionDenied,
            }
        }
        if created.is_empty() {
            let reason = if is_denied {
                format!(
                    "that of the test belongs to another user. Run the test by `{BY_USER} COMMAND`"
                )
            } else {
                "/sys/fs/cgroup is not mounted, or is read-only".to_owned()
            };
            return Err(ErrorKind::Container {
                reason: format!(
                    "it needs a control group of its own, and can create none: {reason}"
                ),
            });
        }
        Ok(Self {
            dirs: created,
            orphan_cleanup,
        })
    }

    /// Continues what is frozen: with control groups of version 1, a frozen process does not
    /// end when it is killed.
    pub(crate) fn thaw(&self) {
        for dir in &self.dirs {
            if !dir.join(FREEZER).exists() {
                continue;
            }
            for entry in WalkDir::new(dir).into_iter().flatten() {
                // A group may be removed meanwhile.
                let _ = fs::write(entry.path().join(FREEZER), "THAWED");
            }
        }
    }

    /// Whether all hierarchies are of version 2.
    pub(crate) fn is_version_2(&self) -> bool {
        let mut dirs = self.dirs.iter();
        dirs.all(|dir| dir.join("cgroup.controllers").exists())
    }

    /// Its directories, one in each hierarchy. A process that writes its id to `cgroup.procs`
    /// there is moved to it.
    pub(crate) fn dirs(&self) -> impl Iterator<Item = &OsStr> {
        self.dirs.iter().map(|dir| dir.as_os_str())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        self.orphan_cleanup.run();
    }
}

fn read(path: &str) -> Result<String, ErrorKind> {
    fs::read_to_string(path).map_err(|source| ErrorKind::HostFile {
        path: path.into(),
        source,
    })
}

/// The directories of this process's control groups: cgroups(7) has the lines of
/// `/proc/self/cgroup`, proc(5) those of `/proc/self/mountinfo`.
fn own_dirs(cgroups: &str, mounts: &str) -> Vec<PathBuf> {
    let mounts: Vec<Mount<'_>> = mounts.lines().filter_map(Mount::parse).collect();
    let own = cgroups.lines().filter_map(|line| {
        let (_, line) = line.split_once(':')?;
        let (controllers, path) = line.split_once(':')?;
        let mount = mounts.iter().find(|mount| mount.has(controllers))?;
        let below = Path::new(path).strip_prefix(mount.root).ok()?;
        Some(Path::new(mount.point).join(below))
    });
    own.collect()
}

/// A mounted hierarchy.
struct Mount<'a> {
    /// What is mounted: a group of the hierarchy.
    root: &'a str,
    point: &'a str,
    is_v2: bool,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (mount, system) = line.split_once(" - ")?;
        let mut words = mount.split(' ').skip(3);
        let (root, point) = (words.next()?, words.next()?);
        let mut words = system.split(' ');
        let (kind, options) = (words.next()?, words.next_back()?);
        kind.starts_with("cgroup").then_some(Self {
            root,
            point,
            is_v2: kind == "cgroup2",
            options,
        })
    }

    /// Whether it has these controllers, as `/proc/self/cgroup` lists them; none in v2.
    fn has(&self, controllers: &str) -> bool {
        let mut wanted = controllers.split(',');
        match controllers {
            "" => self.is_v2,
            _ => !self.is_v2 && wanted.all(|name| self.options.split(',').any(|it| it == name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hierarchy_of_version_2_alone() {
        let mount =
            "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";
        assert_eq!(
            own_dirs("0::/user.slice/a.scope\n", mount),
            [Path::new("/sys/fs/cgroup/user.slice/a.scope")]
        );
    }

    #[test]
    fn hierarchies_of_both_versions() {
        let mounts = "\
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
34 30 0:30 / /sys/fs/cgroup rw - tmpfs tmpfs rw";
        let cgroups = "3:cpu,cpuacct:/a\n2:pids:/b\n1:name=systemd:/c\n0::/\n";
        let expected = ["cpu,cpuacct/a", "systemd/c", "unified/"];
        assert_eq!(
            own_dirs(cgroups, mounts),
            expected.map(|dir| Path::new("/sys/fs/cgroup").join(dir))
        );
    }

    #[test]
    fn a_part_of_a_hierarchy() {
        let mount = "30 23 0:26 /docker/1 /sys/fs/cgroup ro - cgroup2 cgroup rw";
        let own = |path: &str| own_dirs(&format!("0::{path}"), mount);
        assert_eq!(own("/docker/1/x"), [Path::new("/sys/fs/cgroup/x")]);
        assert!(own("/other").is_empty());
    }
}
