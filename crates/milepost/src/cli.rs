//! The command line: what can be typed, and nothing of what it does.
#![expect(missing_docs, reason = "a doc comment here is help that people read, and what needs no help has none")]

use crate::amounts::{bytes, duration, microseconds};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use milepost_judge::{Family, NotAQuantity, Quantity, Tier, Verdict, quantile::QuantileType};
use milepost_record::{Kind, Measure, Origin, Outcome, Timestamp, Topic};
use std::{ffi::OsString, net::SocketAddr, path::PathBuf, time::Duration};

const TEMPLATE: &str = "\
{about}

{usage-heading} {usage}

Record
  init         Write a commented milepost.toml
  run          Run a command, unchanged, and record how it went
  record       Record one event, or JSON lines from standard input
  collect      Record what is measured: memory, and the reports of other tools
  import       Record what another system has: a table, or what a benchmark says
  label        Say what an interaction meant
  probe        Measure an operation with a fixed number of samples

Judge
  status       Show how every criterion stands
  check        Exit with 0 only if every must criterion is met
  explain      Show what a verdict rests on
  history      Show when verdicts and definitions changed
  compare      Set two versions, periods, backends or personas side by side
  exclude      Take a period out, visibly
  baseline     Take what is observed today as what the product started from

Report
  report       Show what happened, as figures, tracker by tracker
  dashboard    Write the scorecard as one HTML file
  serve        Show the scorecard live, in a browser and as a JSON API
  token        Say who may come in from elsewhere

Automate
  track        Do all that is due: probe, collect, judge, publish
  schedule     Have track called by itself, by systemd or cron

Data
  query        Read the events with SQL
  export       Write events as JSON lines or Parquet
  forget       Erase what is of one person, or everything
  doctor       Check configuration, data and clock; say what nothing feeds
  schema       Print the JSON Schema of a format
  completions  Print completions for a shell
  man          Print a manual page

Options:
{options}

Exit codes: 0 done · 2 wrong usage or configuration · 4 Milepost failed
`run` passes on the command's own
";

/// Did we meet the success criteria that we set?
///
/// Without a command: the status, or three first steps where nothing is configured.
#[derive(Debug, Parser)]
#[command(name = "milepost", version, help_template = TEMPLATE, disable_help_subcommand = true, max_term_width = 100)]
pub struct Cli {
    /// Configuration file [default: MILEPOST_CONFIG, else milepost.toml here or above, else the one at home]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Whether to use colours; auto: where it is a terminal, and NO_COLOR is not set
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, hide_possible_values = true, value_name = "auto|always|never")]
    pub color: Color,

    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    /// The same, for whatever prints.
    #[must_use]
    pub const fn choice(self) -> anstream::ColorChoice {
        match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        }
    }
}

