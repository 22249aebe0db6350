//! Output kept in memory, within a bound.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::{Command, Error, Output, Shell};

/// The longest output that [`Shell::run`] keeps, in bytes: 2 GiB.
pub const MAX_OUTPUT: usize = 2 << 30;

impl<T: AsyncRead + AsyncWrite + Unpin> Shell<T> {
    /// At most `limit` bytes are kept; a command that prints more is ended by the next.
    pub(crate) async fn collect(
        &mut self,
        command: Command,
        limit: usize,
    ) -> Result<Output, Error> {
        let script = command.script().to_owned();
        let bytes = Vec::new();
        let mut stdout = Collected { bytes, limit };
        match self.run_into(command, &mut stdout).await {
            Ok(exit) => Ok(Output {
                exit,
                stdout: stdout.bytes,
            }),
            // Memory takes everything, up to the limit.
            Err(Error::Write { .. }) => Err(Error::TooMuch {
                command: script,
                limit,
            }),
            Err(error) => Err(error),
        }
    }
}

/// Takes so many bytes, and no write that would exceed them.
struct Collected {
    bytes: Vec<u8>,
    limit: usize,
}

impl AsyncWrite for Collected {
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
    async fn output_without_an_end_is_not_kept() {
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
            // To the end of the test.
            while answers.write_all(b"5678").await.is_ok() {}
        };
        let command = Command::new("yes");
        let result = tokio::select! {
            result = shell.collect(command, 1000) => result,
            () = flood => panic!("the line is closed"),
        };
        assert!(
            matches!(&result, Err(Error::TooMuch { limit: 1000, .. })),
            "{result:?}"
        );
        assert!(shell.running.is_some(), "the next command ends it");
    }
}
