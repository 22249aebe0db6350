//! cloud-init.

use serde_json::Value;

use super::Guest;
use super::script::Script;
use crate::error::{ErrorKind, Result};

const WAITING: &str = "waiting for cloud-init";

/// # cloud-init
impl Guest {
    /// Waits until cloud-init has done everything for this boot, including what the user
    /// data asks for. Returns at once if it has.
    ///
    /// # Errors
    /// [`CloudInit`](ErrorKind::CloudInit) if it has reported errors, is disabled or is not
    /// installed; [`TimedOut`](ErrorKind::TimedOut) with the end of its log.
    pub async fn wait_for_cloud_init(&self) -> Result<()> {
        self.step(WAITING, async {
            let running = self.started(WAITING).await?;
            self.wait_for_cloud_init_end().await?;
            let state = self.cloud_init_script().append("state").into_text();
            let state = self.run_untraced(&running, state).await?;
            let errors = errors(&state);
            if errors.is_empty() {
                return Ok(());
            }
            Err(self.error(ErrorKind::CloudInit { errors }))
        })
        .await
    }

    async fn wait_for_cloud_init_end(&self) -> Result<()> {
        let script = self.cloud_init_script();
        let script = script.append(include_str!("cloud_init_done.sh"));
        let waited = self.wait_in_guest("cloud-init to be done", script, "it still runs");
        match waited.await {
            Err(error) if error.is_timeout() => {
                let (what, tail) = (
                    "the end of cloud-init's log",
                    "tail -n 20 /var/log/cloud-init.log",
                );
                Err(self.with_output(error, what, tail).await)
            }
            waited => waited,
        }
    }

    fn cloud_init_script(&self) -> Script<'_> {
        let script = self.script(WAITING);
        script.append(include_str!("cloud_init_state.sh"))
    }
}

/// The errors in what the script `state` prints: `result.json` of cloud-init, or a sentence.
fn errors(state: &str) -> Vec<String> {
    let Ok(result) = serde_json::from_str::<Value>(state) else {
        return vec![serial_log::printable(state.trim()).into_owned()];
    };
    let errors = result["v1"]["errors"].as_array().into_iter().flatten();
    errors
        .map(|error| serial_log::printable(error.as_str().unwrap_or_default()).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_in_its_result() {
        let none = r#"{"v1": {"datasource": "DataSourceNoCloud", "errors": []}}"#;
        assert_eq!(errors(none), [""; 0]);
        let some = r#"{"v1": {"errors": ["('scripts-user', RuntimeError('1 of 1 failed'))"]}}"#;
        assert_eq!(
            errors(some),
            ["('scripts-user', RuntimeError('1 of 1 failed'))"]
        );
        assert_eq!(errors("it is disabled\n"), ["it is disabled"]);
    }
}
