# For a user of home-manager, on NixOS or elsewhere: timers of this user. They run while the user is logged in, or always after
# `loginctl enable-linger`.
self: { config, lib, pkgs, ... }:
let
  cfg = config.services.milepost;
  # The profile stays when the package is replaced.
  bin = "${config.home.profileDirectory}/bin";
  unitsOf = name: project: import ./units.nix { inherit name; inherit (project) folder every; program = "${bin}/milepost"; };
  each = f: lib.mapAttrs' (name: project: lib.nameValuePair "milepost-${name}" (f (unitsOf name project))) cfg.projects;
  path = "${bin}:/run/wrappers/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:/usr/local/bin:/usr/bin:/bin";
in
{
  options.services.milepost = import ./options.nix { inherit self lib pkgs; };

  config = lib.mkIf cfg.enable {
    home.packages = [ cfg.package ];
    assertions = lib.concatLists (lib.mapAttrsToList (name: project: (unitsOf name project).assertions) cfg.projects);

    systemd.user.services = each (units: {
      Unit.Description = units.description;
      Service = units.service // { Environment = [ "\"PATH=${builtins.replaceStrings [ "%" ] [ "%%" ] path}\"" ]; };
    });

    systemd.user.timers = each (units: {
      Unit.Description = units.description;
      Timer = units.timer;
      Install.WantedBy = [ "timers.target" ];
    });
  };
}
