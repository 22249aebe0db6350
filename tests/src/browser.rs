mod page;

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

pub use self::page::{Element, Page};
use super::{SOON, scaled};

/// Opens a file in headless Chromium, started with `arguments`, and calls `work` with it. Closes
/// the browser afterwards, also if `work` panics.
///
/// # Panics
/// If `chromedriver` or Chromium is missing, or `work` panics.
pub async fn browse<F>(file: &Path, arguments: &[&str], work: impl FnOnce(Page) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    crate::failure::keep_evidence();
    let profile = tempfile::tempdir().expect("a directory");
    let (_driver, port) = chromedriver().await;
    let address = format!("http://127.0.0.1:{port}");
    let page = Page::connect(&address, capabilities(profile.path(), arguments)).await;
    let url = format!("file://{}", file.display());
    let (opened, work) = (page.clone(), work(page.clone()));
    // A task catches the panic, so that the browser is closed first.
    let task = tokio::spawn(async move {
        opened.open(&url).await;
        work.await;
    });
    let worked = task.await;
    page.close().await;
    if let Err(error) = worked {
        std::panic::resume_unwind(error.into_panic());
    }
}

/// Starts chromedriver and returns it with its port.
async fn chromedriver() -> (Child, u16) {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("chromedriver, of Debian's package chromium-driver");
    let stdout = driver.stdout.take().expect("a pipe");
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await.expect("a pipe") {
        let port = line.split_once("successfully on port ");
        if let Some(port) = port.and_then(|(_, port)| port.trim_end_matches('.').parse().ok()) {
            return (driver, port);
        }
    }
    panic!("chromedriver ended without printing its port");
}

fn capabilities(profile: &Path, arguments: &[&str]) -> Value {
    let profile = format!("--user-data-dir={}", profile.display());
    let defaults = [
        "--headless=new",
        // Chromium does not start as root otherwise. The pages are trusted.
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--window-size=1400,900",
        &profile,
    ];
    let arguments = [&defaults, arguments].concat();
    let options = json!({ "args": arguments });
    // The default is too short for a slow host.
    let timeouts = json!({ "script": scaled(SOON).as_millis() });
    json!({ "goog:chromeOptions": options, "timeouts": timeouts })
}
