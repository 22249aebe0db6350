//! This process's terminal in raw mode.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::fs::OFlags;
use rustix::termios::{
    OptionalActions, Termios, Winsize, isatty, tcgetattr, tcgetwinsize, tcsetattr, ttyname,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::pipe;
use tokio::sync::watch;

use super::orphan_cleanup::OrphanCleanup;

/// Ctrl-], as in virsh and telnet.
const ESCAPE: u8 = 0x1d;

/// Input and output of an interactive session: the terminal in raw mode, or standard input
/// and output if one of them is not a terminal.
pub(crate) struct Terminal {
    pub(crate) input: Input,
    pub(crate) output: Box<dyn AsyncWrite + Send + Unpin>,
    pub(crate) escape: Escape,
    /// Restores the terminal's mode on drop; `None` without a terminal.
    pub(crate) raw: Option<RawMode>,
}

impl Terminal {
    pub(crate) fn open() -> io::Result<Self> {
        let stdin = io::stdin();
        if !isatty(&stdin) || !isatty(io::stdout()) {
            let (input, escape) = Input::new(tokio::io::stdin());
            return Ok(Self {
                input,
                output: Box::new(tokio::io::stdout()),
                escape,
                raw: None,
            });
        }
        let raw = RawMode::enter(&stdin)?;
        // Opened again, because other processes share the flags of our descriptors, and
        // `O_NONBLOCK` is one. tokio's own standard input would not do: its last read can't
        // be cancelled and would take input typed after the session.
        let (input, escape) = Input::new(pipe::Receiver::from_file_unchecked(raw.open()?)?);
        let output = pipe::Sender::from_file_unchecked(raw.open()?)?;
        Ok(Self {
            input,
            output: Box::new(output),
            escape,
            raw: Some(raw),
        })
    }
}

/// Input that ends at Ctrl-].
pub(crate) struct Input {
    input: Box<dyn AsyncRead + Send + Unpin>,
    escaped: watch::Sender<bool>,
}

/// Notification that Ctrl-] was typed.
pub(crate) struct Escape(watch::Receiver<bool>);

impl Input {
    pub(crate) fn new(input: impl AsyncRead + Send + Unpin + 'static) -> (Self, Escape) {
        let (escaped, escape) = watch::channel(false);
        let input = Box::new(input);
        (Self { input, escaped }, Escape(escape))
    }
}

impl Escape {
    pub(crate) async fn typed(&mut self) {
        if self.0.wait_for(|escaped| *escaped).await.is_err() {
            // The input was dropped, so Ctrl-] can't be typed any more.
            std::future::pending::<()>().await;
        }
    }
}

impl AsyncRead for Input {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if *self.escaped.borrow() {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.input).poll_read(context, buffer);
        let typed = &buffer.filled()[before..];
        if let Some(at) = typed.iter().position(|&byte| byte == ESCAPE) {
            buffer.set_filled(before + at);
            self.escaped.send_replace(true);
        }
        polled
    }
}

/// A terminal in raw mode.
///
/// The mode is restored on drop, and by an [`OrphanCleanup`] if this process is killed.
pub(crate) struct RawMode {
    terminal: File,
    path: PathBuf,
    before: Termios,
    restore: OrphanCleanup,
}

impl RawMode {
    pub(crate) fn enter(terminal: &impl AsFd) -> io::Result<Self> {
        let path = ttyname(terminal, Vec::new())?;
        let path = PathBuf::from(std::ffi::OsString::from_vec(path.into_bytes()));
        let before = tcgetattr(terminal)?;
        let restore = OrphanCleanup::restore_terminal(&path)?;
        let raw = Self {
            terminal: File::from(terminal.as_fd().try_clone_to_owned()?),
            path,
            before,
            restore,
        };
        let mut mode = raw.before.clone();
        mode.make_raw();
        tcsetattr(&raw.terminal, OptionalActions::Drain, &mode)?;
        Ok(raw)
    }

    /// The terminal's size, if it is known.
    pub(crate) fn size(&self) -> Option<Winsize> {
        let size = tcgetwinsize(&self.terminal).ok();
        // A terminal of unknown size reports zeros.
        size.filter(|size| size.ws_row > 0 && size.ws_col > 0)
    }

    fn open(&self) -> io::Result<File> {
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags.bits().cast_signed())
            .open(&self.path)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        if tcsetattr(&self.terminal, OptionalActions::Drain, &self.before).is_err() {
            self.restore.run();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::LocalModes;
    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// Both ends of a new terminal.
    fn terminal() -> (OwnedFd, File) {
        let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&user).unwrap();
        unlockpt(&user).unwrap();
        let path = ptsname(&user, Vec::new()).unwrap();
        let terminal = File::options()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NOCTTY.bits().cast_signed())
            .open(Path::new(path.to_str().unwrap()))
            .unwrap();
        (user, terminal)
    }

    fn echoes(terminal: &File) -> bool {
        let mode = tcgetattr(terminal).unwrap();
        mode.local_modes.contains(LocalModes::ECHO)
    }

    #[test]
    fn the_terminal_is_restored() {
        let (_user, terminal) = terminal();
        let raw = RawMode::enter(&terminal).unwrap();
        assert!(!echoes(&terminal));
        drop(raw);
        assert!(echoes(&terminal));
    }

    #[test]
    fn the_terminal_is_restored_after_this_process_was_killed() {
        let (_user, terminal) = terminal();
        let mut raw = RawMode::enter(&terminal).unwrap();
        raw.restore.run(); // as at the end of this process
        assert!(echoes(&terminal));
    }

    #[tokio::test]
    async fn input_ends_at_the_escape() {
        let (mut input, mut escape) = Input::new(&b"ls\r\x1dlost"[..]);
        let mut typed = Vec::new();
        input.read_to_end(&mut typed).await.unwrap();
        assert_eq!(typed, b"ls\r");
        escape.typed().await;
    }
}
