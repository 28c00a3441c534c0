//! What the program does: one file for each use case, and here what they share.

mod baseline;
mod check;
mod collect;
mod collect_git;
mod collect_memory;
mod collect_reports;
mod collect_run;
mod compare;
mod doctor;
mod exclude;
mod explain;
mod export;
mod files;
mod forget;
mod history;
mod import;
mod init;
mod label;
mod man;
mod otlp;
mod probe;
mod probe_sample;
mod query;
mod record;
mod report;
mod run;
mod schedule;
mod scorecard;
mod serve;
mod set_aside;
mod token;
mod track;
mod versions;
mod watch;

pub(crate) use self::explain::find as find_criterion;

use crate::{
    cli::{Cli, Collect, Command, Report, RunAlone, SchemaOf},
    config::{self, Config, ConfigError, Surroundings},
    render::terminal::{harmless, printable},
};
use clap::{CommandFactory, Parser};
use milepost_collect::{
    Kind,
    error_category::{Rule, RuleError, Rules},
};
use milepost_judge::Rhythm;
use milepost_record::{Door, Identity, Newer, Spool, SpoolError, check_folder, recording_is_off};
use milepost_store::{Cluster, StoreError, connect};
use std::{
    ffi::OsString,
    fmt,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Runs the program and returns its exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    // What `RunAlone` does not take is a mistake or a wish for help, and the whole command line answers it.
    if let Some(alone) = args.get(1..).filter(|rest| rest.first().is_some_and(|word| word == "run"))
        && let Ok(alone) = RunAlone::try_parse_from(alone)
    {
        return run::run(&alone.run, alone.config.as_deref());
    }
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // What was typed may be what a script was given, and stands in the message.
            let said = error.render().to_string();
            let steers = harmless(&said);
            if error.use_stderr() && steers != said {
                let _ = io::stderr().lock().write_all(steers.as_bytes());
            } else {
                // Where the message cannot be printed either, the exit code is all that is left.
                let _ = error.print();
            }
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    cli.color.choice().write_global();
    match dispatch(cli) {
        Ok(code) => code,
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            say(&failure.to_string());
            failure.exit_code()
        }
    }
}

