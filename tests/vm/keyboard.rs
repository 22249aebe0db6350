use std::time::Duration;

use machine::ErrorKind;
use vm_tests::{SOON, fresh};

/// Every printable ASCII character: more than QEMU or the keyboard queue.
fn all_characters() -> String {
    (b' '..=b'~').map(char::from).collect()
}

#[tokio::test]
async fn typed_text_arrives() {
    let vm = fresh("systemd").await;
    vm.within(SOON)
        .wait_until_tty_matches("1", "root@systemd:~# +$")
        .await
        .unwrap();
    let text = all_characters();
    // QEMU queues 16 bytes, which is two or three keys, and drops the rest.
    let vm = vm.with_key_delay(Duration::from_millis(200));
    vm.send_chars("cat >typed\n").await.unwrap();
    vm.send_chars(&format!("{text}\n")).await.unwrap();
    vm.send_key("ctrl-d").await.unwrap();
    vm.wait_for_file("/root/typed").await.unwrap();
    let typed = vm.wait_until_succeeds("grep . /root/typed").await.unwrap();
    assert_eq!(typed, format!("{text}\n"));

    // Switches to another terminal; then types keys by name and by number.
    vm.send_key("ctrl-alt-f2").await.unwrap();
    vm.within(SOON)
        .wait_until_tty_matches("2", "systemd login: +$")
        .await
        .unwrap();
    assert_eq!(
        vm.succeed("cat /sys/class/tty/tty0/active").await.unwrap(),
        "tty2\n"
    );
    for key in ["r", "o", "0x18", "shift-t", "backspace"] {
        vm.send_key(key).await.unwrap();
    }
    for key in ["t", "ret"] {
        vm.send_key_silently(key).await.unwrap();
    }
    vm.within(SOON)
        .wait_until_tty_matches("2", "root@systemd:~# +$")
        .await
        .unwrap();
}

#[tokio::test]
async fn unknown_keys_are_refused() {
    let vm = fresh("systemd").await;
    vm.start().await.unwrap();
    let error = vm.send_key("ctrl-alt-entf").await.unwrap_err();
    assert!(error.to_string().contains("entf"), "{error}");
    assert!(matches!(error.kind(), ErrorKind::Monitor { .. }), "{error}");
    let error = vm.send_chars("grüße").await.unwrap_err();
    assert!(error.to_string().contains('ü'), "{error}");
    vm.send_key("").await.unwrap_err();
}
