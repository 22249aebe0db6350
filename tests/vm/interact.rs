use machine::TerminalKind;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use vm_tests::fresh;

/// Somebody at a terminal.
struct Person {
    keyboard: DuplexStream,
    screen: DuplexStream,
    seen: String,
}

/// A person, and the input and output that they have at the other end.
fn person() -> (Person, DuplexStream, DuplexStream) {
    let (keyboard, input) = duplex(1 << 10);
    let (output, screen) = duplex(1 << 20);
    let seen = String::new();
    let person = Person {
        keyboard,
        screen,
        seen,
    };
    (person, input, output)
}

impl Person {
    async fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).await.unwrap();
    }

    /// Stops typing, and watches to the end.
    async fn leaves(mut self) {
        drop(self.keyboard);
        self.screen.read_to_string(&mut self.seen).await.unwrap();
    }

    async fn sees(&mut self, text: &str) {
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
            let (mut person, input, output) = person();
            let kind = TerminalKind {
                rows: 33,
                ..TerminalKind::default()
            };
            let session = async {
                person.types("stty size; tty; cd /proc\r").await;
                person.sees("33 80\r\n").await;
                person.sees("/dev/hvc0\r\n").await;
                // Ctrl-C ends what runs, and no more.
                person.types("sh -c 'echo it runs; sleep 1000; :'\r").await;
                person.sees("it runs\r\n").await;
                person.types("\x03").await;
                person.types("echo still $PWD\r").await;
                person.sees("still /proc\r\n").await;
                // Ctrl-D is typed until it ends: the next does not see the rest.
                person.types("trap 'sleep 1.1' EXIT\r").await;
                person.leaves().await; // as Ctrl-D
            };
            let (ended, ()) = tokio::join!(vm.shell_interact_on(&kind, input, output), session);
            ended.unwrap();
            assert_eq!(vm.succeed("echo on").await.unwrap(), "on\n");
        }
        // Left alone in the middle, it is hung up.
        let (mut person, input, output) = person();
        let kind = TerminalKind::default();
        tokio::select! {
            ended = vm.shell_interact_on(&kind, input, output) => panic!("{ended:?}"),
            () = async { person.types("exec sleep 1234\r").await; person.sees("1234").await } => {}
        }
        assert_eq!(vm.succeed("echo on").await.unwrap(), "on\n");
        vm.wait_until_fails("pgrep -f 'sleep 123[4]'")
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn the_serial_console() {
    let vm = fresh("minimal").await;
    let (mut person, input, output) = person();
    let session = async {
        person.types("echo $((6 * 7)) is seen\r").await;
        person.sees("42 is seen").await;
        person.leaves().await;
    };
    let (ended, ()) = tokio::join!(vm.console_interact_on(input, output), session);
    ended.unwrap();
}
