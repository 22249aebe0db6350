//! The X server of a guest, and its windows.

use super::Guest;
use super::parse::xwininfo::window_names;
use super::poll::{Found, Polling};
use super::waiting::Probe;
use crate::error::{Error, Result, tail};

/// The operation, in errors.
const LISTING: &str = "listing windows";

/// The command that lists the windows, in errors.
const XWININFO: &str = "xwininfo -root -tree";

const LIST_WINDOWS: &str = include_str!("list_windows.sh");

const SHOW_WINDOWS: &str = include_str!("show_windows.sh");

impl Guest {
    /// The names of all windows, topmost first.
    pub(crate) async fn list_windows(&self) -> Result<Vec<String>> {
        let script = self.script(LISTING).append(LIST_WINDOWS);
        let script = script.append(SHOW_WINDOWS);
        let output = self.execute(script.into_text()).await?;
        if output.success() {
            return Ok(window_names(&output.stdout));
        }
        Err(self.command_failed(XWININFO, &output))
    }

    /// A loop that lists the windows when they have changed: see [`probe_windows`].
    pub(crate) fn window_polling(&self) -> Polling {
        let script = self.script(LISTING).append(LIST_WINDOWS);
        Polling::for_changes(script.append(include_str!("windows.sh")), |output| output)
    }

    /// Adds the list of the windows that have a name.
    pub(crate) async fn with_windows(&self, error: Error) -> Error {
        let script = self.script(LISTING).append(LIST_WINDOWS);
        let script = script.append(include_str!("named_windows.sh"));
        self.with_output(error, "windows", &script.into_text())
            .await
    }

    /// A loop that waits for an X server: see [`probe_x`].
    pub(crate) fn x_polling(&self) -> Polling {
        let script = self.script("waiting for X");
        Polling::new(script.append(include_str!("x_session.sh")))
    }
}

/// Whether `matches` is true for the name of a window.
pub(crate) fn probe_windows(found: &Found, matches: impl Fn(&str) -> bool) -> Probe<()> {
    let stdout = &found.output.stdout;
    if !found.output.success() {
        let reason = tail(stdout).join(" ");
        return Probe::Pending(format!("no windows can be listed: {reason}"));
    }
    let names = window_names(stdout);
    if names.iter().any(|name| matches(name)) {
        Probe::Ready(())
    } else {
        Probe::Pending(format!("windows {names:?}"))
    }
}

/// Whether a user has a graphical session and the X server's socket exists.
pub(crate) fn probe_x(found: &Found) -> Probe<()> {
    match found.output.status() {
        _ if found.is_ready => Probe::Ready(()),
        10 => Probe::Pending("no user has reached a graphical session".to_owned()),
        _ => Probe::Pending("there is no socket /tmp/.X11-unix/X0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::process::{Command, Output};

    use super::*;

    /// Lists the windows with these programs in place of the guest's.
    fn list(tools: &[(&str, &str)]) -> Output {
        let dir = tempfile::tempdir().unwrap();
        for (name, script) in tools {
            let file = dir.path().join(name);
            fs::write(&file, format!("#!/bin/bash\n{script}\n")).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
        }
        bash(dir.path())
    }

    fn bash(path: &Path) -> Output {
        let script = format!("set -euo pipefail\n{LIST_WINDOWS}{SHOW_WINDOWS}");
        Command::new("/bin/bash")
            .args(["-c", &script])
            .env("PATH", path)
            .output()
            .unwrap()
    }

    const ENCODED: &str = r#"echo '
     0x1 "Grüße": ("a" "A")  1x1+0+0  +0+0
     0x2 (name in unsupported encoding COMPOUND_TEXT): ("b" "B")  1x1+0+0  +0+0'"#;

    #[test]
    fn names_in_another_encoding_are_converted() {
        let xprop = r#"echo "WM_NAME(COMPOUND_TEXT) = \"日本 $2\"""#;
        let output = list(&[("xwininfo", ENCODED), ("xprop", xprop)]);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(window_names(&output.stdout), ["Grüße", "日本 0x2"]);

        // Without `xprop`, the others are listed.
        let output = list(&[("xwininfo", ENCODED)]);
        assert_eq!(window_names(&output.stdout), ["Grüße"]);
    }

    #[test]
    fn a_missing_tool_is_named() {
        let output = list(&[]);
        assert_eq!(output.status.code(), Some(127));
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.starts_with("xwininfo is not installed"), "{text}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }

    #[test]
    fn a_listing_that_a_closing_window_cuts_short_is_repeated() {
        let once = r#"if [[ ! -e $0-ran ]]; then
                >"$0-ran"
                echo "xwininfo: error: Can't query window tree."
                exit 1
            fi
            echo '0x1 "it": ()  1x1+0+0  +0+0'"#;
        let output = list(&[("xwininfo", once)]);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(window_names(&output.stdout), ["it"]);

        let output = list(&[("xwininfo", "echo \"can't open display\" >&2; exit 1")]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(output.stdout, b"can't open display\n");
    }
}
