# Puts this driver in the place of nixpkgs' driver.
final: _prev: {
  nixos-test-driver = final.callPackage ./package.nix { };
}
