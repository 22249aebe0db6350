//! The user namespace of this process.

use std::fs;
use std::io;

use sha2::{Digest as _, Sha256};

use super::sha256;
use super::user_namespace::IDS;

/// The user namespace of this process: the host's, or another one, in which root is another user
/// of the host, say.
#[derive(Clone, Debug)]
pub struct OwnNamespace {
    /// The ids of its users and of its groups, as `user_namespaces(7)` describes
    /// `/proc/self/uid_map`: lines with the first id, the first outside of it and how many.
    maps: [String; 2],
}

impl OwnNamespace {
    /// That of this process.
    ///
    /// # Errors
    /// A file in `/proc` can't be read.
    pub fn read() -> io::Result<Self> {
        let read = |name: &str| {
            let path = format!("/proc/self/{name}");
            fs::read_to_string(&path)
                .map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))
        };
        Ok(Self {
            maps: [read("uid_map")?, read("gid_map")?],
        })
    }

    /// Whether it is the host's: one in it may have the same root, but not all ids.
    pub fn is_of_host(&self) -> bool {
        let is_full = |map| ranges(map).eq([[0, 0, u64::from(u32::MAX)]]);
        self.maps.iter().all(|map| is_full(map))
    }

    /// Whether it has as many ids as containers need.
    pub fn has_ids_for_containers(&self) -> bool {
        self.ids() >= u64::from(IDS)
    }

    /// The number of ids, from 0 on, that it has users and groups for.
    pub(crate) fn ids(&self) -> u64 {
        let [users, groups] = self.maps.each_ref().map(|map| {
            let mut ranges: Vec<_> = ranges(map).collect();
            ranges.sort_unstable();
            ranges.iter().fold(
                0,
                |ids, [first, _, count]| {
                    if *first == ids { ids + count } else { ids }
                },
            )
        });
        users.min(groups)
    }

    /// What differs between namespaces in which the same ids are others outside.
    pub(crate) fn maps(&self) -> String {
        self.maps.concat()
    }

    /// A name for files whose owners are users of this namespace: `name` on the host.
    pub fn name_of(&self, name: &str) -> String {
        if self.is_of_host() {
            return name.to_owned();
        }
        let sum = sha256::hex(&Sha256::digest(self.maps()));
        format!("{name}-{}", &sum[..16])
    }
}

fn ranges(map: &str) -> impl Iterator<Item = [u64; 3]> {
    map.lines().filter_map(|line| {
        let mut numbers = line.split_whitespace().map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some([next()?, next()?, next()?])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(users: &str, groups: &str) -> OwnNamespace {
        OwnNamespace {
            maps: [users.to_owned(), groups.to_owned()],
        }
    }

    #[test]
    fn ids_are_counted_from_root_on() {
        let host = "         0          0 4294967295\n";
        let host = namespace(host, host);
        assert!(host.is_of_host());
        assert_eq!(host.ids(), 4_294_967_295);
        assert_eq!(host.name_of("root"), "root");

        let own = "0 1000 1\n";
        let subordinate = "         1     100000      65536\n         0       1000          1\n";
        let namespace = |groups| namespace(subordinate, groups);
        assert!(!namespace(own).is_of_host());
        assert_eq!(namespace(own).ids(), 1);
        assert_eq!(namespace(subordinate).ids(), 65537);
        assert!(namespace(subordinate).has_ids_for_containers());
        let names = [own, subordinate].map(|map| namespace(map).name_of("root"));
        assert!(
            names[0] != names[1] && names[0].starts_with("root-"),
            "{names:?}"
        );
        assert_eq!(namespace("0 1000 1\n2 100000 65536\n").ids(), 1);
        assert_eq!(namespace("").ids(), 0);
    }

    #[test]
    fn a_part_of_the_hosts_ids_is_not_the_host() {
        for map in [
            "0 0 65536\n",
            "0 0 4294967294\n",
            "0 0 1\n1 1 4294967294\n",
            "",
        ] {
            assert!(!namespace(map, map).is_of_host(), "{map}");
        }
    }

    #[test]
    fn the_own_namespace_is_read() {
        assert!(OwnNamespace::read().unwrap().ids() > 0);
    }
}
