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

/// A configuration as the NixOS test driver takes it by `--config`. Unknown keys are ignored.
#[derive(Debug, Deserialize)]
pub(crate) struct Config {
    /// By name.
    vms: BTreeMap<String, Vm>,
    containers: BTreeMap<String, Value>,
    pub(crate) vlans: Vec<u32>,
    #[serde(deserialize_with = "limit")]
    pub(crate) global_timeout: Duration,
    pub(crate) enable_ssh_backdoor: bool,
    pub(crate) test_script: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Vm {
    start_script: PathBuf,
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

    /// The names and start scripts of the machines, sorted by name.
    pub(crate) fn machines(&self) -> impl Iterator<Item = (String, PathBuf)> {
        let machines = self.vms.iter();
        machines.map(|(name, vm)| (name.clone(), vm.start_script.clone()))
    }

    pub(crate) fn container_names(&self) -> Vec<String> {
        self.containers.keys().cloned().collect()
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
        let machines: Vec<_> = config.machines().collect();
        let client = ("client".to_owned(), PathBuf::from("/c/start.sh"));
        let server = ("server".to_owned(), PathBuf::from("/s/start.sh"));
        assert_eq!(machines, [client, server]);
        assert_eq!(config.vlans, [2, 1]);
        assert_eq!(config.global_timeout, Duration::from_hours(1));
        let container = VALID.replace(
            "\"containers\": {",
            "\"containers\": {\"c\": {\"vnc\": null}",
        );
        assert_eq!(read(&container).unwrap().container_names(), ["c"]);
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
