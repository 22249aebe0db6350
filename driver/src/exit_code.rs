//! The exit codes of `driver`, shared with Python by `_vmwright` and listed by `--help`.
//!
//! A script may end with any other code by `sys.exit`.

/// The script passed.
pub(crate) const PASSED: u8 = 0;

/// The script failed.
pub(crate) const FAILED: u8 = 1;

/// Nothing was run: the command line is wrong, or the script is not valid Python.
pub(crate) const USAGE: u8 = 2;

/// The run took longer than `--global-timeout`.
pub(crate) const TIMED_OUT: u8 = 124;

/// Ctrl-C (SIGINT) ended the run.
pub(crate) const INTERRUPTED: u8 = 130;

/// SIGTERM ended the run.
pub(crate) const TERMINATED: u8 = 143;

/// An exit code, as Python and the help text list it.
pub(crate) struct Listed {
    pub(crate) code: u8,
    /// Its name in `_vmwright`.
    #[cfg_attr(
        not(feature = "python"),
        expect(dead_code, reason = "only Python needs names")
    )]
    pub(crate) name: &'static str,
    /// Its line in the help text.
    pub(crate) help: &'static str,
}

/// All of them.
pub(crate) const ALL: [Listed; 6] = [
    listed(PASSED, "PASSED", "the script passed"),
    listed(FAILED, "FAILED", "the script failed"),
    listed(
        USAGE,
        "USAGE",
        "wrong command line, or the script is not valid Python",
    ),
    listed(
        TIMED_OUT,
        "TIMED_OUT",
        "the script took longer than --global-timeout (143 if Nix started the run)",
    ),
    listed(INTERRUPTED, "INTERRUPTED", "interrupted by Ctrl-C (SIGINT)"),
    listed(TERMINATED, "TERMINATED", "terminated by SIGTERM"),
];

const fn listed(code: u8, name: &'static str, help: &'static str) -> Listed {
    Listed { code, name, help }
}
