//! From what is typed to what is meant: everything in the file but the criteria, which have a page of their own.

use super::{
    CRITERIA_MAX, Collect, Collected, Config, ErrorCategory, LABEL_BYTES_MAX, PROJECT_BYTES_MAX, Probe,
    fault::Fault,
    file::{Amount, At, Engine, File, Text},
    format,
    wrong::{Wrong, nearest},
};
use jiff::tz::TimeZone;
use milepost_collect::{
    Kind,
    error_category::{RULES_MAX, Rule, RuleError, Rules},
};
use milepost_judge::{Criteria, Quantity, Unit};
use milepost_record::{Texts, limits};
use milepost_store::{BucketUrl, Cluster, PARTITIONS, PARTITIONS_MAX};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{Range, RangeInclusive},
    path::{Path, PathBuf},
    time::Duration,
};

/// What `text` means, the file at `path`.
pub(crate) fn meaning(path: &Path, text: &str) -> Result<Config, Vec<Fault>> {
    format::refuse_other(text)?;
    let file: File = toml::from_str(text).map_err(|error| vec![not_the_shape(text, &error)])?;
    let mut reader = Reader { text, aliases: BTreeMap::new(), faults: Vec::new() };
    // First, since names of operations are checked against them.
    reader.aliases(&file);
    let project = reader.project(&file);
    let store = file.store.as_ref().and_then(|store| store.path.as_ref()).and_then(|at| reader.folder("path", path, at));
    let tables = file.store.as_ref().and_then(|store| store.url.as_ref()).and_then(|at| reader.bucket(at));
    let cluster = file.engine.as_ref().and_then(|engine| reader.cluster(engine));
    let retention = file.store.as_ref().and_then(|store| store.retention.as_ref()).and_then(|at| reader.duration(at, &RETENTION));
    let output = file.track.as_ref().and_then(|track| track.output.as_ref()).and_then(|at| reader.folder("output", path, at));
    let error_categories = reader.error_categories(&file.error_category);
    let probes = reader.probes(&file.probe);
    let collects = reader.collects(path, &file.collect);
    let alerts = reader.alerts(&file.alert);
    let criteria = reader.criteria(&file.criterion);
    let otlp = reader.otlp(file.otlp.as_ref());
    let allowed = |text| file.privacy.as_ref().is_some_and(|privacy| privacy.texts.contains(&text));
    let texts = Texts { error: allowed(Text::Error), interaction: allowed(Text::Interaction), feedback: allowed(Text::Feedback) };
    let Reader { mut faults, aliases, .. } = reader;
    match project {
        Some(project) if faults.is_empty() => Ok(Config {
            path: Some(path.to_owned()),
            criteria: Criteria {
                project: project.name,
                time_zone: project.time_zone,
                calendar: project.calendar,
                version: project.version,
                aliases,
                criteria,
            },
            probes,
            collects,
            alerts,
            otlp,
            texts,
            error_categories,
            store,
            tables,
            cluster,
            retention,
            output,
            untrusted: None,
        }),
        _ => {
            faults.sort_by_key(|fault| fault.span.start);
            Err(faults)
        }
    }
}

struct Project {
    name: String,
    time_zone: String,
    calendar: TimeZone,
    version: Option<String>,
}

