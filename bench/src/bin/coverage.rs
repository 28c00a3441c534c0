//! Which lines of the crates ran: `coverage ROOT PROFILES LCOV PROGRAM…` reads the counters that instrumented programs left in the folder
//! PROFILES and the maps within the programs, writes LCOV, and prints a table. Needs nothing of LLVM's own tools.
//!
//! A line counts as the coverage of LLVM has it (`LineCoverageStats`): as often as the busiest region that begins on it, or as the
//! innermost that began before and is not over. Tests are left out: they run whole, and would flatter the rest.

use llvm_profparser::{
    Counter, CounterType, ExprKind, FunctionRecordV3, RegionKind, SourceLocation, coverage_mapping::read_object_file, parse,
};
use std::{
    collections::{BTreeMap, HashMap, HashSet, btree_map::Entry},
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// How many of the files lowest in coverage are shown.
const SHOWN_MAX: usize = 25;

/// A function as its programs know it: what its name and its shape hash to.
type Function = (u64, u64);
/// How often each counter of each function was passed.
type Counts = HashMap<Function, Vec<u64>>;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [root, profiles, lcov, programs @ ..] = &args[..] else { return Err("usage: coverage ROOT PROFILES LCOV PROGRAM…".into()) };
    let (version, counts) = counts(profiles)?;
    let mut files = BTreeMap::new();
    let mut seen = HashSet::new();
    for program in programs {
        add(program, version, &counts, root, &mut seen, &mut files).map_err(|error| format!("{}: {error}", program.display()))?;
    }
    let mut lines = BTreeMap::new();
    for (path, regions) in files {
        let own = without_tests(&fs::read_to_string(root.join(&path))?);
        let counted: BTreeMap<usize, u64> = per_line(&regions).into_iter().filter(|(line, _)| own.contains(line)).collect();
        if !counted.is_empty() {
            lines.insert(path, counted);
        }
    }
    fs::write(lcov, as_lcov(&lines))?;
    print!("{}", table(&lines));
    Ok(())
}

/// What all profiles say together, and the version of their format.
fn counts(profiles: &Path) -> Result<(u64, Counts), Box<dyn Error>> {
    let (mut version, mut all) = (None, Counts::new());
    for entry in fs::read_dir(profiles)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "profraw") {
            continue;
        }
        let profile = parse(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        version = version.max(profile.version());
        for record in profile.records() {
            let (Some(name), Some(shape)) = (record.name_hash, record.hash) else { continue };
            let sums = all.entry((name, shape)).or_insert_with(|| vec![0; record.counts().len()]);
            for (sum, count) in sums.iter_mut().zip(record.counts()) {
                *sum = sum.saturating_add(*count);
            }
        }
    }
    Ok((version.ok_or("no program left a profile")?, all))
}

/// Of one source file, how often each region was passed.
type Regions = BTreeMap<(Place, Place), u64>;
/// Line and column.
type Place = (usize, usize);

/// Adds the regions of the functions in a program that lie in the crates' sources.
fn add(
    program: &Path,
    version: u64,
    counts: &Counts,
    root: &Path,
    seen: &mut HashSet<Function>,
    files: &mut BTreeMap<PathBuf, Regions>,
) -> Result<(), Box<dyn Error>> {
    let map = read_object_file(program, version)?;
    let sources: HashMap<u64, Vec<Option<PathBuf>>> =
        map.cov_map.keys().map(|id| (*id, map.get_files_from_id(*id).iter().map(|path| source(path, root)).collect())).collect();
    for function in &map.cov_fun {
        let id = (function.header.name_hash, function.header.fn_hash);
        // Many programs have the same function, linked into each; its profile is the sum of all.
        if !seen.insert(id) {
            continue;
        }
        let sources = sources.get(&function.header.filenames_ref).ok_or("a function names no source file")?;
        let counters = counts.get(&id).map_or(&[][..], Vec::as_slice);
        for region in function.regions.iter().filter(|region| region.kind == RegionKind::Code) {
            let Some(Some(path)) = sources.get(region.file_id) else { continue };
            let SourceLocation { line_start, column_start, line_end, column_end } = region.loc;
            let place = ((line_start, column_start), (line_end, column_end));
            let count = passed(function, region.count, counters)?;
            match files.entry(path.clone()).or_default().entry(place) {
                Entry::Vacant(entry) => _ = entry.insert(count),
                Entry::Occupied(mut entry) => *entry.get_mut() = entry.get().saturating_add(count),
            }
        }
    }
    Ok(())
}

