//! The files beside a page, for what is too long for it.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::kept::Kept;
use crate::TmpDir;

/// The longest text that is kept whole, in bytes.
const LIMIT: usize = 64 * 1024;

/// How much text is kept like that. Beyond it, less is.
const PLENTY: usize = 16 << 20;

/// The longest text that is kept whole then.
const SHORT_LIMIT: usize = 2 * 1024;

/// Files in a directory of their own, from their writing until the report is dropped.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// There when there are files.
    dir: Option<TmpDir>,
    count: usize,
    /// How much text was kept.
    kept: usize,
}

impl Files {
    /// Keeps a text; one that is too long is in a file, whole.
    pub(super) fn keep(&mut self, what: &str, text: &str) -> Kept {
        let limit = if self.kept < PLENTY {
            LIMIT
        } else {
            SHORT_LIMIT
        };
        self.kept += text.len().min(limit);
        let mut kept = Kept::of(text, limit);
        if let Some(cut) = &mut kept.cut {
            cut.file = self.write(what, text).ok();
        }
        kept
    }

    fn write(&mut self, what: &str, text: &str) -> io::Result<String> {
        let (name, mut file) = self.create(what)?;
        io::Write::write_all(&mut file, text.as_bytes())?;
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
    fn after_plenty_of_text_less_is_kept() {
        let mut files = Files::default();
        let text = "x".repeat(LIMIT);
        let kept = |files: &mut Files| files.keep("output", &text).text.len();
        let lengths: Vec<usize> = (0..=PLENTY / LIMIT).map(|_| kept(&mut files)).collect();
        assert_eq!(lengths.first(), Some(&LIMIT));
        assert_eq!(lengths.last(), Some(&(SHORT_LIMIT / 2)));
    }
}
