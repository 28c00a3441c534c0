//! What a process is called: by the kernel, by itself, by its program's file and by its script.
//!
//! A person knows a product by the name that starts it. That may be a script behind an interpreter, a program behind a
//! wrapper, or longer than the kernel keeps.

use std::collections::BTreeSet;

/// What a process is called.
#[derive(Debug)]
pub(super) struct Names {
    comm: String,
    /// Of the first argument, which a program chooses freely.
    argv0: Option<String>,
    /// Of the file that it runs.
    program: Option<String>,
    /// Of the script that it interprets.
    script: Option<String>,
}

impl Names {
    /// The kernel keeps this many bytes of a name.
    const COMM_BYTES_MAX: usize = 15;

    /// From the kernel's name, the arguments and the path of the program.
    pub(super) fn new(comm: &str, arguments: &[&str], program: Option<&str>) -> Self {
        let argv0 = match arguments {
            // Programs that set a title write it over all their arguments, so that it is one with spaces in it.
            [title] => title.split(' ').next(),
            arguments => arguments.first().copied(),
        };
        // An upgraded product's program is marked so while the old one runs.
        let program = program.map(|path| path.strip_suffix(" (deleted)").unwrap_or(path));
        Self {
            comm: comm.to_owned(),
            argv0: argv0.and_then(basename),
            program: program.and_then(basename),
            script: script(arguments).and_then(basename),
        }
    }

    fn longer(&self) -> impl Iterator<Item = &str> {
        [&self.script, &self.program, &self.argv0].into_iter().flatten().map(String::as_str)
    }

    /// What the kernel kept of a name, where it cut one.
    fn cut_comm(&self) -> Option<&str> {
        // A cut within a character reads as a replacement character.
        (self.comm.len() >= Self::COMM_BYTES_MAX).then(|| self.comm.trim_end_matches('\u{fffd}'))
    }

    /// Whether the process goes by this name.
    pub(super) fn are(&self, name: &str) -> bool {
        if unwrapped(&self.comm) == name || self.longer().any(|own| unwrapped(own) == name) {
            return true;
        }
        // `nfh.py` and the module `nfh.cli` are the script nfh.
        if self.script.as_deref().and_then(|script| script.split_once('.')).is_some_and(|(stem, _)| stem == name) {
            return true;
        }
        // What was cut could be any longer name, unless one of the others tells it in full.
        self.cut_comm().is_some_and(|cut| {
            (name.starts_with(cut) || format!(".{name}-wrapped").starts_with(cut)) && !self.longer().any(|own| own.starts_with(cut))
        })
    }

    /// The name to show.
    pub(super) fn best(&self) -> String {
        let full = self.script.as_deref().or_else(|| self.longer().find(|own| self.cut_comm().is_some_and(|cut| own.starts_with(cut))));
        unwrapped(full.unwrap_or(&self.comm)).to_owned()
    }
}

/// Whether the name of a process outside the tree says that it works for a product of this name: `NAME-…`, `NAMEd`, or a
/// daemon of a program that the tree runs (`nix` and `nix-daemon`, `docker` and `dockerd`) or after which the product is
/// named (`nix-for-humanity` and `nix-daemon`).
pub(super) fn seems_to_work_for(root: &str, members: &BTreeSet<&str>, name: &str) -> bool {
    let continues = |of: &str| name.strip_prefix(of).is_some_and(|rest| rest == "d" || rest.starts_with(['-', '_', '.', ':']));
    let daemon_of = name.strip_suffix("-daemon");
    continues(root)
        || daemon_of.is_some_and(|of| root.strip_prefix(of).is_some_and(|rest| rest.starts_with('-')))
        || daemon_of.or(name.strip_suffix('d')).is_some_and(|of| members.contains(of))
}

/// `.NAME-wrapped` is how Nix calls a program behind a wrapper called NAME; a wrapper of a wrapper has it twice.
fn unwrapped(name: &str) -> &str {
    let inner = name.strip_prefix('.').and_then(|rest| rest.trim_end_matches('_').strip_suffix("-wrapped"));
    inner.filter(|inner| !inner.is_empty()).map_or(name, unwrapped)
}

