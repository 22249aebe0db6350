use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::process::Command;

use rustix::fs::{Mode, OFlags, mkdirat, open};

use super::*;

fn copy_out(dir: &Path, name: &Path, target: &Path) -> io::Result<LeftOut> {
    super::copy_out(dir, name, target, &Task::default())
}

fn copy_in(source: &Path, dir: &Path, name: &Path) -> io::Result<Modes> {
    super::copy_in(source, dir, name, &Task::default())
}

/// A directory with `guest/` and `secret` in it.
fn world() -> (tempfile::TempDir, PathBuf) {
    let world = tempfile::tempdir().unwrap();
    let guest = world.path().join("guest");
    fs::create_dir(&guest).unwrap();
    fs::write(world.path().join("secret"), "the host's").unwrap();
    (world, guest)
}

/// Nested directories: more than fit in a path, or than a process can open.
pub(crate) fn deep_tree(dir: &Path, name: &str) -> usize {
    const DEPTH: usize = 2100;
    let made = mkdirat(rustix::fs::CWD, dir.join(name), Mode::RWXU);
    made.unwrap();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let mut at = open(dir.join(name), flags, Mode::empty()).unwrap();
    for _ in 0..DEPTH {
        mkdirat(&at, "d", Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, "d", flags, Mode::empty()).unwrap();
    }
    DEPTH
}

