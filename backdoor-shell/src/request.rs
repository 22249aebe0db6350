//! Requests to the guest and their encoding.

use base64::engine::general_purpose::STANDARD;
use base64::{Engine as _, encoded_len};
use bytes::BytesMut;

use crate::quote::ansi_c;
use crate::{Nonce, agent};

/// A request to the guest.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Request<'a> {
    /// Starts the agent in the guest's bash, answered by [`Event::Ready`](crate::Event::Ready).
    Bootstrap {
        /// Identifies the answer, and the requests to this agent.
        nonce: Nonce,
        /// Whether the bash reads from the [port](crate::PORT), which the agent then keeps.
        at_port: bool,
    },
    /// Kills the processes of an earlier agent that read from the console, answered by
    /// [`Event::Ready`](crate::Event::Ready). A part of this request does nothing.
    KillReaders(Nonce),
    /// Runs a bash script, answered by [`Event::Output`](crate::Event::Output)s and one [`Event::End`](crate::Event::End).
    Run {
        /// The nonce of the agent's [`Bootstrap`](Self::Bootstrap): other agents ignore the
        /// request.
        session: Nonce,
        /// Identifies the answer.
        nonce: Nonce,
        /// The bash script.
        script: &'a str,
    },
    /// Creates or truncates a file, answered by [`Event::Ready`](crate::Event::Ready) when
    /// [`Piece`](Self::Piece)s may follow. A failure is answered as for a piece.
    Put {
        /// As for [`Run`](Self::Run).
        session: Nonce,
        /// Identifies the pieces and the answer.
        nonce: Nonce,
        /// The encoding of the pieces.
        encoding: Encoding,
        /// The path of the file: any bytes except NUL.
        path: &'a [u8],
    },
    /// The next bytes of a file. An empty piece ends the file and is answered by an
    /// [`Event::End`](crate::Event::End).
    ///
    /// If writing fails, an [`Event::Output`](crate::Event::Output) contains the reason at once, and the status of
    /// the end is not 0. The remaining bytes may then be omitted. If the agent can't continue,
    /// it sends the end early; then no piece may follow.
    Piece {
        /// As for [`Put`](Self::Put).
        nonce: Nonce,
        /// As for [`Put`](Self::Put).
        encoding: Encoding,
        /// The bytes, less than 50 MB.
        bytes: &'a [u8],
    },
    /// Stops a running script. It is answered by the script's [`Event::End`](crate::Event::End); after SIGKILL,
    /// with status 137.
    Stop {
        /// As for [`Run`](Self::Run).
        session: Nonce,
        /// The script's nonce.
        nonce: Nonce,
        /// The signal to send.
        signal: Signal,
    },
    /// Changes the size of the guest's console as a terminal. It is not answered.
    Resize {
        /// As for [`Run`](Self::Run).
        session: Nonce,
        /// The number of rows.
        rows: u16,
        /// The number of columns.
        columns: u16,
    },
    /// Asks which processes held the output of the last script that was stopped by
    /// [`Signal::Term`], if the script had ended before. Answered by
    /// [`Event::Output`](crate::Event::Output) and one [`Event::End`](crate::Event::End).
    Holders {
        /// As for [`Run`](Self::Run).
        session: Nonce,
        /// Identifies the answer.
        nonce: Nonce,
    },
}

/// A signal that stops a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// SIGTERM: the script may clean up, and its output still arrives.
    Term,
    /// SIGKILL: output that the guest has not sent yet is lost.
    Kill,
}

/// The encoding of a file's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// None. Requires that only agents read from the line.
    Raw,
    /// Base64: should the guest reboot or restart its shell within a file, the next shell
    /// evaluates the remaining input, but none of it is a command from the file.
    Base64,
}

impl Request<'_> {
    /// A request begins with a newline, to end a partial line that was sent before.
    pub(crate) fn encode(&self, dst: &mut BytesMut) {
        let line = match *self {
            Self::Bootstrap { nonce, at_port } => {
                format!("\n{}\n", agent::bootstrap(nonce, at_port))
            }
            Self::KillReaders(nonce) => format!("\n\n{}\n", agent::kill_readers(nonce)),
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
                    // `cat` reports the failure; `base64` would add that its pipe is closed.
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
            Self::Resize {
                session,
                rows,
                columns,
            } => {
                // In a subshell, which can't get the console as its controlling terminal.
                let stty = format!("stty rows {rows} columns {columns}");
                format!("\n{session} (trap '' TTOU; {stty} </dev/hvc0 >/dev/null)\n")
            }
            Self::Holders { session, nonce } => {
                format!("\n{session} __vm_send_holders {nonce}\n")
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
    // The head always has 26 bytes.
    dst.extend_from_slice(format!("{nonce} {size:>8}\n").as_bytes());
    match encoding {
        Encoding::Raw => dst.extend_from_slice(bytes),
        // Chunks of a multiple of three bytes need no padding.
        Encoding::Base64 => bytes
            .chunks(3 * 1024)
            .for_each(|bytes| dst.extend_from_slice(STANDARD.encode(bytes).as_bytes())),
    }
}
