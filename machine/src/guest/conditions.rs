//! Conditions that must hold during a test.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::Guest;
use super::waiting::Probe;
use crate::error::{ErrorKind, Result};
use crate::sync::Mutex;

type Check = dyn Fn(Guest) -> Pin<Box<dyn Future<Output = Result<bool>> + Send>> + Send + Sync;

/// A condition that is checked before each operation while this value lives; made by
/// [`Guest::polling_condition`].
#[must_use = "the condition is checked only as long as this value lives"]
pub struct PollingCondition {
    guest: Guest,
    condition: Arc<Condition>,
}

struct Condition {
    description: String,
    interval: Duration,
    check: Box<Check>,
    checked: Mutex<Option<Instant>>,
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
                Ok(if condition().await? {
                    Probe::Ready(())
                } else {
                    Probe::Pending("it is false".to_owned())
                })
            })
            .await
        })
        .await
    }

    /// Makes `check` a condition that must be true for as long as the returned value
    /// lives. It is checked before each command, monitor command, key, click and
    /// screenshot, also those of waits, unless that was done within the last `interval`.
    /// If it is false, the operation fails with [`ErrorKind::Condition`].
    ///
    /// `check` is passed a handle whose own operations check no conditions.
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
        });
        self.shared.conditions.add(&condition);
        PollingCondition {
            guest: self.clone(),
            condition,
        }
    }

    /// Checks the conditions that are due.
    pub(crate) async fn check_conditions(&self) -> Result<()> {
        if !self.checks_conditions {
            return Ok(());
        }
        for condition in self.shared.conditions.due() {
            if !self.holds(&condition).await? {
                let condition = condition.description.clone();
                return Err(self.error(ErrorKind::Condition { condition }));
            }
        }
        Ok(())
    }

    async fn holds(&self, condition: &Condition) -> Result<bool> {
        (condition.check)(self.unchecked()).await
    }
}

impl PollingCondition {
    /// Waits until the condition is true, for as long as the handle waits that made it.
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

    /// The conditions that are due; they count as checked from now on.
    fn due(&self) -> Vec<Arc<Condition>> {
        let mut conditions = self.0.lock();
        conditions.retain(|condition| condition.strong_count() > 0);
        let alive = conditions.iter().filter_map(Weak::upgrade);
        alive.filter(|condition| condition.is_due()).collect()
    }
}

impl Condition {
    fn is_due(&self) -> bool {
        let mut checked = self.checked.lock();
        let is_due = checked.is_none_or(|checked| checked.elapsed() >= self.interval);
        if is_due {
            *checked = Some(Instant::now());
        }
        is_due
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
