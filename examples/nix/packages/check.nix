# Evaluates a generated configuration: each option has to exist and be of its type, and each package has to be there.
{ file ? null, configuration ? import file }:
let
  packages = import ./packages.nix;
  isPackages = names: builtins.isList names && builtins.all (name: packages ? ${name} || throw "undefined variable '${name}'") names;
  options = {
    "environment.systemPackages" = isPackages;
    "networking.firewall.enable" = builtins.isBool;
    "networking.hostName" = builtins.isString;
    "services.openssh.enable" = builtins.isBool;
    "services.printing.enable" = builtins.isBool;
    "sound.enable" = builtins.isBool;
    "time.timeZone" = builtins.isString;
  };
  checked = name: value:
    if ! options ? ${name} then throw "The option `${name}' does not exist."
    else if ! options.${name} value then throw "A definition for option `${name}' is not of type boolean or string."
    else value;
in
builtins.mapAttrs checked configuration
