//! Limits the text on a page, and stores longer texts in files beside it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::truncated::{Truncated, shortened};
use crate::TmpDir;

/// The maximum length of a text on the page, in bytes.
const MAX_TEXT: usize = 64 * 1024;

/// The maximum length of a text once the page has that much text: (page, text), in bytes.
const SHORT: (usize, usize) = (16 << 20, 2 * 1024);
const SHORTEST: (usize, usize) = (32 << 20, 128);

/// Files in a temporary directory, which is removed when the report is dropped.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Created with the first file.
    dir: Option<TmpDir>,
    count: usize,
    /// The names of texts' files by the texts' hashes: equal texts share a file.
    names: HashMap<[u8; 32], String>,
    /// The length of the text on the page, in bytes.
    on_page: usize,
}

impl Files {
    /// Truncates a text for the page. If it is too long, the whole text is in a file.
    pub(super) fn store(&mut self, what: &str, text: &str) -> Truncated {
        let mut truncated = Truncated::new(text, self.limit(MAX_TEXT));
        if let Some(cut) = &mut truncated.cut {
            cut.file = self.write(what, text).ok();
        }
        truncated
    }

    /// Shortens a text to at most `max` bytes for the page, without a file.
    pub(super) fn shorten(&self, text: String, max: usize) -> String {
        shortened(text, self.limit(max))
    }

    /// Returns a text that is useless if truncated, or nothing if it is too long.
    pub(super) fn whole_or_nothing(&self, text: String, max: usize) -> String {
        if text.len() > self.limit(max) {
            return String::new();
        }
        text
    }

    /// The current limit of a text's length, at most `max`.
    fn limit(&self, max: usize) -> usize {
        let limits = [SHORTEST, SHORT];
        let limit = limits.iter().find(|(page, _)| self.on_page >= *page);
        limit.map_or(max, |(_, limit)| max.min(*limit))
    }

    /// Counts text of that many bytes as on the page.
    pub(super) fn add_to_page(&mut self, bytes: usize) {
        self.on_page += bytes;
    }

    /// No longer counts text of that many bytes as on the page.
    pub(super) fn remove_from_page(&mut self, bytes: usize) {
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

    /// Creates a file, and returns its name, too.
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

    /// Replaces the directory `target` by one with all files, or removes it if there are
    /// none.
    pub(super) fn copy_to(&self, target: &Path) -> io::Result<()> {
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
            // A link is cheaper, but cannot cross file systems.
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
    fn a_long_text_is_in_a_file() {
        let mut files = Files::default();
        assert_eq!(files.store("output", &"x".repeat(MAX_TEXT)).cut, None);
        let long = "long ".repeat(20_000_000);
        let cut = files.store("output", &long).cut.unwrap();
        assert!(cut.tail.len() <= MAX_TEXT, "{}", cut.tail.len());

        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("files");
        files.copy_to(&target).unwrap();
        // The second copy replaces the first.
        files.copy_to(&target).unwrap();
        let file = target.join(cut.file.unwrap());
        assert!(fs::read_to_string(file).unwrap() == long);
    }

    #[test]
    fn the_limit_shrinks_as_the_page_grows() {
        let mut files = Files::default();
        let mut stored = |on_page| {
            files.on_page = on_page;
            files.store("output", &"x".repeat(MAX_TEXT)).json_len()
        };
        assert_eq!(stored(0), MAX_TEXT);
        assert_eq!(stored(SHORT.0), SHORT.1);
        assert_eq!(stored(SHORTEST.0), SHORTEST.1);
        assert_eq!(files.limit(10), 10, "at most what was asked for");
    }

    #[test]
    fn equal_texts_share_a_file() {
        let mut files = Files::default();
        let mut file = |text: &str| files.store("output", text).cut.unwrap().file.unwrap();
        let [one, other] = ["x", "y"].map(|it| it.repeat(MAX_TEXT + 1));
        assert_eq!(file(&one), file(&one));
        assert_ne!(file(&one), file(&other));
    }
}
