//! Waiting for QEMU's events.

use qmp_mon::Event;
use tokio::time::timeout;

use super::{Instance, monitor_error};
use crate::error::{ErrorKind, Result};
use crate::guest::Guest;
use crate::sync::Mutex;

/// How many events the error of a wait for another one lists.
const MAX_SEEN: usize = 100;

impl Instance {
    /// Waits for an event that `wanted` accepts. The guest's death ends the wait.
    pub(crate) async fn wait_for_event(
        &self,
        guest: &Guest,
        doing: &str,
        wanted: impl Fn(&Event) -> bool,
    ) -> Result<Event> {
        let seen = OtherEvents::default();
        let found = self.events.wait_for(|next| match next {
            Ok(event) if wanted(event) => true,
            Ok(event) => seen.record(event.name.clone()),
            Err(lost) => seen.record(lost.to_string()),
        });
        let event = async {
            match timeout(guest.limit(), found).await {
                Ok(found) => found.map_err(|source| monitor_error(doing, source)),
                Err(_) => Err(self.no_such_event(guest, &seen)),
            }
        };
        let lifetime = &self.running.lifetime;
        guest.until_guest_end(lifetime, doing, event).await
    }

    fn no_such_event(&self, guest: &Guest, seen: &OtherEvents) -> ErrorKind {
        let (count, seen) = seen.summary();
        let what = "a QEMU event";
        let lifetime = &self.running.lifetime;
        lifetime.timed_out(guest.limit(), what, count, &seen)
    }
}

/// The names of the events that a wait has passed over.
#[derive(Default)]
struct OtherEvents(Mutex<Vec<String>>);

impl OtherEvents {
    fn record(&self, name: String) -> bool {
        let mut seen = self.0.lock();
        if seen.len() < MAX_SEEN {
            seen.push(name);
        }
        false
    }

    fn summary(&self) -> (u32, String) {
        let seen = self.0.lock();
        let count = u32::try_from(seen.len()).unwrap_or(u32::MAX);
        match &seen[..] {
            [] => (count, "no event at all".to_owned()),
            seen => (count, seen.join(", ")),
        }
    }
}
