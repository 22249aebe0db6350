//! The polling loop of the host, for conditions that no event reports.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Guest;
use crate::error::Result;

/// Probes take at most one part in this many of a wait's time: each pause is proportional to
/// the cost of the last probe. The first probe is not counted: an emulated guest takes several
/// times as long to run a program for the first time.
const SHARE: u32 = 5;

/// The shortest pause between two probes.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause: a probe that costs more than a quarter of it takes a greater share, lest the
/// wait end late.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What a probe of a condition found.
pub(crate) enum Probe<T> {
    /// The condition is met.
    Ready(T),
    /// It is not met; the text describes the present state.
    Pending(String),
    /// The same, but it may be met when `left` is over: the pause is not longer.
    #[cfg_attr(
        not(feature = "screen"),
        expect(dead_code, reason = "only a wait for a still screen uses it")
    )]
    PendingUntil { seen: String, left: Duration },
    /// The same, after probes that took `cost` of the guest's processor time.
    Polled {
        seen: String,
        probes: u32,
        cost: Duration,
    },
    /// Nothing was found out, for this reason: the state seen before is the last one.
    Unknown(String),
    /// The probe took too long and was ended. At least one more is made after it.
    Hung(String),
}

/// How a wait ended.
#[derive(Debug)]
pub(crate) enum Waited<T> {
    Ready(T),
    TimedOut { probes: u32, last_seen: String },
}

impl Guest {
    /// Probes until `what` has happened, for as long as this handle waits, or until the
    /// guest dies. It may reboot meanwhile, if it is allowed to. `probe` is passed the time
    /// that is left.
    pub(crate) async fn wait<T, F>(&self, what: &str, probe: impl FnMut(Duration) -> F) -> Result<T>
    where
        F: Future<Output = Result<Probe<T>>>,
    {
        self.wait_pausing(LONGEST_PAUSE, what, probe).await
    }

