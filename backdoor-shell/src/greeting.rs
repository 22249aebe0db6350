//! The line that announces the guest's shell.

/// The last line of a guest's greeting.
pub const GREETING: &str = "Spawning backdoor root shell...";

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
    fn within_a_line_or_after_base64() {
        assert!(is_greeting("[  3.1] Spawning backdoor root shell..."));
        assert!(is_greeting(" backdoor root shell..."));
        assert!(!is_greeting("a backdoor root shell..."));
    }
}
