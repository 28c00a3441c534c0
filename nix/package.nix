# The program, built from this source with the locked crates.
{ lib, rustPlatform }:
let
  manifest = builtins.fromTOML (builtins.readFile ../Cargo.toml);
in
rustPlatform.buildRustPackage {
  pname = "milepost";
  inherit (manifest.workspace.package) version;
  # Only what the build reads, so that another page of the documents builds nothing anew.
  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [ ../Cargo.toml ../Cargo.lock ../crates ../xtask ];
  };
  cargoLock.lockFile = ../Cargo.lock;
  # `cargo xtask test` runs the tests. Some of them need what no sandbox of Nix has, such as other processes to watch.
  doCheck = false;
  meta = {
    description = "Judges success criteria honestly: met, missed or not proven yet";
    license = [ lib.licenses.asl20 lib.licenses.mit ];
    mainProgram = "milepost";
    platforms = lib.platforms.linux;
  };
}
