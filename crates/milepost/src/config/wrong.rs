//! What can be wrong with a configuration, in one line each, and what to do then.

use super::criterion::Direction;
use milepost_collect::error_category::RuleError;
use milepost_judge::{Family, Metric, NotAQuantity, Quantity, Relation, UnknownMetric};
use milepost_record::{Dimension, Kind, Origin};
use milepost_store::PARTITIONS_MAX;

/// Where a list of words begins a new line, in columns.
const LIST_COLUMNS: usize = 60;

/// What is wrong. `Display` says it in one line.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Wrong {
    /// Bytes that are no text.
    #[error("the file is not UTF-8 from here on")]
    NotUtf8,
    /// Not TOML.
    #[error("this is not TOML: {0}")]
    Syntax(String),
    /// A value of another type than is wanted.
    #[error("{expected} is wanted here, not {found}")]
    Type {
        /// What is there.
        found: String,
        /// What is wanted.
        expected: String,
    },
    /// A key that the table does not have.
    #[error("unknown key `{key}`{}", did_you_mean(nearest.as_deref()))]
    UnknownKey {
        /// The key.
        key: String,
        /// The most similar key, if one is similar.
        nearest: Option<String>,
        /// The keys of the table.
        known: Vec<String>,
    },
    /// A word where only some are known.
    #[error("`{word}` is not known here{}", did_you_mean(nearest.as_deref()))]
    UnknownWord {
        /// The word.
        word: String,
        /// The most similar word, if one is similar.
        nearest: Option<String>,
        /// The words that are known.
        known: Vec<String>,
    },
    /// What the file is written in is of a newer version.
    #[error("this file is of format {found}, and this Milepost reads format {reads}")]
    Newer {
        /// The format that the file names.
        found: u64,
        /// The format that is read.
        reads: u64,
    },
    /// A version that nothing ever had.
    #[error("there is no format {found}")]
    NoFormat {
        /// The format that the file names.
        found: u64,
    },
    /// A table that has to be there.
    #[error("there is no [project]")]
    NoProject,
    /// A key that the table has to have.
    #[error("{table} has no `{key}`")]
    Missing {
        /// The table, as it is written.
        table: &'static str,
        /// The key.
        key: &'static str,
        /// How it could be written.
        example: &'static str,
    },
    /// A text without a visible character.
    #[error("an empty text for `{key}`")]
    Blank {
        /// Whose value it is.
        key: &'static str,
    },
    /// A list without members.
    #[error("`{key}` has nothing in it")]
    EmptyList {
        /// Whose value it is.
        key: &'static str,
    },
    /// A text that is too long.
    #[error("`{key}` is longer than {bytes_max} bytes")]
    TooLong {
        /// Whose value it is.
        key: &'static str,
        /// How long it may be.
        bytes_max: usize,
    },
    /// A text with a character that cannot be shown.
    #[error("`{key}` has a control character in it")]
    ControlCharacter {
        /// Whose value it is.
        key: &'static str,
    },
    /// A list that is too long.
    #[error("there are {n} {what}, and at most {max} are allowed")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        n: usize,
        /// How many are allowed.
        max: usize,
    },
    /// The same thing twice.
    #[error("{what} `{name}` is there twice")]
    Twice {
        /// What.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// No time zone of this name.
    #[error("there is no time zone `{name}`{}", did_you_mean(nearest.as_deref()))]
    UnknownTimeZone {
        /// The name.
        name: String,
        /// The most similar name, if one is similar.
        nearest: Option<String>,
    },
    /// A path that would not be where it seems.
    #[error("{}", not_a_path(path))]
    NoFolder {
        /// The path.
        path: String,
    },
    /// A URL that names no bucket.
    #[error("this is no bucket: {why}")]
    NoBucket {
        /// What is wrong with it.
        why: String,
    },
    /// A URL that names no cluster.
    #[error("this is no cluster: {why}")]
    NoCluster {
        /// What is wrong with it.
        why: String,
    },
    /// A cluster works in no such number of parts.
    #[error("a cluster works in 1 to {PARTITIONS_MAX} parts")]
    Partitions,
    /// Parts, and no cluster.
    #[error("`partitions` is of a cluster, and none is named")]
    PartitionsOfNone,
    /// A key of `[[collect]]` that belongs to another kind.
    #[error("`{key}` does not go with `kind = \"{kind}\"`")]
    NotCollected {
        /// The key.
        key: &'static str,
        /// The kind.
        kind: &'static str,
    },
    /// Neither or several of the ways of an alert.
    #[error("{}", ways_of_alert(*several))]
    AlertTo {
        /// Whether several are there.
        several: bool,
    },
    /// No URL that alerts can be posted to. What is written is not quoted, since it may be a secret.
    #[error("`webhook` takes a URL of http or https")]
    NotAWebhook,
    /// No name of an environment variable.
    #[error("`webhook_env` takes the name of an environment variable")]
    NotAVariable,
    /// A shape beside a command.
    #[error("`format` does not go with `command`, which is always given JSON")]
    FormatOfCommand,
    /// An alias of an alias.
    #[error("`{alias}` stands for `{name}`, which is another name itself")]
    AliasOfAlias {
        /// The other name.
        alias: String,
        /// What it stands for.
        name: String,
    },
    /// A name of an operation under which no event is counted.
    #[error("no events are counted as `{alias}`: it is another name of `{name}`")]
    IsAlias {
        /// The other name.
        alias: String,
        /// What it stands for.
        name: String,
    },
    /// A rule for errors that cannot be used.
    #[error("{0}")]
    Rule(RuleError),
    /// Both or neither of metric and all.
    #[error("{}", if *both { "`metric` and `all` stand for each other" } else { "this criterion says nothing of what is measured" })]
    MetricOrAll {
        /// Whether both are there.
        both: bool,
    },
    /// A key beside `all` that belongs into its parts, or to a metric that stands alone.
    #[error("`{key}` does not go with `all`")]
    BesideAll {
        /// The key.
        key: &'static str,
    },
    /// No metric of this name.
    #[error("there is no metric `{}`{}", name_of(.0), did_you_mean(nearest_of(.0)))]
    UnknownMetric(UnknownMetric),
    /// A metric without a bound.
    #[error("`{metric}` has no bound")]
    NoBound {
        /// The metric.
        metric: Metric,
        /// Whether there are limits of groups.
        limits: bool,
    },
    /// A metric with two bounds.
    #[error("`{metric}` has two bounds, and one is wanted")]
    TwoBounds {
        /// The metric.
        metric: Metric,
    },
    /// A bound that is good on the wrong side.
    #[error("`{}` is the wrong way round: for `{metric}`, {} is better", relation.name(), better_than(*relation))]
    WrongWay {
        /// The metric.
        metric: Metric,
        /// The bound.
        relation: Relation,
    },
    /// A text that is no amount.
    #[error("{error}")]
    NotAnAmount {
        /// What it is instead.
        error: NotAQuantity,
        /// What is wanted.
        family: Option<Family>,
    },
    /// Not a number, or infinite.
    #[error("`{key}` has to be a finite number")]
    NotFinite {
        /// Whose value it is.
        key: String,
    },
    /// A number that could mean several things.
    #[error("`{key} = {written}` {}", could_mean(*value, *family))]
    NoUnit {
        /// Whose value it is.
        key: String,
        /// The value, as it is written.
        written: String,
        /// Its number.
        value: f64,
        /// What is wanted.
        family: Family,
    },
    /// An amount of something else.
    #[error("`{key}` wants {}, and {written} is {}", kind_of_amount(*family), kind_of_amount(written.unit.family()))]
    WrongFamily {
        /// Whose value it is.
        key: String,
        /// The amount.
        written: Quantity,
        /// What is wanted.
        family: Family,
    },
    /// A limit that nothing, or everything, is within.
    #[error("`{key}` has to be more than 0")]
    NotPositive {
        /// Whose value it is.
        key: String,
    },
    /// A limit that no event reaches.
    #[error("`{key}` is beyond what an event may say, {max}")]
    BeyondEvents {
        /// Whose value it is.
        key: String,
        /// The most that an event may say.
        max: &'static str,
    },
    /// A rate of 100 % or more.
    #[error("a rate of {written} can never be proven, however many successes there are")]
    RateTooHigh {
        /// The rate.
        written: Quantity,
    },
    /// A rate of 0 % or less.
    #[error("a rate above {written} holds from the first success on, so it says nothing")]
    RateTooLow {
        /// The rate.
        written: Quantity,
    },
    /// A second bound inside of the first.
    #[error("`bad` is {bad}, which is not beyond the limit of {limit}")]
    BadInside {
        /// The second bound.
        bad: Quantity,
        /// The first.
        limit: Quantity,
        /// Which side of it is good.
        relation: Relation,
    },
    /// A key that needs `for_each`.
    #[error("`{key}` needs `for_each`")]
    WithoutForEach {
        /// The key.
        key: &'static str,
    },
    /// Nothing that events have.
    #[error("events have no `{name}`{}", did_you_mean(nearest.as_deref()))]
    UnknownDimension {
        /// The name.
        name: String,
        /// The most similar name, if one is similar.
        nearest: Option<String>,
    },
    /// Something that the events of this metric do not have.
    #[error("events of `{metric}` have no `{dimension}`")]
    NotOfMetric {
        /// The metric.
        metric: Metric,
        /// What they do not have.
        dimension: Dimension,
    },
    /// A table where only `attributes` may have one.
    #[error("`{dimension}` takes a value or a list of values, not a table")]
    NoTable {
        /// The dimension.
        dimension: String,
    },
    /// A group that is to be there, without a limit.
    #[error("the group `{group}` has no limit")]
    GroupWithoutLimit {
        /// The group.
        group: String,
    },
    /// A group that is to be there, and that the filter leaves out.
    #[error("the group `{group}` is left out by `where`")]
    GroupFilteredOut {
        /// The group.
        group: String,
    },
    /// No origin of this name.
    #[error("`{word}` is no origin{}", did_you_mean(nearest.as_deref()))]
    UnknownOrigin {
        /// The word.
        word: String,
        /// The most similar word, if one is similar.
        nearest: Option<String>,
    },
    /// A limit on the peak of commands that is below what is known of each.
    #[error("the peak memory of a command is not known below 32 MB, and {written} is less")]
    PeakUnknown {
        /// What was written.
        written: Quantity,
    },
    /// What failures do, where nothing is timed.
    #[error("`failures` says what a failed operation does to a latency, and `{metric}` is none")]
    FailuresOfOther {
        /// The metric.
        metric: Metric,
    },
    /// What is left out of each person's interactions, where no learning is judged.
    #[error("`after` leaves out the interactions in which the product learns a person, and `{metric}` is not about that")]
    AfterOfOther {
        /// The metric.
        metric: Metric,
    },
    /// Nothing, or more than anybody has.
    #[error("`after` is how many interactions of each person are left out: a whole number from 1")]
    After,
    /// Groups of what is judged as a whole.
    #[error("`{metric}` is judged for everybody together: it has no `for_each`")]
    NoGroups {
        /// The metric.
        metric: Metric,
    },
    /// Neither a word for a beginning nor a date.
    #[error("`{text}` is no time that events could count from{}", did_you_mean(nearest.as_deref()))]
    Since {
        /// What is written.
        text: String,
        /// The most similar word, if one is similar.
        nearest: Option<String>,
    },
    /// A duration in a unit that is not taken, or out of range.
    #[error("`{key}` takes {range}")]
    Duration {
        /// Whose value it is.
        key: &'static str,
        /// What it takes.
        range: &'static str,
        /// How it could be written.
        example: &'static str,
    },
    /// An error rate out of range.
    #[error("`alpha` takes a number from 0.0001 to 0.5")]
    Alpha,
}

