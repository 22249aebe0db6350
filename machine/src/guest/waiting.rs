//! The one wait loop, for what nothing announces and so must be looked at.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The pause after the first look; each is half as long again as the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What a look saw.
pub(crate) enum Look<T> {
    /// It has happened.
    Done(T),
    /// It has not: this is how things stand.
    NotYet(String),
    /// It has not, though the look waited for it: look again at once.
    StillNot(String),
    /// Nothing was seen, for this reason: what was seen before is the last.
    Unseen(String),
}

/// A wait that was in vain.
#[derive(Debug)]
pub(crate) struct InVain {
    pub(crate) looks: u32,
    pub(crate) last_seen: String,
}

/// Looks again and again until it has happened, for at most `limit`, and at
/// least once. `look` is told how much time is left.
pub(crate) async fn wait<T, E, F>(
    limit: Duration,
    mut look: impl FnMut(Duration) -> F,
) -> Result<Result<T, InVain>, E>
where
    F: Future<Output = Result<Look<T>, E>>,
{
    let start = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut last_seen = None;
    for looks in 1.. {
        let (seen, has_waited) = match look(limit.saturating_sub(start.elapsed())).await? {
            Look::Done(value) => return Ok(Ok(value)),
            Look::NotYet(seen) => (seen, false),
            Look::StillNot(seen) => (seen, true),
            Look::Unseen(reason) => (last_seen.take().unwrap_or(reason), false),
        };
        let seen = last_seen.insert(seen);
        let left = limit.saturating_sub(start.elapsed());
        if left.is_zero() {
            let last_seen = std::mem::take(seen);
            return Ok(Err(InVain { looks, last_seen }));
        }
        if !has_waited {
            #[expect(clippy::disallowed_methods, reason = "this is the one wait loop")]
            sleep(pause.min(left)).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }
    unreachable!("the loop has no end but its returns")
}

/// Lets time pass, where it is time itself that is waited for.
#[expect(clippy::disallowed_methods, reason = "no event could end it earlier")]
pub(crate) async fn pause(duration: Duration) {
    sleep(duration).await;
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::ready;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn looks_until_it_has_happened() {
        let mut looks = 0;
        let found = wait(Duration::from_secs(10), |_| {
            looks += 1;
            ready(Ok::<_, Infallible>(if looks == 5 {
                Look::Done("it")
            } else {
                Look::NotYet("no".into())
            }))
        });
        assert_eq!(found.await.unwrap().unwrap(), "it");
        assert_eq!(looks, 5);
    }

    #[tokio::test(start_paused = true)]
    async fn gives_up_in_time_with_what_was_seen() {
        let start = Instant::now();
        let limit = Duration::from_secs(30);
        let found = wait(limit, |left| {
            ready(Ok::<_, Infallible>(Look::<()>::NotYet(format!("{left:?}"))))
        });
        let in_vain = found.await.unwrap().unwrap_err();
        assert_eq!(start.elapsed().as_secs(), 30);
        assert!(in_vain.looks > 30, "{in_vain:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_seen_stays_the_last() {
        let mut looks = ["no", "still no"].into_iter();
        let found = wait(Duration::from_secs(1), |_| {
            ready(Ok::<_, Infallible>(match looks.next() {
                Some(seen) => Look::<()>::NotYet(seen.to_owned()),
                None => Look::Unseen("too slow".to_owned()),
            }))
        });
        assert_eq!(found.await.unwrap().unwrap_err().last_seen, "still no");
        let never = wait(Duration::from_secs(1), |_| {
            ready(Ok::<_, Infallible>(Look::<()>::Unseen("busy".to_owned())))
        });
        assert_eq!(never.await.unwrap().unwrap_err().last_seen, "busy");
    }

    #[tokio::test(start_paused = true)]
    async fn looks_once_without_any_time() {
        let mut looks = 0;
        let found = wait(Duration::ZERO, |_| {
            looks += 1;
            ready(Ok::<_, Infallible>(Look::<()>::NotYet(String::new())))
        });
        found.await.unwrap().unwrap_err();
        assert_eq!(looks, 1);
    }
}
