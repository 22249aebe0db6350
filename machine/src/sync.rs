//! A mutex that ignores poison.

use std::sync::{MutexGuard, PoisonError};

/// [`std::sync::Mutex`], whose [`lock`](Self::lock) never fails: what it protects here is
/// valid after a panic, too.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