impl Wrong {
    /// What to do, where that is not plain from what is wrong.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Newer { .. } => "upgrade milepost (docs/upgrades.md)".to_owned(),
            Self::NoFormat { .. } => "write `format = 1`, or leave the line out".to_owned(),
            Self::NotUtf8 => "save the file as UTF-8".to_owned(),
            Self::Syntax(message) if message.starts_with("duplicate key") => "keep one of the two".to_owned(),
            Self::Syntax(_) => "a line is `key = value`; a text stands in double quotes".to_owned(),
            Self::Type { expected, .. } if expected.contains("text") => "put it in double quotes".to_owned(),
            Self::Type { expected, .. } if expected.contains("list") => "write it as a list: [\"…\", \"…\"]".to_owned(),
            Self::Type { .. } | Self::TooMany { .. } | Self::Rule(_) | Self::UnknownKey { nearest: Some(_), .. } => return None,
            Self::UnknownKey { known, .. } => format!("the keys here are {}", list(known)),
            Self::UnknownWord { known, .. } => format!("write one of {}", list(known)),
            Self::NoProject => "begin the file with\n[project]\nname = \"NAME\"".to_owned(),
            Self::Missing { example, .. } => format!("add a line: {example}"),
            Self::Blank { .. } => "write something, or leave the line out".to_owned(),
            Self::EmptyList { .. } => "name at least one, or leave the line out".to_owned(),
            Self::TooLong { .. } => "make it shorter".to_owned(),
            Self::ControlCharacter { .. } => "write it on one line, without escapes such as \\n or \\t".to_owned(),
            Self::Twice { .. } => "rename one of the two, or remove it".to_owned(),
            Self::UnknownTimeZone { .. } => "write an IANA name, such as `UTC` or `Europe/Berlin`".to_owned(),
            Self::NoFolder { path } if path.starts_with("s3://") => format!("name a bucket in a line of its own: url = \"{path}\""),
            Self::NoFolder { .. } => "write the path in full, or relative to the folder of this file".to_owned(),
            Self::NoBucket { .. } => "write, for example, url = \"s3://bucket/folder\"".to_owned(),
            Self::NoCluster { .. } => "write, for example, url = \"df://scheduler:50050\"".to_owned(),
            Self::Partitions => "write, for example, partitions = 64".to_owned(),
            Self::PartitionsOfNone => "remove it, or add, for example, url = \"df://scheduler:50050\"".to_owned(),
            Self::NotCollected { .. } => "remove it, or change the kind".to_owned(),
            Self::AlertTo { several: true } => "keep one, and write another [[alert]] for each of the others".to_owned(),
            Self::AlertTo { several: false } => "add a line: webhook = \"https://…\", or command = [\"PROGRAM\"]".to_owned(),
            Self::NotAWebhook => {
                "write all of it, beginning with https://, or name a variable that holds it: webhook_env = \"NAME\"".to_owned()
            }
            Self::NotAVariable => "write, for example, webhook_env = \"MILEPOST_WEBHOOK\"".to_owned(),
            Self::FormatOfCommand => "remove it".to_owned(),
            Self::AliasOfAlias { .. } => "let both stand for the name that is meant".to_owned(),
            Self::IsAlias { name, .. } => format!("write `{name}`"),
            Self::MetricOrAll { both: true } => "move the metric and its bound into `all`, or remove `all`".to_owned(),
            Self::MetricOrAll { both: false } => {
                "add a metric and a bound, such as metric = \"latency.p95\" and below = \"500ms\"".to_owned()
            }
            Self::BesideAll { key: "limits" } => "give each metric that has limits by group a criterion of its own".to_owned(),
            Self::BesideAll { .. } => "write it beside each metric: all = [ { metric = \"…\", below = \"…\" }, … ]".to_owned(),
            Self::UnknownMetric(_) => {
                let known: Vec<_> = Metric::fixed().map(|metric| metric.to_string()).collect();
                format!("metrics are {};\nor name a measurement, with a dot in its name, such as `coverage.statements`", list(&known))
            }
            Self::NoBound { metric, limits } => {
                let for_all = if *limits { "say which side of `limits` is good, by a limit for all other groups" } else { "add one" };
                let relation = Direction::of(metric).map_or(Relation::AtMost, Direction::usual);
                let example = metric.family().map_or("10", Family::example);
                format!("{for_all}, such as {} = {example}", relation.name())
            }
            Self::TwoBounds { .. } => "for two bounds write two criteria, or two parts of `all`".to_owned(),
            Self::WrongWay { relation, .. } => {
                let [strict, inclusive] = if relation.is_upper() { ["above", "at_least"] } else { ["below", "at_most"] };
                format!("write `{strict}` or `{inclusive}`")
            }
            Self::NotAnAmount { family, .. } => {
                format!("write a number and its unit, such as {}", family.map_or("\"95%\"", Family::example))
            }
            Self::NotFinite { .. } => "write a number".to_owned(),
            Self::NoUnit { value, family, .. } => format!("write {}", with_unit(*value, *family)),
            Self::WrongFamily { family, .. } => format!("write, for example, {}", family.example()),
            Self::NotPositive { .. } => "write a larger one".to_owned(),
            Self::BeyondEvents { .. } => "write a smaller one".to_owned(),
            Self::RateTooHigh { .. } => "choose the share of failures that you can live with, such as above = \"99%\"".to_owned(),
            Self::RateTooLow { .. } => "choose a rate that means something to people, such as above = \"95%\"".to_owned(),
            Self::BadInside { relation, .. } => {
                let side = if relation.is_upper() { "larger" } else { "smaller" };
                format!("a miss is amber up to `bad` and red beyond: write a {side} one, or leave it out")
            }
            Self::WithoutForEach { .. } => "say what the groups are, such as for_each = \"operation\"".to_owned(),
            Self::UnknownDimension { .. } => {
                let known: Vec<_> = Dimension::NAMED.iter().map(ToString::to_string).collect();
                format!("they have {}, and `attributes.NAME`", list(&known))
            }
            Self::NotOfMetric { metric, .. } => format!("they have {}, and `attributes.NAME`", list(&dimensions_of(metric.kind()))),
            Self::NoTable { .. } => "only `attributes` takes a table".to_owned(),
            Self::GroupWithoutLimit { .. } => "add it to `limits`, or give a bound that holds for all groups without one".to_owned(),
            Self::GroupFilteredOut { .. } => "add it there, or remove it here".to_owned(),
            Self::UnknownOrigin { .. } => format!("write one of {}", list(&origins())),
            Self::PeakUnknown { .. } => "write 32MB or more: a smaller command inherits the peak of the one that measures it".to_owned(),
            Self::FailuresOfOther { .. } | Self::AfterOfOther { .. } => "remove it".to_owned(),
            Self::After => "write, for example, after = 100".to_owned(),
            Self::NoGroups { .. } => "remove `for_each`, and write a criterion with a `where` for each group".to_owned(),
            Self::Since { .. } => "write `quarter`, `month`, `release`, `criterion`, or a date such as `2026-10-01`".to_owned(),
            Self::Duration { example, .. } => format!("write, for example, {example}"),
            Self::Alpha => "0.05 is usual: one wrong verdict in twenty criteria, at most".to_owned(),
        })
    }
}

