//! The configuration of a run, which Nix writes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The longest time limit in seconds: Python's timers and the system's can represent it.
pub(crate) const MAX_SECONDS: u32 = 1_000_000_000;

/// A configuration as the NixOS test driver takes it by `--config`; in place of a
/// `start_script`, a machine may have an `image` or a `kernel`. Unknown keys are ignored.
#[derive(Debug, Deserialize)]
pub(crate) struct Config {
    /// By name.
    vms: BTreeMap<String, Vm>,
    containers: BTreeMap<String, Container>,
    pub(crate) vlans: Vec<u32>,
    #[serde(deserialize_with = "limit")]
    pub(crate) global_timeout: Duration,
    pub(crate) enable_ssh_backdoor: bool,
    pub(crate) test_script: PathBuf,
}

/// In place of a `start_script`, a container may have a root: `root_dir` or `root_tar`.
#[derive(Debug, Deserialize)]
struct Container {
    #[serde(alias = "root_dir", alias = "root_tar")]
    start_script: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "VmFields")]
enum Vm {
    StartScript(PathBuf),
    Image(PathBuf),
    Kernel(PathBuf),
}

#[derive(Deserialize)]
struct VmFields {
    start_script: Option<PathBuf>,
    image: Option<PathBuf>,
    kernel: Option<PathBuf>,
}

impl TryFrom<VmFields> for Vm {
    type Error = &'static str;

    fn try_from(fields: VmFields) -> Result<Self, Self::Error> {
        match (fields.start_script, fields.image, fields.kernel) {
            (Some(path), None, None) => Ok(Self::StartScript(path)),
            (None, Some(path), None) => Ok(Self::Image(path)),
            (None, None, Some(path)) => Ok(Self::Kernel(path)),
            (None, None, None) => Err("missing field `start_script`, `image` or `kernel`"),
            _ => Err("a machine has one of `start_script`, `image` and `kernel`, not several"),
        }
    }
}

impl Config {
    /// Reads a file. The error is one line.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let failed = |reason: &dyn std::fmt::Display| {
            format!("the configuration {}: {reason}", path.display())
        };
        let text = fs::read(path).map_err(|error| failed(&error))?;
        serde_json::from_slice(&text).map_err(|error| failed(&error))
    }

    /// The names of the machines with start scripts and the scripts, sorted by name.
    pub(crate) fn start_scripts(&self) -> impl Iterator<Item = (String, PathBuf)> {
        self.vms.iter().filter_map(|(name, vm)| match vm {
            Vm::StartScript(script) => Some((name.clone(), script.clone())),
            _ => None,
        })
    }

    /// The machines with images, sorted by name.
    pub(crate) fn images(&self) -> impl Iterator<Item = NamedFile> {
        self.vms.iter().filter_map(|(name, vm)| match vm {
            Vm::Image(image) => Some(named(name, image)),
            _ => None,
        })
    }

    /// The machines with kernels, sorted by name.
    pub(crate) fn kernels(&self) -> impl Iterator<Item = NamedFile> {
        self.vms.iter().filter_map(|(name, vm)| match vm {
            Vm::Kernel(kernel) => Some(named(name, kernel)),
            _ => None,
        })
    }

    /// The names of the containers and their start scripts or roots, sorted by name.
    pub(crate) fn containers(&self) -> impl Iterator<Item = (String, PathBuf)> {
        let containers = self.containers.iter();
        containers.map(|(name, container)| (name.clone(), container.start_script.clone()))
    }
}

/// The name of a machine, and what it starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedFile {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
}

fn named(name: &str, file: &Path) -> NamedFile {
    NamedFile {
        name: name.to_owned(),
        file: file.to_owned(),
    }
}

/// A positive length of time: a number of seconds, or text in ISO 8601 such as `PT1H`.
fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let limit = match &value {
        Value::Number(seconds) => seconds
            .as_f64()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        Value::String(text) => iso_8601(text),
        _ => None,
    };
    let longest = Duration::from_secs(MAX_SECONDS.into());
    limit
        .filter(|limit| !limit.is_zero() && *limit <= longest)
        .ok_or_else(|| {
            D::Error::custom(format!(
                "`global_timeout` is {value}, not a number of seconds above 0, up to \
                 {MAX_SECONDS}, or a duration in ISO 8601"
            ))
        })
}

