use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, duplex, split};

use super::*;

/// A guest that prints each text of the script, and reads the line after it.
async fn play(guest: DuplexStream, script: &[(&str, &str)]) -> DuplexStream {
    let mut guest = BufReader::new(guest);
    for (shown, expected) in script {
        guest.write_all(shown.as_bytes()).await.unwrap();
        let mut line = String::new();
        guest.read_line(&mut line).await.unwrap();
        assert_eq!(line.trim_end_matches('\n'), *expected);
    }
    guest.into_inner()
}

/// The outcome of a login in this guest, which continues with a shell if it is let in.
async fn outcome(script: &[(&str, &str)], end: &str, status: u8) -> Result<(), LoginError> {
    let (guest, console) = duplex(1 << 16);
    let (output, input) = split(console);
    let dialogue = Dialogue {
        console: SerialLog::builder().input(input).start(output),
        on_prompt: &|| (),
    };
    let login = SerialLogin {
        user: "root".to_owned(),
        password: "secret".to_owned(),
    };
    let guest = async {
        let mut guest = BufReader::new(play(guest, script).await);
        guest.write_all(end.as_bytes()).await.unwrap();
        let mut line = String::new();
        while guest.read_line(&mut line).await.unwrap() > 0 {
            let answer = match line.trim() {
                "exit" => return,
                ran if ran.ends_with("echo \"vmwright: $?\"") => {
                    format!("{ran}\r\nvmwright: {status}\r\n# ")
                }
                _ => "# ".to_owned(),
            };
            guest.write_all(answer.as_bytes()).await.unwrap();
            line.clear();
        }
    };
    tokio::select! {
        outcome = dialogue.run(&login) => outcome,
        () = guest => Ok(()),
    }
}

const PROMPT: (&str, &str) = ("Debian GNU/Linux 12 vm ttyS0\r\n\r\nvm login: ", "root");
const PASSWORD: (&str, &str) = ("root\r\nPassword: ", "secret");

#[tokio::test(start_paused = true)]
async fn a_login() {
    let motd = "\r\nLast login: Sun Nov 29 17:00:00 UTC 2026 on ttyS0\r\n\x1b[?2004hroot@vm:~# ";
    outcome(&[PROMPT, PASSWORD], motd, 0).await.unwrap();
    // Without a password.
    outcome(&[PROMPT], "root\r\n# ", 0).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn other_messages_and_languages() {
    let prompt = "vm login: [   12.3] random: crng init done\r\n[   12.4] loop: loaded\r\n";
    let password = "root\r\nMot de passe : [   13.0] x: y\r\n";
    let script = [
        (prompt, "root"),
        (password, "secret"),
        ("# [   14.0] z\r\n", ""),
    ];
    outcome(&script, "# ", 0).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password() {
    let again = "\r\nLogin incorrect\r\nvm login: ";
    let error = outcome(&[PROMPT, PASSWORD], again, 0).await.unwrap_err();
    assert!(matches!(error, LoginError::Refused), "{error}");
    assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_user_who_is_not_root() {
    let error = outcome(&[PROMPT, PASSWORD], "$ ", 1).await.unwrap_err();
    assert!(matches!(error, LoginError::NoRootShell { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn no_prompt_for_a_password() {
    let error = outcome(&[PROMPT], "root\r\nToken code\r\n", 0)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "waited 60s for a prompt");
}

#[test]
fn prompts() {
    for line in [
        "login: ",
        "vm login: ",
        "OpenWrt login:",
        "Username: ",
        "  Login: [  1.0] x: y",
    ] {
        assert!(is_name_prompt(line), "{line}");
    }
    for line in [
        "Last login: Sun",
        "Last login: ",
        "Created user: debian",
        "[  1.0] systemd: login",
        "no login",
        "Failed to start login: x",
    ] {
        assert!(!is_name_prompt(line), "{line}");
    }
    for line in ["Password: ", "密码：", "Password for root: ", "Contraseña:"] {
        assert!(is_password_prompt(line), "{line}");
    }
    assert!(!is_password_prompt(
        "[  1.0] Started Forward Password Requests"
    ));
}
