# What flake.nix and the modules in nix/ ask of nixpkgs, NixOS and home-manager, and nothing beyond: whatever else they would use is
# missing here, and an error. `flake` is the folder of flake.nix.
{ flake }:
let
  inherit (builtins) attrNames concatLists isAttrs isBool isList isString listToAttrs mapAttrs;

  lib = {
    inherit concatLists;
    genAttrs = names: f: listToAttrs (map (name: { inherit name; value = f name; }) names);
    mapAttrs' = f: set: listToAttrs (map (name: f name set.${name}) (attrNames set));
    mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
    nameValuePair = name: value: { inherit name value; };

    mkOption = option: option // { _type = "option"; };
    mkEnableOption = what: lib.mkOption { type = lib.types.bool; default = false; description = "Whether to enable ${what}."; };
    mkIf = condition: content: { _type = "if"; inherit condition content; };
    mkForce = content: { _type = "override"; inherit content; };
    literalExpression = text: { _type = "literalExpression"; inherit text; };

    types =
      let
        plain = name: check: {
          inherit name;
          merge = at: value: if check value then value else throw "A definition for option `${at}' is not of type `${name}'.";
        };
      in
      {
        bool = plain "bool" isBool;
        str = plain "str" isString;
        package = plain "package" (value: value.type or null == "derivation");
        attrsOf = of: {
          name = "attrsOf ${of.name}";
          merge = at: value: mapAttrs (name: of.merge "${at}.${name}") ((plain "attrsOf" isAttrs).merge at value);
          inherit of;
        };
        submodule = module: { name = "submodule"; merge = at: merged at module.options; inherit (module) options; };
      };

    licenses = { asl20.spdxId = "Apache-2.0"; mit.spdxId = "MIT"; };
    platforms.linux = [ "x86_64-linux" "aarch64-linux" ];
    # Paths as texts: nothing is copied to a store.
    fileset = { unions = map toString; toSource = { root, fileset }: { root = toString root; inherit fileset; }; };
  };

  # What was set, by the options that there are.
  merged = at: options: given:
    let
      unknown = builtins.filter (name: ! options ? ${name}) (attrNames given);
      of = name: option:
        if given ? ${name} then option.type.merge "${at}.${name}" given.${name}
        else option.default or (throw "The option `${at}.${name}' was accessed but has no value defined.");
    in
    if unknown != [ ] then throw "The option `${at}.${builtins.head unknown}' does not exist." else mapAttrs of options;

  # A configuration without the marks of mkIf and mkForce.
  settled = value:
    if isList value then map settled value
    else if ! isAttrs value || value.type or null == "derivation" then value
    else if value._type or null == "if" then (if value.condition then settled value.content else { })
    else if value._type or null == "override" then settled value.content
    else mapAttrs (_: settled) value;

  described = mapAttrs (name: option: {
    type = option.type.name;
    inherit (option) description;
    hasDefault = option ? default;
  } // (if option ? default && name != "package" then { inherit (option) default; } else { })
  // (if option.type ? of.options then { of = described option.type.of.options; } else { }));

  buildRustPackage = args: {
    type = "derivation";
    outPath = "${builtins.storeDir}/00000000000000000000000000000000-${args.pname}-${args.version}";
    args = args // { cargoLock = mapAttrs (_: toString) args.cargoLock; };
  };
  rustPlatform = { inherit buildRustPackage; };
  callPackage = path: overrides:
    let package = import path; have = { inherit lib rustPlatform; };
    in package (builtins.intersectAttrs (builtins.functionArgs package) have // overrides);
  pkgsOf = system: { inherit callPackage; stdenv.hostPlatform = { inherit system; }; };

  evaluate = module: surroundings: given:
    let
      value = module {
        inherit lib;
        pkgs = pkgsOf "x86_64-linux";
        config = surroundings // { services.milepost = merged "services.milepost" value.options.services.milepost given; };
      };
    in
    { options = described value.options.services.milepost; config = settled value.config; };

  definition = import (flake + "/flake.nix");
  self = definition.outputs {
    inherit self;
    nixpkgs = { inherit lib; legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] pkgsOf; };
  };
in
{
  packages = mapAttrs (_: of: of.default.args) self.packages;
  inputs = attrNames definition.inputs;
  nixos = evaluate self.nixosModules.default { };
  home = evaluate self.homeManagerModules.default { home.profileDirectory = "/home/rose/.nix-profile"; };
}
