//! What is sent to the guest, and how it is written on the line.

use base64::engine::general_purpose::STANDARD;
use base64::{Engine as _, encoded_len};
use bytes::BytesMut;

#[cfg(doc)]
use crate::Event;
use crate::quote::ansi_c;
use crate::{Nonce, agent};

/// What is sent to the guest.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Request<'a> {
    /// Turns the guest's bash into the agent, which answers [`Event::Ready`].
    Bootstrap(Nonce),
    /// Runs a bash script; answered by [`Event::Output`]s and one [`Event::End`].
    Run {
        /// The nonce that the agent was sent with: another one ignores it.
        session: Nonce,
        /// Names the answer.
        nonce: Nonce,
        /// What bash is to run.
        script: &'a str,
    },
    /// Makes or truncates a file; answered by [`Event::Ready`] when
    /// [`Piece`](Self::Piece)s may follow, or as they are if it can't be.
    Put {
        /// As for [`Run`](Self::Run).
        session: Nonce,
        /// Names the pieces and the answer.
        nonce: Nonce,
        /// How the pieces are sent.
        encoding: Encoding,
        /// The file's name; any bytes but NUL.
        path: &'a [u8],
    },
    /// Some of a file's bytes, or its end if there are none, which is answered by
    /// an [`Event::End`]. If its status is not 0, an [`Event::Output`] tells why,
    /// as soon as it happens; the rest of the file may then be spared. The end may
    /// come at any time, if all is lost; then no piece may follow.
    Piece {
        /// As for [`Put`](Self::Put).
        nonce: Nonce,
        /// As for [`Put`](Self::Put).
        encoding: Encoding,
        /// What comes next in the file: less than 50 MB of it.
        bytes: &'a [u8],
    },
    /// Ends a script that runs. It sends its [`Event::End`] as it would have; after
    /// SIGKILL, the agent does, with status 137.
    Stop {
        /// As for [`Run`](Self::Run).
        session: Nonce,
        /// The script's own nonce.
        nonce: Nonce,
        /// How to end it.
        signal: Signal,
    },
}

/// How a running script is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// SIGTERM: it may tidy up, and what it wrote still arrives.
    Term,
    /// SIGKILL: at once; output that the guest had not sent yet is lost.
    Kill,
}

/// How a file's bytes are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// As they are. Only where nothing but an agent ever reads the line.
    Raw,
    /// In base64. What a guest that reboots or restarts its shell in the middle of
    /// a file takes for commands is then no part of the file.
    Base64,
}

impl Request<'_> {
    /// Every request is a line of its own, ended and begun: whatever half line
    /// is in the guest's hands is thereby over.
    pub(crate) fn encode(&self, dst: &mut BytesMut) {
        let line = match *self {
            Self::Bootstrap(nonce) => format!("\n{}\n", agent::bootstrap(nonce)),
            Self::Run {
                session,
                nonce,
                script,
            } => format!(
                "\n{session} __vm_run {nonce} {}\n",
                ansi_c(agent::wrap(script))
            ),
            Self::Put {
                session,
                nonce,
                encoding,
                path,
            } => {
                let decoder = match encoding {
                    Encoding::Raw => "''",
                    // Were its pipe closed, it would have more to say than `cat` has.
                    Encoding::Base64 => "'base64 -d 2>/dev/null | cat'",
                };
                format!("\n{session} __vm_put {nonce} {decoder} {}\n", ansi_c(path))
            }
            Self::Piece {
                nonce,
                encoding,
                bytes,
            } => return piece(nonce, encoding, bytes, dst),
            Self::Stop {
                session,
                nonce,
                signal,
            } => {
                let signal = match signal {
                    Signal::Term => "TERM",
                    Signal::Kill => "KILL",
                };
                format!("\n{session} __vm_stop {nonce} {signal}\n")
            }
        };
        dst.extend_from_slice(line.as_bytes());
    }
}

fn piece(nonce: Nonce, encoding: Encoding, bytes: &[u8], dst: &mut BytesMut) {
    let size = match encoding {
        Encoding::Raw => bytes.len(),
        Encoding::Base64 => encoded_len(bytes.len(), true).unwrap_or(usize::MAX),
    };
    // A head has 26 bytes, whatever the size.
    dst.extend_from_slice(format!("{nonce} {size:>8}\n").as_bytes());
    match encoding {
        Encoding::Raw => dst.extend_from_slice(bytes),
        // In multiples of three bytes, for which there is no padding.
        Encoding::Base64 => bytes
            .chunks(3 * 1024)
            .for_each(|bytes| dst.extend_from_slice(STANDARD.encode(bytes).as_bytes())),
    }
}