/// `milepost run` without the commands that it has nothing to do with: to set those up costs as much as all the rest.
#[derive(Debug, Parser)]
#[command(name = "run", disable_help_flag = true, disable_version_flag = true)]
pub struct RunAlone {
    #[arg(long)]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub run: Run,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a commented milepost.toml into this folder, and a .milepost folder for its data
    Init(Init),
    /// Run a command, unchanged, and record how long it took and how it ended
    ///
    /// Standard streams, signals, exit code and file descriptors are the command's own. Its arguments, folder and environment
    /// are not stored. Where nothing can be recorded, the command runs all the same and one line says why.
    Run(Run),
    /// Record one event, or JSON lines from standard input
    ///
    /// Exit codes: 0 every event was recorded, 2 some were invalid and set aside, 4 some could not be written.
    Record(Record),
    /// Record what is measured
    #[command(subcommand)]
    Collect(Collect),
    /// Record what another system has: rows of JSON lines, CSV, Parquet or SQLite, or what a benchmark says
    ///
    /// The format is known by the content. The same row twice counts once, also when the file has grown since. People become pseudonyms.
    /// docs/import.md lists the formats and the names of columns.
    ///
    /// Exit codes: 0 everything was recorded, 2 some rows were set aside or the input is not what it should be, 4 Milepost failed.
    Import(Import),
    /// Say what an interaction meant; without an id, list those that nobody has labelled
    ///
    /// The newest label of an interaction counts, so a mistake is mended by another one.
    Label(Label),
    /// Measure an operation with a fixed number of samples
    ///
    /// The number is recorded first; then the command of its [[probe]] runs so often, one run after the other, and the verdict is
    /// computed once, at the end. Stopped early, the sample is void as proof.
    ///
    /// Exit codes: 0 the sample is complete, whatever the verdict; 128 + signal it was stopped.
    Probe(Probe),
    /// Show how every criterion stands
    Status(Status),
    /// Exit with 0 only if every must criterion is met
    ///
    /// Exit codes: 0 every selected criterion is met, 1 one is missed, 2 none is selected, 3 none is missed but one is not
    /// proven, stale or without data.
    ///
    /// With --format github, the scorecard is also appended to the file that GITHUB_STEP_SUMMARY names, up to 1 MiB in all.
    Check(Check),
    /// Show what a verdict rests on: definition, SQL, counts, interval and the newest events
    Explain(Explain),
    /// Show when verdicts and definitions changed, and when each tier was first reached
    ///
    /// As `milepost track` recorded it: what it never saw is not in here.
    History(History),
    /// Set two sides beside each other, criterion by criterion: versions, periods, backends, machines, personas
    ///
    /// For each goal both values, and for a rate of good events the difference with its interval; of operations, how much of it is
    /// of their rates and how much of another mix of them. It judges nothing, and no difference is a cause.
    Compare(Compare),
    /// Take a period out of all criteria, or of one, and say why
    ///
    /// Whoever takes out what went badly after having seen it chooses the evidence. So each criterion that counts events of the
    /// period begins anew: at its end or now, whichever is later. The exclusion stays visible beside every verdict that it touches.
    #[command(group(clap::ArgGroup::new("what").required(true).args(["from", "list", "undo"])))]
    Exclude(Exclude),
    /// Take what is observed today as the baselines of the criteria: what the product started from
    ///
    /// It shows the difference, and with --write puts it into milepost.toml, where all else stays as it is. A baseline is shown and
    /// decides no verdict.
    Baseline(Baseline),
    /// Show what happened in a period, as figures
    ///
    /// It judges nothing: see `milepost status`. What is not known is not known, and never 0.
    #[command(subcommand)]
    Report(Report),
    /// Write the scorecard as one HTML file that needs no network
    Dashboard(Dashboard),
    /// Show the scorecard live, in a browser and as a JSON API
    ///
    /// What is recorded is on the page within seconds. The addresses are printed as one line of JSON once it listens. On a loopback
    /// address, whoever is on this machine can read everything, all its users; elsewhere, and with --require-token, whoever has a
    /// token: see `milepost token`.
    ///
    /// It also takes what OpenTelemetry sends (OTLP), by HTTP and gRPC; `milepost doctor` says what became of it.
    ///
    /// Exit codes: 0 ended by SIGINT or SIGTERM, 2 wrong usage or configuration, 4 Milepost failed.
    Serve(Serve),
    /// Say who may come in from elsewhere: tokens to read or to write, of which only hashes are kept
    #[command(subcommand)]
    Token(Token),
    /// Read the events with SQL
    ///
    /// One statement that reads: SELECT, WITH, VALUES, EXPLAIN, SHOW TABLES or DESCRIBE. Without one, the views and their columns.
    /// It sees nothing but these views, and changes nothing.
    Query(Query),
    /// Do all that is due: probe, collect, judge, publish, tell what changed
    ///
    /// Runs the probes and collects of the configuration whose time has come, keeps the data in order, judges, and publishes the
    /// scorecard as JSON and as a page, and of the last day, week and month that are over a report each, once. Each [[alert]] of the
    /// configuration is told once what has changed and lasted two calls. Made to be called every hour, by cron or by a person.
    ///
    /// Exit codes: 0 done, whatever the verdicts are, 2 wrong usage or configuration, 4 Milepost failed at something.
    Track(Track),
    /// Have `milepost track` called by itself, by systemd or cron
    ///
    /// One entry for each configuration, of this user: nothing of it needs an administrator.
    #[command(subcommand)]
    Schedule(Schedule),
    /// Write events as JSON lines or Parquet, each once
    Export(Export),
    /// Erase what is of one person, or everything
    ///
    /// What carries the person's pseudonym leaves the tables with all their older versions, the spool, what was set aside and the
    /// reports, and so do the person's sessions and the labels of the person's interactions. It does not come back with a backup of
    /// the spool, and machines that share the tables and the key erase their copies at the next `milepost track`. What happens later is
    /// counted again. Verdicts are judged anew from what is left. There is no way back.
    ///
    /// Exit codes: 0 erased, 2 wrong usage or configuration, 4 Milepost failed: then the next `milepost track` goes on.
    Forget(Forget),
    /// Check configuration, data and clock, and say which criteria nothing feeds
    ///
    /// Every sealed file is compared with the digest that it was written with.
    Doctor(Doctor),
    /// Print the JSON Schema of a format
    Schema(Schema),
    /// Print completions for a shell
    Completions(Completions),
    /// Print a manual page, as roff: `milepost man check | man -l -`
    Man(Man),
}

#[derive(Debug, Args)]
pub struct Init {
    /// A ready configuration: nix-for-humanity, or rust-cli for any command-line tool in Rust
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
}

