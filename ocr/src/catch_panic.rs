//! Panics as errors.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Returns the message of a panic as an error: otherwise, waiting for the result would never
/// end.
pub(crate) fn catch_panic<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(other) => match other.downcast_ref::<&str>() {
            Some(message) => (*message).to_owned(),
            None => "not a string".to_owned(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        let failed = |message: &str| Err::<(), _>(message.to_owned());
        assert_eq!(catch_panic(|| panic!("at once")), failed("at once"));
        assert_eq!(catch_panic(|| panic!("{}", 7)), failed("7"));
        assert_eq!(catch_panic(|| 7), Ok(7));
    }
}