/// The path of a source of the crates, from the top of the repository.
fn source(path: &Path, root: &Path) -> Option<PathBuf> {
    let path = path.strip_prefix(root).unwrap_or(path);
    let mut parts = path.iter().map(|part| part.to_string_lossy());
    let ours = parts.next()? == "crates" && parts.nth(1)? == "src";
    let is_test = path.file_stem()? == "tests" || parts.any(|part| part == "tests");
    (ours && !is_test).then(|| path.to_owned())
}

/// What a counter says: a count, or a sum or difference of other counters.
fn passed(function: &FunctionRecordV3, counter: Counter, counts: &[u64]) -> Result<u64, Box<dyn Error>> {
    let id = usize::try_from(counter.id)?;
    Ok(match counter.kind {
        CounterType::Zero => 0,
        CounterType::ProfileInstrumentation => counts.get(id).copied().unwrap_or(0),
        CounterType::Expression(_) => {
            let of = function.expressions.get(id).ok_or("a counter names no expression")?;
            let (left, right) = (passed(function, of.lhs, counts)?, passed(function, of.rhs, counts)?);
            match of.kind {
                ExprKind::Add => left.saturating_add(right),
                ExprKind::Subtract => left.saturating_sub(right),
            }
        }
    })
}

/// How often each line of a file was passed that has code.
fn per_line(regions: &Regions) -> BTreeMap<usize, u64> {
    let mut lines = BTreeMap::new();
    // By where they begin, so that the last one that reaches over a line's start is the innermost.
    for (&((first, _), (last, _)), &count) in regions {
        for line in first + 1..=last {
            lines.insert(line, count);
        }
    }
    let mut begin = BTreeMap::<usize, u64>::new();
    for (&((first, _), _), &count) in regions {
        let most = begin.entry(first).or_default();
        *most = count.max(*most);
    }
    for (line, count) in begin {
        let most = lines.entry(line).or_default();
        *most = count.max(*most);
    }
    lines
}

/// The lines of a source that are in no module of tests. Such a module begins at the margin and ends there, as `rustfmt` has it.
fn without_tests(source: &str) -> HashSet<usize> {
    let mut own = HashSet::new();
    let mut in_tests = false;
    for (line, text) in (1..).zip(source.lines()) {
        in_tests |= text == "#[cfg(test)]";
        if !in_tests {
            own.insert(line);
        }
        in_tests &= text != "}";
    }
    own
}

type Lines = BTreeMap<PathBuf, BTreeMap<usize, u64>>;

fn as_lcov(files: &Lines) -> String {
    let mut lcov = String::new();
    for (path, lines) in files {
        let _ = writeln!(lcov, "SF:{}", path.display());
        for (line, count) in lines {
            let _ = writeln!(lcov, "DA:{line},{count}");
        }
        let Share { passed, of } = Share::of(lines);
        let _ = writeln!(lcov, "LF:{of}\nLH:{passed}\nend_of_record");
    }
    lcov
}

/// So many lines of so many.
#[derive(Clone, Copy, Default)]
struct Share {
    passed: usize,
    of: usize,
}

impl Share {
    fn of(lines: &BTreeMap<usize, u64>) -> Self {
        Self { passed: lines.values().filter(|count| **count > 0).count(), of: lines.len() }
    }

    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.of += other.of;
    }

    fn row(self, name: &str) -> String {
        format!("| {name} | {} | {} | {:.1}% |\n", self.of, self.of - self.passed, 100.0 * self.passed as f64 / self.of as f64)
    }
}

/// Each crate, all together, and the files with most lines that never ran.
fn table(files: &Lines) -> String {
    let (mut crates, mut all) = (BTreeMap::<_, Share>::new(), Share::default());
    for (path, lines) in files {
        let share = Share::of(lines);
        crates.entry(path.iter().nth(1).unwrap_or_default()).or_default().add(share);
        all.add(share);
    }
    let mut table = "| crate | lines | never ran | covered |\n|---|---:|---:|---:|\n".to_owned();
    table.extend(crates.iter().map(|(name, share)| share.row(&name.to_string_lossy())));
    table += &all.row("all");
    let mut worst: Vec<_> = files.iter().map(|(path, lines)| (path, Share::of(lines))).collect();
    worst.sort_by_key(|(_, share)| share.passed as isize - share.of as isize);
    table += "\n| file | lines | never ran | covered |\n|---|---:|---:|---:|\n";
    table.extend(worst.iter().take(SHOWN_MAX).map(|(path, share)| share.row(&path.display().to_string())));
    table
}
