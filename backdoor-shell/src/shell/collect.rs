//! `Shell::run`'s output in memory, within a limit.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::Shell;
use crate::{Command, Error, Output};

/// The longest output that [`Shell::run`] accepts, in bytes: 2 GiB.
pub const MAX_OUTPUT: usize = 2 << 30;

impl<T: AsyncRead + AsyncWrite + Unpin> Shell<T> {
    /// Fails if the output exceeds `limit` bytes; the next call then stops the command.
    pub(super) async fn collect(
        &mut self,
        command: Command,
        limit: usize,
    ) -> Result<Output, Error> {
        let script = command.script().to_owned();
        let bytes = Vec::new();
        let mut stdout = Limited { bytes, limit };
        match self.run_into(command, &mut stdout).await {
            Ok(exit) => Ok(Output {
                exit,
                stdout: stdout.bytes,
            }),
            // The limit is the only reason for memory to fail.
            Err(Error::Write { .. }) => Err(Error::TooMuch {
                command: script,
                limit,
            }),
            Err(error) => Err(error),
        }
    }
}

/// Fails a write that would exceed `limit` bytes in total.
pub(super) struct Limited {
    pub(super) bytes: Vec<u8>,
    pub(super) limit: usize,
}

impl AsyncWrite for Limited {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        more: &[u8],
    ) -> Poll<io::Result<usize>> {
        if more.len() > self.limit - self.bytes.len() {
            return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
        }
        self.bytes.extend_from_slice(more);
        Poll::Ready(Ok(more.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, duplex, split};

    use super::*;
    use crate::Nonce;
    use crate::shell::Stage;

    #[tokio::test]
    async fn endless_output_is_an_error() {
        let (line, guest) = duplex(1 << 16);
        let mut shell = Shell::new(line);
        shell.stage = Stage::Ready(Nonce::from(0));
        let flood = async {
            let (requests, mut answers) = split(guest);
            let mut requests = BufReader::new(requests).lines();
            let request = loop {
                let line = requests.next_line().await.unwrap().unwrap();
                if line.contains("__vm_run") {
                    break line;
                }
            };
            let nonce = request.split(' ').nth(2).unwrap();
            let some = format!("\n@t {nonce} 1234");
            answers.write_all(some.as_bytes()).await.unwrap();
            // Until the end of the test.
            while answers.write_all(b"5678").await.is_ok() {}
        };
        let command = Command::new("yes");
        let result = tokio::select! {
            result = shell.collect(command, 1000) => result,
            () = flood => panic!("the line was closed"),
        };
        assert!(
            matches!(&result, Err(Error::TooMuch { limit: 1000, .. })),
            "{result:?}"
        );
        assert!(shell.in_flight.is_some(), "the next command stops it");
    }
}