fn basename(path: &str) -> Option<String> {
    /// As long as the name of a file can be.
    const BYTES_MAX: usize = 255;
    let name = path.rsplit('/').next().filter(|name| !name.is_empty())?;
    Some(name[..name.floor_char_boundary(BYTES_MAX)].to_owned())
}

/// The script among an interpreter's arguments; `None` where there is none, or where only the interpreter could tell.
fn script<'a>(arguments: &[&'a str]) -> Option<&'a str> {
    /// Interpreters, and the letters of the options that take code in the place of a script.
    const INTERPRETERS: &[(&str, &str)] = &[
        ("python", "c"),
        ("pypy", "c"),
        ("sh", "c"),
        ("bash", "c"),
        ("dash", "c"),
        ("ash", "c"),
        ("ksh", "c"),
        ("zsh", "c"),
        ("fish", "c"),
        ("perl", "eE"),
        ("ruby", "e"),
        ("node", "ep"),
        ("nodejs", "ep"),
        ("php", "r"),
        ("lua", "e"),
        ("luajit", "e"),
        ("guile", "ce"),
        ("julia", "eE"),
        ("Rscript", "e"),
        ("java", ""),
    ];
    /// Options whose value is the next argument.
    const WITH_VALUE: &[&str] = &["-W", "-X", "-r", "-o", "-cp", "-classpath", "--class-path", "--require", "--import"];

    let program = arguments.first()?.rsplit('/').next()?;
    let program = unwrapped(program).trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let (_, code) = INTERPRETERS.iter().find(|(name, _)| *name == program)?;
    let mut rest = arguments[1..].iter().copied();
    while let Some(argument) = rest.next() {
        match argument.strip_prefix('-') {
            None => return Some(argument),
            // A module's or an archive's name.
            Some("m" | "jar" | "-") => return rest.next(),
            Some("" | "-eval" | "-print") => return None,
            Some(letters) if !letters.starts_with('-') && letters.contains(|c| code.contains(c)) => return None,
            Some(_) if WITH_VALUE.contains(&argument) => {
                rest.next();
            }
            Some(_) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_named(comm: &str, arguments: &[&str], program: Option<&str>, name: &str) -> bool {
        Names::new(comm, arguments, program).are(name)
    }

    #[test]
    fn a_process_goes_by_the_names_of_itself_its_program_and_its_script() {
        assert!(is_named("nfh", &["nfh"], None, "nfh"));
        assert!(is_named("MainThread", &["/opt/nfh", "--gui"], None, "nfh"));
        assert!(is_named("x", &["x"], Some("/opt/nfh (deleted)"), "nfh"));
        assert!(is_named("python3", &["python3", "/opt/nfh", "search"], Some("/usr/bin/python3.13"), "nfh"));
        assert!(is_named("python3", &["python3", "-u", "/opt/nfh.py"], None, "nfh"));
        assert!(is_named("python3", &["python3", "-m", "nfh.cli"], None, "nfh"));
        assert!(!is_named("vim", &["vim", "/opt/nfh"], Some("/usr/bin/vim"), "nfh"), "what is edited does not run");
        assert!(!is_named("nfh2", &["nfh2"], None, "nfh"));
        assert!(!is_named("nfh", &["nfh"], None, ""));
    }

    #[test]
    fn what_the_kernel_cut_off_is_looked_for_elsewhere() {
        let cut = "nix-for-humanit";
        assert!(is_named(cut, &["/opt/nix-for-humanity"], None, "nix-for-humanity"));
        assert!(is_named(cut, &["python3", "-c", "…"], None, "nix-for-humanity"), "a name that it gave itself");
        assert!(!is_named(cut, &["/opt/nix-for-humanity-daemon"], None, "nix-for-humanity"));
        assert!(is_named(cut, &["/opt/nix-for-humanity-daemon"], None, cut), "as other tools show it");
        assert!(!is_named("nix-for-human", &[""], None, "nix-for-humanity"), "shorter than what the kernel keeps");
        assert!(is_named("abcdefghijklm\u{fffd}", &[""], None, "abcdefghijklm\u{20ac}s"), "cut within a character");
    }

    #[test]
    fn wrappers_of_nix_are_seen_through() {
        let arguments = ["/nix/store/0-python3/bin/python3.13", "/nix/store/0-nfh/bin/.nix-for-humanity-wrapped"];
        assert!(is_named(".nix-for-humani", &arguments, Some("/nix/store/0-python3/bin/python3.13"), "nix-for-humanity"));
        assert_eq!(Names::new(".nix-for-humani", &arguments, None).best(), "nix-for-humanity");
        assert!(is_named(".nix-for-humani", &[""], None, "nix-for-humanity"));
        assert_eq!(unwrapped("..nfh-wrapped-wrapped"), "nfh");
        assert_eq!(unwrapped(".nfh-wrapped_"), "nfh");
        assert_eq!(unwrapped(".-wrapped"), ".-wrapped");
        assert_eq!(unwrapped("nfh-wrapped"), "nfh-wrapped");
    }

    #[test]
    fn the_best_name_is_the_script_or_the_uncut_one() {
        assert_eq!(Names::new("python3", &["python3", "/opt/nfh.py"], None).best(), "nfh.py");
        assert_eq!(Names::new("nix-for-humanit", &["/opt/nix-for-humanity"], None).best(), "nix-for-humanity");
        assert_eq!(Names::new("sh", &["sh", "-c", "sleep 1"], Some("/bin/dash")).best(), "sh");
        assert_eq!(Names::new("kept", &[], None).best(), "kept");
    }

    #[test]
    fn a_title_over_the_arguments_is_one_argument_with_spaces() {
        assert!(is_named("x", &["/opt/google/chrome --type=renderer --file=/tmp/nfh"], None, "chrome"));
        assert!(!is_named("x", &["/opt/google/chrome --type=renderer --file=/tmp/nfh"], None, "nfh"));
    }

    #[test]
    fn a_script_is_the_first_argument_that_is_no_option() {
        for (arguments, expected) in [
            (&["python3", "a.py", "b.py"] as &[_], Some("a.py")),
            (&["/usr/bin/python3.13", "-W", "ignore", "-u", "a.py"], Some("a.py")),
            (&["python3", "-c", "a.py"], None),
            (&["python3", "-m", "pytest"], Some("pytest")),
            (&["python3"], None),
            (&["bash", "-lc", "a"], None),
            (&["sh", "-e", "a"], Some("a")),
            (&["perl", "-ne", "a"], None),
            (&["java", "-Xmx1g", "-cp", "lib", "-jar", "a.jar"], Some("a.jar")),
            (&["node", "--inspect", "--", "a.js"], Some("a.js")),
            (&["node", "--eval", "a"], None),
            (&["sh", "-"], None),
            (&["tail", "-f", "a"], None),
            (&[], None),
            (&[""], None),
        ] {
            assert_eq!(script(arguments), expected, "{arguments:?}");
        }
    }

    #[test]
    fn a_name_is_as_long_as_that_of_a_file() {
        let long = "\u{20ac}".repeat(1000);
        assert_eq!(basename(&long).map(|name| name.len()), Some(255));
        assert_eq!(basename("/opt/"), None);
    }

    #[test]
    fn daemons_are_told_by_their_names() {
        let members = BTreeSet::from(["docker", "nix-for-humanity"]);
        let related = |name| seems_to_work_for("nix-for-humanity", &members, name);
        for name in ["nix-for-humanity-daemon", "nix-for-humanityd", "nix-for-humanity_speech", "nix-daemon", "dockerd", "docker-daemon"] {
            assert!(related(name), "{name}");
        }
        for name in ["nix-for-humanity", "nix", "nixd", "for-daemon", "docker", "docker-proxy", "-daemon", "d", "systemd", ""] {
            assert!(!related(name), "{name}");
        }
    }
}
