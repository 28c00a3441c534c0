# What `milepost schedule install` writes, for one project: the sections of a service and of a timer, and what has to hold for them.
# It needs no lib, and fails for no `folder` and no `every`: whether they make sense is what the assertions say.
{ name, folder, every, program }:
let
  inherit (builtins) concatStringsSep elemAt genList hashString match replaceStrings stringLength substring;

  mod = a: b: a - a / b * b;
  min = a: b: if a < b then a else b;

  # As schedule/rhythm.rs has it.
  typed = match "([1-9][0-9]{0,3})(min|h|d)" every;
  unit = { min = 1; h = 60; d = 1440; }.${elemAt typed 1};
  wished = builtins.fromJSON (elemAt typed 0) * unit;
  divides = if wished < 60 then mod 60 wished == 0 else mod wished 60 == 0 && mod 1440 wished == 0;
  isRhythm = typed != null && divides;
  minutes = if isRhythm then wished else 60;

  # Some minutes past the whole, the same for the same project, so that not all begin at the same time.
  seed = (builtins.fromTOML "n = 0x${substring 0 8 (hashString "sha256" config)}").n;
  step = min minutes 60;
  offset = mod seed step;
  two = n: if n < 10 then "0${toString n}" else toString n;
  listed = numbers: concatStringsSep "," (map two numbers);
  hours = if minutes <= 60 then "*" else listed (genList (i: i * (minutes / 60)) (1440 / minutes));

  config = "${folder}/milepost.toml";
  isBelow = top: substring 0 (stringLength top) folder == top;

  # systemd.syntax and systemd.service: in a command a dollar sign begins a variable.
  word = text: "\"${replaceStrings [ "\\" "\"" "%" "$" ] [ "\\\\" "\\\"" "%%" "$$" ] text}\"";
in
{
  description = "Milepost: track ${name}";

  service = {
    Type = "oneshot";
    WorkingDirectory = replaceStrings [ "%" ] [ "%%" ] folder;
    ExecStart = "${word program} track --config ${word config}";
    Nice = 10;
  };

  timer = {
    OnCalendar = "*-*-* ${hours}:${listed (genList (i: offset + i * step) (60 / step))}:00";
    # What was missed while the machine slept is made up for, once.
    Persistent = true;
    RandomizedDelaySec = "${toString (min (minutes * 6) 300)}s";
  };

  assertions = [
    {
      assertion = match "[A-Za-z0-9_-]+" name != null;
      message = "services.milepost.projects: `${name}` is to be a part of a unit's name; take letters, digits, - and _";
    }
    {
      assertion = match "/[^[:cntrl:]]*" folder != null && !isBelow builtins.storeDir;
      message = "services.milepost.projects.${name}.folder: `${folder}` has to be an absolute path outside of the Nix store, "
        + "since data are written there";
    }
    {
      assertion = isRhythm;
      message = "services.milepost.projects.${name}.every: systemd has no word for every `${every}`; "
        + "take minutes that divide an hour, or hours that divide a day: 15min, 1h, 6h, 1d";
    }
  ];
}
