//! Templates that were moved to another directory, together with their image.

use std::fs;
use std::path::Path;
use std::process::Command;

use machine::{StartScript, Template};
use vm_tests::{show_steps, start_script};

use super::{dir_of, has_booted};

/// A template with an image and a cache in `dir`, and one that extends it.
async fn templates(dir: &Path) -> [Template; 2] {
    let script = StartScript::new(dir.join("minimal/run-minimal-vm"));
    let base = Template::builder(script).cache_dir(dir.join("templates"));
    let base = base.succeed("echo base >/disk/file; sync").build();
    let base = base.await.unwrap();
    let more = base.extend().succeed("echo more >>/disk/file; sync");
    let more = more.build().await.unwrap();
    [base, more]
}

#[tokio::test]
async fn a_moved_template_is_cloned() {
    let home = tempfile::tempdir().unwrap();
    let [old, new] = ["old", "new"].map(|name| home.path().join(name));
    fs::create_dir(&old).unwrap();
    let image = start_script("minimal");
    let mut copy = Command::new("cp");
    copy.arg("-a").arg(image.parent().unwrap()).arg(&old);
    assert!(copy.status().unwrap().success());
    show_steps();
    let made = templates(&old).await.map(|template| {
        assert_eq!(template.unsupported_reason(), None);
        dir_of(&template).file_name().unwrap().to_owned()
    });

    fs::rename(&old, &new).unwrap();
    let moved = templates(&new).await;
    for ((template, made), text) in moved.iter().zip(&made).zip(["base\n", "base\nmore\n"]) {
        assert_eq!(dir_of(template), new.join("templates").join(made));
        let vm = template.clone_machine().await.unwrap();
        assert!(!has_booted(&vm));
        // Not from its memory.
        vm.succeed("echo 3 >/proc/sys/vm/drop_caches")
            .await
            .unwrap();
        assert_eq!(vm.succeed("cat /disk/file").await.unwrap(), text);
    }
}
