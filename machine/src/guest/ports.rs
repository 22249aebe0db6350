//! Waiting for TCP ports and Unix sockets.

use crate::error::Result;
use crate::machine::Machine;

/// How many seconds a connection may take: where packets are dropped, nobody says
/// that the port is closed, and the guest's kernel tries for two minutes.
const CONNECT_LIMIT: u32 = 10;

/// # Ports and sockets
impl Machine {
    /// Waits until somebody listens on a TCP port of the guest's `localhost`,
    /// by IPv4 or by IPv6.
    ///
    /// # Errors
    /// [`BadArgument`](ErrorKind::BadArgument) for port 0;
    /// [`TimedOut`](ErrorKind::TimedOut), with the sockets that do listen.
    pub async fn wait_for_open_port(&self, port: u16) -> Result<()> {
        self.wait_for_open_port_at("localhost", port).await
    }

    /// Waits until the guest can connect to a TCP port of `host`, a name or an
    /// address of either IPv4 or IPv6.
    pub async fn wait_for_open_port_at(&self, host: &str, port: u16) -> Result<()> {
        let connects = self.connects(host, port)?;
        let what = format!("TCP port {port} on {host} to be open");
        self.wait_for_sockets(&what, &connects, "nobody listens")
            .await
    }

    /// Waits until nobody listens on a TCP port of the guest's `localhost`. Where
    /// nobody has answered for ten seconds, nobody listens.
    ///
    /// # Errors
    /// As [`wait_for_open_port`](Self::wait_for_open_port).
    pub async fn wait_for_closed_port(&self, port: u16) -> Result<()> {
        self.wait_for_closed_port_at("localhost", port).await
    }

    /// Waits until the guest can't connect to a TCP port of `host` any more.
    pub async fn wait_for_closed_port_at(&self, host: &str, port: u16) -> Result<()> {
        let test = format!("! {{ {}; }}", self.connects(host, port)?);
        let what = format!("TCP port {port} on {host} to be closed");
        self.wait_for_sockets(&what, &test, "somebody listens")
            .await
    }

    /// A command that succeeds if the guest can connect there.
    fn connects(&self, host: &str, port: u16) -> Result<String> {
        let doing = "waiting for a port";
        if port == 0 {
            return Err(self.bad_argument(doing, "nobody can listen on port 0"));
        }
        let connects = |host: &str| {
            let path = self.quote(doing, &format!("/dev/tcp/{host}/{port}"))?;
            Ok(format!(
                "{{
                    exec {{tried}}< <(exec 2>/dev/null; exec 3<>{path}; echo)
                    if read -rt {CONNECT_LIMIT} -u $tried; then connects=1; else connects=; fi
                    kill $! 2>/dev/null || :
                    exec {{tried}}<&-
                    [[ $connects ]]
                }}"
            ))
        };
        match host {
            // A guest need not know the name, and bash takes the first address.
            "localhost" => Ok(format!(
                "{} || {}",
                connects("127.0.0.1")?,
                connects("::1")?
            )),
            "" => Err(self.bad_argument(doing, "the host's name is empty")),
            host if host.contains('/') => {
                let reason = format!("{host:?} can't be the name of a host");
                Err(self.bad_argument(doing, reason))
            }
            host => connects(host),
        }
    }

    /// Waits until somebody listens on the Unix socket at `path` in the guest:
    /// accepts connections, or has bound a datagram socket if that is what
    /// `is_datagram` asks for.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut), with the sockets that do listen.
    pub async fn wait_for_open_unix_socket(&self, path: &str, is_datagram: bool) -> Result<()> {
        let doing = "waiting for a Unix socket";
        if path.is_empty() {
            return Err(self.bad_argument(doing, "its path is empty"));
        }
        // Fields of proc(5)'s /proc/net/unix: the flags of a listening socket,
        // the type of a datagram's.
        let listens = if is_datagram {
            "[[ $type == 0002 ]]"
        } else {
            "[[ $type != 0002 && $flags == 00010000 ]]"
        };
        let test = format!(
            "(path={}
            while read -r _ _ _ flags type _ _ bound; do
                if {listens} && [[ $bound == \"$path\" || $bound -ef $path ]]; then exit 0; fi
            done </proc/net/unix; exit 1)",
            self.quote(doing, path)?
        );
        let kind = if is_datagram { "datagram" } else { "stream" };
        let what = format!("the Unix {kind} socket {path} to be open");
        self.wait_for_sockets(&what, &test, "nobody listens").await
    }

    /// A wait whose error shows the sockets that listen in the guest.
    async fn wait_for_sockets(&self, what: &str, test: &str, seen: &str) -> Result<()> {
        match self.wait_in_guest(what, test, seen).await {
            Err(error) if error.is_timeout() => {
                let script = "ss -Hlntup 2>&1";
                Err(self.with_output(error, "listening sockets", script).await)
            }
            result => result,
        }
    }
}