/// Reads a file, and collects what is wrong with it on the way.
pub(crate) struct Reader<'a> {
    text: &'a str,
    pub(crate) aliases: BTreeMap<String, String>,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    pub(crate) fn fault(&mut self, span: Range<usize>, wrong: Wrong) {
        self.faults.push(Fault::new(span, wrong));
    }

    /// Something is there twice; the first one is shown beside it.
    pub(crate) fn twice(&mut self, what: &'static str, name: &str, first: Range<usize>, span: Range<usize>) {
        let wrong = Wrong::Twice { what, name: name.to_owned() };
        self.faults.push(Fault { first: Some(first), ..Fault::new(span, wrong) });
    }

    /// Two things are there of which one is wanted.
    pub(crate) fn fault_beside(&mut self, first: Range<usize>, span: Range<usize>, wrong: Wrong) {
        self.faults.push(Fault { first: Some(first), ..Fault::new(span, wrong) });
    }

    /// The value as it is written, for an error that quotes it.
    pub(crate) fn written(&self, span: &Range<usize>) -> String {
        short(self.text.get(span.clone()).unwrap_or_default())
    }

    /// A value that has to be there; `table` is where.
    pub(crate) fn required<'v, T>(
        &mut self,
        value: Option<&'v At<T>>,
        table: (&'static str, &Range<usize>),
        key: &'static str,
        example: &'static str,
    ) -> Option<&'v At<T>> {
        if value.is_none() {
            self.fault(table.1.clone(), Wrong::Missing { table: table.0, key, example });
        }
        value
    }

    /// A name, a label or a remark: one line that can be seen.
    pub(crate) fn line(&mut self, key: &'static str, at: &At<String>, bytes_max: usize) -> Option<String> {
        let wrong = if at.value.trim().is_empty() {
            Wrong::Blank { key }
        } else if at.value.len() > bytes_max {
            Wrong::TooLong { key, bytes_max }
        } else if at.value.contains(char::is_control) {
            Wrong::ControlCharacter { key }
        } else {
            return Some(at.value.clone());
        };
        self.fault(at.span.clone(), wrong);
        None
    }

    /// A name that events carry: as they do, any text that is not empty and not too long.
    pub(crate) fn event_name(&mut self, key: &'static str, at: &At<String>) -> Option<String> {
        let wrong = if at.value.is_empty() {
            Wrong::Blank { key }
        } else if at.value.len() > limits::NAME_BYTES_MAX {
            Wrong::TooLong { key, bytes_max: limits::NAME_BYTES_MAX }
        } else {
            return Some(at.value.clone());
        };
        self.fault(at.span.clone(), wrong);
        None
    }

    /// A list with at least one member.
    pub(crate) fn members<'v, T>(&mut self, key: &'static str, at: &'v At<Vec<T>>) -> Option<&'v [T]> {
        if at.value.is_empty() {
            self.fault(at.span.clone(), Wrong::EmptyList { key });
            return None;
        }
        Some(&at.value)
    }

    /// Whether there are not too many of something.
    pub(crate) fn few_enough<T>(&mut self, what: &'static str, all: &[At<T>], max: usize) -> bool {
        if let Some(beyond) = all.get(max) {
            self.fault(beyond.span.clone(), Wrong::TooMany { what, n: all.len(), max });
        }
        all.len() <= max
    }

    /// A duration in one of some units.
    pub(crate) fn duration(&mut self, at: &At<Amount>, taken: &Durations) -> Option<Duration> {
        let quantity = match &at.value {
            Amount::Text(text) => text.parse::<Quantity>().ok(),
            Amount::Number(_) => None,
        };
        let base = quantity.filter(|q| taken.units.contains(&q.unit)).map(Quantity::base);
        match base {
            Some(us) if taken.range_us.contains(&us) => Some(Duration::from_micros(us.round() as u64)),
            _ => {
                self.fault(at.span.clone(), Wrong::Duration { key: taken.key, range: taken.range, example: taken.example });
                None
            }
        }
    }

    /// A duration, or what holds where none is given.
    pub(crate) fn duration_or(&mut self, at: Option<&At<Amount>>, taken: &Durations, default: Duration) -> Option<Duration> {
        at.map_or(Some(default), |at| self.duration(at, taken))
    }

    fn aliases(&mut self, file: &File) {
        for (alias, name) in &file.aliases {
            let (Some(other), Some(stands_for)) = (self.event_name("aliases", alias), self.event_name("aliases", name)) else { continue };
            if file.aliases.contains_key(name) {
                self.fault(name.span.clone(), Wrong::AliasOfAlias { alias: other, name: stands_for });
            } else {
                self.aliases.insert(other, stands_for);
            }
        }
    }

    fn project(&mut self, file: &File) -> Option<Project> {
        let Some(At { value: project, span }) = &file.project else {
            self.fault(0..0, Wrong::NoProject);
            return None;
        };
        let name = self.required(project.name.as_ref(), ("[project]", span), "name", "name = \"NAME\"");
        let name = name.and_then(|at| self.line("name", at, PROJECT_BYTES_MAX));
        let calendar = match &project.time_zone {
            Some(at) => self.time_zone(at),
            None => Some(("UTC".to_owned(), TimeZone::UTC)),
        };
        let version = project.version.as_ref().and_then(|at| self.event_name("version", at));
        let ((time_zone, calendar), name) = (calendar?, name?);
        Some(Project { name, time_zone, calendar, version })
    }

    fn time_zone(&mut self, at: &At<String>) -> Option<(String, TimeZone)> {
        // Most write what holds anyway. The database would be opened for it, and that takes longer than all else here.
        if at.value == "UTC" {
            return Some(("UTC".to_owned(), TimeZone::UTC));
        }
        let found = TimeZone::get(&at.value).ok();
        // The name as the database has it: it is found in any case, and goes on to others who are stricter. `Etc/Unknown` is
        // found too, and has none.
        if let Some((name, zone)) = found.and_then(|zone| Some((zone.iana_name()?.to_owned(), zone))) {
            return Some((name, zone));
        }
        let known = jiff::tz::db().available().map(|name| name.to_string());
        self.fault(at.span.clone(), Wrong::UnknownTimeZone { name: short(&at.value), nearest: nearest(&at.value, known) });
        None
    }

    fn folder(&mut self, key: &'static str, config: &Path, at: &At<String>) -> Option<PathBuf> {
        let path = self.line(key, at, limits::NAME_BYTES_MAX)?;
        if path.starts_with('~') || path.contains("://") {
            self.fault(at.span.clone(), Wrong::NoFolder { path });
            return None;
        }
        Some(config.parent().map_or_else(|| PathBuf::from(&path), |folder| folder.join(&path)))
    }

    fn bucket(&mut self, at: &At<String>) -> Option<BucketUrl> {
        let url = self.line("url", at, limits::NAME_BYTES_MAX)?;
        url.parse().map_err(|why| self.fault(at.span.clone(), Wrong::NoBucket { why })).ok()
    }

    fn cluster(&mut self, engine: &Engine) -> Option<Cluster> {
        let partitions = engine.partitions.as_ref();
        if let Some(at) = partitions.filter(|at| !(1..=PARTITIONS_MAX).contains(&at.value)) {
            self.fault(at.span.clone(), Wrong::Partitions);
        }
        let Some(at) = &engine.url else {
            if let Some(at) = partitions {
                self.fault(at.span.clone(), Wrong::PartitionsOfNone);
            }
            return None;
        };
        let url = self.line("url", at, limits::NAME_BYTES_MAX)?;
        let url = url.parse().map_err(|why| self.fault(at.span.clone(), Wrong::NoCluster { why })).ok()?;
        Some(Cluster { url, partitions: partitions.map_or(PARTITIONS, |at| at.value) })
    }

    /// Rules for errors that can be used. Who uses them knows what that takes, so it is asked: for all of them at once, since
    /// every wrapped command waits for it, and one by one where that fails, to show which.
    fn error_categories(&mut self, typed: &[At<super::file::ErrorCategory>]) -> Vec<ErrorCategory> {
        if !self.few_enough("rules for errors", typed, RULES_MAX) {
            return Vec::new();
        }
        let mut whole = Vec::new();
        for At { value: rule, span } in typed {
            let table = ("[[error_category]]", span);
            let category = self.required(rule.category.as_ref(), table, "category", "category = \"network\"");
            let any = self.required(rule.any.as_ref(), table, "any", "any = [\"connection refused\"]");
            whole.extend(category.zip(any));
        }
        let rules: Vec<_> = whole
            .iter()
            .map(|(category, any)| ErrorCategory {
                category: category.value.clone(),
                any: any.value.iter().map(|at| at.value.clone()).collect(),
            })
            .collect();
        let usable = |rules: &[ErrorCategory]| {
            let rules = rules.iter().map(|rule| Rule { category: rule.category.clone(), any: rule.any.clone() });
            Rules::defaults().with_first(rules.collect()).map(|_| ())
        };
        if !rules.is_empty() && usable(&rules).is_err() {
            for ((category, any), rule) in whole.iter().zip(&rules) {
                let Err(error) = usable(std::slice::from_ref(rule)) else { continue };
                let span = match &error {
                    RuleError::CategoryName { .. } => &category.span,
                    RuleError::Pattern { pattern, .. } => any.value.iter().find(|at| at.value == *pattern).map_or(&any.span, |at| &at.span),
                    _ => &any.span,
                };
                self.fault(span.clone(), Wrong::Rule(error));
            }
        }
        rules
    }

    fn probes(&mut self, probes: &[At<super::file::Probe>]) -> Vec<Probe> {
        if !self.few_enough("probes", probes, CRITERIA_MAX) {
            return Vec::new();
        }
        let mut seen = BTreeMap::new();
        probes.iter().filter_map(|probe| self.probe(probe, &mut seen)).collect()
    }

    fn probe(
        &mut self,
        At { value: probe, span }: &At<super::file::Probe>,
        seen: &mut BTreeMap<(String, Option<String>), Range<usize>>,
    ) -> Option<Probe> {
        let table = ("[[probe]]", span);
        let at = self.required(probe.operation.as_ref(), table, "operation", "operation = \"search\"");
        let operation = at.and_then(|at| self.event_name("operation", at));
        let backend = probe.backend.as_ref().and_then(|at| self.event_name("backend", at));
        if let (Some(at), Some(operation)) = (at, &operation) {
            let key = (operation.clone(), backend.clone());
            match seen.get(&key) {
                Some(first) => self.twice("the probe of", operation, first.clone(), at.span.clone()),
                None => _ = seen.insert(key, at.span.clone()),
            }
        }
        let command = self.required(probe.command.as_ref(), table, "command", "command = [\"nix\", \"search\", \"nixpkgs\", \"hello\"]");
        let command = command.and_then(|at| self.command(at));
        let timeout = self.duration_or(probe.timeout.as_ref(), &TIMEOUT, TIMEOUT_DEFAULT);
        let every = self.duration_or(probe.every.as_ref(), &EVERY, EVERY_DEFAULT);
        Some(Probe { operation: operation?, backend, command: command?, timeout: timeout?, every: every? })
    }

    fn collects(&mut self, config: &Path, collects: &[At<super::file::Collect>]) -> Vec<Collect> {
        if !self.few_enough("collects", collects, CRITERIA_MAX) {
            return Vec::new();
        }
        let mut seen = BTreeMap::new();
        collects.iter().filter_map(|collect| self.collect(config, collect, &mut seen)).collect()
    }

    fn collect(
        &mut self,
        config: &Path,
        At { value: collect, span }: &At<super::file::Collect>,
        seen: &mut BTreeMap<(&'static str, String), Range<usize>>,
    ) -> Option<Collect> {
        let table = ("[[collect]]", span);
        let kind = self.required(collect.kind.as_ref(), table, "kind", "kind = \"memory\"");
        let every = self.duration_or(collect.every.as_ref(), &EVERY, EVERY_DEFAULT);
        let kind = kind?.value;
        let (is_memory, is_git) = (kind == super::file::CollectKind::Memory, kind == super::file::CollectKind::Git);
        let span = |at: Option<&At<String>>| at.map(|at| at.span.clone());
        let amount = |at: Option<&At<Amount>>| at.map(|at| at.span.clone());
        let keys = [
            ("file", kind.report().is_some(), span(collect.file.as_ref())),
            ("process", is_memory, span(collect.process.as_ref())),
            ("for", is_memory, amount(collect.lasting.as_ref())),
            ("readings", is_memory, amount(collect.readings.as_ref())),
            ("folder", is_git, span(collect.folder.as_ref())),
            ("maintainers", is_git, span(collect.maintainers.first())),
        ];
        for (key, _, span) in keys.into_iter().filter(|(_, belongs, _)| !belongs) {
            if let Some(span) = span {
                self.fault(span, Wrong::NotCollected { key, kind: kind.name() });
            }
        }
        let what = match kind.report() {
            None if is_git => {
                let maintainers: Option<Vec<_>> = collect.maintainers.iter().map(|at| self.event_name("maintainers", at)).collect();
                let here = config.parent().map(Path::to_owned).unwrap_or_default();
                let folder = collect.folder.as_ref().map_or(Some(here), |at| self.folder("folder", config, at));
                let span = collect.folder.as_ref().map_or_else(|| table.1.clone(), |at| at.span.clone());
                let value = collect.folder.as_ref().map_or_else(|| ".".to_owned(), |at| at.value.clone());
                self.once("the history of", Some(&At { value, span }), seen);
                Collected::Git { folder: folder?, maintainers: maintainers? }
            }
            None => {
                let at = self.required(collect.process.as_ref(), table, "process", "process = \"NAME\"");
                let process = at.and_then(|at| self.event_name("process", at));
                let lasting = self.duration_or(collect.lasting.as_ref(), &LASTING, LASTING_DEFAULT);
                let readings = self.duration_or(collect.readings.as_ref(), &READINGS, READINGS_DEFAULT);
                self.once("the memory of", at, seen);
                Collected::Memory { process: process?, lasting: lasting?, readings: readings? }
            }
            Some(kind) => {
                let (example, what) = match kind {
                    Kind::Coverage => ("file = \"coverage.json\"", "the coverage in"),
                    Kind::Complexity => ("file = \"radon.json\"", "the complexity in"),
                    Kind::Tests => ("file = \"junit.xml\"", "the tests in"),
                    Kind::Audit => ("file = \"pip-audit.json\"", "the audit in"),
                };
                let at = self.required(collect.file.as_ref(), table, "file", example);
                let path = at.and_then(|at| self.folder("file", config, at));
                self.once(what, at, seen);
                Collected::Report { kind, name: at?.value.clone(), path: path? }
            }
        };
        Some(Collect { what, every: every? })
    }

    /// Nothing is collected twice.
    fn once(&mut self, what: &'static str, at: Option<&At<String>>, seen: &mut BTreeMap<(&'static str, String), Range<usize>>) {
        let Some(at) = at else { return };
        match seen.get(&(what, at.value.clone())) {
            Some(first) => self.twice(what, &at.value, first.clone(), at.span.clone()),
            None => _ = seen.insert((what, at.value.clone()), at.span.clone()),
        }
    }

    pub(crate) fn command(&mut self, at: &At<Vec<At<String>>>) -> Option<Vec<String>> {
        let command = self.members("command", at)?;
        if let Some(program) = command.first().filter(|program| program.value.is_empty()) {
            self.fault(program.span.clone(), Wrong::Blank { key: "command" });
            return None;
        }
        // No program can be given one: the system ends the text there.
        if let Some(nul) = command.iter().find(|part| part.value.contains('\0')) {
            self.fault(nul.span.clone(), Wrong::ControlCharacter { key: "command" });
            return None;
        }
        Some(command.iter().map(|part| part.value.clone()).collect())
    }

    /// Names of a list, none of them twice.
    pub(crate) fn distinct(&mut self, key: &'static str, what: &'static str, at: &At<Vec<At<String>>>, max: usize) -> Option<Vec<String>> {
        let members = self.members(key, at)?;
        if !self.few_enough(key, members, max) {
            return None;
        }
        let mut seen: BTreeSet<&At<String>> = BTreeSet::new();
        let mut names = Vec::new();
        for at in members {
            names.extend(self.event_name(key, at));
            if let Some(first) = seen.get(at) {
                self.twice(what, &at.value, first.span.clone(), at.span.clone());
            }
            seen.insert(at);
        }
        Some(names)
    }

    /// A remark that is shown.
    pub(crate) fn remark(&mut self, key: &'static str, at: Option<&At<String>>) -> Option<String> {
        at.and_then(|at| self.line(key, at, LABEL_BYTES_MAX))
    }
}

