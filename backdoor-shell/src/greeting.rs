//! What a guest says when its shell is there.

/// The last line of a guest's greeting.
pub const GREETING: &str = "Spawning backdoor root shell...";

/// Whether a line is a greeting. If it was glued to base64, that has all of it that could
/// be base64.
pub(crate) fn is_greeting(line: &str) -> bool {
    let tail = GREETING.find(' ').map_or(GREETING, |at| &GREETING[at..]);
    line.contains(GREETING) || line.starts_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_within_a_line_or_behind_base64() {
        assert!(is_greeting("[  3.1] Spawning backdoor root shell..."));
        assert!(is_greeting(" backdoor root shell..."));
        assert!(!is_greeting("a backdoor root shell..."));
    }
}
