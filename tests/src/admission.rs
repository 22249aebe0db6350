//! How many tests have machines at once, in however many processes: as many as there are
//! permits.

use std::cell::RefCell;
use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::sync::mpsc;
use std::{io, thread};

use crate::permits::permits;

thread_local! {
    /// The place of this thread's test, which is free again when the thread ends.
    static PLACE: RefCell<Option<File>> = const { RefCell::new(None) };
}

/// Set for a test that another starts: its place is that one's.
pub(crate) const ADMITTED: &str = "VM_TEST_ADMITTED";

/// Waits for a place among the tests that have machines, unless this test has one.
pub(crate) fn admit(images: &Path) {
    if std::env::var_os(ADMITTED).is_some() {
        return;
    }
    PLACE.with_borrow_mut(|place| {
        place.get_or_insert_with(|| take_place(&images.join("permits")).expect("a place"));
    });
}

/// A place is a file that is locked, which ends with who has locked it.
fn take_place(dir: &Path) -> io::Result<File> {
    fs::create_dir_all(dir)?;
    let mut taken = Vec::new();
    for number in 0..permits() {
        let place = File::create(dir.join(number.to_string()))?;
        match place.try_lock() {
            Ok(()) => return Ok(place),
            Err(TryLockError::WouldBlock) => taken.push(place),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    // The first that is free; those that are got later are given back at once.
    let (got, first) = mpsc::channel();
    for place in taken {
        let got = got.clone();
        thread::spawn(move || got.send(place.lock().map(|()| place)));
    }
    first.recv().map_err(io::Error::other)?
}
