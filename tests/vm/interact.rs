use machine::{Exit, TerminalKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use vm_tests::fresh;

/// The user's end of a terminal.
struct User {
    keyboard: DuplexStream,
    screen: DuplexStream,
    seen: String,
}

/// A user's end, and the input and output of the terminal.
fn user() -> (User, DuplexStream, DuplexStream) {
    let (keyboard, input) = duplex(1 << 10);
    let (output, screen) = duplex(1 << 20);
    let seen = String::new();
    let user = User {
        keyboard,
        screen,
        seen,
    };
    (user, input, output)
}

impl User {
    async fn type_text(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).await.unwrap();
    }

    /// Closes the input, and reads the output to its end.
    async fn close(mut self) {
        drop(self.keyboard);
        self.screen.read_to_string(&mut self.seen).await.unwrap();
    }

    async fn wait_for(&mut self, text: &str) {
        let mut buffer = [0; 1024];
        while !self.seen.contains(text) {
            let read = self.screen.read(&mut buffer).await.unwrap();
            assert_ne!(read, 0, "no {text:?} in {:?}", self.seen);
            self.seen
                .push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    }
}

#[tokio::test]
async fn a_shell_with_a_terminal() {
    for vm in [fresh("minimal").await, fresh("systemd").await] {
        vm.succeed("true").await.unwrap();
        for _ in 0..2 {
            let (mut user, input, output) = user();
            let kind = TerminalKind {
                rows: 33,
                ..TerminalKind::default()
            };
            let session = async {
                user.type_text("stty size; tty; cd /proc\r").await;
                user.wait_for("33 80\r\n").await;
                user.wait_for("/dev/hvc0\r\n").await;
                // Ctrl-C ends the command, not the shell. A `sh` that is about to fork may lose
                // it, so this one only reads; what is typed before the prompt may be lost.
                let reads = "PS1='re'ady:; sh -c 'echo it runs; read -r line'\r";
                user.type_text(reads).await;
                user.wait_for("it runs\r\n").await;
                user.type_text("\x03").await;
                user.wait_for("ready:").await;
                user.type_text("echo still $PWD\r").await;
                user.wait_for("still /proc\r\n").await;
                // Ctrl-D is sent until the shell ends; the next session does not get the rest.
                user.type_text("trap 'sleep 1.1' EXIT\r").await;
                user.close().await; // as Ctrl-D
            };
            let (ended, ()) = tokio::join!(vm.shell_interact_on(&kind, input, output), session);
            ended.unwrap();
            assert_eq!(vm.succeed("echo on").await.unwrap(), "on\n");
        }
        // A session that is dropped is hung up.
        let (mut user, input, output) = user();
        let kind = TerminalKind::default();
        tokio::select! {
            ended = vm.shell_interact_on(&kind, input, output) => panic!("{ended:?}"),
            () = async { user.type_text("exec sleep 1234\r").await; user.wait_for("1234").await } => {}
        }
        assert_eq!(vm.succeed("echo on").await.unwrap(), "on\n");
        vm.wait_until_fails("pgrep -f 'sleep 123[4]'")
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_command_with_a_terminal() {
    let vm = fresh("minimal").await;
    vm.succeed("true").await.unwrap();
    let (mut user, input, output) = user();
    let kind = TerminalKind {
        columns: 99,
        ..TerminalKind::default()
    };
    // It prints nothing before it reads.
    let script = "read -r line\nfalse\necho \"it's $line\" $TERM; stty size; exit 7";
    let session = async {
        user.type_text("typed\r").await;
        user.wait_for("it's typed vt220\r\n24 99\r\n").await;
        user.close().await;
    };
    let ran = vm.run_on_terminal_on(script, &kind, input, output);
    let (ended, ()) = tokio::join!(ran, session);
    assert_eq!(ended.unwrap(), Exit::Status(7));
}

#[tokio::test]
async fn the_serial_console() {
    let vm = fresh("minimal").await;
    let (mut user, input, output) = user();
    let session = async {
        user.type_text("echo $((6 * 7)) is seen\r").await;
        user.wait_for("42 is seen").await;
        user.close().await;
    };
    let (ended, ()) = tokio::join!(vm.console_interact_on(input, output), session);
    ended.unwrap();
}
