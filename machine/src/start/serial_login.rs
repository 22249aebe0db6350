//! A login on the guest's serial console, by which its root shell is started.

use std::fmt;

use backdoor_shell::BACKDOOR;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::credentials::SERVICE;
use crate::error::LoginError;

/// The script that starts the root shell.
const BOOTHOOK: &str = include_str!("guest/boothook.sh");

/// The command that runs what was typed.
const RUN_TYPED: &str = include_str!("guest/run_typed.sh");

/// The longest line that is typed: editors of short lines and the terminal's buffer hold it.
const MAX_LINE: usize = 500;

/// A user and a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SerialLogin {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// How far the login on a guest's console has come.
#[derive(Clone, Debug, Default)]
pub(crate) enum LoginState {
    /// No prompt was seen yet, or no login was configured.
    #[default]
    Waiting,
    /// The guest has asked for the user's name.
    Prompted,
    Failed(LoginError),
    /// The script that starts the shell has run.
    Done,
}

/// Without the password.
impl fmt::Debug for SerialLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SerialLogin")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// The script that starts the root shell at every start of the guest.
pub(super) fn boothook() -> String {
    BOOTHOOK
        .replace("@BACKDOOR@", BACKDOOR.trim_end())
        .replace("@SERVICE@", SERVICE.trim_end())
}

/// What is typed in the user's shell after the login, line by line, and the line that runs it:
/// that prints `vmwright: 0` if root could run the script. A space before a line keeps it out
/// of a history.
pub(crate) fn typed_lines() -> (Vec<String>, String) {
    let script = STANDARD.encode(boothook());
    let mut lines = vec![" exec sh".to_owned(), " stty -echo; vmwright=".to_owned()];
    let mut rest = &*script;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.len().min(MAX_LINE));
        lines.push(format!(" vmwright=${{vmwright}}{piece}"));
        rest = after;
    }
    let code = RUN_TYPED.lines().filter(|line| !line.starts_with('#'));
    let run = code.fold(String::new(), |run, line| run + " " + line);
    (lines, run)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_password_is_not_shown() {
        let login = SerialLogin {
            user: "root".to_owned(),
            password: "secret".to_owned(),
        };
        assert_eq!(format!("{login:?}"), "SerialLogin { user: \"root\", .. }");
    }

    /// A shell gets the script from the lines.
    #[test]
    fn the_lines_run_the_script() {
        let (lines, run) = typed_lines();
        let typed = lines[1..].join("\n") + "\n" + &run;
        let typed = typed.replace("stty -echo;", "");
        assert!(typed.contains("sudo -n setsid sh"));
        let typed = typed
            .replace("sudo -n setsid sh", "cat")
            .replace("setsid sh", "cat");
        let output = Command::new("sh").args(["-c", &typed]).output().unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        assert_eq!(shown, boothook().trim_end().to_owned() + "vmwright: 0\n");
    }

    #[test]
    fn the_lines_are_short() {
        let (mut lines, run) = typed_lines();
        lines.push(run);
        assert!(lines.iter().all(|line| line.len() < MAX_LINE + 30));
        assert!(lines.len() > 5 && lines.iter().all(|line| line.is_ascii()));
    }
}
