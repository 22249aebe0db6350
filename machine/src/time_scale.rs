//! Limits on a host that is slower than the one they were chosen on.

use std::env;
use std::sync::LazyLock;
use std::time::Duration;

/// What all limits are multiplied by: the environment variable `VM_TIMEOUT_SCALE`, at
/// least 1, which it is by default.
static SCALE: LazyLock<f64> = LazyLock::new(|| {
    let Some(set) = env::var_os("VM_TIMEOUT_SCALE").filter(|set| !set.is_empty()) else {
        return 1.0;
    };
    set.to_str().and_then(read).unwrap_or_else(|| {
        let set = set.display();
        tracing::warn!("VM_TIMEOUT_SCALE is ignored: `{set}` is not a number of at least 1");
        1.0
    })
});

/// What a limit is on this host: `limit`, multiplied by the environment variable
/// `VM_TIMEOUT_SCALE` if that is a number of at least 1.
///
/// Machines do this with all limits that they are given; it is for those that a test has
/// of its own.
#[must_use]
pub fn scaled(limit: Duration) -> Duration {
    times(limit, *SCALE)
}

fn read(scale: &str) -> Option<f64> {
    let scale: f64 = scale.parse().ok()?;
    (scale.is_finite() && scale >= 1.0).then_some(scale)
}

fn times(limit: Duration, scale: f64) -> Duration {
    Duration::try_from_secs_f64(limit.as_secs_f64() * scale).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_never_shortens() {
        assert_eq!(read("2.5"), Some(2.5));
        for none in ["0.5", "-1", "inf", "NaN", "fast", ""] {
            assert_eq!(read(none), None, "{none}");
        }
        assert_eq!(times(Duration::from_secs(2), 1.5), Duration::from_secs(3));
        assert_eq!(times(Duration::MAX, 2.0), Duration::MAX);
    }
}
