//! A program that waits in a guest that is saved, to be told what a clone has to do.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::Machine;
use crate::error::Result;
use crate::time_scale::scaled;

/// The name of its virtio port: the shell's would have the shell run, too, all of which
/// an emulated clone would first have to translate.
pub(crate) const PORT: &str = "org.vmwright.waiter";

/// The program.
pub(crate) const WAITER: &str = include_str!("waiter.pl");

/// How long Perl may take to start: what waits is only faster.
const START_LIMIT: Duration = Duration::from_secs(10);

/// The longest line that is read of it.
const MAX_LINE: u64 = 64;

/// Says whether it has started it.
const START: &str = r#"
    if [[ $HOSTTYPE != x86_64 ]] || ! perl=$(type -P perl); then exit 0; fi
    for port in /sys/class/virtio-ports/*; do
        if { read -r name <"$port/name"; } 2>/dev/null && [[ $name == @port@ ]]; then
            "$perl" -e @waiter@ "/dev/${port##*/}" </dev/null >/dev/null 2>&1 &
            echo started
        fi
    done
"#;

/// The line to it.
pub(super) type Line = BufReader<UnixStream>;

impl Machine {
    /// Starts it in a guest that has Perl; whether it waits.
    pub(super) async fn start_waiter(&self) -> Result<bool> {
        let doing = "preparing to be cloned";
        let waiter = self.quote(doing, WAITER)?;
        let script = START.replace("@port@", PORT).replace("@waiter@", &waiter);
        if self.quietly(script).await? != "started\n" {
            return Ok(false);
        }
        self.on_qemu(doing, async |running| {
            let mut line = running.waiter.lock().await;
            let said = timeout(scaled(START_LIMIT), next(&mut line)).await;
            Ok(said.is_ok_and(|said| said == "waiting\n"))
        })
        .await
    }

    /// Tells it what to do; whether it has done all of it.
    pub(super) async fn tell_waiter(&self, words: &[String]) -> Result<bool> {
        let words = words.join("\0");
        let told = format!("{}\n{words}", words.len());
        self.on_qemu("freshening a clone", async |running| {
            let mut line = running.waiter.lock().await;
            let answer = async {
                line.write_all(told.as_bytes()).await.ok()?;
                Some(next(&mut line).await)
            };
            let answer = timeout(self.limit, answer).await.ok().flatten();
            Ok(answer.is_some_and(|answer| answer == "done\n"))
        })
        .await
    }
}

/// The next line; what is none is empty.
async fn next(line: &mut Line) -> String {
    let mut text = String::new();
    let read = line.take(MAX_LINE).read_line(&mut text).await;
    read.map_or_else(|_| String::new(), |_| text)
}
