# A larger evaluation, for whoever reads its memory: many machines, each configured and checked, and compared with all the others.
{ machines }:
let
  configure = index: import ./check.nix {
    configuration = import ./example.nix // { "networking.hostName" = "machine-${toString index}"; };
  };
  configured = builtins.genList configure machines;
  count = condition: builtins.foldl' (sum: machine: if condition machine then sum + 1 else sum) 0;
  alike = a: b: a // { "networking.hostName" = ""; } == b // { "networking.hostName" = ""; };
in
builtins.foldl' (sum: a: sum + count (alike a) configured) 0 configured
