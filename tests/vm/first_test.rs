//! The guide to a first test, `docs/first-test.md`, followed to the letter.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use vm_tests::{repository, start_script};

#[test]
fn an_empty_crate_gets_a_passing_test() {
    let sources = repository();
    let guide = fs::read_to_string(sources.join("docs/first-test.md")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (shell, rust) = (blocks(&guide, "sh"), blocks(&guide, "rust"));
    let ([create, run], [test]) = (&shell[..], &rust[..]) else {
        panic!("two blocks of commands and a test, not {shell:#?}, {rust:#?}")
    };
    symlink(&sources, dir.path().join("vmwright")).unwrap();
    fs::write(dir.path().join("web.rs"), test).unwrap();
    // In place of a download: the image that is built like the one in the guide.
    let curl = "curl() { ln -s \"$IMAGE\" \"${2##*/}\"; }";
    let write_test = "mkdir tests; mv ../web.rs tests/";
    let has_template = "ls -d target/vm/templates/debian-12-*";
    let script = [curl, create, write_test, run, has_template, run].join("\n");
    let target = std::env::current_exe().unwrap();
    let ended = Command::new("bash")
        .args(["-euc", &script])
        .current_dir(dir.path())
        .env("IMAGE", start_script("cloud").canonicalize().unwrap())
        // Most dependencies are built already.
        .env("CARGO_TARGET_DIR", target.ancestors().nth(3).unwrap())
        .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&ended.stdout);
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{output}{errors}");
    let passed = output.matches("test the_web_server_answers ... ok");
    assert_eq!(passed.count(), 2, "{output}{errors}");
}

/// The blocks of code in a language.
fn blocks<'a>(guide: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    let parts = guide.split(&opening).skip(1);
    parts.filter_map(|part| part.split("```").next()).collect()
}