#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub context: Context,
    /// Name of the operation [default: the program's file name]
    #[arg(long)]
    pub operation: Option<String>,
    /// Which implementation does the work
    #[arg(long)]
    pub backend: Option<String>,
    /// End the command after this long, as 30s or 5min
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub timeout: Option<Duration>,
    /// Exit codes that mean success
    #[arg(long, value_delimiter = ',', default_value = "0", value_name = "CODES")]
    pub ok_codes: Vec<i32>,
    /// The command only shows what it would do: recorded, never counted
    #[arg(long)]
    pub dry_run: bool,
    /// Leave standard error alone, or read along to find the category of an error
    #[arg(long, value_enum, default_value_t = Stderr::Untouched)]
    pub stderr: Stderr,
    /// The command and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Stderr {
    Untouched,
    Observe,
}

/// What every event can carry beside the keys of its kind.
#[derive(Clone, Debug, Default, Args)]
pub struct Context {
    /// Where the event comes from [default: use]
    #[arg(long, value_name = "use|probe|test|import")]
    pub origin: Option<Origin>,
    /// The person; stored as a pseudonym
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// The session
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,
    /// The persona
    #[arg(long, value_name = "NAME")]
    pub persona: Option<String>,
    /// Version of the product
    #[arg(long = "product-version", value_name = "VERSION")]
    pub version: Option<String>,
    /// Commit of the product
    #[arg(long)]
    pub commit: Option<String>,
    /// Something else to tell; may be given several times
    #[arg(long = "attribute", value_name = "NAME=VALUE")]
    pub attributes: Vec<String>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_value_name = "KIND", subcommand_help_heading = "Kinds (none: JSON lines)")]
pub struct Record {
    #[command(subcommand)]
    pub kind: Option<RecordKind>,
    /// Return only when the events are on the disk
    #[arg(long, global = true)]
    pub on_disk: bool,
}

/// What `record KIND` adds to the context: when it happened, and who it is.
#[derive(Debug, Args)]
pub struct Stamp {
    /// When it happened, in RFC 3339 [default: now]
    #[arg(long)]
    pub at: Option<Timestamp>,
    /// An id that makes repeating it harmless [default: a new one]
    #[arg(long)]
    pub id: Option<String>,
    #[command(flatten)]
    pub context: Context,
}

