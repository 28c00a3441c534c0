//! The rules of ARCHITECTURE.md that the compiler does not hold: who may name which crate, and which file may do what.

use crate::{Done, cargo, output, root};
use std::{collections::BTreeMap, fs, path::Path};

/// For each crate of ours, which of the others and of the crates in [`KEPT`] it may name.
const EDGES: &[(&str, &[&str])] = &[
    ("milepost-record", &[]),
    ("milepost-collect", &["milepost-record"]),
    ("milepost-store", &["milepost-record", "ballista", "datafusion", "deltalake-core", "tokio"]),
    ("milepost-judge", &["milepost-record"]),
    (
        "milepost",
        &[
            "milepost-record",
            "milepost-collect",
            "milepost-store",
            "milepost-judge",
            "tokio",
            "reqwest",
            "axum",
            "hyper",
            "hyper-util",
            "rusqlite",
            "tokio-rustls",
        ],
    ),
    // Nothing but tests, and what these start.
    ("milepost-cluster", &["ballista-core", "ballista-executor", "ballista-scheduler", "tokio"]),
    ("xtask", &[]),
];

/// Crates that only some of ours may name, each with all whose names begin like it.
const KEPT: &[&str] =
    &["arrow", "parquet", "deltalake", "datafusion", "ballista", "tokio", "reqwest", "axum", "hyper", "rusqlite", "milepost"];

/// Crates that these of ours must not even bring along: products embed the recorder, and the judge is pure.
const LIGHT: &[&str] = &["milepost-record", "milepost-collect", "milepost-judge"];
const HEAVY: &[&str] = &["tokio", "arrow-array", "datafusion"];

/// What may stand only in the files that are named: (words, where they are looked for, files that may use them, why).
const WORDS: &[(&[&str], &str, &[&str], &str)] = &[
    (
        &["fs::write", "File::create", "OpenOptions", "create_dir", "DirBuilder", "NamedTempFile"],
        "crates",
        &[
            "crates/milepost-record/src/files.rs",
            "crates/milepost-record/src/locked.rs",
            "crates/milepost-record/src/spool.rs",
            "crates/milepost-store/src/check.rs",
            "crates/milepost-store/src/lake.rs",
            "crates/milepost-store/src/log.rs",
            "crates/milepost-store/src/rollup_files.rs",
            "crates/milepost/src/app/files.rs",
            "crates/milepost/src/app/init.rs",
            "crates/milepost/src/app/set_aside.rs",
        ],
        "every door ends in the spool, and few other files may write to disk",
    ),
    (
        &["SaveMode", ".append(SEGMENTS", "lake.append(", ".optimize()", ".vacuum()", "filesystem_check(", "rewrite_days(", ".sweep("],
        "crates/milepost-store/src",
        &[
            "crates/milepost-store/src/check.rs",
            "crates/milepost-store/src/claim.rs",
            "crates/milepost-store/src/compact.rs",
            "crates/milepost-store/src/forget.rs",
            "crates/milepost-store/src/lake.rs",
        ],
        "only compaction writes the tables of events, a claim that of claims, a repair takes out what is damaged, and forgetting a person",
    ),
    (
        &[
            "std::fs",
            "std::net",
            "std::process",
            "std::env",
            "SystemTime",
            "Instant",
            "::now()",
            "async ",
            "println!",
            "log::",
            "tracing::",
        ],
        "crates/milepost-judge/src",
        &[],
        "the judge has no IO, no clock, no async and no logger",
    ),
    (
        &["std::process", "std::net", "Command::new", "TcpStream"],
        "crates/milepost-collect/src",
        &[],
        "a collector takes bytes; it starts no process and opens no socket",
    ),
    (
        &["reqwest", "TcpStream", "TcpListener", "UdpSocket", "UnixListener", "hyper::", "hyper_util"],
        "crates",
        &[
            // Whether a cluster is there.
            "crates/milepost-store/src/cluster.rs",
            "crates/milepost/src/app/track/alerts.rs",
            "crates/milepost/src/app/otlp.rs",
            "crates/milepost/src/serve/connections.rs",
            "crates/milepost/src/serve/otlp/grpc.rs",
            // Answers whom `connections.rs` has no place for.
            "crates/milepost/src/serve/turned_away.rs",
        ],
        "alerts and the engine on a cluster alone connect to something, and `serve` alone listens",
    ),
    (&["rusqlite"], "crates/milepost/src", &["crates/milepost/src/app/import/sqlite.rs"], "one file opens databases of others, read only"),
    (
        &["crate::app", "crate::config", "crate::cli", "milepost_store", "std::fs", "Spool"],
        "crates/milepost/src/render",
        &[],
        "a renderer sees the scorecard and nothing else",
    ),
    (&["println!", "eprintln!", "process::exit"], "crates", &[], "only `app.rs` prints, through `print` and `say`, and only `main` exits"),
];