/// Which durations a key takes.
pub(crate) struct Durations {
    pub(crate) key: &'static str,
    pub(crate) units: &'static [Unit],
    pub(crate) range_us: RangeInclusive<f64>,
    pub(crate) range: &'static str,
    pub(crate) example: &'static str,
}

const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
const TIMEOUT: Durations = Durations {
    key: "timeout",
    units: &[Unit::MILLISECOND, Unit::SECOND, Unit::MINUTE, Unit::HOUR],
    range_us: 1e3..=24.0 * 3600e6,
    range: "a time from 1ms to 24h, in ms, s, min or h",
    example: "timeout = \"30s\"",
};

const EVERY_DEFAULT: Duration = Duration::from_secs(3600);
const EVERY: Durations = Durations {
    key: "every",
    units: &[Unit::MINUTE, Unit::HOUR, Unit::DAY],
    range_us: 60e6..=31.0 * 86400e6,
    range: "a time from 1min to 31d, in min, h or d",
    example: "every = \"1h\"",
};

const LASTING_DEFAULT: Duration = Duration::from_secs(30);
const LASTING: Durations = Durations {
    key: "for",
    units: &[Unit::SECOND, Unit::MINUTE, Unit::HOUR],
    range_us: 1e6..=24.0 * 3600e6,
    range: "a time from 1s to 24h, in s, min or h",
    example: "for = \"30s\"",
};

