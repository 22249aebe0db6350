//! Waiting for TCP ports and Unix sockets.

use super::Guest;
use super::script::Script;
use crate::error::Result;

const WAITING_FOR_PORT: &str = "waiting for a port";
const WAITING_FOR_SOCKET: &str = "waiting for a Unix socket";

/// # Ports and sockets
impl Guest {
    /// Waits until a process listens on a TCP port of the guest's `localhost`, by IPv4 or
    /// IPv6.
    ///
    /// # Errors
    /// [`BadArgument`](crate::ErrorKind::BadArgument) for port 0;
    /// [`TimedOut`](crate::ErrorKind::TimedOut) with the listening sockets.
    pub async fn wait_for_open_port(&self, port: u16) -> Result<()> {
        self.wait_for_open_port_at("localhost", port).await
    }

    /// Waits until the guest can connect to a TCP port of `host`, a name or an IPv4 or
    /// IPv6 address.
    ///
    /// # Errors
    /// As [`wait_for_open_port`](Self::wait_for_open_port).
    pub async fn wait_for_open_port_at(&self, host: &str, port: u16) -> Result<()> {
        let script = self.connecting(host, port)?;
        let script = script.append(include_str!("port_open.sh"));
        let what = format!("TCP port {port} on {host} to be open");
        self.wait_for_sockets(&what, script, "no process listens")
            .await
    }

    /// Waits until no process listens on a TCP port of the guest's `localhost`. A port
    /// that does not answer within ten seconds is closed.
    ///
    /// # Errors
    /// As [`wait_for_open_port`](Self::wait_for_open_port).
    pub async fn wait_for_closed_port(&self, port: u16) -> Result<()> {
        self.wait_for_closed_port_at("localhost", port).await
    }

    /// Waits until the guest can't connect to a TCP port of `host` any more.
    ///
    /// # Errors
    /// As [`wait_for_open_port`](Self::wait_for_open_port).
    pub async fn wait_for_closed_port_at(&self, host: &str, port: u16) -> Result<()> {
        let script = self.connecting(host, port)?;
        let script = script.append(include_str!("port_closed.sh"));
        let what = format!("TCP port {port} on {host} to be closed");
        self.wait_for_sockets(&what, script, "a process listens")
            .await
    }

    /// A script that defines the function `connects`.
    fn connecting(&self, host: &str, port: u16) -> Result<Script<'_>> {
        if port == 0 {
            return Err(self.bad_argument(WAITING_FOR_PORT, "port 0 can't be listened on"));
        }
        let hosts = match host {
            // The guest may not know the name, and bash tries the first address only.
            "localhost" => &["127.0.0.1", "::1"][..],
            "" => return Err(self.bad_argument(WAITING_FOR_PORT, "the host's name is empty")),
            host if host.contains('/') => {
                let reason = format!("{host:?} can't be the name of a host");
                return Err(self.bad_argument(WAITING_FOR_PORT, reason));
            }
            host => &[host],
        };
        let script = self
            .script(WAITING_FOR_PORT)
            .set_array("hosts", hosts.iter().copied())?
            .set("port", &port.to_string())?;
        Ok(script.append(include_str!("connects.sh")))
    }

    /// Waits until a process listens on the Unix socket at `path` in the guest: accepts
    /// connections, or has bound a datagram socket if `is_datagram`.
    ///
    /// # Errors
    /// [`TimedOut`](crate::ErrorKind::TimedOut) with the listening sockets.
    pub async fn wait_for_open_unix_socket(&self, path: &str, is_datagram: bool) -> Result<()> {
        if path.is_empty() {
            return Err(self.bad_argument(WAITING_FOR_SOCKET, "its path is empty"));
        }
        let kind = if is_datagram { "datagram" } else { "stream" };
        let script = self
            .script(WAITING_FOR_SOCKET)
            .set("path", path)?
            .set("kind", kind)?
            .append(include_str!("unix_socket_open.sh"));
        let what = format!("the Unix {kind} socket {path} to be open");
        self.wait_for_sockets(&what, script, "no process listens")
            .await
    }

    /// A wait whose error shows the sockets that listen in the guest.
    async fn wait_for_sockets(&self, what: &str, script: Script<'_>, seen: &str) -> Result<()> {
        match self.wait_in_guest(what, script, seen).await {
            Err(error) if error.is_timeout() => {
                let script = "ss -Hlntup 2>&1";
                Err(self.with_output(error, "listening sockets", script).await)
            }
            result => result,
        }
    }
}
