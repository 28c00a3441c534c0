# The packages of this example: derivations that /bin/sh builds at once, without a network and without nixpkgs.
let
  package = name: version: description:
    derivation {
      name = "${name}-${version}";
      pname = name;
      inherit version;
      system = builtins.currentSystem or "x86_64-linux";
      builder = "/bin/sh";
      args = [ "-c" "/bin/mkdir -p $out/bin && echo 'echo ${name} ${version}' > $out/bin/${name}" ];
    } // { meta = { inherit description; }; };
in
{
  firefox = package "firefox" "131.0" "A web browser";
  chromium = package "chromium" "129.0" "A web browser";
  thunderbird = package "thunderbird" "128.3" "A mail client";
  libreoffice = package "libreoffice" "24.8" "Letters, tables and slides";
  vlc = package "vlc" "3.0.21" "A player of films and music";
  gimp = package "gimp" "2.10" "Changes pictures";
  inkscape = package "inkscape" "1.3" "Draws pictures";
  audacity = package "audacity" "3.6" "Records and cuts sound";
  git = package "git" "2.46" "Keeps the history of files";
  vim = package "vim" "9.1" "An editor";
  emacs = package "emacs" "29.4" "An editor";
  nano = package "nano" "8.2" "A small editor";
  htop = package "htop" "3.3" "Shows what is running";
  ripgrep = package "ripgrep" "14.1" "Searches in files";
  python3 = package "python3" "3.12" "A language";
  nodejs = package "nodejs" "22.9" "A language's runtime";
  rustc = package "rustc" "1.81" "A compiler";
  gcc = package "gcc" "14.2" "A compiler";
  texlive = package "texlive" "2024" "Sets papers and books";
  zotero = package "zotero" "7.0" "Keeps references";
  orca = package "orca" "46.2" "Reads the screen aloud";
  minetest = package "minetest" "5.9" "A game of blocks";
  supertux = package "supertux" "0.6.3" "A game of jumps";
  krita = package "krita" "5.2" "Paints pictures";

  # Its build fails, as builds do.
  gnucash = derivation {
    name = "gnucash-5.8";
    pname = "gnucash";
    version = "5.8";
    system = builtins.currentSystem or "x86_64-linux";
    builder = "/bin/sh";
    args = [ "-c" "echo 'checking for guile... no' >&2; exit 1" ];
  } // { meta.description = "Keeps accounts"; };
}
