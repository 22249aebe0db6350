//! The guest's scripts: files beside this one, with values set as shell variables. Only
//! calls of single programs have no file: they are command lines of quoted words.

use std::fmt::Write as _;

use super::Guest;
use crate::error::Result;

/// Shell text that begins with assignments of quoted values.
pub(crate) struct Script<'a> {
    guest: &'a Guest,
    /// The operation it belongs to, for errors.
    doing: &'a str,
    text: String,
}

impl Guest {
    pub(crate) fn script<'a>(&'a self, doing: &'a str) -> Script<'a> {
        Script {
            guest: self,
            doing,
            text: String::new(),
        }
    }

    /// A command of these words, each quoted for the guest's shell.
    ///
    /// # Errors
    /// [`BadArgument`](crate::ErrorKind::BadArgument) if a word holds a NUL.
    pub(super) fn command_line<'w>(
        &self,
        doing: &str,
        words: impl IntoIterator<Item = &'w str>,
    ) -> Result<String> {
        let words = words.into_iter().map(|word| self.quote(doing, word));
        Ok(words.collect::<Result<Vec<_>>>()?.join(" "))
    }

    fn quote(&self, doing: &str, word: &str) -> Result<String> {
        match backdoor_shell::quote(word) {
            Ok(quoted) => Ok(quoted.into_owned()),
            Err(_) => Err(self.nul_byte(doing, word)),
        }
    }
}

impl Script<'_> {
    /// Assigns `value` to the variable `name`.
    ///
    /// # Errors
    /// [`BadArgument`](crate::ErrorKind::BadArgument) if it holds a NUL.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Result<Self> {
        let value = self.guest.quote(self.doing, value)?;
        let _ = writeln!(self.text, "{name}={value}");
        Ok(self)
    }

    /// Assigns `values` to the array `name`.
    pub(crate) fn set_array<'v>(
        mut self,
        name: &str,
        values: impl IntoIterator<Item = &'v str>,
    ) -> Result<Self> {
        let values = self.guest.command_line(self.doing, values)?;
        let _ = writeln!(self.text, "{name}=({values})");
        Ok(self)
    }

    /// Appends the text of a file, without its comments.
    pub(crate) fn append(mut self, file: &str) -> Self {
        let code = file.lines().filter(|line| !is_comment(line));
        for line in code {
            self.text += line;
            self.text += "\n";
        }
        self
    }

    /// The operation it belongs to.
    pub(crate) fn doing(&self) -> &str {
        self.doing
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::state_dir::StateDir;

    #[test]
    fn values_are_quoted_and_comments_left_out() {
        let state = StateDir::create(None, "vm", false).unwrap();
        let guest = Guest::new("vm".to_owned(), state, ".".into(), true);
        let script = guest
            .script("testing")
            .set("path", "a 'b' $c")
            .unwrap()
            .set_array("words", ["", "x y"])
            .unwrap()
            .append("# shellcheck shell=bash\n  # why\nprintf '<%s>' \"$path\" \"${words[@]}\"")
            .into_text();
        assert!(!script.contains('#'), "{script}");
        let output = std::process::Command::new("bash")
            .args(["-c", &script])
            .output()
            .unwrap();
        assert_eq!(output.stdout, b"<a 'b' $c><><x y>");
        assert!(guest.script("testing").set("path", "\0").is_err());
    }
}
