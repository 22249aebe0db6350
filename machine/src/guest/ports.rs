//! Waiting for TCP ports and Unix sockets.

use std::net::IpAddr;

use super::Guest;
use super::script::Script;
use crate::error::Result;

const WAITING_FOR_PORT: &str = "waiting for a port";
const WAITING_FOR_SOCKET: &str = "waiting for a Unix socket";

/// # Ports and sockets
impl Guest {
    /// Waits until a process listens on a TCP port of the guest's `localhost`, by IPv4 or
    /// IPv6. Does not connect to a process of the guest, but once a second to the port while none
    /// listens, if the guest has rules for packets, which may lead elsewhere.
    ///
    /// # Errors
    /// [`BadArgument`](crate::ErrorKind::BadArgument) for port 0;
    /// [`TimedOut`](crate::ErrorKind::TimedOut) with the listening sockets.
    pub async fn wait_for_open_port(&self, port: u16) -> Result<()> {
        self.wait_for_open_port_at("localhost", port).await
    }

    /// Waits until the guest can connect to a TCP port of `host`, a name or an IPv4 or
    /// IPv6 address. Does not connect if a process of the guest itself listens there; to other
    /// hosts at each probe.
    ///
    /// # Errors
    /// As [`wait_for_open_port`](Self::wait_for_open_port). The error says if the guest
    /// can't resolve the name.
    pub async fn wait_for_open_port_at(&self, host: &str, port: u16) -> Result<()> {
        let script = self.tcp_script(host, port)?;
        let script = script.append(include_str!("port_open.sh"));
        let what = format!("TCP port {port} on {host} to be open");
        self.wait_for_sockets(&what, script, "no process listens")
            .await
    }

    /// Waits until no process listens on a TCP port of the guest's `localhost`, or the
    /// guest's rules for packets drop connections: a port that does not answer within two
    /// seconds is closed. Connects to the port once a second if the guest has such rules.
    ///
    /// # Errors
    /// As [`wait_for_open_port`](Self::wait_for_open_port).
    pub async fn wait_for_closed_port(&self, port: u16) -> Result<()> {
        self.wait_for_closed_port_at("localhost", port).await
    }

    /// Waits until the guest can't connect to a TCP port of `host` any more. A name that
    /// the guest can't resolve is not closed. Connects to other hosts at each probe.
    ///
    /// # Errors
    /// As [`wait_for_open_port_at`](Self::wait_for_open_port_at).
    pub async fn wait_for_closed_port_at(&self, host: &str, port: u16) -> Result<()> {
        let script = self.tcp_script(host, port)?;
        let script = script.append(include_str!("port_closed.sh"));
        let what = format!("TCP port {port} on {host} to be closed");
        self.wait_for_sockets(&what, script, "a process listens")
            .await
    }

    /// A script that defines the functions of waits for a port.
    fn tcp_script(&self, host: &str, port: u16) -> Result<Script<'_>> {
        if port == 0 {
            let reason = "0 is not a TCP port: ports are 1 to 65535";
            return Err(self.bad_argument(WAITING_FOR_PORT, reason));
        }
        let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let host = bare.unwrap_or(host);
        let is_name = !host.is_empty() && !host.starts_with('-');
        if !is_name || host.contains(['/', '[', ']', ' ']) {
            let reason = format!("{host:?} is neither a host's name nor an address");
            return Err(self.bad_argument(WAITING_FOR_PORT, reason));
        }
        let (addresses, name) = match host {
            // The guest may not know the name.
            "localhost" => (vec!["127.0.0.1".to_owned(), "::1".to_owned()], ""),
            host => match host.parse::<IpAddr>() {
                Ok(address) => (vec![address.to_canonical().to_string()], ""),
                Err(_) => (Vec::new(), host),
            },
        };
        let script = self
            .script(WAITING_FOR_PORT)
            .set_array("addresses", addresses.iter().map(String::as_str))?
            .set("name", name)?
            .set("port", &port.to_string())?;
        Ok(script.append(include_str!("tcp_port.sh")))
    }

    /// Waits until the root shell can connect to the Unix socket at `path`: one that
    /// accepts connections, or a datagram socket if `is_datagram`. `@NAME` is an abstract
    /// socket in the shell's network namespace.
    ///
    /// Connects by Perl, Python or `nc -U`, and closes the connection at once. In a guest
    /// without them, only a socket that is listed in `/proc/net/unix` with its present
    /// path is found.
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