#[derive(Debug, Subcommand)]
pub enum RecordKind {
    /// One use of a command or function of the product
    Operation {
        #[command(flatten)]
        stamp: Stamp,
        /// Its name
        #[arg(long)]
        operation: String,
        /// How it ended
        #[arg(long, value_name = "ok|failed|timeout|cancelled")]
        outcome: Outcome,
        /// Which implementation did the work
        #[arg(long)]
        backend: Option<String>,
        /// How long it took, as 183ms
        #[arg(long, value_parser = microseconds)]
        duration: Option<u64>,
        /// What its process exited with
        #[arg(long, allow_negative_numbers = true)]
        exit_code: Option<i64>,
        /// What it said when it failed; put into a category, and stored only if the configuration allows it
        #[arg(long, value_name = "TEXT")]
        error: Option<String>,
        /// CPU time, as 90ms
        #[arg(long, value_parser = microseconds)]
        cpu: Option<u64>,
        /// Peak memory, as 50MB
        #[arg(long, value_parser = bytes)]
        peak: Option<u64>,
        /// What the peak counts
        #[arg(long, value_name = "pss|rss|maxrss|cgroup", requires = "peak")]
        peak_measure: Option<Measure>,
        /// It only showed what it would do
        #[arg(long)]
        dry_run: bool,
        /// The fixed sample that it belongs to
        #[arg(long)]
        sample: Option<String>,
    },
    /// A person began to use the product
    Session {
        #[command(flatten)]
        stamp: Stamp,
    },
    /// One reading of the memory of a running product
    Memory {
        #[command(flatten)]
        stamp: Stamp,
        /// The observation that it is part of
        #[arg(long)]
        run: String,
        /// How much, as 180MB
        #[arg(long, value_parser = bytes)]
        bytes: u64,
        /// What it counts
        #[arg(long, value_name = "pss|rss|maxrss|cgroup")]
        measure: Measure,
        /// Some process could not be read, so it is no value
        #[arg(long)]
        incomplete: bool,
        /// When the next reading is due, as 10s
        #[arg(long, value_parser = microseconds)]
        every: Option<u64>,
        /// Name of the process
        #[arg(long)]
        process: Option<String>,
        /// Its id
        #[arg(long)]
        pid: Option<u64>,
        /// How many processes were read
        #[arg(long)]
        processes: Option<u64>,
        /// CPU time since the reading before, as 90ms
        #[arg(long, value_parser = microseconds)]
        cpu: Option<u64>,
    },
    /// One request that the product had to understand
    Interaction {
        #[command(flatten)]
        stamp: Stamp,
        /// The intent that the product recognised
        #[arg(long)]
        recognized: Option<String>,
        /// The intent that was right
        #[arg(long)]
        correct: Option<String>,
        /// Arm of the experiment, as learning or control
        #[arg(long)]
        arm: Option<String>,
        /// How it was said, as voice or text
        #[arg(long)]
        modality: Option<String>,
        /// How many interactions this user had before, plus one
        #[arg(long)]
        index: Option<u64>,
        /// Words of the reference transcript
        #[arg(long)]
        words: Option<u64>,
        /// Words substituted, deleted or inserted
        #[arg(long)]
        word_errors: Option<u64>,
        /// What was said; stored only if the configuration allows it
        #[arg(long)]
        text: Option<String>,
    },
    /// A later word on what an interaction meant
    Label {
        #[command(flatten)]
        stamp: Stamp,
        /// Id of the interaction
        #[arg(long)]
        of: String,
        /// The intent that was right
        #[arg(long)]
        correct: String,
    },
    /// What another tool measured
    Measurement {
        #[command(flatten)]
        stamp: Stamp,
        /// Its name, as coverage.statements
        #[arg(long)]
        name: String,
        /// The value
        #[arg(long, allow_negative_numbers = true)]
        value: f64,
        /// Its unit, as %
        #[arg(long)]
        unit: Option<String>,
        /// The tool and its version
        #[arg(long)]
        source: Option<String>,
        /// The part of the product
        #[arg(long)]
        scope: Option<String>,
    },
    /// Something to remember beside the figures
    Note {
        #[command(flatten)]
        stamp: Stamp,
        /// What it is about
        #[arg(long, value_name = "release|feedback|decision|exclude|sample")]
        topic: Topic,
        /// The note; feedback is stored only if the configuration allows it
        #[arg(long)]
        text: Option<String>,
        /// A score
        #[arg(long, allow_negative_numbers = true)]
        score: Option<f64>,
        /// Beginning of the period that it is about
        #[arg(long)]
        from: Option<Timestamp>,
        /// End of the period that it is about
        #[arg(long)]
        to: Option<Timestamp>,
        /// Id of the fixed sample that it announces
        #[arg(long)]
        sample: Option<String>,
        /// The operation that the sample measures
        #[arg(long)]
        operation: Option<String>,
        /// The implementation that does the work in the sample
        #[arg(long)]
        backend: Option<String>,
        /// How many operations make the sample complete
        #[arg(long)]
        size: Option<u64>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Collect {
    /// Sample the memory of a running product: its process and all that descends from it
    Memory(CollectMemory),
    /// Read how much of the code its tests run: coverage.py JSON, lcov, Cobertura XML, llvm-cov JSON
    ///
    /// Exit codes: 0 every report was recorded, 2 one was refused, 4 one could not be recorded.
    Coverage(CollectReports),
    /// Read how complex the functions are: radon cc --json, lizard XML or CSV
    ///
    /// Exit codes: 0 every report was recorded, 2 one was refused, 4 one could not be recorded.
    Complexity(CollectReports),
    /// Read how the tests ended: JUnit XML
    ///
    /// Exit codes: 0 every report was recorded, 2 one was refused, 4 one could not be recorded.
    Tests(CollectReports),
    /// Read which vulnerabilities are known: pip-audit, cargo-audit and OSV-Scanner JSON, SARIF
    ///
    /// Exit codes: 0 every report was recorded, 2 one was refused, 4 one could not be recorded.
    Audit(CollectReports),
    /// Count the contributions in a git repository, month by month: of people outside, maintainers and bots apart
    ///
    /// A contribution is a commit that is no merge, authored or co-authored by somebody who is neither a maintainer nor a bot.
    /// Names are read as the mailmap has them, and none is stored. A shallow clone is refused, since it would count too few.
    Git(CollectGit),
}

#[derive(Debug, Args)]
pub struct CollectGit {
    #[command(flatten)]
    pub context: Context,
    /// The repository, or a folder in it
    #[arg(default_value = ".", value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Name or address of somebody whose commits are no contributions of the community
    #[arg(long = "maintainer", value_name = "NAME")]
    pub maintainers: Vec<String>,
}

#[derive(Debug, Args)]
pub struct CollectReports {
    #[command(flatten)]
    pub context: Context,
    /// The reports; - is standard input, and the content tells the format
    #[arg(value_name = "FILE", required_unless_present = "run", conflicts_with = "run")]
    pub files: Vec<PathBuf>,
    /// Run the tool, and read what it prints: coverage json, radon cc --json, pip-audit or cargo audit
    #[arg(long)]
    pub run: bool,
    /// With --run: end the tool after this long [default: 10min]
    #[arg(long, value_parser = some_time, value_name = "DURATION")]
    pub timeout: Option<Duration>,
    /// With --run: what else the tool is given, as the folders for radon
    #[arg(last = true, value_name = "ARGUMENTS")]
    pub arguments: Vec<OsString>,
}

#[derive(Debug, Args)]
pub struct CollectMemory {
    #[command(flatten)]
    pub context: Context,
    /// Name of the process
    #[arg(long, value_name = "NAME", required_unless_present = "pid", conflicts_with = "pid")]
    pub process: Option<String>,
    /// Id of the process
    #[arg(long)]
    pub pid: Option<u32>,
    /// How long [default: until the process ends]
    #[arg(long = "for", value_parser = duration, value_name = "DURATION")]
    pub lasting: Option<Duration>,
    /// Time between two readings
    #[arg(long, value_parser = duration, default_value = "10s", value_name = "DURATION")]
    pub every: Duration,
}

#[derive(Debug, Args)]
pub struct Label {
    /// Id of the interaction
    #[arg(requires = "correct")]
    pub id: Option<String>,
    /// The intent that was right
    #[arg(value_name = "INTENT")]
    pub correct: Option<String>,
    /// How many are listed, the newest first
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1000), value_name = "N")]
    pub limit: u64,
}

