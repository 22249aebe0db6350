//! The one wait loop, for conditions that nothing notifies of and so must be polled.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The pause after the first probe; each is half as long again as the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What a probe of a condition found.
pub(crate) enum Probe<T> {
    /// The condition is met.
    Ready(T),
    /// It is not met; the text describes the present state.
    Pending(String),
    /// The same, of a probe that itself waited for the condition: probe again at once.
    StillPending(String),
    /// Nothing was found out, for this reason: the state seen before is the last one.
    Unknown(String),
}

/// How a wait ended.
#[derive(Debug)]
pub(crate) enum Waited<T> {
    Ready(T),
    TimedOut { looks: u32, last_seen: String },
}

/// Probes until the condition is met, for at most `limit`, and at least once. `probe` is
/// passed the time that is left.
pub(crate) async fn wait<T, E, F>(
    limit: Duration,
    mut probe: impl FnMut(Duration) -> F,
) -> Result<Waited<T>, E>
where
    F: Future<Output = Result<Probe<T>, E>>,
{
    let start = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut last_seen = None;
    let mut looks = 0;
    loop {
        looks += 1;
        let (seen, has_waited) = match probe(limit.saturating_sub(start.elapsed())).await? {
            Probe::Ready(value) => return Ok(Waited::Ready(value)),
            Probe::Pending(seen) => (seen, false),
            Probe::StillPending(seen) => (seen, true),
            Probe::Unknown(reason) => (last_seen.take().unwrap_or(reason), false),
        };
        let left = limit.saturating_sub(start.elapsed());
        if left.is_zero() {
            let last_seen = seen;
            return Ok(Waited::TimedOut { looks, last_seen });
        }
        last_seen = Some(seen);
        if !has_waited {
            #[expect(clippy::disallowed_methods, reason = "this is the one wait loop")]
            sleep(pause.min(left)).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }
}

/// Lets time pass, where the passing of time is what is waited for.
#[expect(clippy::disallowed_methods, reason = "no event could end it earlier")]
pub(crate) async fn pause(duration: Duration) {
    sleep(duration).await;
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::ready;

    use super::*;

    impl<T: std::fmt::Debug> Waited<T> {
        fn timed_out(self) -> (u32, String) {
            match self {
                Self::TimedOut { looks, last_seen } => (looks, last_seen),
                Self::Ready(value) => panic!("ready: {value:?}"),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn probes_until_the_condition_is_met() {
        let mut looks = 0;
        let found = wait(Duration::from_secs(10), |_| {
            looks += 1;
            ready(Ok::<_, Infallible>(if looks == 5 {
                Probe::Ready("it")
            } else {
                Probe::Pending("no".into())
            }))
        });
        assert!(matches!(found.await.unwrap(), Waited::Ready("it")));
        assert_eq!(looks, 5);
    }

    #[tokio::test(start_paused = true)]
    async fn gives_up_at_the_limit() {
        let start = Instant::now();
        let limit = Duration::from_secs(30);
        let found = wait(limit, |left| {
            ready(Ok::<_, Infallible>(Probe::<()>::Pending(format!(
                "{left:?}"
            ))))
        });
        let (looks, _) = found.await.unwrap().timed_out();
        assert_eq!(start.elapsed().as_secs(), 30);
        assert!(looks > 30, "{looks}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_known_state_is_kept() {
        let mut looks = ["no", "still no"].into_iter();
        let found = wait(Duration::from_secs(1), |_| {
            ready(Ok::<_, Infallible>(match looks.next() {
                Some(seen) => Probe::<()>::Pending(seen.to_owned()),
                None => Probe::Unknown("too slow".to_owned()),
            }))
        });
        assert_eq!(found.await.unwrap().timed_out().1, "still no");
        let never = wait(Duration::from_secs(1), |_| {
            ready(Ok::<_, Infallible>(Probe::<()>::Unknown("busy".to_owned())))
        });
        assert_eq!(never.await.unwrap().timed_out().1, "busy");
    }

    #[tokio::test(start_paused = true)]
    async fn probes_once_without_any_time() {
        let mut looks = 0;
        let found = wait(Duration::ZERO, |_| {
            looks += 1;
            ready(Ok::<_, Infallible>(Probe::<()>::Pending(String::new())))
        });
        found.await.unwrap().timed_out();
        assert_eq!(looks, 1);
    }
}
