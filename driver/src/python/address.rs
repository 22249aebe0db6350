//! The address for `shell_interact`, in a subset of `socat`'s syntax.

use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use pyo3::PyErr;
use pyo3::exceptions::PyValueError;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// The place from which a user operates a shell.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// The terminal of this process.
    Terminal,
    /// A program that listens on a TCP port, `HOST:PORT`.
    Tcp(String),
    /// A program that listens on a Unix socket.
    Unix(PathBuf),
}

/// The user's input, and the output shown to the user.
type Connection = (
    Box<dyn AsyncRead + Send + Unpin>,
    Box<dyn AsyncWrite + Send + Unpin>,
);

impl Address {
    /// Connects to the address. There is no connection for the terminal of this process.
    pub(super) async fn connect(&self) -> io::Result<Option<Connection>> {
        Ok(match self {
            Self::Terminal => None,
            Self::Tcp(address) => Some(connection(TcpStream::connect(address).await?)),
            Self::Unix(path) => Some(connection(UnixStream::connect(path).await?)),
        })
    }
}

fn connection(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Connection {
    let (input, output) = tokio::io::split(stream);
    (Box::new(input), Box::new(output))
}

impl FromStr for Address {
    type Err = PyErr;

    fn from_str(text: &str) -> Result<Self, PyErr> {
        let (kind, rest) = text.split_once([':', ',']).unwrap_or((text, ""));
        match kind.to_ascii_lowercase().as_str() {
            "-" | "stdio" | "readline" => Ok(Self::Terminal),
            "tcp" | "tcp-connect" if rest.contains(':') => Ok(Self::Tcp(rest.to_owned())),
            "unix" | "unix-connect" if !rest.is_empty() => Ok(Self::Unix(rest.into())),
            _ => Err(PyValueError::new_err(format!(
                "shell_interact: {text:?} is neither tcp:HOST:PORT nor unix:PATH"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn addresses_are_parsed_as_by_socat() {
        for (text, address) in [
            ("-", Address::Terminal),
            ("READLINE,prompt=$ ", Address::Terminal),
            (
                "tcp:127.0.0.1:4444",
                Address::Tcp("127.0.0.1:4444".to_owned()),
            ),
            ("TCP-CONNECT:[::1]:1", Address::Tcp("[::1]:1".to_owned())),
            ("unix:/a:b", Address::Unix("/a:b".into())),
        ] {
            assert_eq!(text.parse::<Address>().unwrap(), address, "{text}");
        }
        for text in ["", "tcp:4444", "unix:", "tcp-listen:4444", "/dev/tty"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