pub(crate) fn check() -> Done {
    for (name, allowed) in EDGES {
        let tree = ["tree", "--package", name, "--edges", "normal", "--depth", "1", "--prefix", "none", "--format", "{lib}"];
        for dependency in output(cargo().args(tree))?.lines().skip(1).map(|line| line.trim().replace('_', "-")) {
            let kept = KEPT.iter().any(|kept| dependency == *kept || dependency.starts_with(&format!("{kept}-")));
            if kept && !allowed.contains(&dependency.as_str()) {
                return Err(format!("{name} depends on {dependency}, which ARCHITECTURE.md does not allow"));
            }
        }
    }
    for light in LIGHT {
        let tree = output(cargo().args(["tree", "--package", light, "--all-features", "--edges", "normal", "--prefix", "none"]))?;
        if let Some(heavy) = tree.lines().find(|line| HEAVY.iter().any(|heavy| line.starts_with(&format!("{heavy} ")))) {
            return Err(format!("{light} brings {heavy} along, which ARCHITECTURE.md does not allow"));
        }
    }
    same_features()?;
    for rule in WORDS {
        search(&root().join(rule.1), rule)?;
    }
    Ok(())
}

/// Program and tests take every crate with the same features, else the heavy ones are built twice; and plain `cargo build --release` as the
/// benchmarks. Between these two, what a cluster is made of makes a difference.
fn same_features() -> Done {
    let features = |of: &[&str], edges: &str| -> Result<BTreeMap<String, String>, String> {
        let tree = output(cargo().arg("tree").args(of).args(["--edges", edges, "--prefix", "none", "--format", "{p}|{f}"]))?;
        let of_crate = |line: &str| line.trim_end_matches(" (*)").split_once('|').map(|(name, of)| (name.to_owned(), of.to_owned()));
        Ok(tree.lines().filter_map(of_crate).collect())
    };
    let (all, released) = (["--workspace"], ["--workspace", "--exclude", "milepost-cluster"]);
    for (fewer, more) in [(&all[..], &all[..]), (&["--package", "milepost"], &released)] {
        let with_tests = features(more, "normal,build,dev")?;
        for (name, program) in features(fewer, "normal,build")? {
            match with_tests.get(&name) {
                Some(tests) if *tests != program => {
                    return Err(format!("{name} is built with features `{program}` for the program and `{tests}` for the tests"));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn search(folder: &Path, rule: &(&[&str], &str, &[&str], &str)) -> Done {
    let (words, _, may, why) = rule;
    let failed = |error| format!("cannot read {}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            if !["tests", "examples", "target"].iter().any(|name| path.ends_with(name)) {
                search(&path, rule)?;
            }
            continue;
        }
        let name = path.strip_prefix(root()).unwrap_or(&path).to_string_lossy().into_owned();
        // Files of tests may do what the code may not.
        let is_free = name.ends_with("build.rs") || name.ends_with("/tests.rs") || name.ends_with("/bad_input.rs");
        if path.extension().is_none_or(|extension| extension != "rs") || may.contains(&name.as_str()) || is_free {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(failed)?;
        // Tests at a file's end may do what the file may not.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                return Err(format!("{name}:{}: `{word}`: {why} (ARCHITECTURE.md)", number + 1));
            }
        }
    }
    Ok(())
}
