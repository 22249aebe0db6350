//! The locale, which determines the text encoding of Python.

use std::env;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use pyo3::prelude::*;

/// A locale that every system has.
const UTF_8: &str = "C.UTF-8";

/// Executes this program again with the locale C.UTF-8 if Python would otherwise use ASCII.
///
/// Without a locale, as in sandboxes, an embedded Python decodes all text as ASCII; the
/// program `python3` falls back to C.UTF-8 (PEP 538). Call this before anything else
/// starts, since it replaces the process.
pub(super) fn ensure_utf8() {
    let is_ascii = Python::attach(|py| {
        let encoding = py
            .import("locale")?
            .call_method1("getpreferredencoding", (false,))?;
        let name = py
            .import("codecs")?
            .call_method1("lookup", (encoding,))?
            .getattr("name")?;
        PyResult::Ok(name.extract::<String>()? == "ascii")
    });
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    let all = set("LC_ALL");
    let decisive = if all.is_some() { "LC_ALL" } else { "LC_CTYPE" };
    let present = all.or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
    if !is_ascii.unwrap_or(false) || present.is_some_and(|locale| locale == UTF_8) {
        return;
    }
    let mut words = env::args_os();
    if let (Ok(program), Some(name)) = (env::current_exe(), words.next()) {
        let mut again = Command::new(program);
        again.arg0(name).args(words);
        // It returns only on errors. Scripts that are pure ASCII still work then.
        let _error = again.env(decisive, UTF_8).exec();
    }
}