    /// The same with another longest pause between two probes.
    pub(crate) async fn wait_pausing<T, F>(
        &self,
        longest_pause: Duration,
        what: &str,
        mut probe: impl FnMut(Duration) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<Probe<T>>>,
    {
        let running = self.running(what)?;
        let lifetime = &running.lifetime;
        let probe = |left| {
            let probed = probe(left);
            async {
                match probed.await {
                    Err(error) if error.is_shell_restart() => Ok(Probe::Polled {
                        seen: error.summary_line(),
                        probes: 1,
                        cost: Duration::ZERO,
                    }),
                    probed => probed,
                }
            }
        };
        // The errors of probes are complete; those of the guest's end are made here.
        let wait = Box::pin(async { Ok(wait(self.limit, longest_pause, probe).await) });
        match self.until_guest_end(lifetime, what, wait).await?? {
            Waited::Ready(value) => Ok(value),
            Waited::TimedOut { probes, last_seen } => {
                let timed_out = lifetime.timed_out(self.limit, what, probes, &last_seen);
                self.with_diagnosis(lifetime, Err(timed_out)).await
            }
        }
    }
}

/// Probes until the condition is met, for at most `limit`, and at least once. `probe` is
/// passed the time that is left.
pub(crate) async fn wait<T, E, F>(
    limit: Duration,
    longest_pause: Duration,
    mut probe: impl FnMut(Duration) -> F,
) -> Result<Waited<T>, E>
where
    F: Future<Output = Result<Probe<T>, E>>,
{
    let start = Instant::now();
    let mut last_seen = None;
    let mut probes = 0;
    let mut has_hung = false;
    loop {
        let begin = Instant::now();
        let found = probe(limit.saturating_sub(start.elapsed())).await?;
        let took = begin.elapsed();
        let mut longest_pause = longest_pause;
        let (seen, new_probes, cost, hung) = match found {
            Probe::Ready(value) => return Ok(Waited::Ready(value)),
            Probe::Pending(seen) => (seen, 1, took, false),
            Probe::PendingUntil { seen, left } => {
                longest_pause = longest_pause.min(left);
                (seen, 1, took, false)
            }
            Probe::Polled { seen, probes, cost } => (seen, probes, cost, false),
            Probe::Unknown(reason) => {
                let seen = last_seen.take().unwrap_or(reason);
                (seen, 1, Duration::ZERO, false)
            }
            Probe::Hung(reason) => (reason, 1, Duration::ZERO, true),
        };
        probes += new_probes;
        let left = limit.saturating_sub(start.elapsed());
        let needs_another = hung && !has_hung;
        if left.is_zero() && !needs_another {
            let last_seen = seen;
            return Ok(Waited::TimedOut { probes, last_seen });
        }
        has_hung |= hung;
        last_seen = Some(seen);
        let is_first = probes == new_probes;
        let counted = if is_first { Duration::ZERO } else { cost };
        let pause = (counted * SHARE).saturating_sub(took);
        #[expect(clippy::disallowed_methods, reason = "this is the one wait loop")]
        sleep(pause.max(SHORTEST_PAUSE).min(longest_pause).min(left)).await;
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
                Self::TimedOut { probes, last_seen } => (probes, last_seen),
                Self::Ready(value) => panic!("ready: {value:?}"),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn probes_until_the_condition_is_met() {
        let mut probes = 0;
        let found = wait(Duration::from_secs(10), LONGEST_PAUSE, |_| {
            probes += 1;
            ready(Ok::<_, Infallible>(if probes == 5 {
                Probe::Ready("it")
            } else {
                Probe::Pending("no".into())
            }))
        });
        assert!(matches!(found.await.unwrap(), Waited::Ready("it")));
        assert_eq!(probes, 5);
    }

    #[tokio::test(start_paused = true)]
    async fn gives_up_at_the_limit() {
        let start = Instant::now();
        let limit = Duration::from_secs(30);
        let found = wait(limit, LONGEST_PAUSE, |left| {
            ready(Ok::<_, Infallible>(Probe::<()>::Pending(format!(
                "{left:?}"
            ))))
        });
        let (probes, _) = found.await.unwrap().timed_out();
        assert_eq!(start.elapsed().as_secs(), 30);
        assert!(probes > 30, "{probes}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_known_state_is_kept() {
        let mut probes = ["no", "still no"].into_iter();
        let found = wait(Duration::from_secs(1), LONGEST_PAUSE, |_| {
            ready(Ok::<_, Infallible>(match probes.next() {
                Some(seen) => Probe::<()>::Pending(seen.to_owned()),
                None => Probe::Unknown("too slow".to_owned()),
            }))
        });
        assert_eq!(found.await.unwrap().timed_out().1, "still no");
        let never = wait(Duration::from_secs(1), LONGEST_PAUSE, |_| {
            ready(Ok::<_, Infallible>(Probe::<()>::Unknown("busy".to_owned())))
        });
        assert_eq!(never.await.unwrap().timed_out().1, "busy");
    }

    #[tokio::test(start_paused = true)]
    async fn probes_once_without_any_time() {
        let mut probes = 0;
        let found = wait(Duration::ZERO, LONGEST_PAUSE, |_| {
            probes += 1;
            ready(Ok::<_, Infallible>(Probe::<()>::Pending(String::new())))
        });
        found.await.unwrap().timed_out();
        assert_eq!(probes, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_are_in_proportion_to_the_cost() {
        for (cost, longest, paused) in [
            (0, 2000, 50),
            (100, 2000, 400),
            (100, 80, 80),
            (9000, 2000, 2000),
        ] {
            let mut begins = Vec::new();
            let longest = Duration::from_millis(longest);
            let found = wait(Duration::from_hours(1), longest, |_| {
                begins.push(Instant::now());
                let is_last = begins.len() == 3;
                async move {
                    pause(Duration::from_millis(cost)).await;
                    Ok::<_, Infallible>(if is_last {
                        Probe::Ready(())
                    } else {
                        Probe::Pending(String::new())
                    })
                }
            });
            found.await.unwrap();
            let periods = [begins[1] - begins[0], begins[2] - begins[1]];
            let periods = periods.map(|period| period.as_millis());
            // The first probe is not counted.
            assert_eq!(periods, [cost + 50, cost + paused].map(u128::from));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_guest_that_polled_has_paused_itself() {
        let mut begins = Vec::new();
        let found = wait(Duration::from_secs(30), LONGEST_PAUSE, |_| {
            begins.push(Instant::now());
            async move {
                pause(Duration::from_secs(10)).await;
                Ok::<_, Infallible>(Probe::<()>::Polled {
                    seen: "nothing".to_owned(),
                    probes: 100,
                    cost: Duration::from_secs(1),
                })
            }
        });
        let (probes, _) = found.await.unwrap().timed_out();
        assert_eq!(probes, 300);
        assert_eq!((begins[1] - begins[0]).as_millis(), 10_050);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_hangs_is_followed_by_another() {
        let mut tries = 0;
        let found = wait(Duration::from_secs(10), LONGEST_PAUSE, |left| {
            tries += 1;
            let is_last = tries == 2;
            async move {
                if is_last {
                    return Ok::<_, Infallible>(Probe::Ready("it"));
                }
                pause(left).await;
                Ok(Probe::Hung("it was ended".to_owned()))
            }
        });
        assert!(matches!(found.await.unwrap(), Waited::Ready("it")));

        let always = wait(Duration::from_secs(10), LONGEST_PAUSE, |left| async move {
            pause(left).await;
            Ok::<_, Infallible>(Probe::<()>::Hung("it was ended".to_owned()))
        });
        let (probes, last_seen) = always.await.unwrap().timed_out();
        assert_eq!((probes, last_seen.as_str()), (2, "it was ended"));
    }
}
