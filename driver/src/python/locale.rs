//! The locale, by which Python knows how text is written.

use std::env;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use pyo3::prelude::*;

/// One that every system has.
const UTF_8: &str = "C.UTF-8";

/// Where there is no locale, as in sandboxes, an embedded Python takes all text for ASCII.
/// `python3` takes C.UTF-8 then (PEP 538). So does this: it becomes a process that has it.
/// Nothing is to have begun before.
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
        // If it can't, scripts without such text are run all the same.
        let _why = again.env(decisive, UTF_8).exec();
    }
}
