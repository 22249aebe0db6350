//! The root shell in an unmodified guest with systemd: credentials by which
//! systemd starts it, passed as strings of the SMBIOS.
//!
//! systemd 256 and newer read a unit and what pulls it in. 252 to 255 only let a file be
//! created at boot, when it is too late to pull a unit in: there, udev starts it as soon as
//! the [start port](START_PORT) is plugged in. Every guest gets both.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use backdoor_shell::BACKDOOR;

use super::File;

/// systemd 252 reads no more of the SMBIOS structure that has the strings: a page.
#[cfg(test)]
const MAX_STRINGS: usize = 4096;

/// The name of the virtio port that starts the shell when it is plugged in.
pub(crate) const START_PORT: &str = "org.vmwright.start";

/// The shell's service, with the script at [`BACKDOOR_PATH`].
pub(super) const SERVICE: &str = include_str!("guest/vmwright-shell.service");

/// Where the script is in the guest, unless systemd keeps it as a credential.
const BACKDOOR_PATH: &str = "/run/vmwright/backdoor.sh";

const RULES: &str = include_str!("guest/start.rules");

/// A login at the console of interactive sessions would hang it up.
const NO_LOGIN: &str = "[Unit]\nConditionPathExists=/nonexistent\n";

/// One file for each string, to be passed by [`argument`].
///
/// The strings are not encoded: systemd 252 reads no more than 4096 bytes, a page, of the
/// structure that has all of them.
pub(super) fn files() -> Vec<File> {
    let service = SERVICE.replace(
        &format!("ExecStart=/bin/sh {BACKDOOR_PATH}"),
        "ImportCredential=vmwright.backdoor\n\
         ExecStart=/bin/sh ${CREDENTIALS_DIRECTORY}/vmwright.backdoor",
    );
    let wants = "[Unit]\nWants=vmwright-shell.service\n";
    [
        ("tmpfiles.extra", &*tmpfiles()),
        ("vmwright.backdoor", &code(BACKDOOR)),
        ("systemd.extra-unit.vmwright-shell.service", &service),
        ("systemd.unit-dropin.sysinit.target", wants),
        ("systemd.unit-dropin.serial-getty@hvc0.service", NO_LOGIN),
    ]
    .map(|(name, text)| File {
        path: format!("credentials/{name}"),
        contents: format!("io.systemd.credential:{name}={text}").into(),
    })
    .into()
}

/// The value of QEMU's `-smbios` for such a file.
pub(super) fn argument(file: &File) -> String {
    format!("type=11,path={}", file.path)
}

/// Lines of tmpfiles.d(5), with encoded contents.
fn tmpfiles() -> String {
    let files = [
        (BACKDOOR_PATH, &*code(BACKDOOR)),
        ("/run/udev/rules.d/99-vmwright.rules", RULES),
        ("/run/systemd/system/vmwright-shell.service", SERVICE),
    ];
    files
        .iter()
        .map(|(path, text)| {
            let (dir, _) = path.rsplit_once('/').unwrap_or_default();
            let text = STANDARD.encode(text);
            format!("d {dir} 0755 root root -\nf+~ {path} 0644 root root - {text}\n")
        })
        .collect()
}

/// A shell script without its comments and indentation.
fn code(script: &str) -> String {
    let lines = script.lines().map(str::trim_start);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(file: &File) -> &str {
        str::from_utf8(&file.contents).unwrap()
    }

    #[test]
    fn each_string_is_a_credential() {
        let files = files();
        let (name, script) = text(&files[1]).split_once('=').unwrap();
        assert_eq!(name, "io.systemd.credential:vmwright.backdoor");
        assert!(
            script.starts_with("export ") && script.contains("\nexec <&5 "),
            "{script}"
        );
        assert_eq!(
            argument(&files[1]),
            "type=11,path=credentials/vmwright.backdoor"
        );
    }

    #[test]
    fn the_strings_are_short_enough() {
        let lengths = files().into_iter().map(|file| file.contents.len() + 1);
        let header = 8;
        let length = header + lengths.sum::<usize>();
        assert!(length < MAX_STRINGS, "{length}");
    }

    #[test]
    fn the_unit_of_a_credential_runs_the_credential() {
        let files = files();
        let unit = text(&files[2]);
        assert!(
            unit.contains("ImportCredential=") && !unit.contains(BACKDOOR_PATH),
            "{unit}"
        );
        assert!(RULES.contains(START_PORT) && SERVICE.contains(BACKDOOR_PATH));
    }
}
