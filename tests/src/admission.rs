//! How many tests have machines at once, in however many processes: as many as the host
//! has cores and memory for.

use std::cell::RefCell;
use std::fs::{self, File, TryLockError};
use std::num::NonZero;
use std::path::Path;
use std::process;

/// What a test's machines take, roughly.
const KIBIBYTES: usize = 1 << 20;

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
        place.get_or_insert_with(|| take_place(&images.join("places")));
    });
}

/// A place is a file that is locked, which ends with who has locked it.
fn take_place(dir: &Path) -> File {
    fs::create_dir_all(dir).expect("a directory");
    let places: Vec<File> = (0..how_many())
        .map(|number| File::create(dir.join(number.to_string())).expect("a file"))
        .collect();
    // Not all of them begin at the same.
    let first = process::id() as usize % places.len();
    for number in 0..places.len() {
        let place = &places[(first + number) % places.len()];
        match place.try_lock() {
            Ok(()) => return place.try_clone().expect("a file"),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => panic!("{}: {error}", dir.display()),
        }
    }
    places[first].lock().expect("a lock");
    places[first].try_clone().expect("a file")
}

/// Two for each core, as most of a test is waiting, if there is the memory for it.
fn how_many() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let all = memory.lines().find_map(|line| {
        let kibibytes = line.strip_prefix("MemTotal:")?.trim();
        kibibytes.split(' ').next()?.parse::<usize>().ok()
    });
    let fitting = all.map_or(usize::MAX, |kibibytes| kibibytes / KIBIBYTES);
    fitting.min(2 * cores).max(1)
}
