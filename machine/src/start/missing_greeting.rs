//! Why the shell of an unmodified guest may not have greeted.

use super::StartCommand;

/// The first version of systemd that starts the shell by credentials.
const SYSTEMD: u32 = 252;

impl StartCommand {
    /// What was offered to the guest, and what its console shows of each; `None` for a guest
    /// that starts its shell by itself.
    pub(crate) fn explain_missing_greeting(&self, console: &[String]) -> Option<String> {
        if matches!(self, Self::Linux(_)) {
            let reason = "the guest's shell has not greeted. The root's init starts it, or the \
                          driver's initramfs does; see the console's lines with `vmwright:`";
            return Some(reason.to_owned());
        }
        self.disk()?;
        let mut lines = vec![format!(
            "the guest's shell has not greeted. systemd {SYSTEMD} and newer can start it, by \
             credentials in the SMBIOS. {}",
            systemd(console)
        )];
        if matches!(self, Self::Cloud(_)) {
            lines.push(format!(
                "cloud-init can start it, by the seed on the disk with the label CIDATA. {}",
                cloud_init(console)
            ));
        }
        Some(lines.join("\n"))
    }
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
            "The guest has systemd {version}; its kernel needs CONFIG_DMI_SYSFS and \
             virtio_console: see `systemctl status vmwright-shell` in it"
        ),
        None => "The console shows no systemd: does it boot, and with `console=ttyS0`?".to_owned(),
    }
}

fn cloud_init(console: &[String]) -> &'static str {
    let shows = |text: &str| console.iter().any(|line| line.contains(text));
    if shows("DataSourceNoCloud") {
        "It has read the seed: see /var/log/cloud-init.log in the guest"
    } else if shows("DataSourceNone") {
        "It has not found the seed: the guest's kernel needs vfat and virtio_blk"
    } else if shows("Cloud-init v.") {
        "It has started, but the console does not show its data source"
    } else {
        "The console does not show that it has started"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::start::{CloudImage, DiskImage, Linux, ShellCommand};

    fn explain(start: impl Into<StartCommand>, console: &[&str]) -> String {
        let console: Vec<String> = console.iter().map(|line| (*line).to_owned()).collect();
        start
            .into()
            .explain_missing_greeting(&console)
            .unwrap_or_default()
    }

    #[test]
    fn what_the_console_shows_is_explained() {
        let old = ["[    4.1] systemd[1]: systemd 247.3-7+deb11u4 running in system mode. (+PAM)"];
        let text = explain(DiskImage::new("x"), &old);
        assert!(
            text.contains("has systemd 247") && !text.contains("cloud-init"),
            "{text}"
        );
        let new = [
            "systemd[1]: systemd 257.13-1 running in system mode",
            "Cloud-init v. 25.1.4 finished. Datasource DataSourceNone.",
        ];
        let text = explain(CloudImage::new("x"), &new);
        assert!(text.contains("has systemd 257; its kernel"), "{text}");
        assert!(text.contains("not found the seed"), "{text}");
        let text = explain(CloudImage::new("x"), &[]);
        assert!(
            text.contains("no systemd") && text.contains("does not show"),
            "{text}"
        );
        assert!(explain(Linux::new("x"), &[]).contains("`vmwright:`"));
        assert_eq!(explain(ShellCommand::new("x"), &[]), "");
    }
}
