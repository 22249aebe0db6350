//! The connection to the clone agent, a program that waits in a saved guest.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;
use uuid::Uuid;

use super::Instance;
use crate::error::Result;
use crate::guest::Guest;
use crate::guest::identity::{AGENT, Identity};
use crate::time_scale::scaled;

/// The name of its virtio port. It has one of its own, because an emulated clone that
/// goes through the shell must first translate all the shell's code.
pub(super) const PORT: &str = "org.vmwright.clone-agent";

/// How long Perl may take to start, and to apply an identity. Without the agent the shell
/// does it, only more slowly.
const LIMIT: Duration = Duration::from_secs(30);

/// How much of a line is read at once.
const MAX_LINE: u64 = 256;

pub(super) type Connection = BufReader<UnixStream>;

impl Instance {
    /// Starts the agent in a guest that has Perl and a shell, and returns its token if it waits.
    pub(crate) async fn start_clone_agent(&self, guest: &Guest) -> Result<Option<String>> {
        let doing = "preparing to be cloned";
        if !guest.has_shell() {
            return Ok(None);
        }
        let token = Uuid::new_v4().simple().to_string();
        let script = guest
            .script(doing)
            .set("port_name", PORT)?
            .set("agent", AGENT)?
            .set("token", &token)?
            .append(include_str!("../guest/start_clone_agent.sh"));
        let output = guest.run_untraced(&self.running, script.into_text());
        if output.await? != "started\n" {
            return Ok(None);
        }
        let reply = async {
            let mut connection = self.agent.lock().await;
            Ok(reply(&mut connection, &token).await)
        };
        let reply = guest
            .until_guest_end(&self.running.lifetime, doing, reply)
            .await?;
        let waits = reply.is_some_and(|reply| reply == "waiting");
        if !waits {
            tracing::debug!(machine = guest.name(), "the clone agent does not answer");
        }
        Ok(waits.then_some(token))
    }

    /// Has the agent with this token apply an identity, or the shell if there is no agent
    /// or it fails. A guest without a shell keeps its own.
    pub(crate) async fn apply_identity(
        &self,
        guest: &Guest,
        agent: Option<&str>,
        identity: &Identity,
    ) -> Result<()> {
        if !guest.has_shell() {
            return Ok(());
        }
        // Values that can't be set are refused before anything is changed.
        identity.to_script(guest)?;
        if let Some(token) = agent
            && self.apply_by_agent(guest, token, identity).await?
        {
            return Ok(());
        }
        guest.apply_identity(&self.running, identity).await
    }

    /// Whether the agent has applied the whole identity.
    async fn apply_by_agent(
        &self,
        guest: &Guest,
        token: &str,
        identity: &Identity,
    ) -> Result<bool> {
        let fields = identity.to_agent_request();
        let id = Uuid::new_v4().simple().to_string();
        // The newline ends whatever partial line the agent may have received.
        let request = format!("\n{token} {id} {}\n{fields}", fields.len());
        let reply = async {
            let mut connection = self.agent.lock().await;
            let written = connection.write_all(request.as_bytes());
            match timeout(scaled(LIMIT), written).await {
                Ok(Ok(())) => Ok(reply(&mut connection, &id).await),
                Ok(Err(_)) | Err(_) => Ok(None),
            }
        };
        let doing = "applying a clone's identity";
        let reply = guest
            .until_guest_end(&self.running.lifetime, doing, reply)
            .await?;
        if reply.as_deref() == Some("done") {
            return Ok(true);
        }
        let reply = serial_log::printable(reply.as_deref().unwrap_or("no reply")).into_owned();
        tracing::debug!(machine = guest.name(), "the clone agent failed: {reply}");
        Ok(false)
    }
}

/// The rest of a line that begins with `word`. A guest may write anything else before.
async fn reply(connection: &mut Connection, word: &str) -> Option<String> {
    let replied = async {
        loop {
            let mut text = Vec::new();
            let mut piece = (&mut *connection).take(MAX_LINE);
            if piece.read_until(b'\n', &mut text).await.ok()? == 0 {
                return None;
            }
            let text = String::from_utf8_lossy(&text);
            if let Some((first, rest)) = text.trim_end().split_once(' ')
                && first == word
            {
                return Some(rest.to_owned());
            }
        }
    };
    timeout(scaled(LIMIT), replied).await.ok().flatten()
}
