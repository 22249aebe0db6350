//! Why the shell of an unmodified guest may not have greeted.

use super::StartCommand;
use super::serial_login::LoginState;
use crate::error::chain;

/// The first version of systemd that starts the shell by credentials.
const SYSTEMD: u32 = 252;

/// The first version that does so without the start port.
const UNITS: u32 = 256;

impl StartCommand {
    /// What was offered to the guest, what its console shows of each, and what to try; `None`
    /// for a guest that starts its shell by itself.
    pub(crate) fn explain_missing_greeting(
        &self,
        console: &[String],
        login: &LoginState,
    ) -> Option<String> {
        if let Self::Linux(linux) = self {
            return Some(of_kernel(linux.has_own_initrd(), console));
        }
        self.disk()?;
        let mut lines = vec![format!(
            "the guest's shell has not greeted. systemd {SYSTEMD} and newer can start it, by \
             credentials in the SMBIOS, before {UNITS} with a port that is plugged in. {}",
            systemd(console)
        )];
        let is_cloud = matches!(self, Self::Cloud(_));
        if is_cloud {
            lines.push(format!(
                "cloud-init can start it, by the seed on the disk with the label CIDATA. {}",
                cloud_init(console)
            ));
        }
        let has_login = self.serial_login().is_some();
        if has_login {
            lines.push(format!(
                "A login on the serial console can start it. {}",
                serial_login(login)
            ));
        }
        let cloud = "`CloudImage` if it has cloud-init, ";
        let password = "`DiskImage::serial_login` if it has a password, ";
        let getty = "`console=ttyS0` on the kernel's command line, with a login on that console, ";
        let advice = [
            (!is_cloud, cloud),
            (!has_login, password),
            (has_login, getty),
        ];
        let advice = advice
            .into_iter()
            .filter_map(|(fits, text)| fits.then_some(text));
        let advice: String = advice.collect();
        lines.push(format!(
            "To try: {advice}or `without_shell` if it can't have a shell"
        ));
        Some(lines.join("\n"))
    }
}

/// The same for a kernel with the user's initrd, or with the driver's.
fn of_kernel(has_own_initrd: bool, console: &[String]) -> String {
    let offered = if has_own_initrd {
        "The archive that is appended to the initrd has hooks that start it: for Debian's \
         installer, initramfs-tools, and dracut"
    } else {
        "The driver's initramfs starts it: under systemd by a unit, under another init by a loop \
         beside it, and without an init by itself"
    };
    let line = console.iter().rev().find(|line| line.contains("vmwright:"));
    let seen = match line {
        Some(line) => format!("The console shows: {}", line.trim()),
        None => boot(console).to_owned(),
    };
    let advice = if has_own_initrd {
        "an initrd of these programs"
    } else {
        "`no_init` for a shell without the root's init"
    };
    format!(
        "the guest's shell has not greeted. {offered}. {seen}\nTo try: {advice}, or \
         `without_shell` if it can't have a shell"
    )
}

fn systemd(console: &[String]) -> String {
    let version = console.iter().find_map(|line| {
        let (_, rest) = line.split_once("systemd[1]: systemd ")?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse::<u32>().ok()
    });
    match version {
        Some(version) if version < SYSTEMD => format!("The guest has systemd {version}"),
        Some(version) => format!(
            "The guest has systemd {version}; it needs bash, and its kernel CONFIG_DMI_SYSFS and \
             virtio_console: see `systemctl status vmwright-shell` in it"
        ),
        None => boot(console).to_owned(),
    }
}

/// How far a guest has come without systemd.
fn boot(console: &[String]) -> &'static str {
    let shows = |text: &str| console.iter().any(|line| line.contains(text));
    if shows("Linux version ") {
        "The console shows a kernel, but no systemd: another init, or one that does not print"
    } else if shows("No bootable device") {
        "The BIOS finds nothing to boot: the image may be one for EFI firmware, or for another \
         architecture"
    } else if console.iter().any(|line| !line.trim().is_empty()) {
        "The console shows no Linux: is `console=ttyS0` on its command line?"
    } else {
        "The console shows nothing"
    }
}

fn cloud_init(console: &[String]) -> &'static str {
    let shows = |text: &str| console.iter().any(|line| line.contains(text));
    if shows("DataSourceNoCloud") {
        "It has read the seed: see /var/log/cloud-init.log in the guest"
    } else if shows("DataSourceNone") {
        "It has not found the seed: the guest's kernel needs vfat and virtio_blk"
    } else if shows("Datasource DataSource") {
        "It has used another data source: the image is made for a certain cloud"
    } else if shows("Cloud-init v.") {
        "It has started, but the console does not show its data source"
    } else {
        "The console does not show that it has started"
    }
}

