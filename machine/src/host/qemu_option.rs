//! The syntax of QEMU's options.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

/// `value` escaped as the value of a QEMU property, where a single comma ends it.
pub(crate) fn doubled_commas(value: &OsStr) -> OsString {
    let bytes = value.as_bytes().iter().flat_map(|byte| match byte {
        b',' => b",,",
        byte => std::slice::from_ref(byte),
    });
    OsString::from_vec(bytes.copied().collect())
}