/// A duration that is not negative, in the formats of pydantic, which the NixOS test driver
/// uses.
fn iso_8601(text: &str) -> Option<Duration> {
    let parsed = speedate::Duration::parse_str(text).ok()?;
    let seconds = u64::try_from(parsed.signed_total_seconds()).ok()?;
    let microseconds = u32::try_from(parsed.signed_microseconds()).ok()?;
    Some(Duration::new(seconds, microseconds * 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = r#"{
        "vms": {
            "server": {"name": "ignored", "start_script": "/s/start.sh"},
            "client": {"name": "ignored", "start_script": "/c/start.sh"}
        },
        "containers": {},
        "vlans": [2, 1],
        "global_timeout": 3600,
        "enable_ssh_backdoor": false,
        "test_script": "/test.py",
        "a_later_key": null
    }"#;

    fn read(text: &str) -> Result<Config, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, text).unwrap();
        Config::read(file.path())
    }

    #[test]
    fn machines_are_named_by_their_keys_and_sorted() {
        let config = read(VALID).unwrap();
        let machines: Vec<_> = config.start_scripts().collect();
        let client = ("client".to_owned(), PathBuf::from("/c/start.sh"));
        let server = ("server".to_owned(), PathBuf::from("/s/start.sh"));
        assert_eq!(machines, [client, server]);
        assert_eq!(config.vlans, [2, 1]);
        assert_eq!(config.global_timeout, Duration::from_hours(1));
        let container = VALID.replace(
            "\"containers\": {",
            r#""containers": {"c": {"vnc": null, "start_script": "run-c-nspawn"}, "d": {"root_dir": "/r"}, "e": {"root_tar": "r.tar"}"#,
        );
        let containers: Vec<_> = read(&container).unwrap().containers().collect();
        let expected = [("c", "run-c-nspawn"), ("d", "/r"), ("e", "r.tar")];
        assert_eq!(
            containers,
            expected.map(|(name, path)| (name.to_owned(), path.into()))
        );
    }

    #[test]
    fn a_machine_may_have_an_image_or_a_kernel() {
        let text = VALID
            .replacen("start_script", "image", 1)
            .replacen("start_script", "kernel", 1);
        let config = read(&text).unwrap();
        assert_eq!(config.start_scripts().count(), 0);
        let [image] = &config.images().collect::<Vec<_>>()[..] else {
            panic!("{config:?}")
        };
        assert_eq!(*image, named("server", Path::new("/s/start.sh")));
        let kernels: Vec<_> = config.kernels().collect();
        assert_eq!(kernels, [named("client", Path::new("/c/start.sh"))]);
    }

    #[test]
    fn a_time_limit_is_a_number_or_text_in_iso_8601() {
        for (limit, milliseconds) in [
            ("3600", 3_600_000),
            ("0.5", 500),
            ("\"PT1H\"", 3_600_000),
            ("\"P1DT2H3M4.5S\"", 93_784_500),
            ("\"01:30:00\"", 5_400_000),
        ] {
            let config = read(&VALID.replace("3600", limit)).unwrap();
            assert_eq!(config.global_timeout.as_millis(), milliseconds, "{limit}");
        }
    }

    #[test]
    fn an_invalid_configuration_is_one_line() {
        for (text, reason) in [
            ("", "EOF"),
            ("{]", "key must be a string"),
            ("{}", "missing field `vms`"),
            (&VALID.replace("vlans", "vlan"), "missing field `vlans`"),
            (&VALID.replace("3600", "-1"), "global_timeout"),
            (&VALID.replace("3600", "0"), "global_timeout"),
            (&VALID.replace("3600", "1e300"), "global_timeout"),
            (&VALID.replace("3600", "true"), "global_timeout` is true"),
            (&VALID.replace("3600", "\"PT0S\""), "global_timeout"),
            (&VALID.replace("3600", "\"-PT1H\""), "global_timeout"),
            (&VALID.replace("3600", "\"soon\""), "is \"soon\""),
            (&VALID.replace("[2, 1]", "[-2]"), "expected u32"),
            (
                &VALID.replace("start_script", "script"),
                "missing field `start_script`",
            ),
            (
                &VALID.replace("\"name\": \"ignored\"", "\"image\": \"/i.qcow2\""),
                "not several",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(reason), "no {reason:?} in {error:?}");
            assert!(
                error.starts_with("the configuration /") && !error.contains('\n'),
                "{error}"
            );
        }
        let error = Config::read(Path::new("/no/such/file")).unwrap_err();
        assert!(error.contains("/no/such/file: No such file"), "{error}");
    }
}
