//! Conditions that must hold all the time.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{ErrorKind, Result};
use crate::guest::waiting::Look;
use crate::machine::Machine;

type Check = dyn Fn(Machine) -> Pin<Box<dyn Future<Output = Result<bool>> + Send>> + Send + Sync;

/// A condition that is checked whenever something is done, for as long as this
/// value lives; made by [`Machine::polling_condition`].
#[must_use = "the condition is checked only as long as this value lives"]
pub struct PollingCondition {
    machine: Machine,
    condition: Arc<Condition>,
}

struct Condition {
    description: String,
    interval: Duration,
    check: Box<Check>,
    checked: Mutex<Option<Instant>>,
}

/// The conditions of a machine that still matter to somebody.
#[derive(Default)]
pub(crate) struct Conditions(Mutex<Vec<Weak<Condition>>>);

/// # Conditions
impl Machine {
    /// Waits until `condition` is true: for what no other wait is made for.
    /// `what` says in errors what is waited for. The machine must run, whether its
    /// guest has a shell or not.
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
                    Look::Done(())
                } else {
                    Look::NotYet("it is not so".to_owned())
                })
            })
            .await
        })
        .await
    }

    /// From now on, and for as long as the returned value lives, `check` must
    /// be true: it is called before each command, command of the human monitor's,
    /// key, click and look at the screen, those of waits included, if it was not
    /// within the last `interval`. What needs it is then not done, but ends with
    /// [`ErrorKind::Condition`].
    ///
    /// `check` is given a handle of the machine to look at it with, whose own
    /// commands check nothing.
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
    /// drop(browser_runs); // from here on it may be closed
    /// # Ok(())
    /// # }
    /// ```
    pub fn polling_condition<F>(
        &self,
        description: impl Into<String>,
        interval: Duration,
        check: impl Fn(Machine) -> F + Send + Sync + 'static,
    ) -> PollingCondition
    where
        F: Future<Output = Result<bool>> + Send + 'static,
    {
        let condition = Arc::new(Condition {
            description: description.into(),
            interval,
            check: Box::new(move |machine| Box::pin(check(machine))),
            checked: Mutex::new(None),
        });
        self.parts.conditions.add(&condition);
        PollingCondition {
            machine: self.clone(),
            condition,
        }
    }

    /// Checks what was not checked lately.
    pub(crate) async fn check_conditions(&self) -> Result<()> {
        if !self.checks_conditions {
            return Ok(());
        }
        for condition in self.parts.conditions.due() {
            if !self.holds(&condition).await? {
                let condition = condition.description.clone();
                return Err(self.error(ErrorKind::Condition { condition }));
            }
        }
        Ok(())
    }

    /// A handle whose operations check nothing.
    pub(crate) fn unchecked(&self) -> Self {
        let mut handle = self.clone();
        handle.checks_conditions = false;
        handle
    }

    async fn holds(&self, condition: &Condition) -> Result<bool> {
        (condition.check)(self.unchecked()).await
    }
}

impl PollingCondition {
    /// Waits until the condition holds, for as long as the handle waits that it
    /// was made with.
    pub async fn wait(&self) -> Result<()> {
        let Self { machine, condition } = self;
        let what = format!("the condition \"{}\"", condition.description);
        machine.retry(&what, || machine.holds(condition)).await
    }
}

impl Conditions {
    fn add(&self, condition: &Arc<Condition>) {
        let mut conditions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        conditions.push(Arc::downgrade(condition));
    }

    /// The conditions that it is time to check; they count as checked from now.
    fn due(&self) -> Vec<Arc<Condition>> {
        let mut conditions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        conditions.retain(|condition| condition.strong_count() > 0);
        let alive = conditions.iter().filter_map(Weak::upgrade);
        alive.filter(|condition| condition.is_due()).collect()
    }
}

impl Condition {
    fn is_due(&self) -> bool {
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
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
        let conditions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Conditions")
            .field("count", &conditions.len())
            .finish()
    }
}
