use std::time::{Duration, Instant};

use machine::{Machine, StartScript};
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
