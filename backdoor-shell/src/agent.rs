//! The guest's side of the protocol: see `agent.bash`.

use crate::Nonce;
use crate::quote::ansi_c;

/// The script that the guest's bash evaluates on connecting. Do not resume a guest that was
/// saved with another one.
#[doc(hidden)]
pub const AGENT: &str = include_str!("agent.bash");

/// The line that replaces the guest's bash by the agent, which answers with `nonce`. It
/// remains `at_port` if that is where bash reads.
///
/// A new bash, because the guest's may be interactive, and the errors of commands would name
/// the file that it reads.
pub(crate) fn bootstrap(nonce: Nonce, at_port: bool) -> String {
    let code: String = AGENT
        .lines()
        .map(str::trim_start)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .flat_map(|line| [line, "\n"])
        .collect();
    let at_port = if at_port { "1" } else { "" };
    format!(
        "__vm_hello={nonce} __vm_on_port={at_port} exec \"$BASH\" -c {} bash",
        ansi_c(code)
    )
}

/// The line that kills the processes which read from the console for an earlier agent: those
/// with the file that it was writing, 6 in `agent.bash`. Repeats until there are none, because
/// they may be starting others; then answers with `nonce`.
///
/// One word without quotes for `eval`: if another process reads a part of the line, the
/// remainder neither does anything nor changes the meaning of the next line.
pub(crate) fn kill_readers(nonce: Nonce) -> String {
    let script = format!(
        "n={nonce}; while k=; for p in /proc/[0-9]*; do \
         [[ $p != /proc/$$ && $p/fd/0 -ef /proc/self/fd/0 && -e $p/fd/6 ]] && kill -9 ${{p#/proc/}} && k=1; \
         done; [[ $k ]]; do :; done; echo; echo @r $n"
    );
    let escaped: String = script.chars().flat_map(|char| ['\\', char]).collect();
    format!("eval {escaped}")
}

/// The command as the agent evaluates it.
///
/// It runs in a fork of the guest's bash, which is several times cheaper than a new bash.
/// A command that uses its process ID gets a new bash; one that uses its parent's gets one
/// whose parent is of the command's process group.
pub(crate) fn wrap(script: &str) -> String {
    let bash = || format!("bash -c {}", ansi_c(format!("set -euo pipefail; {script}")));
    if script.contains("PPID") {
        format!("{}; exit", bash())
    } else if script.contains("$$") || script.contains("${$}") {
        format!("exec {}", bash())
    } else {
        script.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PORT;

    #[test]
    fn bootstrap_is_one_line_of_printable_ascii() {
        let line = bootstrap(Nonce::from(1), false);
        assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        assert!(line.contains(PORT));
    }

    #[test]
    fn only_a_command_that_uses_its_process_id_gets_a_new_bash() {
        assert_eq!(wrap("echo $HOME"), "echo $HOME");
        assert_eq!(
            wrap("echo $$"),
            r"exec bash -c $'set -euo pipefail; echo $$'"
        );
        assert_eq!(
            wrap("kill $PPID"),
            r"bash -c $'set -euo pipefail; kill $PPID'; exit"
        );
    }
}
