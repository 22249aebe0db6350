//! Makes many clones one after the other, and runs many commands on one machine; fails if they
//! leave anything on the host. `cargo xtask soak` runs it.

#![expect(clippy::print_stdout, reason = "the figures are the output")]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use machine::{Machine, Template};
use tracing::Level;
use vm_tests::{descriptors, settled, soon, template};

const IMAGE: &str = "minimal";

/// How often figures are printed, and the number of warm-up rounds.
const REPORTS: usize = 10;

/// The allowed growth of memory, in KiB: an allocator returns little, in whole pages.
const GROWTH: u32 = 8 << 10;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut count = || arguments.next().unwrap_or_default().parse::<usize>();
    let (clones, commands) = (count()?, count()?);
    tracing_subscriber::fmt().with_max_level(Level::WARN).init();
    let template = template(IMAGE).build().await?;
    // The state directories of all machines.
    let tmp = tempfile::tempdir()?;

    println!("{clones} times: clone, command, release");
    let cycles = repeat(clones, tmp.path(), async |number| {
        let vm = clone(&template, tmp.path()).await?;
        answers(&vm, number).await?;
        vm.release();
        Ok(())
    });
    let clones_left_nothing = cycles.await?;

    println!("{commands} commands on one machine");
    let vm = clone(&template, tmp.path()).await?;
    let commands_left_nothing = repeat(commands, tmp.path(), async |number| {
        answers(&vm, number).await
    });
    let commands_left_nothing = commands_left_nothing.await?;
    drop(vm);

    let left = Figures::at_rest(tmp.path(), 0).await;
    println!("in the end: {left}");
    Ok(
        if clones_left_nothing && commands_left_nothing && left.processes == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        },
    )
}

async fn clone(template: &Template, tmp: &Path) -> machine::Result<Machine> {
    template.clone_with(|builder| builder.tmp_dir(tmp)).await
}

async fn answers(vm: &Machine, number: usize) -> Result<(), Box<dyn Error>> {
    let answer = vm.succeed(format!("echo {number}")).await?;
    if answer == format!("{number}\n") {
        Ok(())
    } else {
        Err(format!("the output of `echo {number}` is {answer:?}").into())
    }
}

/// Runs `once` `times` times; returns whether nothing grew after the warm-up rounds.
async fn repeat(
    times: usize,
    tmp: &Path,
    once: impl AsyncFn(usize) -> Result<(), Box<dyn Error>>,
) -> Result<bool, Box<dyn Error>> {
    let processes = processes(tmp);
    for number in 0..REPORTS {
        once(number).await?;
    }
    let before = Figures::at_rest(tmp, processes).await;
    println!("  before: {before}");
    let mut took = Vec::with_capacity(times);
    for number in 0..times {
        let start = Instant::now();
        once(number).await?;
        took.push(start.elapsed());
        if (number + 1) % times.div_ceil(REPORTS) == 0 {
            let now = Figures::at_rest(tmp, processes).await;
            println!("  after {:>6}: {now}", number + 1);
        }
    }
    let after = Figures::at_rest(tmp, processes).await;
    println!("  each took {}", spread(took));
    let leaks = after.grown_since(&before);
    for leak in &leaks {
        println!("  LEAK: {leak}");
    }
    Ok(leaks.is_empty())
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let [Some(least), Some(most)] = [times.first(), times.last()] else {
        return "no time".to_owned();
    };
    let median = times[times.len() / 2];
    format!("{median:.1?} (median; {least:.1?} to {most:.1?})")
}

/// The host's resources that this process uses.
struct Figures {
    /// Its children, and all processes of its machines.
    processes: usize,
    descriptors: usize,
    threads: u32,
    /// Files of the machines' state.
    files: usize,
    /// Resident memory, in KiB.
    memory: u32,
}

impl Figures {
    /// Waits until at most `at_most` processes are left and the number of descriptors is
    /// stable: tasks reap killed processes and close their pipes a little later.
    async fn at_rest(tmp: &Path, at_most: usize) -> Self {
        soon(|| processes(tmp) <= at_most).await;
        settled(descriptors).await;
        Self::now(tmp)
    }

    fn now(tmp: &Path) -> Self {
        Self {
            processes: processes(tmp),
            descriptors: descriptors(),
            threads: status("Threads:").unwrap_or_default(),
            files: files(tmp),
            memory: status("VmRSS:").unwrap_or_default(),
        }
    }

    /// What has grown since `before`, except for threads: those for blocking work come and go.
    fn grown_since(&self, before: &Self) -> Vec<String> {
        let figures = [
            ("processes", self.processes, before.processes),
            ("descriptors", self.descriptors, before.descriptors),
            ("files", self.files, before.files),
        ];
        let grown = figures.into_iter().filter(|(_, now, then)| now > then);
        let mut leaks: Vec<_> = grown
            .map(|(what, now, then)| format!("{now} {what} where there were {then}"))
            .collect();
        if self.memory > before.memory + GROWTH {
            let grown = self.memory - before.memory;
            leaks.push(format!("{grown} KiB of memory more than before"));
        }
        leaks
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            processes,
            descriptors,
            threads,
            files,
            memory,
        } = self;
        write!(
            f,
            "{processes} processes, {descriptors} descriptors, {threads} threads, {files} files, \
             {:.1} MiB resident",
            f64::from(*memory) / 1024.0
        )
    }
}

fn status(name: &str) -> Option<u32> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_whitespace().next()?.parse().ok()
}

/// The number of our children and of processes whose arguments name a state directory.
fn processes(tmp: &Path) -> usize {
    let tmp = tmp.as_os_str().as_encoded_bytes();
    let us = std::process::id().to_string();
    let is_ours = |dir: &Path| {
        let read = |name: &str| fs::read(dir.join(name)).unwrap_or_default();
        let status = String::from_utf8_lossy(&read("status")).into_owned();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        let arguments = read("cmdline");
        parent.is_some_and(|parent| parent.trim() == us)
            || arguments.windows(tmp.len()).any(|part| part == tmp)
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter(|entry| is_ours(&entry.path())).count()
}

fn files(dir: &Path) -> usize {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let counts = entries.map(|entry| {
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        1 + if is_dir { files(&entry.path()) } else { 0 }
    });
    counts.sum()
}
