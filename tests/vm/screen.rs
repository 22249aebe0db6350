use std::fs;
use std::time::Duration;

use machine::ErrorKind;
use machine::ocr::Image;
use serde_json::{Value, json};
use vm_tests::{fresh, fresh_with};

#[tokio::test]
async fn a_screenshot_is_a_png() {
    let out = tempfile::tempdir().unwrap();
    let vm = fresh_with("systemd", |builder| builder.out_dir(out.path())).await;
    vm.connect().await.unwrap();
    let path = vm.screenshot("boot").await.unwrap();
    assert_eq!(path, out.path().join("boot.png"));
    let picture = fs::read(&path).unwrap();
    assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n"));
    // Width and height in the PNG header.
    assert_eq!(
        picture[16..24],
        [0, 0, 2, 0xd0, 0, 0, 1, 0x90],
        "720×400: VGA text mode"
    );
}

#[tokio::test]
async fn a_screenshot_has_every_pixel() {
    let out = tempfile::tempdir().unwrap();
    let vm = fresh_with("systemd", |builder| builder.out_dir(out.path())).await;
    vm.succeed(
        r"for c in {0..7}; do printf '\033[3%d;4%dm colour %d ' $((7 - c)) $c $c; done >/dev/tty1",
    )
    .await
    .unwrap();
    // The cursor must not blink.
    vm.qmp("stop", Value::Null).await.unwrap();
    let path = vm.screenshot("web.example").await.unwrap();
    assert_eq!(path, out.path().join("web.example"));
    let dump = out.path().join("dump.ppm");
    vm.qmp("screendump", json!({ "filename": dump }))
        .await
        .unwrap();
    let screenshot = Image::from_png(&fs::read(path).unwrap()).unwrap();
    let dump = Image::from_ppm(&fs::read(dump).unwrap()).unwrap();
    assert!(screenshot == dump, "the pictures differ");
    let mut colours = dump.pixels().to_vec();
    colours.sort_unstable();
    colours.dedup();
    assert!(colours.len() >= 8, "{colours:?}");
}

#[tokio::test]
async fn each_timed_out_wait_saves_a_screenshot() {
    let out = tempfile::tempdir().unwrap();
    let vm = fresh_with("systemd", |builder| {
        builder.name("web.example").out_dir(out.path())
    })
    .await;
    vm.succeed("echo the last text >/dev/tty1").await.unwrap();
    let impatient = vm.within(Duration::from_secs(1));
    for picture in [
        "web.example-last-screen-1.png",
        "web.example-last-screen-2.png",
    ] {
        let error = impatient
            .wait_for_still_screen(Duration::from_hours(1))
            .await
            .unwrap_err();
        let message = error.to_string();
        assert!(error.is_timeout(), "{message}");
        assert!(message.contains("the last text"), "{message}");
        assert!(message.contains(picture), "{message}");
        let picture = fs::read(out.path().join(picture)).unwrap();
        Image::from_png(&picture).unwrap();
    }
    fs::remove_dir_all(out.path()).unwrap();
    let error = impatient.wait_for_text("never").await.unwrap_err();
    let message = error.to_string();
    assert!(message.contains("can't make the screenshot"), "{message}");
    assert!(message.contains("No such file"), "{message}");
}

#[tokio::test]
async fn a_screenshot_needs_a_valid_path() {
    let vm = fresh("systemd").await;
    vm.start().await.unwrap();
    for nowhere in ["/no/such/directory/picture.png", "", ".", "..", "/tmp/"] {
        let error = vm.screenshot(nowhere).await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Screenshot { .. }),
            "{nowhere}: {error}"
        );
    }
}
