//! `cargo xtask demo --nix`: Milepost tracks an assistant for Nix, by the preset and on a real Nix.
//!
//! `examples/nix/README.md` says what of it is real and what is a script.

use crate::{Done, have, milepost, output, root, run, shown_path, target, test::python};
use std::{
    env,
    ffi::OsStr,
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

/// How often each command of Nix is wrapped.
const TIMES: usize = 15;

/// The criteria that no afternoon can feed: people have to come back after weeks, and strangers have to contribute.
const TAKE_TIME: &str = "User retention,Community contributions";

/// Where the example lies, where it works, and with which programs.
pub(crate) struct Example {
    folder: PathBuf,
    work: PathBuf,
    python: PathBuf,
    milepost: PathBuf,
}

impl Example {
    /// Sets up what it needs: Nix, a Python with the tools that measure, a folder with the preset as its configuration.
    pub(crate) fn set_up() -> Result<Self, String> {
        if !have("nix-env", "nix-bin") {
            return Err("this needs Nix: install it, as by `apt-get install nix-bin`, and call this again".to_owned());
        }
        let example = Self {
            folder: root().join("examples/nix"),
            work: target().join("nix"),
            python: python("nix/python", "examples/nix/requirements.txt")?,
            milepost: milepost()?,
        };
        let configuration = example.work.join("milepost.toml");
        let _ = fs::remove_file(&configuration);
        run(example.program(&example.milepost, &["init", "--preset", "nix-for-humanity"]).stdout(Stdio::null()))?;
        let failed = |error| format!("cannot write {}: {error}", configuration.display());
        let text = fs::read_to_string(&configuration).map_err(failed)?;
        let tracking = fs::read_to_string(example.folder.join("tracking.toml")).map_err(failed)?;
        fs::write(&configuration, text + &tracking.replace("EXAMPLE", &example.folder.to_string_lossy())).map_err(failed)?;
        Ok(example)
    }

    /// A command in the folder of the example's work, which records there.
    fn program(&self, program: impl AsRef<OsStr>, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        let modules = [self.folder.clone(), root().join("python/src")];
        command
            .args(args)
            .current_dir(&self.work)
            .env("MILEPOST_CONFIG", self.work.join("milepost.toml"))
            .env("MILEPOST_DATA", self.work.join(".milepost"))
            .env("ASK_NIX_HOME", self.work.join("home"))
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
            .env("PYTHONPATH", env::join_paths(modules).unwrap_or_default());
        command
    }

    fn python(&self, args: &[&str]) -> Command {
        self.program(&self.python, args)
    }

    /// Milepost, with the example's Nix for what it runs.
    fn milepost(&self, args: &[&str]) -> Command {
        self.python(&[&["-m", "ask_nix.run", &self.milepost.to_string_lossy()], args].concat())
    }

    fn show(&self, args: &[&str]) -> Done {
        let words: Vec<_> = args.iter().map(|word| if word.contains(' ') { format!("'{word}'") } else { (*word).to_owned() }).collect();
        println!("\n$ milepost {}\n", words.join(" "));
        run(&mut self.milepost(args))
    }

    /// The assistant's own tests, with a real Nix.
    pub(crate) fn tests(&self) -> Command {
        let mut tests = self.python(&["-m", "coverage", "run"]);
        tests.arg("--data-file").arg(self.work.join(".coverage")).args(["--source", "ask_nix,tests", "-m", "unittest", "discover"]);
        tests.args(["--start-directory", "tests", "--top-level-directory", "."]).current_dir(&self.folder);
        tests
    }
}

pub(crate) fn demo() -> Done {
    let example = Example::set_up()?;

    println!("\nTen personas use the assistant, which is instrumented by Milepost's client for Python. What they say is a script; what");
    println!("comes of it is not: requests are understood or not, and a real Nix does or does not do what it was asked for.\n");
    run(&mut example.python(&[&example.path("people.py")]))?;

    println!("\nMilepost wraps Nix's own commands, {TIMES} times each.");
    for (operation, command) in example.commands() {
        let command: Vec<_> = command.iter().map(String::as_str).collect();
        for _ in 0..TIMES {
            let wrapped = [&["run", "--operation", operation, "--backend", "subprocess", "--"], &command[..]].concat();
            output(example.milepost(&wrapped).stderr(Stdio::null()))?;
        }
        println!("  milepost run --operation {operation} --backend subprocess -- {} …", command[..2].join(" "));
    }

    println!("\nIt reads the memory of a real evaluation: a thousand machines, each compared with all the others.");
    let machines = example.path("packages/machines.nix");
    let nix = ["-m", "ask_nix.run", "nix-instantiate", "--eval", &machines, "--arg", "machines", "1000"];
    let mut evaluation = example.python(&nix).stdout(Stdio::null()).spawn().map_err(|error| format!("cannot evaluate: {error}"))?;
    await_name(evaluation.id(), "nix-instantiate");
    run(&mut example.milepost(&["collect", "memory", "--pid", &evaluation.id().to_string(), "--every", "200ms"]))?;
    evaluation.wait().map_err(|error| format!("cannot wait for the evaluation: {error}"))?;

    println!("\nThe assistant's tests run under coverage.py, radon reads its code, pip-audit the packages of this Python.");
    example.code()?;

    println!("\nSixty runs whose number is fixed beforehand can prove what they measured in an afternoon.");
    example.show(&["probe", "list", "--samples", "60"])?;

    example.show(&["status"])?;
    example.show(&["report", "full"])?;
    example.show(&["explain", "Learning improvement"])?;
    let metrics = example.work.join("metrics");
    example.show(&["track", "--output", &metrics.to_string_lossy()])?;
    println!();
    run(&mut example.python(&[&example.path("fed.py"), &metrics.join("latest.json").to_string_lossy(), TAKE_TIME]))?;
    println!("\nThe same as a page that opens without a network: {}", shown_path(&metrics.join("latest.html")));
    println!(
        "One day proves little: run this again tomorrow, and more is proven. All that was made lies in {}.",
        shown_path(&example.work)
    );
    Ok(())
}

/// Waits until the process has become the program of this name, a second at most: it is to be read under that name.
fn await_name(pid: u32, name: &str) {
    let comm = format!("/proc/{pid}/comm");
    for _ in 0..100 {
        if fs::read_to_string(&comm).is_ok_and(|now| now.trim_end() == name) {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

impl Example {
    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }

    /// What is measured by wrapping it, as a person would type it.
    fn commands(&self) -> [(&'static str, Vec<String>); 4] {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let (packages, check, configuration) =
            (self.path("packages/packages.nix"), self.path("packages/check.nix"), self.path("packages/example.nix"));
        let flake = format!("path:{}", self.path("packages"));
        [
            ("install", words(&["nix-env", "--profile", "home/profiles/wrapped", "--file", &packages, "--install", "--attr", "git"])),
            ("search", words(&["nix", "search", &flake, "browser"])),
            ("config_gen", words(&["nix-instantiate", "--eval", "--strict", "--json", &check, "--arg", "file", &configuration])),
            ("list", words(&["nix-env", "--profile", "home/profiles/wrapped", "--query"])),
        ]
    }

    /// What tools say of the assistant's code.
    fn code(&self) -> Done {
        let in_work = |name: &str| self.work.join(name).to_string_lossy().into_owned();
        run(self.tests().stderr(Stdio::null()))?;
        let (data, coverage) = (in_work(".coverage"), in_work("coverage.json"));
        run(self.python(&["-m", "coverage", "json", "--quiet", "--data-file", &data, "-o", &coverage]).current_dir(&self.folder))?;
        let radon = output(&mut self.python(&["-m", "radon", "cc", "--json", &self.path("ask_nix")]))?;
        let audit = output(self.python(&[&self.path("audit.py")]).stderr(Stdio::null()))?;
        for (name, text) in [("radon.json", radon), ("pip-audit.json", audit)] {
            fs::write(self.work.join(name), text).map_err(|error| format!("cannot write {}: {error}", in_work(name)))?;
        }
        for (kind, file) in [("coverage", "coverage.json"), ("complexity", "radon.json"), ("audit", "pip-audit.json")] {
            run(&mut self.milepost(&["collect", kind, file]))?;
        }
        Ok(())
    }
}
