//! Boots a published cloud image, which is not changed, and runs a command in it:
//! `cargo run -p vmwright-machine --example cloud_image -- debian-12-genericcloud-amd64.qcow2 'id'`.

#![allow(clippy::print_stdout, reason = "an example prints its results")]

use machine::{CloudImage, Machine};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: cloud_image IMAGE COMMAND";
    let (image, command) = arguments.next().zip(arguments.next()).ok_or(usage)?;
    let vm = Machine::new(CloudImage::new(image))?;
    println!("{}", vm.succeed(command).await?);
    vm.shutdown().await?;
    Ok(())
}