fn serial_login(login: &LoginState) -> String {
    match login {
        LoginState::Waiting => "The console has not asked for a user's name".to_owned(),
        LoginState::Prompted => "The console has asked for a user's name".to_owned(),
        LoginState::Failed(error) => format!("It has failed: {}", chain(error)),
        LoginState::Done => "The user has logged in and run the script for the shell: the guest \
             needs bash and virtio_console"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::LoginError;
    use crate::start::{CloudImage, DiskImage, Linux, ShellCommand};

    fn explain(start: impl Into<StartCommand>, console: &[&str]) -> String {
        let console: Vec<String> = console.iter().map(|line| (*line).to_owned()).collect();
        start
            .into()
            .explain_missing_greeting(&console, &LoginState::Waiting)
            .unwrap_or_default()
    }

    /// Lines of real consoles.
    #[test]
    fn what_the_console_shows_is_explained() {
        let old = ["[    4.1] systemd[1]: systemd 247.3-7+deb11u4 running in system mode. (+PAM)"];
        let text = explain(DiskImage::new("x"), &old);
        assert!(
            text.contains("has systemd 247") && !text.contains("CIDATA"),
            "{text}"
        );
        assert!(text.contains("To try: `CloudImage`"), "{text}");
        let new = [
            "[   15.131025] systemd[1]: systemd 252.39-1~deb12u2 running in system mode (+PAM +AUDIT)",
            "cloud login: [  222.350186] cloud-init[474]: Cloud-init v. 22.4.2 running 'modules:config'",
            "[  244.4] cloud-init[509]: Cloud-init v. 22.4.2 finished at Sun, 29 Nov 2026 16:47:05 \
             +0000. Datasource DataSourceNone.  Up 244.42 seconds",
        ];
        let text = explain(CloudImage::new("x"), &new);
        assert!(text.contains("has systemd 252; it needs bash"), "{text}");
        assert!(text.contains("not found the seed"), "{text}");
        assert!(text.contains("To try: `DiskImage::serial_login`"), "{text}");
        let begun = explain(CloudImage::new("x"), &new[..2]);
        assert!(begun.contains("not show its data source"), "{begun}");
        let read = "Datasource DataSourceNoCloud [seed=dmi,/dev/vdb][dsmode=local].";
        assert!(explain(CloudImage::new("x"), &[read]).contains("has read the seed"));
        let other = "Cloud-init v. 25.1.4 finished. Datasource DataSourceEc2Local.";
        assert!(explain(CloudImage::new("x"), &[other]).contains("another data source"));
        assert_eq!(explain(ShellCommand::new("x"), &[]), "");
    }

    #[test]
    fn a_guest_that_does_not_boot_is_explained() {
        let kernel =
            "[    0.000000] Linux version 6.1.0-39-cloud-amd64 (debian-kernel@lists.debian.org)";
        for (console, expected) in [
            (&[][..], "console shows nothing"),
            (&["", "No bootable device."], "nothing to boot"),
            (&["GNU GRUB  version 2.06"], "`console=ttyS0`"),
            (
                &[kernel, "Run /sbin/init as init process"],
                "but no systemd",
            ),
        ] {
            let text = explain(DiskImage::new("x"), console);
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn a_kernel_is_explained() {
        let kernel = "[    0.000000] Linux version 6.1.0-39-amd64";
        let line = "vmwright: the root has no bash";
        let own = explain(Linux::new("x").root_dir("/x"), &[kernel, line]);
        assert!(
            own.contains("driver's initramfs") && own.contains(line),
            "{own}"
        );
        assert!(own.contains("To try: `no_init`"), "{own}");
        let users = explain(Linux::new("x").initrd("/x"), &[kernel]);
        assert!(users.contains("appended to the initrd"), "{users}");
        assert!(users.contains("no systemd"), "{users}");
    }

    #[test]
    fn a_login_is_explained() {
        let start = StartCommand::from(DiskImage::new("x").serial_login("root", "secret"));
        for (state, expected) in [
            (LoginState::Waiting, "has not asked"),
            (
                LoginState::Failed(LoginError::SecondPassword),
                "has failed: the guest asks for another password",
            ),
            (LoginState::Done, "run the script"),
        ] {
            let text = start.explain_missing_greeting(&[], &state).unwrap();
            assert!(
                text.contains(expected) && !text.contains("secret"),
                "{text}"
            );
            assert!(text.contains("To try: `CloudImage`"), "{text}");
            assert!(!text.contains("serial_login"), "{text}");
        }
    }
}
