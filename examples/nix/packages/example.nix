{
  "networking.hostName" = "example";
  "environment.systemPackages" = [ "vim" "git" ];
  "services.openssh.enable" = true;
}
