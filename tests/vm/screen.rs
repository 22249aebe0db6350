use machine::ErrorKind;
use vm_tests::{fresh, fresh_with};

#[tokio::test]
async fn a_screenshot_is_a_png() {
    let out = tempfile::tempdir().unwrap();
    let vm = fresh_with("minimal", |builder| builder.out_dir(out.path())).await;
    vm.connect().await.unwrap();
    let path = vm.screenshot("boot").await.unwrap();
    assert_eq!(path, out.path().join("boot.png"));
    let picture = std::fs::read(&path).unwrap();
    assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n"));
    // Width and height, from the header: the guest's console, by the kernel's VGA driver.
    assert_eq!(
        picture[16..24],
        [0, 0, 2, 0xd0, 0, 0, 1, 0x90],
        "720×400: VGA text mode"
    );
}

#[tokio::test]
async fn a_screenshot_into_nowhere() {
    let vm = fresh("minimal").await;
    vm.start().await.unwrap();
    let error = vm
        .screenshot("/no/such/directory/picture.png")
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Screenshot { .. }),
        "{error}"
    );
}
