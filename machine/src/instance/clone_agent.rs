//! A program that waits in a guest that is saved, to be told what a clone has to do.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;
use uuid::Uuid;

use crate::error::Result;
use crate::machine::{Machine, Running};
use crate::time_scale::scaled;

/// The name of its virtio port: the shell's would have the shell run, too, all of which
/// an emulated clone would first have to translate.
pub(crate) const PORT: &str = "org.vmwright.waiter";

/// The program.
pub(crate) const WAITER: &str = include_str!("../guest/clone_agent.pl");

/// How long Perl may take to start, and to do what it is told: what waits is only faster.
const LIMIT: Duration = Duration::from_secs(30);

/// The most of a line that is read at once.
const MAX_LINE: u64 = 256;

/// Says whether it has started it.
const START: &str = r#"
    if [[ $HOSTTYPE != x86_64 ]] || ! perl=$(type -P perl); then exit 0; fi
    for port in /sys/class/virtio-ports/*; do
        if { read -r name <"$port/name"; } 2>/dev/null && [[ $name == @port@ ]]; then
            "$perl" -e @waiter@ "/dev/${port##*/}" @word@ </dev/null >/dev/null 2>&1 &
            echo started
        fi
    done
"#;

/// The line to it.
pub(crate) type Line = BufReader<UnixStream>;

impl Machine {
    /// Starts it in a guest that has Perl, and gives the word that it goes by, if it waits.
    pub(crate) async fn start_waiter(&self) -> Result<Option<String>> {
        let doing = "preparing to be cloned";
        let word = Uuid::new_v4().simple().to_string();
        let script = START
            .replace("@port@", PORT)
            .replace("@word@", &word)
            .replace("@waiter@", &self.quote(doing, WAITER)?);
        if self.quietly(script).await? != "started\n" {
            return Ok(None);
        }
        let said = self.on_guest(doing, async |running| {
            let mut line = running.waiter.lock().await;
            Ok(answer(&mut line, &word).await)
        });
        let waits = said.await?.is_some_and(|said| said == "waiting");
        if !waits {
            tracing::debug!(machine = self.name(), "nothing waits in the guest");
        }
        Ok(waits.then_some(word))
    }

    /// Tells the one that goes by this word what to do; whether it has done all of it.
    pub(crate) async fn tell_waiter(
        &self,
        running: &Running,
        word: &str,
        told: &[String],
    ) -> Result<bool> {
        let told = told.join("\0");
        let ask = Uuid::new_v4().simple().to_string();
        // Whatever half line it has got is over.
        let request = format!("\n{word} {ask} {}\n{told}", told.len());
        let said = running.qemu.or_guests_end("freshening a clone", async {
            let mut line = running.waiter.lock().await;
            match timeout(scaled(LIMIT), line.write_all(request.as_bytes())).await {
                Ok(Ok(())) => Ok(answer(&mut line, &ask).await),
                Ok(Err(_)) | Err(_) => Ok(None),
            }
        });
        let said = self.told(running, said.await).await?;
        if said.as_deref() == Some("done") {
            return Ok(true);
        }
        let said = serial_log::printable(said.as_deref().unwrap_or("nothing")).into_owned();
        tracing::debug!(
            machine = self.name(),
            "what waits in the guest says: {said}"
        );
        Ok(false)
    }
}

/// What is said after `word` at the beginning of a line. A guest may say anything else.
async fn answer(line: &mut Line, word: &str) -> Option<String> {
    let answered = async {
        loop {
            let mut text = Vec::new();
            let mut piece = (&mut *line).take(MAX_LINE);
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
    timeout(scaled(LIMIT), answered).await.ok().flatten()
}
