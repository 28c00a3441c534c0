# What can be set in both modules; `ofProject` are the options of a project that only one of them has.
{ self, lib, pkgs, ofProject ? { } }:
let
  inherit (lib) mkOption types;
in
{
  enable = lib.mkEnableOption "`milepost track` for the projects below, by timers of systemd";

  package = mkOption {
    type = types.package;
    default = self.packages.${pkgs.stdenv.hostPlatform.system}.default;
    defaultText = lib.literalExpression "milepost.packages.\${system}.default";
    description = "The Milepost that is installed into the profile, and called there.";
  };

  projects = mkOption {
    default = { };
    description = "The projects, by names of your choice: letters, digits, `-` and `_`.";
    type = types.attrsOf (types.submodule {
      options = {
        folder = mkOption {
          type = types.str;
          example = "/home/rose/website";
          description = "The folder with the project's milepost.toml. It is read where it is, and never copied to the store.";
        };
        every = mkOption {
          type = types.str;
          default = "1h";
          example = "15min";
          description = "How often: minutes that divide an hour, or hours that divide a day, as 15min, 1h, 6h or 1d.";
        };
      } // ofProject;
    });
  };
}
