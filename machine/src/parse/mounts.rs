//! Lines of `/proc/mounts`.

use crate::saved::Mount;

/// The mounts; a line that is none is left out.
pub(crate) fn mounts(text: &str) -> Vec<Mount> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let [source, dir, _kind, options] = [(); 4].map(|()| words.next());
            Some(Mount {
                source: source?.to_owned(),
                dir: dir?.to_owned(),
                options: options?.to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_stay_as_they_are() {
        let text = "shared /tmp/my\\040share 9p rw,relatime,trans=virtio\nnonsense\n";
        let expected = Mount {
            source: "shared".to_owned(),
            dir: "/tmp/my\\040share".to_owned(),
            options: "rw,relatime,trans=virtio".to_owned(),
        };
        assert_eq!(mounts(text), [expected]);
    }
}
