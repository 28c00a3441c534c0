# For a NixOS machine: timers of the system, which run whether or not somebody is logged in. Each project is tracked as its user.
self: { config, lib, pkgs, ... }:
let
  cfg = config.services.milepost;
  # Of the profile, which stays when the package is replaced.
  program = "/run/current-system/sw/bin/milepost";
  unitsOf = name: project: import ./units.nix { inherit name program; inherit (project) folder every; };
  each = f: lib.mapAttrs' (name: project: lib.nameValuePair "milepost-${name}" (f project (unitsOf name project))) cfg.projects;
in
{
  options.services.milepost = import ./options.nix {
    inherit self lib pkgs;
    ofProject.user = lib.mkOption {
      type = lib.types.str;
      example = "rose";
      description = "Whose project it is: Milepost, and what it calls, run as this user.";
    };
  };

  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ cfg.package ];
    assertions = lib.concatLists (lib.mapAttrsToList (name: project: (unitsOf name project).assertions) cfg.projects);

    systemd.services = each (project: units: {
      inherit (units) description;
      serviceConfig = units.service // { User = project.user; };
      # What probes call is found where the user finds it; NixOS would give paths of the store.
      environment.PATH = lib.mkForce "/run/wrappers/bin:/etc/profiles/per-user/${project.user}/bin:/run/current-system/sw/bin";
    });

    systemd.timers = each (project: units: {
      inherit (units) description;
      timerConfig = units.timer;
      wantedBy = [ "timers.target" ];
    });
  };
}
