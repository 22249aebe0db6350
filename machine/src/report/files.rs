//! How much of a text has room on a page, and the files beside it, for what has not.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::truncated::{Kept, shortened};
use crate::TmpDir;

/// The longest text that is kept whole, in bytes.
const LIMIT: usize = 64 * 1024;

/// How long a text may be once there is so much text on the page.
const SHORT: (usize, usize) = (16 << 20, 2 * 1024);
const SHORTEST: (usize, usize) = (32 << 20, 128);

/// Files in a directory of their own, from their writing until the report is dropped.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// There when there are files.
    dir: Option<TmpDir>,
    count: usize,
    /// The files of texts, by their hashes: what is the same again is in the same file.
    names: HashMap<[u8; 32], String>,
    /// How much text is on the page, in bytes.
    on_page: usize,
}

impl Files {
    /// What the page has of a text; one that is too long is in a file, whole.
    pub(super) fn keep(&mut self, what: &str, text: &str) -> Kept {
        let mut kept = Kept::of(text, self.limit(LIMIT));
        if let Some(cut) = &mut kept.cut {
            cut.file = self.write(what, text).ok();
        }
        kept
    }

    /// What the page has of a text that is in no file, and of which `most` bytes are enough.
    pub(super) fn shorten(&self, text: String, most: usize) -> String {
        shortened(text, self.limit(most))
    }

    /// A text that is of no use in part; nothing, if it is too long.
    pub(super) fn whole(&self, text: String, most: usize) -> String {
        if text.len() > self.limit(most) {
            return String::new();
        }
        text
    }

    /// The longest that a text may be now, if it may never be longer than `most`.
    fn limit(&self, most: usize) -> usize {
        let limits = [SHORTEST, SHORT];
        let limit = limits.iter().find(|(text, _)| self.on_page >= *text);
        limit.map_or(most, |(_, limit)| most.min(*limit))
    }

    /// Text that takes so many bytes more is on the page.
    pub(super) fn add(&mut self, bytes: usize) {
        self.on_page += bytes;
    }

    /// Text that took so many bytes is on the page no more.
    pub(super) fn remove(&mut self, bytes: usize) {
        self.on_page -= bytes;
    }

    fn write(&mut self, what: &str, text: &str) -> io::Result<String> {
        let hash = Sha256::digest(text).into();
        if let Some(name) = self.names.get(&hash) {
            return Ok(name.clone());
        }
        let (name, mut file) = self.create(what)?;
        io::Write::write_all(&mut file, text.as_bytes())?;
        self.names.insert(hash, name.clone());
        Ok(name)
    }

    /// A new file, and its name.
    pub(super) fn create(&mut self, what: &str) -> io::Result<(String, File)> {
        let dir = match &mut self.dir {
            Some(dir) => dir,
            none => none.insert(TmpDir::new()?),
        };
        self.count += 1;
        let name = format!("{what}-{}.txt", self.count);
        let file = File::create(dir.path().join(&name))?;
        Ok((name, file))
    }

    /// Puts all files into `target`, which is made if there are any. Without any, what an
    /// earlier report left there goes.
    pub(super) fn place(&self, target: &Path) -> io::Result<()> {
        match fs::remove_dir_all(target) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let Some(dir) = &self.dir else {
            return Ok(());
        };
        fs::create_dir(target)?;
        for entry in fs::read_dir(dir.path())? {
            let entry = entry?;
            let copy = target.join(entry.file_name());
            // A link takes no time, but is not possible everywhere.
            if fs::hard_link(entry.path(), &copy).is_err() {
                fs::copy(entry.path(), copy)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_in_a_file() {
        let mut files = Files::default();
        assert_eq!(files.keep("output", &"x".repeat(LIMIT)).cut, None);
        let long = "long ".repeat(20_000_000);
        let cut = files.keep("output", &long).cut.unwrap();
        assert!(cut.tail.len() <= LIMIT, "{}", cut.tail.len());

        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("files");
        files.place(&target).unwrap();
        // Once more, with what is there replaced.
        files.place(&target).unwrap();
        let file = target.join(cut.file.unwrap());
        assert!(fs::read_to_string(file).unwrap() == long);
    }

    #[test]
    fn the_more_text_there_is_the_less_is_kept() {
        let mut files = Files::default();
        let mut kept = |on_page| {
            files.on_page = on_page;
            files.keep("output", &"x".repeat(LIMIT)).room()
        };
        assert_eq!(kept(0), LIMIT);
        assert_eq!(kept(SHORT.0), SHORT.1);
        assert_eq!(kept(SHORTEST.0), SHORTEST.1);
        assert_eq!(files.limit(10), 10, "never more than is enough");
    }

    #[test]
    fn what_is_the_same_is_in_one_file() {
        let mut files = Files::default();
        let mut file = |text: &str| files.keep("output", text).cut.unwrap().file.unwrap();
        let [one, other] = ["x", "y"].map(|it| it.repeat(LIMIT + 1));
        assert_eq!(file(&one), file(&one));
        assert_ne!(file(&one), file(&other));
    }
}
