//! Conditions that must hold during a test.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::Guest;
use super::waiting::{Probe, pause};
use crate::error::{Error, ErrorKind, Result};
use crate::sync::Mutex;

type Check = dyn Fn(Guest) -> Pin<Box<dyn Future<Output = Result<bool>> + Send>> + Send + Sync;

/// A condition that is checked before each operation while this value lives; made by
/// [`Guest::polling_condition`].
#[must_use = "the condition is checked only as long as this value lives"]
pub struct PollingCondition {
    guest: Guest,
    condition: Arc<Condition>,
}

/// How often conditions are checked during an operation, at most.
const LEAST_INTERVAL: Duration = Duration::from_millis(500);

/// They are also checked at the end of a command that took longer than this.
const LONG_COMMAND: Duration = Duration::from_secs(1);

struct Condition {
    description: String,
    interval: Duration,
    check: Box<Check>,
    /// When it was last found to hold.
    checked: Mutex<Option<Instant>>,
    /// Locked during a check.
    checking: tokio::sync::Mutex<()>,
}

/// The conditions of a guest whose [`PollingCondition`] lives.
#[derive(Default)]
pub(super) struct Conditions(Mutex<Vec<Weak<Condition>>>);

/// # Conditions
impl Guest {
    /// Waits until `condition` is true: for conditions that no other wait covers.
    /// `what` describes it in errors. The machine must run; its guest needs no shell.
    ///
    /// ```no_run
    /// # async fn example(vm: machine::Machine) -> machine::Result<()> {
    /// vm.retry("two users to be logged in", async || {
    ///     Ok(vm.succeed("who").await?.lines().count() == 2)
    /// })
    /// .await
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut); [`NotRunning`](ErrorKind::NotRunning) or
    /// [`Exited`](ErrorKind::Exited) if it does not run; those of `condition`, at once.
    pub async fn retry<F>(&self, what: &str, condition: impl Fn() -> F) -> Result<()>
    where
        F: Future<Output = Result<bool>>,
    {
        let condition = &condition;
        self.step(&format!("waiting for {what}"), async {
            self.wait(what, |_| async move {
                let begin = Instant::now();
                Ok(if condition().await? {
                    Probe::Ready(())
                } else {
                    Probe::Polled {
                        seen: "it is false".to_owned(),
                        probes: 1,
                        // After a command's result, its guest is busy for a third of that time
                        // or more: it ends processes.
                        cost: begin.elapsed() * 7 / 5,
                    }
                })
            })
            .await
        })
        .await
    }

    /// Makes `check` a condition that must be true for as long as the returned value
    /// lives. It is checked before each command, monitor command, key, click and
    /// screenshot, unless that was done within the last `interval`; and at that interval, but at
    /// most twice a second, during each command and wait. If it is false, the operation
    /// fails with [`ErrorKind::Condition`].
    ///
    /// `check` is passed a handle whose own operations check no conditions. While a command
    /// runs in the guest's shell, a check that needs it, too, waits for the command's end.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # async fn example(vm: machine::Machine) -> machine::Result<()> {
    /// let browser_runs = vm.polling_condition(
    ///     "the browser runs",
    ///     Duration::from_secs(2),
    ///     async |vm| Ok(vm.execute("pgrep firefox").await?.success()),
    /// );
    /// vm.wait_until_succeeds("test -e /root/Downloads/file").await?;
    /// drop(browser_runs); // it may be closed from here on
    /// # Ok(())
    /// # }
    /// ```
    pub fn polling_condition<F>(
        &self,
        description: impl Into<String>,
        interval: Duration,
        check: impl Fn(Guest) -> F + Send + Sync + 'static,
    ) -> PollingCondition
    where
        F: Future<Output = Result<bool>> + Send + 'static,
    {
        let condition = Arc::new(Condition {
            description: description.into(),
            interval,
            check: Box::new(move |guest| Box::pin(check(guest))),
            checked: Mutex::new(None),
            checking: tokio::sync::Mutex::default(),
        });
        self.shared.conditions.add(&condition);
        PollingCondition {
            guest: self.clone(),
            condition,
        }
    }

    /// Checks the conditions that were not checked within their interval.
    pub(crate) async fn check_conditions(&self) -> Result<()> {
        self.check_due(Duration::ZERO).await
    }

    /// Checks the conditions at their intervals until one is false, and returns the error.
    pub(super) async fn broken_condition(&self) -> Error {
        loop {
            pause(LEAST_INTERVAL).await;
            if let Err(error) = self.check_due(LEAST_INTERVAL).await {
                return error;
            }
        }
    }

    /// Checks the conditions after a command that was begun at `start`: those that need
    /// the shell could not be checked meanwhile.
    pub(super) async fn check_conditions_after(&self, start: Instant) -> Result<()> {
        if start.elapsed() < LONG_COMMAND {
            return Ok(());
        }
        self.check_due(LEAST_INTERVAL).await
    }

    async fn check_due(&self, least_interval: Duration) -> Result<()> {
        if !self.checks_conditions {
            return Ok(());
        }
        for condition in self.shared.conditions.alive() {
            if !condition.is_due(least_interval) {
                continue;
            }
            // An operation in progress may be checking it.
            let Ok(_checking) = condition.checking.try_lock() else {
                continue;
            };
            if !self.holds(&condition).await? {
                let condition = condition.description.clone();
                return Err(self.error(ErrorKind::Condition { condition }));
            }
            *condition.checked.lock() = Some(Instant::now());
        }
        Ok(())
    }

    /// The shortest interval at which operations of this handle check conditions. `None` if
    /// there are none.
    pub(super) fn conditions_interval(&self) -> Option<Duration> {
        let interval = self.shared.conditions.interval();
        let interval = interval.filter(|_| self.checks_conditions);
        interval.map(|interval| interval.max(LEAST_INTERVAL))
    }

    async fn holds(&self, condition: &Condition) -> Result<bool> {
        (condition.check)(self.unchecked()).await
    }
}

impl PollingCondition {
    /// Waits until the condition is true, for as long as the handle waits that made it.
    /// Checks it as often as [`Guest::retry`] does.
    ///
    /// # Errors
    /// As [`Guest::retry`].
    ///
    /// # Cancellation
    /// Has no effect.
    pub async fn wait(&self) -> Result<()> {
        let Self { guest, condition } = self;
        let what = format!("the condition \"{}\"", condition.description);
        guest.retry(&what, || guest.holds(condition)).await
    }
}

impl Conditions {
    fn add(&self, condition: &Arc<Condition>) {
        let mut conditions = self.0.lock();
        conditions.push(Arc::downgrade(condition));
    }

    /// The shortest interval.
    fn interval(&self) -> Option<Duration> {
        let alive = self.alive().into_iter();
        alive.map(|condition| condition.interval).min()
    }

    fn alive(&self) -> Vec<Arc<Condition>> {
        let mut conditions = self.0.lock();
        conditions.retain(|condition| condition.strong_count() > 0);
        conditions.iter().filter_map(Weak::upgrade).collect()
    }
}

impl Condition {
    fn is_due(&self, least_interval: Duration) -> bool {
        let interval = self.interval.max(least_interval);
        let checked = *self.checked.lock();
        checked.is_none_or(|checked| checked.elapsed() >= interval)
    }
}

impl fmt::Debug for PollingCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PollingCondition")
            .field(&self.condition.description)
            .finish()
    }
}

impl fmt::Debug for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let conditions = self.0.lock();
        f.debug_struct("Conditions")
            .field("count", &conditions.len())
            .finish()
    }
}
