use std::time::Duration;

use machine::{ErrorKind, quote};
use vm_tests::{SOON, fresh, fresh_with};

#[tokio::test]
async fn windows_of_a_desktop() {
    let out = tempfile::tempdir().unwrap();
    let vm = fresh_with("desktop", |builder| builder.out_dir(out.path())).await;
    vm.wait_for_x().await.unwrap();
    vm.wait_for_unit("graphical.target").await.unwrap();
    vm.succeed("xterm -title 'A \"title\" of its own' >&2 &")
        .await
        .unwrap();
    vm.wait_for_window("^A \"title\" .* own$").await.unwrap();
    let names = vm.get_window_names().await.unwrap();
    assert!(
        names.iter().any(|name| name == "A \"title\" of its own"),
        "{names:?}"
    );

    let odd = ["Grüße", "日本", "it says \"x\": (y)", "two\nlines"];
    // xterm sets names in other encodings than UTF-8.
    for name in odd {
        let name = quote(name).unwrap();
        vm.succeed(format!("LC_ALL=C.UTF-8 xterm -T {name} >&2 &"))
            .await
            .unwrap();
    }
    for name in odd {
        vm.wait_for_window_with(name, |window| window == name)
            .await
            .unwrap();
    }
    let names = vm.get_window_names().await.unwrap();
    for name in odd {
        assert!(names.iter().any(|window| window == name), "{names:?}");
    }

    vm.screenshot("desktop").await.unwrap();

    let patient = vm.within(Duration::from_secs(1));
    let error = patient.wait_for_window("never opened").await.unwrap_err();
    assert!(error.is_timeout());
    assert!(
        error.to_string().contains("of its own"),
        "the names of the windows are missing: {error}"
    );
    let shown: Vec<&str> = error.evidence().iter().map(|e| e.what.as_str()).collect();
    assert!(shown.contains(&"screenshot"), "{error}");
    let error = vm.wait_for_window("(").await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::BadArgument { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_guest_without_x() {
    let out = tempfile::tempdir().unwrap();
    let vm = fresh_with("systemd", |builder| builder.out_dir(out.path())).await;
    let error = vm.get_window_names().await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::CommandFailed { .. }),
        "{error}"
    );
    let missing = "xwininfo is not installed in the guest; it is in Debian's package x11-utils";
    assert!(error.to_string().contains(missing), "{error}");
    let patient = vm.within(Duration::from_secs(15));
    let (window, x) = tokio::join!(patient.wait_for_window("x"), patient.wait_for_x());
    let error = window.unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("no windows can be listed: {missing}")),
        "{error}"
    );
    let error = x.unwrap_err();
    assert!(error.to_string().contains("graphical session"), "{error}");
    let shown: Vec<&str> = error.evidence().iter().map(|e| e.what.as_str()).collect();
    assert!(shown.contains(&"screenshot"), "{error}");
}

#[tokio::test]
async fn wait_for_x_with_a_long_journal() {
    let vm = fresh("systemd").await;
    // As in most guests, SIGPIPE ends a process that writes to a closed pipe.
    vm.succeed(
        "mkdir -p /run/systemd/system/backdoor.service.d
        printf '[Service]\nIgnoreSIGPIPE=no\n' >/run/systemd/system/backdoor.service.d/pipe.conf
        systemctl daemon-reload",
    )
    .await
    .unwrap();
    vm.execute("systemctl restart backdoor; sleep 1d")
        .await
        .unwrap_err();
    vm.fail("yes | true").await.unwrap();
    vm.succeed(
        "systemd-cat -t systemd echo Reached target Current graphical user session.
        seq -f '%0200g' 1500 | systemd-cat -t systemd
        mkdir -p /tmp/.X11-unix; touch /tmp/.X11-unix/X0
        journalctl --sync",
    )
    .await
    .unwrap();
    vm.within(SOON).wait_for_x().await.unwrap();
}
