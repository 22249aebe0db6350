use tar::{Builder, Header};

use super::*;

/// An archive of entries: the kind, the path, and the contents or the link's target.
fn archive(entries: &[(EntryType, &str, &str)]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    for (kind, path, text) in entries {
        let mut header = Header::new_gnu();
        // `set_path` refuses some.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o4711);
        header.set_uid(7);
        header.set_gid(8);
        let contents = if matches!(kind, Link | Symlink) {
            header.set_link_name_literal(text).unwrap();
            ""
        } else {
            text
        };
        header.set_size(contents.len() as u64);
        header.set_cksum();
        archive.append(&header, contents.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap()
}

use EntryType::{Char, Directory, Fifo, Link, Regular, Symlink};

#[test]
fn links_lead_nowhere_but_into_the_tree() {
    let [root, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut tree = Tree::new(root.path()).unwrap();
    let outside = other.path().to_str().unwrap();
    let entries = [
        (Directory, "usr/", ""),
        (Symlink, "bin", "/usr/bin"),
        (Regular, "bin/sh", "shell"),
        (Link, "bin/bash", "/usr/bin/sh"),
        (Symlink, "out", outside),
        (Regular, "out/file", "evil"),
        (Fifo, "run/pipe", ""),
        (Char, "dev/null", ""),
    ];
    // `usr/bin` is missing: where a link leads is not created.
    tree.unpack(&*archive(&entries), Kind::Root).unwrap_err();
    let entries = [&[(Directory, "usr/bin", "")][..], &entries].concat();
    let _ = tree.unpack(&*archive(&entries), Kind::Root);
    assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0);
    let shell = root.path().join("usr/bin/bash");
    assert_eq!(fs::read_to_string(&shell).unwrap(), "shell");
    let file = shell.metadata().unwrap();
    assert_eq!(file.mode() & 0o7777, 0o600, "the host has no such programs");
    let attributes = Attributes {
        uid: 7,
        gid: 8,
        mode: 0o4711,
    };
    assert_eq!(tree.attributes(&file), attributes);
    let implied = tree.attributes(&root.path().metadata().unwrap());
    assert_eq!((implied.uid, implied.mode), (0, 0o755));
}

#[test]
fn what_could_harm_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("root");
    fs::create_dir(&root).unwrap();
    let mut tree = Tree::new(&root).unwrap();
    for (entry, reason) in [
        ((Regular, "../file", ""), "`..`"),
        ((Regular, "a/../../file", ""), "`..`"),
        ((Link, "a", "../file"), "`..`"),
        ((Char, "null", ""), "devices"),
    ] {
        let error = tree.unpack(&*archive(&[entry]), Kind::Root).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(reason) && error.contains(entry.1), "{error}");
    }
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);

    fs::write(parent.path().join("sibling"), "").unwrap();
    fs::write(root.join("kept"), "").unwrap();
    for name in [".wh.", ".wh..", ".wh..."] {
        let whiteout = archive(&[(Regular, name, "")]);
        let error = tree.unpack(&*whiteout, Kind::Layer).unwrap_err();
        assert!(error.to_string().contains("no name of a file"), "{error}");
    }
    assert!(parent.path().join("sibling").exists() && root.join("kept").exists());
}

#[test]
fn layers_replace_and_remove() {
    let root = tempfile::tempdir().unwrap();
    let mut tree = Tree::new(root.path()).unwrap();
    let below = [
        (Regular, "etc/old", ""),
        (Regular, "etc/kept", "old"),
        (Regular, "var/below", ""),
        (Regular, "opt/dir/file", ""),
    ];
    let above = [
        (Regular, "etc/.wh.old", ""),
        (Regular, "etc/.wh.never", ""),
        (Regular, "etc/kept", "new"),
        (Regular, "var/above", ""),
        (Regular, "var/.wh..wh..opq", ""),
        (Symlink, "opt", "etc"),
    ];
    for layer in [&below[..], &above] {
        tree.unpack(&*archive(layer), Kind::Layer).unwrap();
    }
    let list = |dir: &str| {
        let entries = fs::read_dir(root.path().join(dir)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect::<Vec<_>>()
    };
    assert_eq!(
        (list("etc"), list("var")),
        (vec!["kept".to_owned()], vec!["above".to_owned()])
    );
    assert_eq!(
        fs::read_to_string(root.path().join("opt/kept")).unwrap(),
        "new"
    );
    // In an archive that is no layer, they are files.
    tree.unpack(&*archive(&[(Regular, ".wh.a", "")]), Kind::Root)
        .unwrap();
    assert!(root.path().join(".wh.a").exists());
}

/// Needs root, as the containers that need it.
#[test]
fn files_can_have_their_attributes_on_the_host() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let outside = root.path().join("outside");
    let dir = root.path().join("root");
    fs::write(&outside, "").unwrap();
    fs::create_dir(&dir).unwrap();
    let mut tree = Tree::new(&dir).unwrap();
    let entries = [
        (Regular, "bin/su", ""),
        (Symlink, "link", outside.to_str().unwrap()),
    ];
    tree.unpack(&*archive(&entries), Kind::Root).unwrap();
    tree.set_attributes(&dir).unwrap();
    let attributes = |path: &Path| {
        let file = path.symlink_metadata().unwrap();
        (file.uid(), file.gid(), file.mode() & 0o7777)
    };
    assert_eq!(attributes(&dir.join("bin/su")), (7, 8, 0o4711));
    assert_eq!(attributes(&dir.join("bin")), (0, 0, 0o755));
    let link = attributes(&dir.join("link"));
    assert_eq!((link.0, link.1), (7, 8));
    assert_eq!(attributes(&outside).0, 0, "a link was followed");
}
