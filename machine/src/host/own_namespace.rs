//! The user namespace of this process.

use std::fs;
use std::io;

/// The user namespace of this process: the host's, or one in which root is another user of the
/// host, say.
#[derive(Debug)]
pub(crate) struct OwnNamespace {
    /// The ids of its users and of its groups, as `user_namespaces(7)` describes
    /// `/proc/self/uid_map`: lines with the first id, the first outside of it and how many.
    maps: [String; 2],
}

impl OwnNamespace {
    pub(crate) fn read() -> io::Result<Self> {
        let read = |name: &str| {
            let path = format!("/proc/self/{name}");
            fs::read_to_string(&path)
                .map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))
        };
        Ok(Self {
            maps: [read("uid_map")?, read("gid_map")?],
        })
    }

    /// Whether its root is another user outside of it.
    pub(crate) fn has_other_root(&self) -> bool {
        ranges(&self.maps[0]).any(|[first, outside, _]| first == 0 && outside != 0)
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
        assert!(!host.has_other_root());
        assert_eq!(host.ids(), 4_294_967_295);

        let own = "0 1000 1\n";
        let subordinate = "         1     100000      65536\n         0       1000          1\n";
        let namespace = |groups| namespace(subordinate, groups);
        assert!(namespace(own).has_other_root());
        assert_eq!(namespace(own).ids(), 1);
        assert_eq!(namespace(subordinate).ids(), 65537);
        assert_eq!(namespace("0 1000 1\n2 100000 65536\n").ids(), 1);
        assert_eq!(namespace("").ids(), 0);
    }

    #[test]
    fn the_own_namespace_is_read() {
        assert!(OwnNamespace::read().unwrap().ids() > 0);
    }
}
