//! Logging in on the serial console, to start the guest's root shell.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serial_log::SerialLog;

use super::Running;
use crate::error::LoginError;
use crate::start::serial_login::{LoginState, SerialLogin, typed_lines};
use crate::time_scale::scaled;

/// How long a guest may take to answer a line.
const ANSWER: Duration = Duration::from_mins(1);

/// After how much of it an empty line is typed: a message of the kernel may hide a prompt.
const QUIET: Duration = Duration::from_secs(5);

/// The ends of prompts for a user's name, and what prompts for a password contain, in lower
/// case and the languages of distributions.
const NAMES: [&str; 8] = [
    "login",
    "log in",
    "username",
    "user name",
    "user",
    "anmeldename",
    "identifiant",
    "usuario",
];
const PASSWORDS: [&str; 12] = [
    "password",
    "passwort",
    "kennwort",
    "mot de passe",
    "contraseña",
    "senha",
    "parola",
    "wachtwoord",
    "hasło",
    "пароль",
    "密码",
    "パスワード",
];

/// Logs in at every boot, unless the shell comes by another way first. Ends with the
/// process. A guest that `has_booted` already has a shell until its next reset.
pub(crate) async fn log_in_at_boot(running: Arc<Running>, login: SerialLogin, has_booted: bool) {
    let boots = async {
        let mut reset = SystemTime::now();
        if has_booted {
            running.gate.reset_after(reset).await;
        }
        loop {
            reset = SystemTime::now();
            running.gate.set_login(LoginState::Waiting);
            tokio::select! {
                () = running.gate.reset_after(reset) => continue,
                () = running.gate.connected() => {}
                state = log_in(&running, &login) => running.gate.set_login(state),
            }
            running.gate.reset_after(reset).await;
        }
    };
    tokio::select! {
        _ = running.lifetime.exited() => {}
        () = boots => {}
    }
}

async fn log_in(running: &Running, login: &SerialLogin) -> LoginState {
    let dialogue = Dialogue {
        console: running.lifetime.console.clone(),
        on_prompt: &|| running.gate.set_login(LoginState::Prompted),
    };
    match dialogue.run(login).await {
        Ok(()) => LoginState::Done,
        Err(error) => LoginState::Failed(error),
    }
}

/// What the guest waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prompt {
    Name,
    Password,
    /// A command.
    Shell,
}

/// A login on a console.
struct Dialogue<'a> {
    /// With a last match of its own: other waits take nothing from it.
    console: SerialLog,
    on_prompt: &'a (dyn Fn() + Sync),
}

impl Dialogue<'_> {
    async fn run(&self, login: &SerialLogin) -> Result<(), LoginError> {
        self.prompt(&[Prompt::Name], None).await?;
        (self.on_prompt)();
        self.type_line(&login.user).await?;
        let prompts = [Prompt::Password, Prompt::Shell, Prompt::Name];
        let prompt = self.prompt(&prompts, Some(scaled(ANSWER))).await?;
        let prompt = match prompt {
            Prompt::Password => {
                self.type_line(&login.password).await?;
                self.answer().await?
            }
            other => other,
        };
        match prompt {
            Prompt::Shell => self.start_shell(login).await,
            Prompt::Name => Err(LoginError::Refused),
            Prompt::Password => Err(LoginError::SecondPassword),
        }
    }

    /// Starts the root shell, and logs out.
    async fn start_shell(&self, login: &SerialLogin) -> Result<(), LoginError> {
        let (before, run) = typed_lines();
        for line in before {
            self.type_line(&line).await?;
            self.answer().await?;
        }
        self.type_line(&run).await?;
        let limit = Some(scaled(ANSWER));
        let ran = self.console.wait_for(r"vmwright: \d+", limit).await;
        let ran = ran.map_err(|error| login_error(error, "the script that starts the shell"))?;
        self.type_line(" exit").await?;
        if ran.text == "vmwright: 0" {
            return Ok(());
        }
        let user = login.user.clone();
        Err(LoginError::NoRootShell { user })
    }

    /// The prompt after a line.
    async fn answer(&self) -> Result<Prompt, LoginError> {
        let prompts = [Prompt::Shell, Prompt::Name, Prompt::Password];
        let mut left = scaled(ANSWER);
        loop {
            let limit = left.min(scaled(QUIET));
            left -= limit;
            match self.prompt(&prompts, Some(limit)).await {
                Err(_) if !left.is_zero() => self.type_line("").await?,
                answer => return answer,
            }
        }
    }

    /// Waits for one of these prompts.
    async fn prompt(
        &self,
        prompts: &[Prompt],
        limit: Option<Duration>,
    ) -> Result<Prompt, LoginError> {
        let mut found = Prompt::Shell;
        let wanted = match prompts {
            [Prompt::Name] => "a prompt for a user's name",
            _ => "a prompt",
        };
        let search = |text: &str| {
            found = *prompts.iter().find(|prompt| prompt.is_in(text))?;
            Some(0..text.len())
        };
        let prompt = self.console.wait_with(wanted, limit, search).await;
        prompt
            .map(|_| found)
            .map_err(|error| login_error(error, wanted))
    }

    async fn type_line(&self, line: &str) -> Result<(), LoginError> {
        let typed = self.console.send(format!("{line}\n").as_bytes()).await;
        typed.map_err(LoginError::Console)
    }
}

/// The error of a wait. The caller shows the console's lines.
fn login_error(error: serial_log::Error, wanted: &'static str) -> LoginError {
    match error {
        serial_log::Error::TimedOut { timeout, .. } => LoginError::NoPrompt {
            wanted,
            waited: timeout,
        },
        error => LoginError::Console(error),
    }
}

impl Prompt {
    /// Whether the console's text since the last line that was typed shows it. The kernel may
    /// have printed something after the prompt.
    fn is_in(self, text: &str) -> bool {
        match self {
            Self::Name => text.lines().any(is_name_prompt),
            Self::Password => text.lines().any(is_password_prompt),
            Self::Shell => {
                let last = text.rsplit('\n').next().unwrap_or_default();
                last.trim_end().ends_with(['#', '$', '%', '>'])
            }
        }
    }
}

/// Such as `debian login: `, but not `Last login: Sun Nov 29` or `Created user: debian`. The kernel
/// may print a message after it.
fn is_name_prompt(line: &str) -> bool {
    let line = line.trim_start().to_lowercase();
    let Some((prompt, rest)) = line.split_once(": ").or_else(|| line.split_once(':')) else {
        return false;
    };
    let name = NAMES.iter().find_map(|name| prompt.strip_suffix(name));
    let rest = rest.trim_start();
    name.is_some_and(|host| host != "last " && host.trim_end().split(' ').count() == 1)
        && (rest.is_empty() || rest.starts_with('['))
}

fn is_password_prompt(line: &str) -> bool {
    let line = line.to_lowercase();
    let Some((prompt, _)) = line.split_once([':', '：']) else {
        return false;
    };
    let prompt = prompt.trim();
    PASSWORDS.iter().any(|word| prompt.contains(word)) && prompt.chars().count() < 60
}

#[cfg(test)]
mod tests;
