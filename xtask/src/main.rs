//! `cargo xtask`: this repository's own tool.

#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool prints"
)]

mod bench;
mod demo;
mod docs;
mod flags;
mod fuzz;
mod host;
mod image;
mod junit;
mod package;
mod pip;
mod soak;
mod template;
mod test;
mod tidy;
mod util;
mod vm_test;

use std::process::ExitCode;

use clap::Parser as _;
use flags::{Flags, Task};

fn main() -> ExitCode {
    let done = match Flags::parse().task {
        Task::Demo(flags) => demo::run(&flags),
        Task::Image(flags) => image::run(&flags),
        Task::Template(flags) => template::run(&flags),
        Task::VmTest(flags) => vm_test::run(&flags),
        Task::Test(flags) => test::run(&flags),
        Task::CleanVm => vm_test::clean(),
        Task::Docs(flags) => docs::build(flags.yes),
        Task::Bench(flags) => bench::run(flags.name, flags.part, flags.yes),
        Task::Fuzz(flags) => fuzz::run(&flags),
        Task::Soak(flags) => soak::run(&flags),
        Task::Tidy => tidy::run_all(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is::<vm_test::AlreadyPrinted>() {
                eprintln!("error: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
