//! `cargo xtask dist`: what somebody installs who has no cargo. An archive and a Debian package of the release program with its manual
//! pages, completions and licences; each is tried in an empty root before it is said to be done.

use crate::{Done, cargo, deny, have, output, root, run, shown_path, target};
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Files that tell the terms of a crate begin so.
const TERMS: &[&str] = &["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];
/// Who answers for a Debian package, where the usual environment does not say who builds it.
const MAINTAINER: &str = "The authors of Milepost <milepost@example.invalid>";
const DESCRIPTION: &str = "Judges success criteria honestly: met, missed or not proven yet
 Milepost records how a product is really used, and says of each success
 criterion that its makers set whether it is met, with the evidence behind
 it. Missing data is never green. One program, no account and no server:
 nothing leaves the machine but alerts that are configured.";

pub(crate) fn dist() -> Done {
    for (program, package) in [("readelf", "binutils"), ("dpkg-deb", "dpkg")] {
        if !have(program, package) {
            return Err(format!("{program} is missing, and the package {package} cannot be installed here"));
        }
    }
    // What is packed is passed on, so its terms have to allow that.
    deny::deny_if_there()?;
    run(cargo().args(["build", "--release"]))?;
    let program = target().join("release/milepost");
    let version = output(Command::new(&program).arg("--version"))?;
    let version = version.trim().trim_start_matches("milepost ").to_owned();
    let folder = target().join("dist");
    emptied(&folder)?;

    let name = format!("milepost-{version}-{}-linux", env::consts::ARCH);
    let tree = folder.join(&name);
    lay_out(&program, &tree)?;
    let archive = pack(&folder, &name)?;
    let package = debian(&folder, &tree, &program, &version)?;

    let unpacked = folder.join("try-archive");
    emptied(&unpacked.join("opt"))?;
    run(Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(unpacked.join("opt")))?;
    try_out(&unpacked, &program, &format!("/opt/{name}/bin/milepost"))?;
    let installed = folder.join("try-package");
    install(&installed, &package)?;
    try_out(&installed, &program, "/usr/bin/milepost")?;
    removed(&installed)?;

    for folder in [&unpacked, &installed, &tree, &folder.join("debian")] {
        fs::remove_dir_all(folder).map_err(failed("remove", folder))?;
    }
    let sums = output(Command::new("sha256sum").current_dir(&folder).args([file_name(&archive), file_name(&package)]))?;
    write(&folder.join("SHA256SUMS"), &sums)?;
    for file in [&archive, &package] {
        let size = fs::metadata(file).map_err(failed("read", file))?.len();
        println!("{}  {:.1} MB, tried in an empty root", shown_path(file), size as f64 / 1e6);
    }
    Ok(())
}

/// The files as they lie below a prefix such as `/usr`.
fn lay_out(program: &Path, tree: &Path) -> Done {
    let says = |args: &[&str]| output(Command::new(program).args(args));
    let bin = tree.join("bin/milepost");
    make(&tree.join("bin"))?;
    fs::copy(program, &bin).map_err(failed("copy", program))?;
    for page in says(&["man", "--list"])?.lines() {
        let of = page.trim_start_matches("milepost").trim_start_matches('-');
        let text = if of.is_empty() { says(&["man"])? } else { says(&["man", of])? };
        write(&tree.join(format!("share/man/man1/{page}.1")), &text)?;
    }
    for (shell, path) in [
        ("bash", "bash-completion/completions/milepost"),
        ("zsh", "zsh/site-functions/_milepost"),
        ("fish", "fish/vendor_completions.d/milepost.fish"),
    ] {
        write(&tree.join("share").join(path), &says(&["completions", shell])?)?;
    }
    let doc = tree.join("share/doc/milepost");
    make(&doc)?;
    for name in ["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"] {
        fs::copy(root().join(name), doc.join(name)).map_err(failed("copy", &root().join(name)))?;
    }
    write(&doc.join("THIRD-PARTY-LICENSES"), &third_parties()?)?;
    for name in ["milepost.bash", "milepost.zsh", "track_metrics.sh"] {
        let script = root().join("scripts").join(name);
        make(&tree.join("share/milepost"))?;
        fs::copy(&script, tree.join("share/milepost").join(name)).map_err(failed("copy", &script))?;
    }
    Ok(())
}

/// The terms of every crate that is in the program, each text once. Of those that bring no text along, where they are from.
fn third_parties() -> Result<String, String> {
    let tree =
        output(cargo().args(["tree", "--package", "milepost", "--edges", "normal", "--prefix", "none", "--format", "{lib}|{p}|{l}|{r}"]))?;
    let crates: BTreeSet<[String; 3]> = tree
        .lines()
        .filter_map(|line| {
            let mut parts = line.trim_end_matches(" (*)").splitn(4, '|').skip(1);
            let (package, terms, repository) = (parts.next()?, parts.next()?, parts.next()?);
            // Those of this repository are told by their path.
            let is_ours = package.contains('/');
            let name = package.replace(" v", "-").replace(" (proc-macro)", "");
            (!is_ours).then(|| [name, terms.to_owned(), repository.to_owned()])
        })
        .collect();
    let manifests = output(cargo().args(["metadata", "--format-version", "1", "--locked"]))?;
    let mut texts: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let (mut list, mut without) = (String::new(), String::new());
    for [name, terms, repository] in &crates {
        if terms.is_empty() {
            return Err(format!("{name} does not say under which terms it is"));
        }
        list += &format!("{name}: {terms}\n");
        let end = format!("/{name}/Cargo.toml\"");
        let Some(at) = manifests.find(&end) else { return Err(format!("cannot find the source of {name}")) };
        let begin = manifests[..at].rfind('"').map_or(0, |quote| quote + 1);
        let folder = PathBuf::from(&manifests[begin..at + 1 + name.len()]);
        let mut has_text = false;
        for entry in fs::read_dir(&folder).map_err(failed("read", &folder))?.flatten() {
            let file = entry.file_name().to_string_lossy().to_uppercase();
            if entry.path().is_file() && TERMS.iter().any(|start| file.starts_with(start)) {
                let text = fs::read(entry.path()).map_err(failed("read", &entry.path()))?;
                texts.entry(String::from_utf8_lossy(&text).trim().to_owned()).or_default().push(name);
                has_text = true;
            }
        }
        if !has_text {
            without += &format!("{name}: {terms}, {repository}\n");
        }
    }
    let mut all = format!(
        "{} crates of others are in this program, under these terms. The source of each is what the registry of cargo has under\n\
         its name and version; so it is of those under the Mozilla license, whose files are unchanged.\n\n{list}",
        crates.len()
    );
    if !without.is_empty() {
        all += &format!(
            "\nThese bring no text along. Theirs is the usual one of the licence, as it stands below; their authors are named \
             here:\n\n{without}"
        );
    }
    for (text, of) in texts {
        all += &format!("\n{}\n{}\n\n{text}\n", "=".repeat(80), of.join(", "));
    }
    Ok(all)
}

/// The same bytes from the same commit.
fn pack(folder: &Path, name: &str) -> Result<PathBuf, String> {
    let archive = folder.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mode=u+rw,go+r,go-w"]);
    tar.arg(format!("--mtime=@{}", moment()?)).arg("-C").arg(folder).arg("-czf").arg(&archive).arg(name);
    run(&mut tar)?;
    Ok(archive)
}

/// When the last commit was made, in seconds since 1970, or what `SOURCE_DATE_EPOCH` says.
fn moment() -> Result<String, String> {
    let said = env::var("SOURCE_DATE_EPOCH").ok();
    said.map_or_else(|| Ok(output(Command::new("git").current_dir(root()).args(["log", "-1", "--format=%ct"]))?.trim().to_owned()), Ok)
}

fn debian(folder: &Path, tree: &Path, program: &Path, version: &str) -> Result<PathBuf, String> {
    let staged = folder.join("debian");
    make(&staged.join("DEBIAN"))?;
    run(Command::new("cp").arg("-r").arg(tree).arg(staged.join("usr")))?;
    let doc = staged.join("usr/share/doc/milepost");
    let licences = "Milepost is distributed under the Apache License 2.0 (LICENSE-APACHE; also /usr/share/common-licenses/Apache-2.0)\n\
                    or the MIT license (LICENSE-MIT), at your choice. The crates in it: see THIRD-PARTY-LICENSES.\n";
    let copyright = fs::read_to_string(doc.join("LICENSE-MIT")).map_err(failed("read", &doc.join("LICENSE-MIT")))?;
    write(&doc.join("copyright"), &format!("{licences}\n{copyright}"))?;
    let maintainer = match (env::var("DEBFULLNAME"), env::var("DEBEMAIL")) {
        (Ok(name), Ok(email)) => format!("{name} <{email}>"),
        _ => MAINTAINER.to_owned(),
    };
    let date = output(Command::new("date").args(["--utc", "--rfc-email", "--date", &format!("@{}", moment()?)]))?;
    let entry = format!("milepost ({version}) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- {maintainer}  {date}");
    write(&doc.join("changelog"), &entry)?;
    let man = staged.join("usr/share/man/man1");
    let pages = fs::read_dir(&man).map_err(failed("read", &man))?.flatten().map(|entry| entry.path());
    let packed = pages.chain([doc.join("changelog"), doc.join("THIRD-PARTY-LICENSES")]);
    run(Command::new("gzip").args(["-9", "-n"]).args(packed))?;

    let architecture = output(Command::new("dpkg").arg("--print-architecture"))?;
    let size = output(Command::new("du").args(["-sk", "--apparent-size"]).arg(staged.join("usr")))?;
    let size = size.split_whitespace().next().unwrap_or("0");
    let control = format!(
        "Package: milepost\nVersion: {version}\nArchitecture: {}\nMaintainer: {maintainer}\nInstalled-Size: {size}\nDepends: {}\n\
         Section: devel\nPriority: optional\nDescription: {DESCRIPTION}\n",
        architecture.trim(),
        depends(program)?
    );
    write(&staged.join("DEBIAN/control"), &control)?;
    run(Command::new("chmod").arg("-R").arg("u+rwX,go+rX,go-w").arg(&staged))?;
    let package = folder.join(format!("milepost_{version}_{}.deb", architecture.trim()));
    let mut build = Command::new("dpkg-deb");
    build.env("SOURCE_DATE_EPOCH", moment()?).args(["--root-owner-group", "-Zxz", "--build"]).arg(&staged).arg(&package);
    output(&mut build)?;
    Ok(package)
}

/// The packages of the libraries that the program is linked to.
fn depends(program: &Path) -> Result<String, String> {
    let symbols = output(Command::new("readelf").arg("--version-info").arg("--wide").arg(program))?;
    let versions = symbols.split(|c: char| !(c.is_alphanumeric() || "_.".contains(c))).filter_map(|word| word.strip_prefix("GLIBC_"));
    let parsed = versions.filter_map(|version| version.split('.').map(|part| part.parse::<u32>().ok()).collect::<Option<Vec<_>>>());
    let least = parsed.max().ok_or("the program is linked to no version of the C library")?;
    let least: Vec<_> = least.iter().map(u32::to_string).collect();
    let mut packages = vec![format!("libc6 (>= {})", least.join("."))];
    for library in needed(program)? {
        match library.split(".so").next() {
            Some("libc" | "libm" | "libdl" | "libpthread" | "librt") => {}
            Some(name) if name.starts_with("ld-linux") => {}
            Some("libgcc_s") => packages.push("libgcc-s1".to_owned()),
            _ => return Err(format!("the program is linked to {library}, of which nobody has said in which package it is")),
        }
    }
    Ok(packages.join(", "))
}

fn needed(program: &Path) -> Result<Vec<String>, String> {
    let dynamic = output(Command::new("readelf").arg("--dynamic").arg("--wide").arg(program))?;
    let library = |line: &str| Some(line.split_once("(NEEDED)")?.1.split_once('[')?.1.split_once(']')?.0.to_owned());
    Ok(dynamic.lines().filter_map(library).collect())
}

/// Installs a package into a root that has nothing but the list of what is installed.
fn install(root: &Path, package: &Path) -> Done {
    let dpkg = root.join("var/lib/dpkg");
    for folder in ["info", "updates", "triggers"] {
        make(&dpkg.join(folder))?;
    }
    for list in ["status", "available"] {
        write(&dpkg.join(list), "")?;
    }
    // What it depends on are the libraries that `try_out` puts there.
    output(in_root(root).args(["--force-depends", "--install"]).arg(package)).map(|_| ())
}

fn in_root(root: &Path) -> Command {
    let mut dpkg = Command::new("dpkg");
    dpkg.arg(format!("--root={}", root.display())).args(["--force-not-root", "--force-script-chrootless", "--log=/dev/null"]);
    dpkg
}

/// Takes the package out again: nothing of it may stay.
fn removed(root: &Path) -> Done {
    output(in_root(root).args(["--purge", "milepost"]))?;
    let left = output(Command::new("find").arg(root.join("usr")).args(["-name", "*milepost*"])).unwrap_or_default();
    if left.is_empty() { Ok(()) } else { Err(format!("the package was removed and left {left}")) }
}

/// Runs the program in a root that has it, the libraries that it is linked to, and nothing else.
fn try_out(root: &Path, program: &Path, inside: &str) -> Done {
    let linked = output(Command::new("ldd").arg(program))?;
    for library in linked.split_whitespace().filter(|word| word.starts_with('/')) {
        let to = root.join(library.trim_start_matches('/'));
        make(to.parent().unwrap_or(root))?;
        fs::copy(library, &to).map_err(failed("copy", Path::new(library)))?;
    }
    for folder in ["product", "tmp"] {
        make(&root.join(folder))?;
    }
    let says = |args: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--root"]).arg(root).args(["--wd", "/product", inside]).args(args);
        output(command.env_clear().env("HOME", "/product").env("PATH", env::var_os("PATH").unwrap_or_default()))
    };
    says(&["init"])?;
    let operation = ["record", "operation", "--operation", "search", "--outcome", "ok", "--duration", "120ms"];
    says(&operation)?;
    says(&["run", "--", inside, "--version"])?;
    let counted = says(&["query", "--format", "csv", "SELECT operation, count(*) AS n FROM operations GROUP BY 1 ORDER BY 1"])?;
    let expected = ["milepost,1", "search,1"];
    if expected.iter().any(|line| !counted.contains(line)) {
        return Err(format!("in an empty root, {inside} counted {counted:?}"));
    }
    let status = says(&["status"])?;
    if !status.contains("no data") && !status.contains("not proven") {
        return Err(format!("in an empty root, {inside} said:\n{status}"));
    }
    says(&["dashboard"])?;
    says(&["doctor"])?;
    Ok(())
}

fn emptied(folder: &Path) -> Done {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(failed("empty", folder))?;
    }
    make(folder)
}

fn make(folder: &Path) -> Done {
    fs::create_dir_all(folder).map_err(failed("make", folder))
}

fn write(path: &Path, text: &str) -> Done {
    make(path.parent().unwrap_or(path))?;
    fs::write(path, text).map_err(failed("write", path))
}

fn failed<'a>(action: &'a str, path: &'a Path) -> impl Fn(std::io::Error) -> String + 'a {
    move |error| format!("cannot {action} {}: {error}", path.display())
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}
