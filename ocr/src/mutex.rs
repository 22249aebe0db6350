//! A mutex that ignores poison: what it protects here is valid after every statement.

use std::sync::{Condvar, MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until `changed` is notified, or for `limit`; `None` is no limit.
pub(crate) fn wait<'a, T>(
    changed: &Condvar,
    guard: MutexGuard<'a, T>,
    limit: Option<Duration>,
) -> MutexGuard<'a, T> {
    match limit {
        None => changed.wait(guard).unwrap_or_else(PoisonError::into_inner),
        Some(limit) => {
            let waited = changed.wait_timeout(guard, limit);
            waited.unwrap_or_else(PoisonError::into_inner).0
        }
    }
}
