//! The guide to a first test, `docs/first-test.md`, followed to the letter, and then the commands of
//! the recipes for CI, `docs/ci.md`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use vm_tests::{repository, start_script};

use crate::guests::{WITHOUT_CLOUD_INIT, quick_image};

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
    // In place of a download: an image like the one in the guide.
    let image = quick_image(&start_script("cloud"), dir.path(), WITHOUT_CLOUD_INIT);
    let curl = format!("curl() {{ ln -s {} \"${{2##*/}}\"; }}", image.display());
    let write_test = "mkdir tests; mv ../web.rs tests/";
    let has_template = "ls -d target/vm/templates/debian-12-*";
    let script = [&*curl, create, write_test, run, has_template, run].join("\n");
    let output = run_script(&script, dir.path());
    let passed = output.matches("test the_web_server_answers ... ok");
    assert_eq!(passed.count(), 2, "{output}");

    if std::env::var_os("NEXTEST").is_some() {
        the_recipes_run(&dir.path().join("first-test"));
    }
}

/// Two shards run the crate's two tests from an archive.
fn the_recipes_run(dir: &Path) {
    let recipes = fs::read_to_string(repository().join("docs/ci.md")).unwrap();
    let (settings, recipe) = (blocks(&recipes, "toml")[1], blocks(&recipes, "yaml")[1]);
    fs::create_dir(dir.join(".config")).unwrap();
    fs::write(dir.join(".config/nextest.toml"), settings).unwrap();
    let commands: Vec<String> = recipe
        .split("- ")
        .filter_map(|item| item.split("\n  artifacts:").next())
        .map(|item| item.trim_start_matches(">\n").replace('\n', " "))
        .map(|item| item.trim().to_owned())
        .filter(|item| item.starts_with("cargo nextest"))
        .collect();
    let [archive, run] = &commands[..] else {
        panic!("not two commands: {commands:#?}")
    };
    run_script(archive, dir);
    for (shard, test) in [(1, "it_works"), (2, "the_web_server_answers")] {
        let variables = format!("CI_NODE_INDEX={shard} CI_NODE_TOTAL=2");
        let output = run_script(&format!("{variables}; {run} 2>&1"), dir);
        assert!(output.contains("1 test run: 1 passed"), "{output}");
        assert!(output.contains(test), "{output}");
        fs::remove_file(dir.join("target/nextest/ci/junit.xml")).unwrap();
    }
}

/// Runs a script of bash, which must succeed, and returns its output.
fn run_script(script: &str, dir: &Path) -> String {
    let target = std::env::current_exe().unwrap();
    let mut bash = Command::new("bash");
    for (name, _) in std::env::vars_os() {
        // Those of the runner of this test.
        if name.as_encoded_bytes().starts_with(b"NEXTEST") {
            bash.env_remove(name);
        }
    }
    let ended = bash
        .args(["-euc", script])
        .current_dir(dir)
        // Most dependencies are built already.
        .env("CARGO_TARGET_DIR", target.ancestors().nth(3).unwrap())
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&ended.stdout).into_owned();
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{output}{errors}");
    output
}

/// The blocks of code in a language.
fn blocks<'a>(guide: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    let parts = guide.split(&opening).skip(1);
    parts.filter_map(|part| part.split("```").next()).collect()
}