#[derive(Debug, Args)]
pub struct Import {
    /// The file, or the folder target/criterion; - is standard input
    pub file: PathBuf,
    /// What it is [default: what its content shows]
    #[arg(long, value_enum)]
    pub format: Option<ImportFormat>,
    /// Which column has what a name stands for, as operation=cmd; several with commas between, or again
    #[arg(long, value_parser = pair, value_delimiter = ',', value_name = "NAME=COLUMN")]
    pub map: Vec<(String, String)>,
    /// What a row is: operation, session, interaction or measurement
    #[arg(long, value_parser = importable, default_value = "operation", value_name = "KIND")]
    pub kind: Kind,
    /// Where the events come from; use: people's own history, which criteria read
    #[arg(long, default_value = "import", value_name = "use|probe|test|import")]
    pub origin: Origin,
    /// The rows of a database of SQLite
    #[arg(long, value_name = "QUERY")]
    pub sql: Option<String>,
    /// Show what would be recorded, and record nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImportFormat {
    /// One object on each line, or the events of an export
    Jsonl,
    /// A line of names, then rows; commas, semicolons or tabs between
    Csv,
    Parquet,
    /// Rows of --sql, or a learning.db with its interactions
    Sqlite,
    /// hyperfine --export-json
    Hyperfine,
    /// The Bencher Metric Format
    Bencher,
    /// The folder target/criterion
    Criterion,
    /// pytest --benchmark-json
    PytestBenchmark,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').map(|(name, column)| (name.trim().to_owned(), column.to_owned()));
    pair.filter(|(name, column)| !name.is_empty() && !column.is_empty()).ok_or_else(|| "write it as NAME=COLUMN".to_owned())
}

fn importable(name: &str) -> Result<Kind, String> {
    let kinds = milepost_collect::import::KINDS;
    let names = || kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
    kinds.iter().find(|kind| kind.name() == name).copied().ok_or_else(|| format!("the kinds of rows are {}", names()))
}

#[derive(Debug, Args)]
pub struct Probe {
    /// The operation, as its [[probe]] in milepost.toml names it
    pub operation: String,
    /// The implementation, where several have a probe
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
    /// How many runs, 1 to 100000; 59 are the least that can prove a P95
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=SAMPLES_MAX), value_name = "N")]
    pub samples: u64,
    /// How to show what comes out
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub format: ReportFormat,
}

/// The most runs of one sample.
const SAMPLES_MAX: u64 = 100_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    Table,
    Json,
}

