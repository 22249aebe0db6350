use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap().to_owned()
}

/// Runs `nix-instantiate`, without a store, and returns its output.
fn nix_instantiate(args: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("nix-instantiate");
    command
        .args(["--store", "dummy://"])
        .args(args)
        .current_dir(root());
    let output = command.env("HOME", dir.path()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_nix_files_are_valid() {
    nix_instantiate(&["--parse", "nix/package.nix", "nix/overlay.nix"]);
}

/// With a stub of nixpkgs: nothing is built.
#[test]
fn the_overlay_replaces_the_driver() {
    let root = root();
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
        assert!(installed.contains(":/vde2/bin"), "{installed}");
        assert!(installed.contains("{test_driver,_vmwright} $out/lib/python3/site-packages"));
    }
    let installed = packages["overridden"]["postInstall"].as_str().unwrap();
    for part in [
        "/qemu-of-the-test/bin",
        "\"/numpy\"",
        "TESSDATA_PREFIX /tesseract/share",
    ] {
        assert!(installed.contains(part), "no {part} in {installed}");
    }
}
