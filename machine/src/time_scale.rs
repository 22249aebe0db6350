//! Time limits for slow hosts.

use std::env;
use std::sync::LazyLock;
use std::time::Duration;

/// The factor for all limits, from the environment variable `VM_TIMEOUT_SCALE`: at least 1,
/// the default.
static SCALE: LazyLock<f64> = LazyLock::new(|| {
    let Some(set) = env::var_os("VM_TIMEOUT_SCALE").filter(|set| !set.is_empty()) else {
        return 1.0;
    };
    set.to_str().and_then(parse).unwrap_or_else(|| {
        let set = set.display();
        tracing::warn!("VM_TIMEOUT_SCALE is ignored: `{set}` is not a number of at least 1");
        1.0
    })
});

/// `limit` multiplied by the environment variable `VM_TIMEOUT_SCALE`, if that is a number of
/// at least 1.
///
/// Machines scale all limits that are passed to them. This function is for a test's own
/// limits.
#[must_use]
pub fn scaled(limit: Duration) -> Duration {
    times(limit, *SCALE)
}

fn parse(scale: &str) -> Option<f64> {
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
    fn a_scale_below_one_is_ignored() {
        assert_eq!(parse("2.5"), Some(2.5));
        for none in ["0.5", "-1", "inf", "NaN", "fast", ""] {
            assert_eq!(parse(none), None, "{none}");
        }
        assert_eq!(times(Duration::from_secs(2), 1.5), Duration::from_secs(3));
        assert_eq!(times(Duration::MAX, 2.0), Duration::MAX);
    }
}
