//! Tests that only root can pass, in a guest.

#[test]
fn a_file_system_is_mounted() {
    use std::process::Command;

    // The directory and the environment are those of `cargo test`.
    let dir = std::env::current_dir().unwrap();
    assert_eq!(dir.to_str(), Some(env!("CARGO_MANIFEST_DIR")));
    assert!(dir.join("src/lib.rs").exists());
    assert_eq!(
        std::env::var("CARGO_MANIFEST_DIR").as_deref(),
        Ok(env!("CARGO_MANIFEST_DIR"))
    );
    assert_eq!(
        std::env::var("AS_ROOT_VARIABLE").as_deref(),
        Ok("passed on")
    );
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "tmpfs", "/mnt"]);
    assert!(mount.status().unwrap().success());
    // The host does not see it.
    std::fs::write("/etc/as-root", "").unwrap();
}

#[test]
fn this_fails() {
    panic!("on purpose");
}
