use std::fs;
use std::path::Path;
use std::process::Command;

use machine::{CloudImage, DiskImage, Error, ErrorKind, Machine, StartCommand};
use sha2::{Digest as _, Sha256};

/// The error of a start, which leaves nothing in the machine's directory.
pub(crate) async fn refused(start: impl Into<StartCommand>) -> Error {
    let tmp = tempfile::tempdir().unwrap();
    let builder = Machine::builder(start).tmp_dir(tmp.path());
    let vm = builder.build().unwrap();
    let error = vm.start().await.unwrap_err();
    assert!(vm.pid().is_none());
    drop(vm);
    let left: Vec<_> = fs::read_dir(tmp.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "more than the shared directory: {left:?}");
    error
}

/// The same for a start from `file`, which is not changed.
pub(crate) async fn refused_unchanged(file: &Path, start: impl Into<StartCommand>) -> Error {
    let sum = || Sha256::digest(fs::read(file).unwrap());
    let before = sum();
    let error = refused(start).await;
    assert_eq!(sum(), before, "{} was changed", file.display());
    error
}

/// A qcow2 image of this size without contents.
pub(crate) fn empty_image(path: &Path, size: &str) {
    let created = Command::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2"])
        .args([path.as_os_str(), size.as_ref()])
        .status();
    assert!(created.unwrap().success());
}

#[tokio::test]
async fn what_is_no_image() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("disk.img");
    for (contents, reason) in [
        (&b"no disk"[..], "neither qcow2, nor a raw disk"),
        (b"\xfd7zXZ\0", "compressed by xz"),
        (b"QFI\xfb\0\0\0\x03 damaged", "disk.img"),
    ] {
        fs::write(&file, contents).unwrap();
        let error = refused_unchanged(&file, DiskImage::new(&file)).await;
        assert!(matches!(error.kind(), ErrorKind::Image { .. }), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
        assert!(error.is_infrastructure());
    }
    let error = refused(CloudImage::new("/no/such/image")).await;
    assert!(error.to_string().contains("No such file"), "{error}");
    let error = refused(DiskImage::new(dir.path())).await;
    assert!(error.to_string().contains("it is not a file"), "{error}");
}

#[tokio::test]
async fn an_image_with_another_sum() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("disk.qcow2");
    empty_image(&file, "1M");
    let error = refused_unchanged(&file, DiskImage::new(&file).sha256("ab".repeat(32))).await;
    assert!(error.to_string().contains("its SHA-256 sum is "), "{error}");
    let error = refused(DiskImage::new(&file).sha256("abc")).await;
    assert!(
        matches!(error.kind(), ErrorKind::BadArgument { .. }),
        "{error}"
    );
}

/// The guest would read the other file, whatever it is.
#[tokio::test]
async fn an_image_that_names_other_files() {
    let dir = tempfile::tempdir().unwrap();
    let [file, other] = ["disk.qcow2", "other"].map(|name| dir.path().join(name));
    fs::write(&other, vec![0; 1 << 20]).unwrap();
    let create = |options: &[&str]| {
        let mut create = Command::new("qemu-img");
        create.args(["create", "-q", "-f", "qcow2"]).args(options);
        assert!(create.arg(&file).arg("1M").status().unwrap().success());
    };
    let data_file = format!("data_file={}", other.display());
    for options in [
        &["-F", "raw", "-b", other.to_str().unwrap()][..],
        &["-o", &data_file],
    ] {
        create(options);
        let error = refused_unchanged(&file, DiskImage::new(&file)).await;
        assert!(matches!(error.kind(), ErrorKind::Image { .. }), "{error}");
        let expected = format!("the rest of it is in {}", other.display());
        assert!(error.to_string().contains(&expected), "{error}");
    }
}

#[tokio::test]
async fn an_image_in_use_or_larger_than_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("disk.qcow2");
    empty_image(&file, "3G");
    let error = refused_unchanged(&file, DiskImage::new(&file).size_gib(2)).await;
    assert!(
        matches!(error.kind(), ErrorKind::BadArgument { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("less than its size"), "{error}");
    let mut user = Command::new("qemu-system-x86_64")
        .args([
            "-M",
            "none",
            "-display",
            "none",
            "-monitor",
            "stdio",
            "-blockdev",
        ])
        .arg(format!(
            "qcow2,node-name=disk,file.driver=file,file.filename={}",
            file.display()
        ))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // It greets when it has opened the image.
    let mut greeting = [0; 4];
    std::io::Read::read_exact(user.stdout.as_mut().unwrap(), &mut greeting).unwrap();
    let error = refused_unchanged(&file, DiskImage::new(&file)).await;
    user.kill().unwrap();
    user.wait().unwrap();
    assert!(matches!(error.kind(), ErrorKind::Image { .. }), "{error}");
    assert!(error.to_string().contains("lock"), "{error}");
}

#[tokio::test]
async fn user_data_that_cloud_init_does_not_understand() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("disk.qcow2");
    empty_image(&file, "1M");
    for user_data in ["packages: [git]\n", "#cloud-config\npackages: [git\n"] {
        let error = refused_unchanged(&file, CloudImage::new(&file).user_data(user_data)).await;
        assert!(
            matches!(error.kind(), ErrorKind::BadArgument { .. }),
            "{error}"
        );
        assert!(error.to_string().contains("user data"), "{error}");
    }
}
