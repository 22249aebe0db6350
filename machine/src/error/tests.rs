//! Chains of errors.

use std::error::Error as _;
use std::io;

use super::{Error, ErrorKind, LoginError};

fn io_error() -> io::Error {
    io::Error::other("the reason")
}

/// Whether a variant has a source. A new variant must be added here, and to
/// [`with_sources`] if it has one.
fn has_source(kind: &ErrorKind) -> bool {
    match kind {
        ErrorKind::StartScript { .. }
        | ErrorKind::Image { .. }
        | ErrorKind::Kernel { .. }
        | ErrorKind::Root { .. }
        | ErrorKind::Spawn { .. }
        | ErrorKind::Template { .. }
        | ErrorKind::StateDir { .. }
        | ErrorKind::HostFile { .. }
        | ErrorKind::Terminal(_)
        | ErrorKind::Shell { .. }
        | ErrorKind::Monitor { .. }
        | ErrorKind::SerialLogin { .. }
        | ErrorKind::Console(_)
        | ErrorKind::Other(_) => true,
        #[cfg(feature = "screen")]
        ErrorKind::Screenshot { .. } | ErrorKind::ScreenDump(_) | ErrorKind::Ocr(_) => true,
        #[cfg(feature = "screen")]
        ErrorKind::Pointer => false,
        ErrorKind::Name { .. }
        | ErrorKind::NotExecutable { .. }
        | ErrorKind::StateDirInUse { .. }
        | ErrorKind::SocketPathTooLong { .. }
        | ErrorKind::NotRunning { .. }
        | ErrorKind::NoShell { .. }
        | ErrorKind::NoConnection { .. }
        | ErrorKind::Container { .. }
        | ErrorKind::Exited { .. }
        | ErrorKind::GuestEnded { .. }
        | ErrorKind::GuestReset { .. }
        | ErrorKind::CommandFailed { .. }
        | ErrorKind::CommandSucceeded { .. }
        | ErrorKind::TimedOut { .. }
        | ErrorKind::BadArgument { .. }
        | ErrorKind::CloudInit { .. }
        | ErrorKind::Condition { .. }
        | ErrorKind::Systemctl { .. }
        | ErrorKind::UnitState { .. }
        | ErrorKind::GuestCopy { .. }
        | ErrorKind::Share { .. }
        | ErrorKind::NotSavable { .. }
        | ErrorKind::Snapshot { .. }
        | ErrorKind::Vlan { .. }
        | ErrorKind::MonitorCommandFailed { .. } => false,
    }
}

/// Every variant that has a source.
fn with_sources() -> Vec<ErrorKind> {
    let others = vec![
        ErrorKind::Spawn {
            program: "qemu".into(),
            source: io_error(),
        },
        ErrorKind::StateDir {
            path: "/tmp".into(),
            source: io_error(),
        },
        ErrorKind::HostFile {
            path: "file".into(),
            source: io_error(),
        },
        ErrorKind::Template {
            doing: "reserving RAM".to_owned(),
            source: io_error().into(),
            misuse: false,
        },
        ErrorKind::Terminal(io_error()),
        ErrorKind::Shell {
            source: backdoor_shell::Error::Io {
                doing: "running `true`".to_owned(),
                source: io_error().into(),
            },
            console: vec!["login:".to_owned()],
        },
        ErrorKind::Monitor {
            doing: "taking a picture".to_owned(),
            source: qmp_mon::Error::Io {
                doing: "reading".to_owned(),
                source: io_error().into(),
            },
        },
        ErrorKind::SerialLogin {
            source: LoginError::Console(serial_log::Error::Write(io_error().into())),
            console: vec!["login:".to_owned()],
        },
        ErrorKind::Console(serial_log::Error::Write(io_error().into())),
        ErrorKind::Other(Box::new(serial_log::Error::Write(io_error().into()))),
        #[cfg(feature = "screen")]
        ErrorKind::Screenshot {
            path: "x.png".into(),
            source: io_error(),
        },
        #[cfg(feature = "screen")]
        ErrorKind::ScreenDump(io_error()),
        #[cfg(feature = "screen")]
        ErrorKind::Ocr(ocr::ReadError::TesseractDisabled),
    ];
    of_start_commands().into_iter().chain(others).collect()
}

/// Those of files that machines start from.
fn of_start_commands() -> Vec<ErrorKind> {
    vec![
        ErrorKind::StartScript {
            path: "run-x-vm".into(),
            source: io_error(),
        },
        ErrorKind::Image {
            path: "disk.qcow2".into(),
            reason: "running qemu-img".to_owned(),
            source: Some(io_error()),
        },
        ErrorKind::Kernel {
            path: "vmlinuz".into(),
            reason: "reading it".to_owned(),
            source: Some(io_error()),
        },
        ErrorKind::Root {
            path: "root.tar".into(),
            source: io_error(),
        },
    ]
}

#[test]
fn each_text_of_a_chain_is_in_the_message_once() {
    for kind in with_sources() {
        let mut texts = vec![kind.to_string()];
        let mut source = kind.source();
        while let Some(error) = source {
            texts.push(error.to_string());
            source = error.source();
        }
        assert!(has_source(&kind) && texts.len() > 1, "{kind:?}");
        let error = Error::new("vm", kind);
        let message = error.to_string();
        for text in &texts {
            assert_eq!(
                message.matches(text.as_str()).count(),
                1,
                "{text}: {message}"
            );
        }
        assert!(error.source().is_none(), "{message}");
    }
}
