//! What the command line does not set: a configuration, then environment variables.

use std::ffi::OsString;
use std::path::PathBuf;

use super::{Cli, log_level, seconds};
use crate::config::Config;

impl Cli {
    /// Fills in options that the command line does not set from the configuration, if there
    /// is one.
    pub(crate) fn or_config(mut self) -> Result<Self, String> {
        self.test_script = self.test_script.or(self.test_script_option.take());
        let Some(path) = &self.config else {
            return Ok(self);
        };
        let config = Config::read(path)?;
        if self.start_scripts.is_none() && self.image.is_empty() && self.kernel.is_empty() {
            let (names, scripts) = config.start_scripts().unzip();
            self.vm_names.get_or_insert(names);
            self.start_scripts = Some(scripts);
            self.image = config.images().collect();
            self.kernel = config.kernels().collect();
        }
        if self.container_start_scripts.is_none() {
            let (names, scripts) = config.containers().unzip();
            self.container_names.get_or_insert(names);
            self.container_start_scripts = Some(scripts);
        }
        self.vlans.get_or_insert(config.vlans);
        self.global_timeout.get_or_insert(config.global_timeout);
        self.test_script.get_or_insert(config.test_script);
        self.ssh_backdoor = config.enable_ssh_backdoor;
        self.started_by_nix = true;
        Ok(self)
    }

    /// Fills in options that are still not set from environment variables. An empty or blank
    /// variable is an empty list or no value.
    pub(crate) fn or_environment(
        mut self,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, String> {
        let words = |name: &str| words(name, variable(name));
        if self.start_scripts.is_none() {
            let mut scripts = words("vmStartScripts")?;
            if scripts.is_empty() {
                scripts = words("startScripts")?;
            }
            self.started_by_nix |= !scripts.is_empty();
            self.start_scripts = Some(scripts.into_iter().map(PathBuf::from).collect());
            if self.vm_names.is_none() {
                self.vm_names = Some(words("vmNames")?);
            }
        }
        if self.container_names.is_none() {
            self.container_names = Some(words("containerNames")?);
        }
        if self.container_start_scripts.is_none() {
            let scripts = words("containerStartScripts")?;
            self.container_start_scripts = Some(scripts.into_iter().map(PathBuf::from).collect());
        }
        if self.vlans.is_none() {
            let number = |word: &String| word.parse().map_err(|_| not_a_number("vlans", word));
            let numbers = words("vlans")?;
            self.vlans = Some(numbers.iter().map(number).collect::<Result<_, _>>()?);
        }
        if self.global_timeout.is_none() {
            let limit = words("globalTimeout")?.join(" ");
            self.global_timeout = valid("globalTimeout", &limit, seconds)?;
            self.started_by_nix |= self.global_timeout.is_some();
        }
        if self.log_level.is_none() {
            let level = words("logLevel")?.join(" ");
            self.log_level = valid("logLevel", &level, log_level)?;
        }
        if self.test_script.is_none() {
            let path = variable("testScript").filter(|path| !path.is_empty());
            self.test_script = path.map(PathBuf::from);
            self.started_by_nix |= self.test_script.is_some();
        }
        Ok(self)
    }
}

fn words(name: &str, text: Option<OsString>) -> Result<Vec<String>, String> {
    let text = text
        .unwrap_or_default()
        .into_string()
        .map_err(|text| format!("variable {name} is not UTF-8: {}", text.display()))?;
    Ok(text.split_whitespace().map(str::to_owned).collect())
}

/// The value of a variable, unless it is empty.
fn valid<T>(
    variable: &str,
    text: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    let value = (!text.is_empty()).then(|| parse(text)).transpose();
    value.map_err(|reason| format!("variable {variable}: {text:?}: {reason}"))
}

fn not_a_number(variable: &str, word: &str) -> String {
    format!(
        "variable {variable}: {word:?}: not a number from 0 to {}",
        u32::MAX
    )
}
