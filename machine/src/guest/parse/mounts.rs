//! Lines of `/proc/mounts`.

use serde::{Deserialize, Serialize};

/// A mounted share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mount {
    pub(crate) source: String,
    pub(crate) dir: String,
    pub(crate) options: String,
}

/// The mounts; other lines are skipped.
pub(crate) fn mounts(text: &str) -> Vec<Mount> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let [source, dir, _kind, options] = [(); 4].map(|()| words.next());
            Some(Mount {
                source: unescape(source?),
                dir: unescape(dir?),
                options: unescape(options?),
            })
        })
        .collect()
}

/// Replaces the octal escapes, as in
/// [getmntent(3)](https://man7.org/linux/man-pages/man3/getmntent.3.html).
fn unescape(word: &str) -> String {
    let escapes = [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ];
    let mut unescaped = word.to_owned();
    // The backslash last, because it could form a new escape.
    for (escape, character) in escapes {
        unescaped = unescaped.replace(escape, character);
    }
    unescaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_replaced() {
        let text = "shared /tmp/my\\040\\134040share 9p rw,relatime,trans=virtio\nnonsense\n";
        let expected = Mount {
            source: "shared".to_owned(),
            dir: "/tmp/my \\040share".to_owned(),
            options: "rw,relatime,trans=virtio".to_owned(),
        };
        assert_eq!(mounts(text), [expected]);
    }
}