#[derive(Debug, Args)]
pub struct Status {
    /// How to show it
    #[arg(long, value_enum, default_value_t = StatusFormat::Table)]
    pub format: StatusFormat,
    /// Show it on the whole terminal and keep it up to date; ? shows the keys
    #[arg(long)]
    pub watch: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StatusFormat {
    Table,
    Json,
    Markdown,
    /// The must criteria as JSON for the endpoint badge of shields.io
    Badge,
    /// The same as an image
    BadgeSvg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Json,
    Markdown,
}

#[derive(Debug, Args)]
pub struct Check {
    /// The tiers that have to hold
    #[arg(long, value_enum, value_delimiter = ',', default_value = "must", value_name = "TIERS")]
    pub only: Vec<TierName>,
    /// Verdicts other than met that are good enough
    #[arg(long, value_enum, value_delimiter = ',', value_name = "VERDICTS")]
    pub allow: Vec<Allowed>,
    /// How to show it
    #[arg(long, value_enum, default_value_t = CheckFormat::Table)]
    pub format: CheckFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    Table,
    Json,
    Markdown,
    /// Annotations of GitHub Actions: error for a miss, warning for what is not proven
    Github,
    /// JUnit XML: failure for a miss, error for what is not proven, skipped for what is allowed
    Junit,
    /// JSON for the endpoint badge of shields.io, whatever is allowed
    Badge,
    /// The same as an image
    BadgeSvg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TierName {
    Must,
    Should,
    Nice,
}

impl From<TierName> for Tier {
    fn from(name: TierName) -> Self {
        match name {
            TierName::Must => Self::Must,
            TierName::Should => Self::Should,
            TierName::Nice => Self::Nice,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Allowed {
    NotProven,
    NoData,
    Stale,
}

impl From<Allowed> for Verdict {
    fn from(allowed: Allowed) -> Self {
        match allowed {
            Allowed::NotProven => Self::NotProven,
            Allowed::NoData => Self::NoData,
            Allowed::Stale => Self::Stale,
        }
    }
}

#[derive(Debug, Args)]
pub struct Explain {
    /// Name of the criterion, or the beginning of it
    pub criterion: String,
    /// Show how many events it takes instead: the chance of a verdict by 50, 100, 200 …, live and with a fixed sample
    #[arg(long)]
    pub plan: bool,
    /// The share of good events to plan for, such as 98%; may be repeated [default: five between the goal and 100%]
    #[arg(long, requires = "plan", value_parser = share, value_name = "SHARE")]
    pub expect: Vec<f64>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// A share as a percentage or a number, such as `98%` or `0.98`.
fn share(text: &str) -> Result<f64, String> {
    let quantity: Quantity = text.parse().map_err(|error: NotAQuantity| error.to_string())?;
    let is_share = matches!(quantity.unit.family(), Family::Share | Family::Number) && (0.0..=1.0).contains(&quantity.base());
    if is_share { Ok(quantity.base()) } else { Err("a share lies between 0% and 100%".to_owned()) }
}

#[derive(Debug, Args)]
pub struct Baseline {
    /// Names of criteria, or the beginnings of them; all unless given
    #[arg(value_name = "CRITERION")]
    pub criteria: Vec<String>,
    /// Write them, beside showing them
    #[arg(long)]
    pub write: bool,
}

#[derive(Debug, Args)]
pub struct Compare {
    /// NAME=VALUE, such as version=1.2.0, backend=native, host=…, persona=…; or a period FROM..TO, such as 2026-10-01..2026-11-01
    pub first: String,
    /// The other side
    pub second: String,
    /// Only events at or after this time: a day of the project's time zone, or a time in RFC 3339 [default: all]
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Only events before this time [default: now]
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// How to show it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Exclude {
    /// Its beginning: a day of the project's time zone such as 2026-11-20, or a time in RFC 3339
    #[arg(long, requires_all = ["to", "reason"], value_name = "TIME")]
    pub from: Option<String>,
    /// Its end, which does not belong to it
    #[arg(long, requires = "from", value_name = "TIME")]
    pub to: Option<String>,
    /// Why it does not count
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// The criterion for which it does not count, or the beginning of its name [default: all]
    #[arg(long, requires = "from", value_name = "NAME")]
    pub criterion: Option<String>,
    /// List what was excluded
    #[arg(long, conflicts_with = "reason")]
    pub list: bool,
    /// Take an exclusion back: the period counts again
    #[arg(long, value_name = "ID")]
    pub undo: Option<String>,
}

#[derive(Debug, Args)]
pub struct History {
    /// Name of a criterion, or the beginning of it; all of them unless given
    pub criterion: Option<String>,
    /// How to show it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Dashboard {
    /// The file to write; - is standard output
    #[arg(long, default_value = "milepost.html", value_name = "FILE")]
    pub output: PathBuf,
}

#[derive(Debug, Args)]
pub struct Serve {
    /// Where to listen: an address and a port; port 0 takes one that is free. Beyond loopback, whoever asks needs a token
    #[arg(long, value_parser = address, default_value = "127.0.0.1:4270", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Where to take OTLP over HTTP, or off [default: 127.0.0.1:4318]
    #[arg(long, value_parser = address_or_off, value_name = "ADDRESS|off")]
    pub otlp_http: Option<Listen>,
    /// Where to take OTLP over gRPC, or off [default: 127.0.0.1:4317]
    #[arg(long, value_parser = address_or_off, value_name = "ADDRESS|off")]
    pub otlp_grpc: Option<Listen>,
    /// Ask for a token on a loopback address too
    #[arg(long)]
    pub require_token: bool,
    /// Speak TLS with this certificate, and those that vouch for it: PEM, read again when it is renewed
    #[arg(long, requires = "tls_key", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The key of the certificate: PEM, not encrypted
    #[arg(long, requires = "tls_cert", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Do beside it what `milepost track` does, every hour
    #[arg(long)]
    pub track: bool,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let address = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    address.parse().map_err(|_| "an address and a port, as 127.0.0.1:4270 or [::1]:4270".to_owned())
}

#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token and print it, this once
    Add(AddToken),
    /// Show name, scope and age of all tokens
    List,
    /// Take a token away: it is refused from the next request on
    Remove {
        /// Its name
        name: String,
    },
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("scope").required(true)))]
pub struct AddToken {
    /// What to call it: letters, digits, `.`, `_` and `-`
    pub name: String,
    /// It may read what is served
    #[arg(long, group = "scope")]
    pub read: bool,
    /// It may send what is to be recorded
    #[arg(long, group = "scope")]
    pub write: bool,
}

/// Where to listen, if anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    Off,
    At(SocketAddr),
}

fn address_or_off(text: &str) -> Result<Listen, String> {
    if text == "off" { Ok(Listen::Off) } else { address(text).map(Listen::At) }
}

#[derive(Debug, Args)]
pub struct Doctor {
    /// Set aside what is damaged, so that the rest goes on
    #[arg(long)]
    pub repair: bool,

