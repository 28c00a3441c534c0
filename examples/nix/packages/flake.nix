{
  description = "The packages of this example, for nix search";

  outputs = { self }: {
    packages = builtins.listToAttrs (map
      (system: { name = system; value = import ./packages.nix; })
      [ "x86_64-linux" "aarch64-linux" ]);
  };
}
