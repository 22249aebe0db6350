use std::process::Command;

use serde_json::Value;
use vm_tests::repository;

/// Runs `nix-instantiate`, without a store, and returns its output.
fn nix_instantiate(args: &[&str]) -> String {
    let (is_success, stdout, stderr) = nix_instantiate_output(args);
    assert!(is_success, "{stderr}");
    stdout
}

fn nix_instantiate_output(args: &[&str]) -> (bool, String, String) {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("nix-instantiate");
    command
        .args(["--store", "dummy://"])
        .args(args)
        .current_dir(repository());
    let output = command.env("HOME", dir.path()).output().unwrap();
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.success(), stdout, stderr)
}

#[test]
fn the_nix_files_are_valid() {
    nix_instantiate(&["--parse", "nix/package.nix", "nix/overlay.nix"]);
}

/// Older versions of nixpkgs are named in the error.
#[test]
fn an_older_rust_is_refused() {
    let root = repository();
    let mut args = vec!["--eval", "--strict", "--json", "tests/vm/driver/stub.nix"];
    args.extend(["--arg", "root", root.to_str().unwrap()]);
    args.extend(["--argstr", "rust", "1.94.1"]);
    let (is_success, _, stderr) = nix_instantiate_output(&args);
    let expected = concat!(
        "vmwright needs Rust ",
        env!("CARGO_PKG_RUST_VERSION"),
        ", which nixpkgs has from 26.05 on, not 1.94.1"
    );
    assert!(!is_success && stderr.contains(expected), "{stderr}");
}

/// With a stub of nixpkgs: nothing is built.
#[test]
fn the_overlay_replaces_the_driver() {
    let root = repository();
    let stub = [
        "tests/vm/driver/stub.nix",
        "--arg",
        "root",
        root.to_str().unwrap(),
    ];
    let args = [&["--eval", "--strict", "--json"][..], &stub].concat();
    let packages: Value = serde_json::from_str(&nix_instantiate(&args)).unwrap();
    for name in ["overlaid", "overridden"] {
        let package = &packages[name];
        assert_eq!(package["pname"], "vmwright-driver");
        assert_eq!(package["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(package["mainProgram"], "nixos-test-driver");
        assert_eq!(package["sourceRoot"], root.to_str().unwrap());
        assert_eq!(
            (&package["lock"], &package["keepsTarget"]),
            (&true.into(), &false.into())
        );
        let installed = package["postInstall"].as_str().unwrap();
        assert!(
            installed.contains("$out/bin/generate-driver-symbols"),
            "{installed}"
        );
        assert!(
            installed.contains(":/util-linux/bin:/vde2/bin"),
            "{installed}"
        );
        assert!(installed.contains("{test_driver,_vmwright} $out/lib/python3/site-packages"));
    }
    // The type check of scripts finds what they import.
    let inputs = packages["overridden"]["propagatedBuildInputs"].as_array();
    assert!(inputs.unwrap().contains(&"/numpy".into()), "{packages}");
    let installed = packages["overridden"]["postInstall"].as_str().unwrap();
    for part in [
        "/qemu-of-the-test/bin",
        ":/iproute2/bin:/systemd/bin",
        "\"/numpy\"",
        "TESSDATA_PREFIX /tesseract/share",
    ] {
        assert!(installed.contains(part), "no {part} in {installed}");
    }
}
