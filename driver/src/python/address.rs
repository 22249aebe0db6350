//! Where a person's shell is to come: some of `socat`'s addresses.

use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use pyo3::PyErr;
use pyo3::exceptions::PyValueError;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// Where somebody is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// At this terminal.
    Terminal,
    /// Listening at `HOST:PORT`.
    Tcp(String),
    /// Listening at a socket.
    Unix(PathBuf),
}

/// What is typed, and where it is answered.
type Line = (
    Box<dyn AsyncRead + Send + Unpin>,
    Box<dyn AsyncWrite + Send + Unpin>,
);

impl Address {
    /// Connects to what is typed and shown elsewhere.
    pub(super) async fn connect(&self) -> io::Result<Option<Line>> {
        Ok(match self {
            Self::Terminal => None,
            Self::Tcp(address) => Some(line(TcpStream::connect(address).await?)),
            Self::Unix(path) => Some(line(UnixStream::connect(path).await?)),
        })
    }
}

fn line(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Line {
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
    fn as_socat_would_understand_them() {
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
