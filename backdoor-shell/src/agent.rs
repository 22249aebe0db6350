//! The part of the protocol that runs in the guest: see `agent.bash`.

use crate::quote::ansi_c;

/// The line that turns the guest's bash into the agent.
pub(crate) fn bootstrap() -> String {
    let code: String = include_str!("agent.bash")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .flat_map(|line| [line.trim_start(), "\n"])
        .collect();
    format!("eval {}", ansi_c(&code))
}

/// The command as the agent is to evaluate it.
///
/// It runs in a fork of the guest's bash, which is several times cheaper than
/// starting another one, and can tell the difference only by asking for its
/// process's number: then it gets a bash of its own.
pub(crate) fn wrap(script: &str) -> String {
    const ASKS_FOR_PROCESS: [&str; 3] = ["$$", "${$}", "PPID"];
    if ASKS_FOR_PROCESS.iter().any(|asks| script.contains(asks)) {
        format!(
            "exec bash -c {}",
            ansi_c(&format!("set -euo pipefail; {script}"))
        )
    } else {
        script.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bootstrap_is_one_line_of_printable_ascii() {
        assert!(
            bootstrap()
                .bytes()
                .all(|byte| (b' '..=b'~').contains(&byte))
        );
    }

    #[test]
    fn only_who_asks_for_its_process_pays_for_one() {
        assert_eq!(wrap("echo $HOME"), "echo $HOME");
        assert_eq!(
            wrap("echo $$"),
            r"exec bash -c $'set -euo pipefail; echo $$'"
        );
    }
}