fn dispatch(cli: Cli) -> Result<ExitCode, Failure> {
    let at = |flag: &Option<PathBuf>| Workplace::find(flag.as_deref());
    match cli.command {
        None => scorecard::bare(&at(&cli.config)?),
        Some(Command::Run(run)) => Ok(run::run(&run, cli.config.as_deref())),
        Some(Command::Init(init)) => init::init(&init),
        Some(Command::Record(record)) => record::record(record, &at(&cli.config)?),
        Some(Command::Collect(what)) => {
            let workplace = at(&cli.config)?;
            match what {
                Collect::Memory(memory) => collect::memory(&memory, &workplace),
                Collect::Coverage(reports) => collect_reports::collect(Kind::Coverage, &reports, &workplace),
                Collect::Complexity(reports) => collect_reports::collect(Kind::Complexity, &reports, &workplace),
                Collect::Tests(reports) => collect_reports::collect(Kind::Tests, &reports, &workplace),
                Collect::Git(git) => collect_git::git(&git, &workplace),
                Collect::Audit(reports) => collect_reports::collect(Kind::Audit, &reports, &workplace),
            }
        }
        Some(Command::Import(wishes)) => import::import(&wishes, &at(&cli.config)?),
        Some(Command::Label(label)) => label::label(&label, &at(&cli.config)?),
        Some(Command::Probe(probe)) => probe_sample::probe(&probe, &at(&cli.config)?),
        Some(Command::Status(status)) if status.watch => watch::watch(&status, cli.config.as_deref()),
        Some(Command::Status(status)) => scorecard::status(&status, &at(&cli.config)?),
        Some(Command::Check(check)) => check::check(&check, &at(&cli.config)?),
        Some(Command::Explain(explain)) => explain::explain(&explain, &at(&cli.config)?),
        Some(Command::History(of)) => history::history(&of, &at(&cli.config)?),
        Some(Command::Baseline(of)) => baseline::baseline(&of, &at(&cli.config)?),
        Some(Command::Compare(of)) => compare::compare(&of, &at(&cli.config)?),
        Some(Command::Exclude(period)) => exclude::exclude(&period, &at(&cli.config)?),
        Some(Command::Report(Report::Full(of))) => report::full(&of, &at(&cli.config)?),
        Some(Command::Report(Report::Daily(of))) => report::of_period(Rhythm::Daily, &of, &at(&cli.config)?),
        Some(Command::Report(Report::Weekly(of))) => report::of_period(Rhythm::Weekly, &of, &at(&cli.config)?),
        Some(Command::Report(Report::Monthly(of))) => report::of_period(Rhythm::Monthly, &of, &at(&cli.config)?),
        Some(Command::Dashboard(dashboard)) => scorecard::dashboard(&dashboard, &at(&cli.config)?),
        Some(Command::Serve(wishes)) => serve::serve(&wishes, &at(&cli.config)?),
        Some(Command::Token(what)) => token::token(&what, &at(&cli.config)?),
        Some(Command::Query(query)) => query::query(&query, &at(&cli.config)?),
        Some(Command::Track(wishes)) => track::track(&wishes, &at(&cli.config)?),
        Some(Command::Schedule(wish)) => schedule::schedule(&wish, &at(&cli.config)?),
        Some(Command::Export(export)) => export::export(&export, &at(&cli.config)?),
        Some(Command::Forget(wish)) => forget::forget(&wish, &at(&cli.config)?),
        Some(Command::Doctor(doctor)) => doctor::doctor(&doctor, cli.config.as_deref()),
        Some(Command::Schema(schema)) => {
            let schema = match schema.of {
                SchemaOf::Event => milepost_record::schema(),
                SchemaOf::Scorecard => schemars::schema_for!(milepost_judge::Scorecard),
                SchemaOf::Report => schemars::schema_for!(milepost_judge::Report),
                SchemaOf::ExactReport => schemars::schema_for!(milepost_judge::ExactReport),
                SchemaOf::PeriodReport => schemars::schema_for!(milepost_judge::PeriodReport),
                SchemaOf::Comparison => schemars::schema_for!(milepost_judge::comparison::Comparison),
                SchemaOf::Alert => schemars::schema_for!(milepost_judge::alerts::Alert),
                SchemaOf::History => schemars::schema_for!(milepost_judge::history::History),
                SchemaOf::Config => config::schema(),
                SchemaOf::Openapi => return print(crate::serve::openapi::text()),
            };
            let text = serde_json::to_string_pretty(&schema).map_err(|e| Failure::internal(e.to_string()))?;
            print(&format!("{text}\n"))
        }
        Some(Command::Completions(completions)) => {
            let mut text = Vec::new();
            clap_complete::generate(completions.shell, &mut Cli::command(), "milepost", &mut text);
            print(&String::from_utf8_lossy(&text))
        }
        Some(Command::Man(wish)) => man::man(&wish),
    }
}

/// Prints to standard output; styles are taken out where it is no terminal, and all else that would steer it where it is one.
fn print(text: &str) -> Result<ExitCode, Failure> {
    let text = if io::stdout().is_terminal() { harmless(text) } else { text.into() };
    let mut out = anstream::AutoStream::auto(io::stdout().lock());
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Output)?;
    Ok(ExitCode::SUCCESS)
}

/// Says something about what happens, on standard error. It has no styles, and may name files and quote errors: a log is read on a
/// terminal too.
fn say(text: &str) {
    let lines: Vec<_> = text.split('\n').map(printable).collect();
    // There is nowhere else to say that it could not be said.
    let _ = writeln!(io::stderr().lock(), "milepost: {}", lines.join("\n"));
}

/// Why a command did not do what it was asked to do.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Wrong usage or configuration: exit code 2.
    Usage(String),
    /// Milepost failed: exit code 4.
    Internal(String),
    /// Standard output cannot be written to: 4, but for a reader that has seen enough.
    Output(io::Error),
}