const READINGS_DEFAULT: Duration = Duration::from_secs(1);
const READINGS: Durations = Durations {
    key: "readings",
    units: &[Unit::MILLISECOND, Unit::SECOND, Unit::MINUTE, Unit::HOUR],
    range_us: 1e4..=3600e6,
    range: "a time from 10ms to 1h, in ms, s, min or h",
    example: "readings = \"1s\"",
};

const RETENTION: Durations = Durations {
    key: "retention",
    units: &[Unit::DAY],
    range_us: 86400e6..=36500.0 * 86400e6,
    range: "a time from 1d to 36500d, in d",
    example: "retention = \"400d\"",
};

/// As much of a text as a line can quote.
pub(crate) fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

/// Why a text is no TOML, or TOML of another shape. The reader of TOML says so in words only; those of serde are taken apart
/// again, to find the nearest key.
fn not_the_shape(text: &str, error: &toml::de::Error) -> Fault {
    let message = error.message();
    let span = error.span().unwrap_or(text.len()..text.len());
    let quoted = |list: &str| list.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let parts = |prefix: &str| {
        let (word, known) = message.strip_prefix(prefix)?.rsplit_once("`, expected ")?;
        Some((short(word), quoted(known)))
    };
    let wrong = if let Some((key, known)) = parts("unknown field `") {
        Wrong::UnknownKey { nearest: nearest(&key, &known), key, known }
    } else if let Some((word, known)) = parts("unknown variant `") {
        Wrong::UnknownWord { nearest: nearest(&word, &known), word, known }
    } else if let Some((found, expected)) = message.strip_prefix("invalid type: ").and_then(|rest| rest.rsplit_once(", expected ")) {
        let expected = match expected {
            "a string" => "a text",
            "a sequence" => "a list",
            "a map" => "a table",
            structure if structure.starts_with("struct ") => "a table",
            other => other,
        };
        Wrong::Type { found: short(found), expected: expected.to_owned() }
    } else {
        Wrong::Syntax(message.chars().take(200).collect())
    };
    Fault::new(span, wrong)
}
