//! Lines of `/proc/mounts`.

use crate::guest::mounts::Mount;

/// The mounts; a line that is none is left out.
pub(crate) fn mounts(text: &str) -> Vec<Mount> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let [source, dir, _kind, options] = [(); 4].map(|()| words.next());
            Some(Mount {
                source: plain(source?),
                dir: plain(dir?),
                options: plain(options?),
            })
        })
        .collect()
}

/// Without the escapes: what would not do in a line is three octal digits, [says
/// getmntent(3)](https://man7.org/linux/man-pages/man3/getmntent.3.html).
fn plain(word: &str) -> String {
    let escapes = [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ];
    let mut plain = word.to_owned();
    // The backslash last: what it stands before then is no escape.
    for (escape, character) in escapes {
        plain = plain.replace(escape, character);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_without_their_escapes() {
        let text = "shared /tmp/my\\040\\134040share 9p rw,relatime,trans=virtio\nnonsense\n";
        let expected = Mount {
            source: "shared".to_owned(),
            dir: "/tmp/my \\040share".to_owned(),
            options: "rw,relatime,trans=virtio".to_owned(),
        };
        assert_eq!(mounts(text), [expected]);
    }
}