impl Failure {
    fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    fn internal(message: impl Into<String>) -> Self {
        Self::Internal(message.into())
    }

    fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Internal(_) | Self::Output(_) => ExitCode::from(4),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Internal(message) => f.write_str(message),
            Self::Output(error) => write!(f, "cannot write to standard output: {error}"),
        }
    }
}

impl From<SpoolError> for Failure {
    fn from(error: SpoolError) -> Self {
        match error {
            SpoolError::Invalid(_) => Self::Usage(error.to_string()),
            _ => Self::Internal(error.to_string()),
        }
    }
}

impl From<Newer> for Failure {
    fn from(newer: Newer) -> Self {
        Self::Internal(newer.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let report = error.to_string();
        Self::Usage(report.strip_prefix("error: ").unwrap_or(&report).to_owned())
    }
}

impl From<RuleError> for Failure {
    fn from(error: RuleError) -> Self {
        Self::Usage(error.to_string())
    }
}

/// Where Milepost works: with which configuration, on which data.
pub(crate) struct Workplace {
    config: Config,
    data: Option<PathBuf>,
}

impl Workplace {
    /// Finds the configuration and the data folder.
    fn find(flag: Option<&Path>) -> Result<Self, Failure> {
        let surroundings = Surroundings::of_this_process();
        let config = match config::find(flag, &surroundings) {
            Some(path) => Config::load(&path)?,
            None => Config::default(),
        };
        let data = config::data_folder(config.path.is_some().then_some(&config), &surroundings);
        Ok(Self { config, data })
    }

    fn is_configured(&self) -> bool {
        self.config.path.is_some()
    }

    /// The data folder, of which the tables are where the configuration wants them.
    fn data(&self) -> Result<&Path, Failure> {
        let data = self.folder()?;
        if let Some(url) = &self.config.tables {
            scorecard::wait(async { Ok(connect(data, url).await?) })?;
        }
        Ok(data)
    }

    /// The cluster that works out what is asked, where one does.
    fn cluster(&self) -> Result<Option<&Cluster>, Failure> {
        match (&self.config.cluster, self.config.untrusted, &self.config.path) {
            (Some(cluster), Some(untrusted), Some(path)) => {
                let why = format!("{} is not asked, for somebody else could have written {}: {untrusted}", cluster.url, path.display());
                Err(Failure::usage(why))
            }
            (cluster, ..) => Ok(cluster.as_ref()),
        }
    }

    /// The data folder, into which no other account puts files.
    fn folder(&self) -> Result<&Path, Failure> {
        let nothing =
            || Failure::usage("nothing is configured here, so there is no place for data: run `milepost init`, or set MILEPOST_DATA");
        let data = self.data.as_deref().ok_or_else(nothing)?;
        check_folder(data)?;
        Ok(data)
    }

    /// The spool, and the rules for what comes in.
    fn door(&self, name: &'static str) -> Result<(Spool, Door), Failure> {
        let data = self.folder()?;
        let spool = Spool::open(data)?;
        let door = Door::new(name, Identity::open(data)?).version(self.config.criteria.version.clone()).texts(self.config.texts);
        Ok((spool, door))
    }

    /// The same for a command that has nothing else to do: none, and a word about it, where the environment keeps recording off.
    fn recording(&self, name: &'static str) -> Result<Option<(Spool, Door)>, Failure> {
        if let Some(variable) = recording_is_off() {
            say(&format!("not recorded: {variable} is set"));
            return Ok(None);
        }
        self.door(name).map(Some)
    }

    /// The rules that put an error's text into a category: those of the configuration first.
    fn error_rules(&self) -> Result<Rules, Failure> {
        let configured = self.config.error_categories.iter();
        Ok(Rules::defaults().with_first(configured.map(|c| Rule { category: c.category.clone(), any: c.any.clone() }).collect())?)
    }
}