/// The words of where events come from.
pub(crate) fn origins() -> Vec<String> {
    [Origin::Use, Origin::Probe, Origin::Test, Origin::Import].iter().map(ToString::to_string).collect()
}

fn dimensions_of(kind: Kind) -> Vec<String> {
    Dimension::NAMED.iter().filter(|dimension| dimension.is_of(kind)).map(ToString::to_string).collect()
}

/// The one among `known` that somebody who wrote `word` probably meant.
pub(crate) fn nearest<S: AsRef<str>>(word: &str, known: impl IntoIterator<Item = S>) -> Option<String> {
    // Nothing that is known is so long, and the distance takes the product of both lengths to compute.
    if word.len() > 64 {
        return None;
    }
    let distance = |known: &S| strsim::osa_distance(word, known.as_ref());
    let (distance, known) = known.into_iter().map(|known| (distance(&known), known)).min_by_key(|(distance, _)| *distance)?;
    // One letter in three may be wrong.
    (distance * 3 <= word.chars().count().max(3)).then(|| known.as_ref().to_owned())
}

fn not_a_path(path: &str) -> &'static str {
    if path.starts_with('~') { "`~` would be a folder of this name, not your home" } else { "a path is wanted here, not a URL" }
}

const fn ways_of_alert(several: bool) -> &'static str {
    if several { "`webhook`, `webhook_env` and `command` stand for each other" } else { "this alert says nothing of where it goes" }
}

