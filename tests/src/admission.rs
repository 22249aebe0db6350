//! Limits how many tests have machines at the same time, across processes, to the number of
//! permits.

use std::cell::RefCell;
use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::sync::mpsc;
use std::{io, thread};

use crate::permits::permits;

thread_local! {
    /// The permit of this thread's test, released when the thread ends.
    static PERMIT: RefCell<Option<File>> = const { RefCell::new(None) };
}

/// Set for a test that another test starts: both share one permit.
pub(crate) const ADMITTED: &str = "VM_TEST_ADMITTED";

/// Waits for a permit, unless this test has one.
pub(crate) fn admit(images: &Path) {
    if std::env::var_os(ADMITTED).is_some() {
        return;
    }
    PERMIT.with_borrow_mut(|permit| {
        permit.get_or_insert_with(|| acquire(&images.join("permits")).expect("a permit"));
    });
}

/// A permit is a locked file, so that the kernel releases it with its process.
fn acquire(dir: &Path) -> io::Result<File> {
    fs::create_dir_all(dir)?;
    let mut taken = Vec::new();
    for number in 0..permits() {
        let permit = File::create(dir.join(number.to_string()))?;
        match permit.try_lock() {
            Ok(()) => return Ok(permit),
            Err(TryLockError::WouldBlock) => taken.push(permit),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    // Waits for the first to be released. Those locked later are dropped at once.
    let (sender, locked) = mpsc::channel();
    for permit in taken {
        let sender = sender.clone();
        thread::spawn(move || sender.send(permit.lock().map(|()| permit)));
    }
    locked.recv().map_err(io::Error::other)?
}
