use std::time::{Duration, Instant};

use machine::{Machine, StartScript};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;
use vm_tests::{fresh, start_script};

const FLOOD: Duration = Duration::from_secs(15);

#[tokio::test]
async fn console_output_during_commands_loses_no_line() {
    let vm = fresh("minimal").await;
    vm.serial_stdout_off();
    // The first number gets a line of its own, after any prompt.
    vm.succeed(
        "dmesg -n 1; echo >/dev/ttyS0; seq 1 1000000000 >/dev/ttyS0 2>&1 & echo $! >/tmp/flood",
    )
    .await
    .unwrap();
    let (start, mut commands) = (Instant::now(), 0);
    while start.elapsed() < FLOOD {
        let output = vm.succeed(format!("echo {commands}")).await.unwrap();
        assert_eq!(output, format!("{commands}\n"));
        commands += 1;
    }
    vm.succeed("kill $(cat /tmp/flood); echo 'the flood is over' >/dev/ttyS0")
        .await
        .unwrap();
    vm.wait_for_console_text("the flood is over").await.unwrap();

    let log = vm.get_console_log().await.unwrap();
    let mut lines = log.lines().skip_while(|line| *line != "1");
    let mut last = 0;
    let end = lines.find(|line| match line.parse::<u64>() {
        Ok(number) => {
            assert_eq!(number, last + 1);
            last = number;
            false
        }
        Err(_) => true,
    });
    // The last number may be cut off.
    let end = end
        .unwrap()
        .trim_start_matches(|c: char| c.is_ascii_digit());
    assert_eq!(end, "the flood is over");
    assert!(last > 10_000, "only {last} lines");
}

#[tokio::test]
async fn an_endless_console_line_is_truncated() {
    const LENGTH: usize = 20_000_000;
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        "#!/bin/sh\nhead -c {LENGTH} /dev/zero | tr '\\0' x\nexec '{}' \"$@\"\n",
        start_script("minimal").display()
    );
    let script = super::start_script_with(dir.path(), &script);
    let vm = Machine::new(StartScript::new(script)).unwrap();
    vm.serial_stdout_off();
    assert_eq!(vm.succeed("echo right").await.unwrap(), "right\n");
    let log = vm.get_console_log().await.unwrap();
    // The parts of the line are separated by line ends only.
    let log: String = log.lines().collect();
    let longest = log.split(|c| c != 'x').map(str::len).max();
    assert_eq!(longest, Some(LENGTH));
    // Errors contain a part of it only.
    let error = vm
        .within(Duration::from_millis(100))
        .wait_for_console_text("never printed")
        .await
        .unwrap_err();
    assert!(error.to_string().len() < 100_000);
}

#[tokio::test]
async fn two_hundred_megabytes_of_output_are_streamed() {
    const BLOCKS: usize = 200;
    let vm = fresh("systemd").await;
    // The guest prints a megabyte of random bytes 200 times.
    vm.succeed("head -c 1048576 /dev/urandom >/tmp/block")
        .await
        .unwrap();
    let block = vm.execute("cat /tmp/block").await.unwrap().stdout;
    let sum = vm.succeed("sha256sum </tmp/block").await.unwrap();
    assert_eq!(
        sum.split_whitespace().next().unwrap(),
        hex(&Sha256::digest(&block))
    );

    let (mut reader, mut writer) = tokio::io::duplex(256 * 1024);
    let hashing = tokio::spawn(async move {
        let (mut hash, mut buffer) = (Sha256::new(), vec![0; 256 * 1024]);
        loop {
            match reader.read(&mut buffer).await.unwrap() {
                0 => return hash.finalize(),
                read => hash.update(&buffer[..read]),
            }
        }
    });
    let print = format!("for block in $(seq {BLOCKS}); do cat /tmp/block; done");
    assert!(vm.execute_into(print, &mut writer).await.unwrap().success());
    drop(writer);
    let expected = Sha256::digest(block.repeat(BLOCKS));
    assert_eq!(hex(&hashing.await.unwrap()), hex(&expected));
    assert_eq!(vm.succeed("echo right").await.unwrap(), "right\n");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
