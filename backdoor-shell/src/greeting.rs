//! What announces the guest's shell.

/// The last line of a guest's greeting.
pub const GREETING: &str = "Spawning backdoor root shell...";

/// What a shell that greets at a [port](crate::PORT) sends before its greeting: it ends
/// unencoded output of a command that was killed together with an earlier shell.
pub(crate) const NEW_SHELL: &[u8] = b"\r\n@g 3d0c6f5a91e84b27ab5e60d4c7f21893\r\n";

/// A script for `/bin/sh` that runs a root shell at the [port](crate::PORT) of an unmodified
/// guest, for as long as the port is open. A service should run it again whenever it ends, and
/// end it by SIGHUP. It waits half a minute for the port.
///
/// If the guest has no `/bin/bash`, it runs the file `bash` beside the script.
pub const BACKDOOR: &str = include_str!("backdoor.sh");

/// Whether `line` contains the greeting. After base64 without a line end, the greeting's
/// first word is decoded as base64, so its remaining words suffice.
pub(crate) fn is_greeting(line: &str) -> bool {
    let tail = GREETING.find(' ').map_or(GREETING, |at| &GREETING[at..]);
    line.contains(GREETING) || line.starts_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_sends_the_mark_but_does_not_contain_it() {
        let mark = str::from_utf8(NEW_SHELL).unwrap().trim();
        let (first, second) = mark.split_at(mark.len() - 16);
        assert!(BACKDOOR.contains(&format!("'{first}' {second}")));
        assert!(!BACKDOOR.contains(mark));
        assert!(BACKDOOR.contains(GREETING) && BACKDOOR.contains(crate::PORT));
    }

    #[test]
    fn within_a_line_or_after_base64() {
        assert!(is_greeting("[  3.1] Spawning backdoor root shell..."));
        assert!(is_greeting(" backdoor root shell..."));
        assert!(!is_greeting("a backdoor root shell..."));
    }
}
