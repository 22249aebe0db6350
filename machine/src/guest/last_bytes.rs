//! The end of an output.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

/// A writer that keeps the last bytes, in bounded memory.
#[derive(Debug, Default)]
pub(crate) struct LastBytes(Vec<u8>);

impl LastBytes {
    /// The number of bytes that are kept at least.
    pub(crate) const KEPT: usize = 1 << 20;

    fn write(&mut self, bytes: &[u8]) {
        let bytes = match bytes.len().checked_sub(Self::KEPT) {
            Some(beyond) => {
                self.0.clear();
                &bytes[beyond..]
            }
            None => bytes,
        };
        // Only when twice as many are kept, because it moves bytes.
        if self.0.len() + bytes.len() > 2 * Self::KEPT {
            self.0.drain(..self.0.len() - (Self::KEPT - bytes.len()));
        }
        self.0.extend_from_slice(bytes);
    }
}

impl AsRef<[u8]> for LastBytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl AsyncWrite for LastBytes {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.write(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_in_bounded_memory() {
        const KEPT: usize = LastBytes::KEPT;
        let all: Vec<u8> = (0..251).cycle().take(5 * KEPT).collect();
        for piece in [7, 4096, KEPT, 3 * KEPT] {
            let mut last = LastBytes::default();
            for bytes in all.chunks(piece) {
                last.write(bytes);
                assert!(last.as_ref().len() <= 2 * KEPT);
            }
            assert!(last.as_ref().len() >= KEPT);
            assert!(all.ends_with(last.as_ref()), "in pieces of {piece}");
        }
    }
}
