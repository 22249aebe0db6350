//! Boots two machines with the same start script on one network, and has one ping the other:
//! `cargo run -p vmwright-machine --example two_machines -- target/vm/minimal/run-minimal-vm`.

#![allow(clippy::print_stdout, reason = "an example prints its results")]

use std::os::unix::fs::symlink;

use machine::{Machine, StartScript, TmpDir, Vlan};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let script = std::env::args_os().nth(1);
    let script = std::path::absolute(script.ok_or("usage: two_machines START-SCRIPT")?)?;
    let dir = TmpDir::new()?;
    let vlan = Vlan::start(1, dir.path()).await?;
    // The image's script gives each machine the name of the link by which it is run, and an
    // address by its place among all names.
    let on_vlan = |name: &str| -> Result<Machine, Box<dyn std::error::Error>> {
        let link = dir.path().join(format!("run-{name}-vm"));
        symlink(&script, &link)?;
        let builder = Machine::builder(StartScript::new(link)).vlan(&vlan);
        Ok(builder.env("VM_NODES", "server client").build()?)
    };
    let (server, client) = (on_vlan("server")?, on_vlan("client")?);
    tokio::try_join!(server.connect(), client.connect())?;
    println!("{}", client.succeed("ping -c 3 server").await?);
    tokio::try_join!(server.shutdown(), client.shutdown())?;
    Ok(())
}