    /// Count all operations again, and compare with what is kept of them by day
    #[arg(long)]
    pub verify: bool,
}

#[derive(Debug, Args)]
pub struct Query {
    /// The statement; - reads it from standard input [default: show the views and their columns]
    pub sql: Option<String>,
    /// How to show it
    #[arg(long, value_enum, default_value_t = RowFormat::Table)]
    pub format: RowFormat,
    /// Show at most so many rows
    #[arg(long, value_parser = at_least_one, default_value = "1000", value_name = "N")]
    pub max_rows: usize,
    /// End the query where it needs more memory
    #[arg(long, value_parser = some_bytes, default_value = "512MB", value_name = "AMOUNT")]
    pub max_memory: usize,
    /// End the query where it takes longer
    #[arg(long, value_parser = some_time, default_value = "60s", value_name = "DURATION")]
    pub max_time: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    Table,
    Json,
    Csv,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse().map_err(|_| "write a whole number, as 1000".to_owned())?;
    if number == 0 { Err("at least one".to_owned()) } else { Ok(number) }
}

fn some_bytes(text: &str) -> Result<usize, String> {
    match bytes(text)? {
        0 => Err("nothing is too little".to_owned()),
        // Where memory has fewer addresses than that, it has them all.
        some => Ok(usize::try_from(some).unwrap_or(usize::MAX)),
    }
}

fn some_time(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time.is_zero() { Err("nothing is too little".to_owned()) } else { Ok(time) }
}

#[derive(Debug, Args)]
pub struct Track {
    /// The folder to publish into [default: `output` under [track], else reports in the folder of the data]
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Run every probe and collect, whether or not it is due
    #[arg(long)]
    pub all: bool,
    /// Send a test to each [[alert]], and do nothing else
    #[arg(long, conflicts_with_all = ["output", "all"])]
    pub test_alert: bool,
}

#[derive(Debug, Subcommand)]
pub enum Schedule {
    /// Install it; again, to change the rhythm or the scheduler
    Install(Install),
    /// Say whether it is installed, how the last run went, and when the next one is
    Status,
    /// Remove it; the data stay
    Uninstall,
}

#[derive(Debug, Args)]
pub struct Install {
    /// Who calls it; auto: systemd where it answers for this user, else cron
    #[arg(long, value_enum, default_value_t = Scheduler::Auto)]
    pub scheduler: Scheduler,
    /// How often: minutes that divide an hour, or hours that divide a day
    #[arg(long, value_parser = some_time, default_value = "1h", value_name = "DURATION")]
    pub every: Duration,
    /// Show what would be installed, and install nothing
    #[arg(long)]
    pub print: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scheduler {
    Auto,
    Systemd,
    Cron,
}

#[derive(Debug, Subcommand)]
pub enum Report {
    /// Everything: performance, memory, reliability, usability, learning, personas, retention, code, community
    Full(ReportOf),
    /// A day: operations, limits, errors, memory
    Daily(PeriodOf),
    /// A week: code, learning, how people fare, how far each target is from its baseline
    Weekly(PeriodOf),
    /// A month: everything, what moved it, what was changed and said, what it takes to meet what is not met
    Monthly(PeriodOf),
}

#[derive(Debug, Args)]
pub struct PeriodOf {
    /// The day 2026-11-20, week 2026-W47 or month 2026-10, in the project's time zone [default: the last that is over]
    #[arg(long)]
    pub period: Option<String>,
    /// Whose events count in the figures: use, probe, test, import
    #[arg(long, default_value = "use", value_delimiter = ',', value_name = "ORIGINS")]
    pub origin: Vec<Origin>,
    /// How to show it
    #[arg(long, value_enum, default_value_t = PeriodFormat::Table)]
    pub format: PeriodFormat,
}

/// How the report of a period is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PeriodFormat {
    /// For a terminal
    Table,
    /// Everything, for programs
    Json,
    /// For a pull request or a page
    Markdown,
    /// One file that needs no network
    Html,
}

#[derive(Debug, Args)]
pub struct ReportOf {
    /// Only events at or after this time, in RFC 3339 [default: all]
    #[arg(long)]
    pub from: Option<Timestamp>,
    /// Only events before this time [default: now]
    #[arg(long)]
    pub to: Option<Timestamp>,
    /// Whose events count: use, probe, test, import
    #[arg(long, default_value = "use", value_delimiter = ',', value_name = "ORIGINS")]
    pub origin: Vec<Origin>,
    /// Of operations alone, from all events, with nothing rounded and no name left out: also by day, and weekly cohorts
    #[arg(long)]
    pub exact: bool,
    /// Of which type quantiles are, by Hyndman and Fan (1996): 1, a value that occurred, as in verdicts; 7, interpolated, as in
    /// spreadsheets, NumPy and databases
    #[arg(long, requires = "exact", default_value = "1", value_name = "TYPE", value_parser = quantile_type)]
    pub quantile_type: QuantileType,
    /// What a failed operation does to quantiles
    #[arg(long, requires = "exact", value_enum, default_value_t = FailuresOf::Slow)]
    pub failures: FailuresOf,
    /// How to show it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

fn quantile_type(text: &str) -> Result<QuantileType, &'static str> {
    match text {
        "1" => Ok(QuantileType::Type1),
        "7" => Ok(QuantileType::Type7),
        _ => Err("the types are 1 and 7"),
    }
}

/// What a failed operation does to quantiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailuresOf {
    /// It counts as slower than any limit
    Slow,
    /// It is left out
    Exclude,
}

#[derive(Debug, Args)]
pub struct Export {
    /// Only events of these kinds
    #[arg(long, value_parser = kind, value_delimiter = ',', value_name = "KINDS")]
    pub kind: Vec<Kind>,
    /// Only events at or after this time, in RFC 3339
    #[arg(long)]
    pub from: Option<Timestamp>,
    /// Only events before this time
    #[arg(long)]
    pub to: Option<Timestamp>,
    /// Only what is of one person, by name or by pseudonym: what `milepost forget` would erase
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// As what
    #[arg(long, value_enum, default_value_t = ExportFormat::Jsonl)]
    pub format: ExportFormat,
    /// The file to write; of Parquet, where --kind names not exactly one kind, the folder for a file of each [default: standard
    /// output]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("whom").required(true).args(["user", "all"])))]
pub struct Forget {
    /// The person, by name or by pseudonym
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Everybody: all events, tables, reports and the key; the configuration stays
    #[arg(long)]
    pub all: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// JSON lines, which `record` and `import` read
    Jsonl,
    /// Parquet, with the columns of the views that `query` shows
    Parquet,
}

fn kind(name: &str) -> Result<Kind, String> {
    let kinds = || Kind::ALL.iter().map(|kind| kind.name());
    Kind::ALL
        .iter()
        .find(|kind| kind.name() == name)
        .copied()
        .ok_or_else(|| format!("the kinds are {}", kinds().collect::<Vec<_>>().join(", ")))
}

#[derive(Debug, Args)]
pub struct Schema {
    /// The format
    #[arg(value_enum)]
    pub of: SchemaOf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// One line of events
    Event,
    /// What `status --format json` prints
    Scorecard,
    /// What `report full --format json` prints
    Report,
    /// What `report full --exact --format json` prints
    ExactReport,
    /// What `report daily`, `weekly` and `monthly --format json` print
    PeriodReport,
    /// What `history --format json` prints
    History,
    /// What `compare --format json` prints
    Comparison,
    /// What an [[alert]] is sent
    Alert,
    /// milepost.toml
    Config,
    /// The API of `serve`, as OpenAPI
    Openapi,
}

#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

#[derive(Debug, Args)]
pub struct Man {
    /// Of this command; without one, of milepost as a whole
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,

    /// List the names of all pages instead
    #[arg(long, conflicts_with = "command")]
    pub list: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_lists_every_command_in_its_group() {
        for command in Cli::command().get_subcommands() {
            let listed = TEMPLATE.lines().any(|line| line.split_whitespace().next() == Some(command.get_name()));
            assert!(listed, "{}", command.get_name());
        }
    }
}
