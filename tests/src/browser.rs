use std::path::Path;
use std::process::Stdio;

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::{SOON, scaled};

/// Opens a file in headless Chromium, started with `arguments`, and calls `work` with it. Closes
/// the browser afterwards, also if `work` panics.
///
/// # Panics
/// If `chromedriver` or Chromium is missing, or `work` panics.
pub async fn browse<F>(page: &Path, arguments: &[&str], work: impl FnOnce(Client) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    crate::failure::keep_evidence();
    let profile = tempfile::tempdir().expect("a directory");
    let (_driver, port) = chromedriver().await;
    let client = ClientBuilder::new(HttpConnector::new())
        .capabilities(capabilities(profile.path(), arguments))
        .connect(&format!("http://127.0.0.1:{port}"))
        .await
        .expect("a browser");
    let url = format!("file://{}", page.display());
    let opened = client.goto(&url).await;
    // A task catches the panic, so that the browser is closed first.
    let worked = match opened {
        Ok(()) => tokio::spawn(work(client.clone())).await,
        Err(error) => panic!("{url}: {error}"),
    };
    client.close().await.expect("the browser closes");
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

fn capabilities(profile: &Path, arguments: &[&str]) -> Capabilities {
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
    Capabilities::from_iter([
        ("goog:chromeOptions".to_owned(), options),
        ("timeouts".to_owned(), timeouts),
    ])
}