#[test]
fn a_tree_is_copied_out_with_links_and_modes() {
    let (world, guest) = world();
    fs::create_dir_all(guest.join("tree/sub")).unwrap();
    fs::write(guest.join("tree/sub/file"), "text").unwrap();
    fs::set_permissions(guest.join("tree/sub/file"), Permissions::from_mode(0o4751)).unwrap();
    symlink("sub/file", guest.join("tree/link")).unwrap();
    symlink("../link", guest.join("tree/sub/up")).unwrap();
    let out = world.path().join("out/tree");
    let left_out = copy_out(&guest, Path::new("tree"), &out).unwrap();
    assert!(left_out.first.is_empty());
    assert_eq!(fs::read_to_string(out.join("link")).unwrap(), "text");
    assert_eq!(fs::read_to_string(out.join("sub/up")).unwrap(), "text");
    let mode = fs::metadata(out.join("sub/file"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(
        mode & 0o7777,
        0o751,
        "a guest's program must not be setuid on the host"
    );
    // Again, over the existing copy.
    fs::write(guest.join("tree/sub/file"), "new").unwrap();
    copy_out(&guest, Path::new("tree"), &out).unwrap();
    assert_eq!(fs::read_to_string(out.join("link")).unwrap(), "new");
}

#[test]
fn links_that_lead_outside_are_left_out() {
    let (world, guest) = world();
    let tree = guest.join("tree");
    fs::create_dir_all(tree.join("sub")).unwrap();
    for (at, to) in [
        ("absolute", "/etc/passwd"),
        ("up", "../../secret"),
        ("sub/up", "../../secret"),
        ("here", "."),
        ("through", "here/here/../../../secret"),
        ("sub/dots", "./../../secret"),
    ] {
        symlink(to, tree.join(at)).unwrap();
    }
    let status = Command::new("mkfifo").arg(tree.join("pipe")).status();
    assert!(status.unwrap().success());
    let out = world.path().join("out");
    let mut left_out = copy_out(&guest, Path::new("tree"), &out).unwrap();
    left_out.first.sort();
    let expected = ["absolute", "pipe", "sub/dots", "sub/up", "through", "up"];
    assert_eq!(left_out.first, expected.map(PathBuf::from));
    assert!(out.join("here").is_symlink());
}

#[test]
fn names_do_not_lead_outside() {
    let (world, guest) = world();
    symlink("../secret", guest.join("link")).unwrap();
    symlink("..", guest.join("dir")).unwrap();
    let out = world.path().join("out");
    copy_out(&guest, Path::new("link"), &out).unwrap_err();
    copy_out(&guest, Path::new("dir/secret"), &out).unwrap_err();
    assert!(!out.exists());
    // Nor when copying in.
    copy_in(&world.path().join("secret"), &guest, Path::new("dir/new")).unwrap_err();
    copy_in(&world.path().join("secret"), &guest, Path::new("link")).unwrap_err();
    assert!(!world.path().join("new").exists());
}

#[test]
fn an_existing_link_is_replaced() {
    let (world, guest) = world();
    fs::write(guest.join("file"), "the guest's").unwrap();
    let out = world.path().join("out");
    symlink(world.path().join("secret"), &out).unwrap();
    copy_out(&guest, Path::new("file"), &out).unwrap();
    assert_eq!(fs::read_to_string(&out).unwrap(), "the guest's");
    let secret = fs::read_to_string(world.path().join("secret")).unwrap();
    assert_eq!(secret, "the host's");
}

/// Each of these links alone is harmless. If both were kept, the first would make the second
/// one lead out of the directory.
#[test]
fn links_copied_earlier_do_not_lead_outside() {
    let (world, guest) = world();
    let out = world.path().join("deep/er/out");
    let deep = guest.join("tree/a/b");
    fs::create_dir_all(&deep).unwrap();
    symlink("../..", deep.join("c")).unwrap();
    copy_out(&guest, Path::new("tree"), &out).unwrap();
    fs::remove_file(deep.join("c")).unwrap();
    fs::create_dir(deep.join("c")).unwrap();
    symlink("../../../l", deep.join("c/l")).unwrap();
    copy_out(&guest, Path::new("tree"), &out).unwrap();
    fs::remove_dir_all(guest.join("tree/a")).unwrap();
    fs::create_dir(guest.join("tree/l")).unwrap();
    fs::write(guest.join("tree/l/written"), "the guest's").unwrap();
    copy_out(&guest, Path::new("tree"), &out).unwrap();

    assert!(out.join("l/written").exists());
    let mut beside = fs::read_dir(world.path().join("deep/er")).unwrap();
    assert_eq!(beside.next().unwrap().unwrap().file_name(), "out");
    assert!(beside.next().is_none());
}

#[test]
fn names_may_have_any_bytes() {
    let (world, guest) = world();
    let tree = guest.join("tree");
    fs::create_dir(&tree).unwrap();
    let odd: [&[u8]; 4] = [b"two\nlines", b"\xff\xfe", b"\x1b[2J", b"-rf"];
    let names = odd.into_iter().map(<[u8]>::to_vec);
    let names = names.chain((0..1000).map(|number| number.to_string().into_bytes()));
    let names: Vec<_> = names.map(OsString::from_vec).collect();
    for name in &names {
        File::create(tree.join(name)).unwrap();
    }
    let out = world.path().join("out");
    let left_out = copy_out(&guest, Path::new("tree"), &out).unwrap();
    assert!(left_out.first.is_empty());
    assert!(names.iter().all(|name| out.join(name).exists()));
}

#[test]
fn a_tree_too_deep_to_name_is_an_error() {
    let (world, guest) = world();
    let depth = deep_tree(&guest, "tree");
    let out = world.path().join("out");
    let error = copy_out(&guest, Path::new("tree"), &out).unwrap_err();
    assert_eq!(
        error.kind(),
        io::ErrorKind::InvalidFilename,
        "{depth}: {error}"
    );
    let task = Task::default();
    remove(&out, &task).unwrap();
    remove(&guest, &task).unwrap();
}

#[test]
fn links_are_followed_when_copying_in() {
    let (world, guest) = world();
    let source = world.path().join("source");
    fs::create_dir_all(source.join("sub")).unwrap();
    fs::write(source.join("sub/run"), "#!").unwrap();
    fs::set_permissions(source.join("sub/run"), Permissions::from_mode(0o750)).unwrap();
    symlink("sub/run", source.join("link")).unwrap();
    copy_in(&source, &guest, Path::new("copy")).unwrap();
    assert!(!guest.join("copy/link").is_symlink());
    assert_eq!(fs::read_to_string(guest.join("copy/link")).unwrap(), "#!");
}

#[test]
fn modes_are_listed_and_do_not_restrict_the_copy() {
    let (world, guest) = world();
    let source = world.path().join("source");
    fs::create_dir_all(source.join("sub")).unwrap();
    fs::write(source.join("sub/run"), "#!").unwrap();
    let set = |path: &str, mode| {
        fs::set_permissions(source.join(path), Permissions::from_mode(mode)).unwrap();
    };
    set("sub/run", 0o4555);
    set("sub", 0o555);
    set("", 0o1777);
    let modes = copy_in(&source, &guest, Path::new("copy")).unwrap();
    write_modes(&modes, &guest, Path::new("modes"), &Task::default()).unwrap();
    let list = |mode: &str| fs::read_to_string(guest.join("modes").join(mode)).unwrap();
    assert_eq!(list("4555"), "./sub/run\0");
    assert_eq!(list("555"), "./sub\0");
    assert_eq!(list("1777"), "./\0");
    assert_eq!(fs::read_dir(guest.join("modes")).unwrap().count(), 3);
    let mode = |path: &str| fs::metadata(guest.join(path)).unwrap().permissions().mode();
    assert_eq!(mode("copy/sub") & 0o777, 0o700);
    assert_eq!(mode("copy/sub/run") & 0o777, 0o600);
    // To allow its removal.
    set("sub", 0o700);
}

#[test]
fn a_loop_of_links_is_an_error() {
    let (world, guest) = world();
    let source = world.path().join("source");
    fs::create_dir(&source).unwrap();
    symlink(".", source.join("again")).unwrap();
    let error = copy_in(&source, &guest, Path::new("copy")).unwrap_err();
    assert!(error.to_string().contains("loop"), "{error}");
}

#[test]
fn only_the_first_paths_left_out_are_kept() {
    let mut left_out = LeftOut::default();
    for number in 0..1000 {
        left_out.add(number.to_string().into());
    }
    assert_eq!(left_out.first[0], Path::new("0"));
    assert_eq!(left_out.first.len() as u64 + left_out.more, 1000);
    assert!(left_out.first.len() < 100);
}

#[test]
fn a_copy_can_be_cancelled() {
    let (world, guest) = world();
    fs::create_dir(guest.join("tree")).unwrap();
    let task = Task::default();
    task.cancellation().cancel();
    let out = world.path().join("out");
    for error in [
        super::copy_out(&guest, Path::new("tree"), &out, &task).unwrap_err(),
        super::copy_in(world.path(), &guest, Path::new("copy"), &task).unwrap_err(),
        copy_file_in(
            &world.path().join("secret"),
            &tempfile::tempfile().unwrap(),
            &task,
        )
        .unwrap_err(),
    ] {
        assert_eq!(error.to_string(), "cancelled");
    }
    assert!(!out.exists());
}

#[test]
fn copied_files_are_counted() {
    let (world, guest) = world();
    let task = Task::default();
    let secret = world.path().join("secret");
    super::copy_in(&secret, &guest, Path::new("copy"), &task).unwrap();
    assert_eq!(task.to_string(), "1 files copied, 10 bytes in total");
}

#[test]
fn holes_are_kept_when_copying_in() {
    const LENGTH: u64 = 1 << 40;
    let (world, guest) = world();
    let disk = world.path().join("disk");
    let file = File::create(&disk).unwrap();
    file.write_all_at(b"ending", LENGTH - 6).unwrap();
    copy_in(&disk, &guest, Path::new("copy")).unwrap();
    let data = fs::metadata(guest.join("copy")).unwrap();
    assert_eq!(data.len(), LENGTH);
    assert!(data.blocks() < 1000, "{} blocks", data.blocks());
}

/// Their lengths are not those of their contents.
#[test]
fn files_of_proc_and_sys_are_copied_in() {
    let (_world, guest) = world();
    for (number, path) in [
        "/proc/version",
        "/sys/kernel/mm/transparent_hugepage/enabled",
    ]
    .iter()
    .enumerate()
    .filter(|(_, path)| Path::new(path).exists())
    {
        let name = number.to_string();
        copy_in(Path::new(path), &guest, Path::new(&name)).unwrap();
        let copied = fs::read_to_string(guest.join(name)).unwrap();
        assert_eq!(copied, fs::read_to_string(path).unwrap(), "{path}");
        assert!(!copied.is_empty(), "{path}");
    }
}

#[test]
fn many_directories_are_copied_out() {
    const MANY: usize = 3000;
    let (world, guest) = world();
    for number in 0..MANY {
        fs::create_dir_all(guest.join(format!("tree/{number}/sub"))).unwrap();
    }
    let out = world.path().join("out");
    copy_out(&guest, Path::new("tree"), &out).unwrap();
    assert_eq!(fs::read_dir(&out).unwrap().count(), MANY);
    assert!((0..MANY).all(|number| out.join(format!("{number}/sub")).exists()));
}

#[test]
fn too_many_directories_at_once_are_an_error() {
    let mut pending = Pending::default();
    let long = PathBuf::from("d".repeat(4000));
    let many = Pending::MAX_BYTES / 4000;
    let error = (0..many).find_map(|_| pending.push(long.clone()).err());
    let error = error.unwrap();
    assert!(error.to_string().contains("directories"), "{error}");
    // A directory that is done frees its memory.
    pending.pop().unwrap();
    pending.push(long).unwrap();
}
