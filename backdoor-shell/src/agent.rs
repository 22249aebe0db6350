//! The part of the protocol that runs in the guest: see `agent.bash`.

use crate::Nonce;
use crate::quote::ansi_c;

/// The name of the virtio port that the agent looks for: `-device
/// virtserialport,name=…`. Without one, it stays on the console.
pub const PORT: &str = "org.vmwright.shell";

/// What the guest's bash evaluates on connecting: guests that were saved with another
/// agent are not to be resumed.
pub const AGENT: &str = include_str!("agent.bash");

/// The line that turns the guest's bash into the agent, which says `nonce`.
pub(crate) fn bootstrap(nonce: Nonce) -> String {
    let code: String = AGENT
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .flat_map(|line| [line.trim_start(), "\n"])
        .collect();
    format!("__vm_hello={nonce}; eval {}", ansi_c(code))
}

/// The command as the agent is to evaluate it.
///
/// It runs in a fork of the guest's bash, which is several times cheaper than
/// starting another one. If it asks for its process's number, it gets a bash of
/// its own. What else differs: it is in a function, so that `local` and `return`
/// do not fail.
pub(crate) fn wrap(script: &str) -> String {
    const ASKS_FOR_PROCESS: [&str; 3] = ["$$", "${$}", "PPID"];
    if ASKS_FOR_PROCESS.iter().any(|asks| script.contains(asks)) {
        format!(
            "exec bash -c {}",
            ansi_c(format!("set -euo pipefail; {script}"))
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
        let line = bootstrap(Nonce::from(1));
        assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        assert!(line.contains(PORT));
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
