//! What the guest's process reports of its own exit.

use tokio::sync::watch;

use crate::exit_reason::ExitReason;

/// The reports, which a follower of the process's events receives.
#[derive(Debug, Default)]
pub(crate) struct Reports(watch::Sender<State>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    is_followed: bool,
    exit_reason: Option<ExitReason>,
}

impl Reports {
    /// A task follows the process's events from now until [`end`](Self::end).
    pub(crate) fn begin(&self) {
        self.0.send_modify(|state| state.is_followed = true);
    }

    pub(crate) fn end(&self) {
        self.0.send_modify(|state| state.is_followed = false);
    }

    /// Records why the process is about to exit. The first reason counts.
    pub(crate) fn exits(&self, reason: ExitReason) {
        self.0.send_modify(|state| {
            state.exit_reason.get_or_insert(reason);
        });
    }

    /// Waits until no more reports may come.
    pub(super) async fn complete(&self) {
        // The sender is in `self`.
        let _ = self
            .0
            .subscribe()
            .wait_for(|state| !state.is_followed)
            .await;
    }

    pub(super) fn exit_reason(&self) -> Option<ExitReason> {
        self.0.borrow().exit_reason
    }
}
