# The overlay, evaluated with just enough of nixpkgs. What the package consists of is
# returned instead of a derivation.
{
  root,
  rust ? "1.95.0",
}:
let
  lib = {
    cleanSourceFilter = _path: _type: true;
    cleanSourceWith = arguments: arguments;
    assertMsg = condition: message: condition || throw message;
    getExe = package: "${package}/bin/program";
    importTOML = path: builtins.fromTOML (builtins.readFile path);
    licenses = {
      asl20 = "Apache-2.0";
      mit = "MIT";
    };
    makeBinPath = packages: builtins.concatStringsSep ":" (map (package: "${package}/bin") packages);
    optional = condition: item: if condition then [ item ] else [ ];
    versionAtLeast = version: least: builtins.compareVersions version least >= 0;
    platforms.linux = [ "x86_64-linux" ];
  };
  nixpkgs = {
    inherit lib;
    rustPlatform = {
      bindgenHook = "/bindgen-hook";
      buildRustPackage = arguments: arguments;
    };
    makeWrapper = "/make-wrapper";
    pkg-config = "/pkg-config";
    coreutils = "/coreutils";
    rustc.version = rust;
    iproute2 = "/iproute2";
    leptonica = "/leptonica";
    netpbm = "/netpbm";
    python3 = {
      outPath = "/python3";
      sitePackages = "lib/python3/site-packages";
      pkgs = {
        makePythonPath = builtins.concatStringsSep ":";
        numpy = "/numpy";
      };
    };
    qemu_test = "/qemu_test";
    socat = "/socat";
    systemd = "/systemd";
    tesseract = "/tesseract";
    util-linux = "/util-linux";
    vde2 = "/vde2";
    # Calls a function with those of these packages that it takes.
    callPackage =
      path: arguments:
      let
        function = import path;
      in
      function (builtins.intersectAttrs (builtins.functionArgs function) nixpkgs // arguments);
  };
  pick =
    package:
    {
      inherit (package)
        pname
        version
        postInstall
        propagatedBuildInputs
        ;
      inherit (package.meta) mainProgram;
      sourceRoot = toString package.src.src;
      lock = builtins.pathExists package.cargoLock.lockFile;
      keepsTarget = package.src.filter "/x/target" "directory";
    };
in
{
  overlaid = pick (import (root + "/nix/overlay.nix") nixpkgs { }).nixos-test-driver;
  # As nixpkgs' test framework overrides it.
  overridden = pick (
    nixpkgs.callPackage (root + "/nix/package.nix") {
      enableNspawn = true;
      enableOCR = true;
      extraPythonPackages = packages: [ packages.numpy ];
      qemu_pkg = "/qemu-of-the-test";
    }
  );
}