/// What is better where this relation is the wrong one.
const fn better_than(relation: Relation) -> &'static str {
    if relation.is_upper() { "more" } else { "less" }
}

fn name_of(unknown: &UnknownMetric) -> String {
    let (UnknownMetric::Near { name, .. } | UnknownMetric::Unknown { name }) = unknown;
    name.clone()
}

fn nearest_of(unknown: &UnknownMetric) -> Option<&str> {
    match unknown {
        UnknownMetric::Near { nearest, .. } => Some(nearest),
        UnknownMetric::Unknown { .. } => None,
    }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!("; did you mean `{nearest}`?")).unwrap_or_default()
}

/// A list of words, in lines that are not too long for a terminal.
fn list(words: &[String]) -> String {
    let mut text = String::new();
    let mut columns = 0;
    for (index, word) in words.iter().enumerate() {
        let separator = match index {
            0 => "",
            _ if columns + word.len() > LIST_COLUMNS => ",\n",
            _ => ", ",
        };
        columns = if separator.ends_with('\n') { 0 } else { columns + separator.len() } + word.len() + 2;
        text.extend([separator, "`", word, "`"]);
    }
    text
}

fn could_mean(value: f64, family: Family) -> String {
    let [one, other] = match family {
        Family::Time => ["ms", "s"],
        Family::Memory => ["MB", "MiB"],
        Family::MemoryGrowth => ["MB/d", "MB/h"],
        Family::Share if value.abs() < 1.0 => return format!("could mean {}% or {}%", round(value * 100.0), round(value)),
        Family::Share | Family::Number => return "has no unit".to_owned(),
    };
    format!("could mean {one} or {other}")
}

const fn kind_of_amount(family: Family) -> &'static str {
    match family {
        Family::Time => "a time",
        Family::Memory => "an amount of memory",
        Family::MemoryGrowth => "a growth of memory",
        Family::Share => "a share",
        Family::Number => "a plain number",
    }
}

/// The number as somebody who left out the unit probably meant it.
fn with_unit(value: f64, family: Family) -> String {
    match family {
        Family::Share if value.abs() < 1.0 => format!("\"{}%\"", round(value * 100.0)),
        Family::Number => round(value),
        _ => format!("\"{}{}\"", round(value), family.usual_unit().name()),
    }
}

/// Without the dust of binary fractions: 0.07 × 100 is 7.000000000000001.
fn round(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
