//! `driver`: boots virtual machines from their start scripts, and shows what
//! they and their consoles say until they power off.

#![forbid(unsafe_code)]

mod cli;
mod session;

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    tracing_subscriber::fmt()
        .with_env_filter("info,machine::console=debug")
        .with_writer(std::io::stderr)
        .with_target(false)
        .without_time()
        .init();
    session::run(&cli).await.into()
}
