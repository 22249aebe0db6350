//! The demo's test: a web server and its client, whose network fails for a while.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use machine::{Machine, StartScript, Vlan};

/// Runs it with machines of the image in `image`. `dir` is for what it needs besides.
pub(super) async fn run(image: &Path, dir: &Path) -> Result<()> {
    let vlan = Vlan::start(1, dir).await?;
    let machine = |name: &str| -> Result<Machine> {
        let script = StartScript::new(named(name, image, dir)?);
        // The names by which the guests reach each other.
        let machine = Machine::builder(script).env("VM_NODES", "server client");
        Ok(machine.vlan(&vlan).build()?)
    };
    let (server, client) = (machine("server")?, machine("client")?);
    // Both boot at the same time.
    tokio::try_join!(server.start(), client.start())?;

    server
        .succeed("echo hello >/tmp/index.html; httpd -h /tmp")
        .await?;
    server.wait_for_open_port(80).await?;
    let page = client.succeed("wget -qO- http://server/").await?;
    ensure!(page == "hello\n", "the server's page is {page:?}");

    server.block().await?;
    client.fail("timeout 1 wget -qO- http://server/").await?;
    server.unblock().await?;
    client
        .wait_until_succeeds("timeout 1 wget -qO- http://server/")
        .await?;
    Ok(())
}

/// A link to the image's start script, which gives the machine its name.
fn named(name: &str, image: &Path, dir: &Path) -> io::Result<PathBuf> {
    let link = dir.join(format!("run-{name}-vm"));
    match symlink(image.join("run-minimal-vm"), &link) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(link),
    }
}
