# The test driver with all programs that it runs. Its arguments are those of nixpkgs'
# `nixos-test-driver`, which the test framework overrides.
{
  lib,
  rustc,
  rustPlatform,
  makeWrapper,
  pkg-config,
  coreutils,
  leptonica,
  # Programs that scripts may run on the host, as with nixpkgs' driver.
  netpbm,
  python3,
  qemu_test,
  socat,
  tesseract,
  util-linux,
  vde2,
  # For the SSH backdoor. Older versions of nixpkgs have no such package.
  vhost-device-vsock ? null,

  qemu_pkg ? qemu_test,
  extraPythonPackages ? (_: [ ]),

  # For containers.
  iproute2,
  systemd,
  enableNspawn ? false,

  # Text is always read from screens.
  enableOCR ? false,
  enableRuntimeDeps ? true,
}:

let
  workspace = (lib.importTOML ../Cargo.toml).workspace.package;
  rustVersion = workspace.rust-version;
  sources = lib.cleanSourceWith {
    src = ../.;
    filter = path: _: baseNameOf path != "target" && lib.cleanSourceFilter path _;
  };
in
assert lib.assertMsg (lib.versionAtLeast rustc.version rustVersion)
  "vmwright needs Rust ${rustVersion}, which nixpkgs has from 26.05 on, not ${rustc.version}";
rustPlatform.buildRustPackage {
  pname = "vmwright-driver";
  inherit (workspace) version;
  src = sources;
  cargoLock.lockFile = ../Cargo.lock;
  buildAndTestSubdir = "driver";

  nativeBuildInputs = [
    makeWrapper
    pkg-config
    rustPlatform.bindgenHook
  ];
  buildInputs = [
    leptonica
    python3
    tesseract
  ];
  env.PYO3_PYTHON = lib.getExe python3;

  # They need guest images.
  doCheck = false;

  # For mypy, which checks the scripts of tests, and what they import.
  propagatedBuildInputs = [ python3 ] ++ extraPythonPackages python3.pkgs;

  # By the names of nixpkgs' driver. Python's own files are found by the interpreter in PATH.
  postInstall = ''
    mv $out/bin/driver $out/bin/nixos-test-driver
    wrapProgram $out/bin/nixos-test-driver \
      --prefix PATH : ${
        lib.makeBinPath (
          [
            coreutils
            netpbm
            python3
            qemu_pkg
            socat
            util-linux
            vde2
          ]
          ++ lib.optional (vhost-device-vsock != null) vhost-device-vsock
          ++ lib.optional enableNspawn iproute2
          ++ lib.optional enableNspawn systemd
        )
      } \
      --prefix PYTHONPATH : "${python3.pkgs.makePythonPath (extraPythonPackages python3.pkgs)}" \
      --set-default TESSDATA_PREFIX ${tesseract}/share/tessdata
    makeWrapper $out/bin/.nixos-test-driver-wrapped $out/bin/generate-driver-symbols \
      --argv0 generate-driver-symbols \
      --prefix PATH : ${lib.makeBinPath [ python3 ]}
    mkdir -p $out/${python3.sitePackages}
    cp -r driver/python/{test_driver,_vmwright} $out/${python3.sitePackages}
  '';

  meta = {
    description = "Runs the NixOS test driver's Python test scripts on virtual machines";
    license = [
      lib.licenses.mit
      lib.licenses.asl20
    ];
    platforms = lib.platforms.linux;
    mainProgram = "nixos-test-driver";
  };
}
