//! A command's output in memory, of which there must not be too much.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

/// The most that is collected of a command's output: 1 GiB.
pub const MAX_OUTPUT: usize = 1 << 30;

/// Takes output up to a limit, then refuses it.
#[derive(Debug)]
pub(super) struct Collected {
    pub(super) bytes: Vec<u8>,
    limit: usize,
    pub(super) is_full: bool,
}

impl Collected {
    pub(super) fn up_to(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            limit,
            is_full: false,
        }
    }
}

impl AsyncWrite for Collected {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes.len() > self.limit - self.bytes.len() {
            self.is_full = true;
            return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
        }
        self.bytes.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
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
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn takes_as_much_as_it_may() {
        let mut collected = Collected::up_to(10);
        collected.write_all(b"12345").await.unwrap();
        collected.write_all(b"67890").await.unwrap();
        assert!(!collected.is_full);
        collected.write_all(b"1").await.unwrap_err();
        assert!(collected.is_full);
        assert_eq!(collected.bytes, b"1234567890");
    }
}
