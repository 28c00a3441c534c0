//! `milepost.toml` as it is typed: its tables and keys, each value with its place in the file.
//!
//! The doc comments here are what an editor shows: they become the descriptions of the JSON Schema.

use super::{
    alert::AlertFormat,
    otlp::{Says, Spans},
};
use jiff::civil::Date;
use milepost_judge::{Failures, Relation, Tier};
use milepost_record::Origin;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use std::{borrow::Cow, collections::BTreeMap, fmt, ops::Range};

/// What success means for a product, and how Milepost finds out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "milepost.toml")]
pub(crate) struct File {
    /// The version of what this file is written in. 1 unless given, which is the only one.
    #[expect(dead_code, reason = "`meaning` looks at it before the rest of the file is read")]
    pub(crate) format: Option<At<u64>>,
    /// What is measured.
    #[schemars(required)]
    pub(crate) project: Option<At<Project>>,
    /// Where the events are kept, and for how long.
    pub(crate) store: Option<Store>,
    /// Who works out what is asked of the events.
    pub(crate) engine: Option<Engine>,
    /// What `milepost track` does with what it finds.
    pub(crate) track: Option<Track>,
    /// What may be stored of what people wrote.
    pub(crate) privacy: Option<Privacy>,
    /// How `milepost serve` reads what OpenTelemetry sends.
    pub(crate) otlp: Option<Otlp>,
    /// Other names of operations: `install_package = "install"`. Events of both count as the second.
    #[serde(default)]
    pub(crate) aliases: BTreeMap<At<String>, At<String>>,
    /// Rules that put an error's text into a category. They come before the rules that Milepost has; the first that fits decides.
    #[serde(default)]
    pub(crate) error_category: Vec<At<ErrorCategory>>,
    /// Commands that Milepost runs itself to measure an operation.
    #[serde(default)]
    pub(crate) probe: Vec<At<Probe>>,
    /// What Milepost collects itself.
    #[serde(default)]
    pub(crate) collect: Vec<At<Collect>>,
    /// Who hears of it when a verdict changes.
    #[serde(default)]
    pub(crate) alert: Vec<At<Alert>>,
    /// What has to hold.
    #[serde(default)]
    pub(crate) criterion: Vec<At<Criterion>>,
}

/// What is measured.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Project {
    /// Its name.
    #[schemars(required)]
    pub(crate) name: Option<At<String>>,
    /// IANA name of the time zone in which days, months and quarters begin, such as `Europe/Berlin`. `UTC` unless given.
    pub(crate) time_zone: Option<At<String>>,
    /// The version that is current, for criteria with `since = "release"`.
    pub(crate) version: Option<At<String>>,
}

/// Where the events are kept, and for how long.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Store {
    /// A folder; where it is relative, it begins at the folder of this file.
    pub(crate) path: Option<At<String>>,
    /// A bucket for the tables of several machines, such as `"s3://bucket/folder"`; the folder then holds what is this machine's own. Who it
    /// is, and which server is asked, the environment says, as for the tools of Amazon: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
    /// `AWS_REGION`, `AWS_ENDPOINT_URL_S3` …
    pub(crate) url: Option<At<String>>,
    /// How long events are kept at least, such as `"400d"`: older ones are removed once no criterion needs them. For ever
    /// unless given.
    pub(crate) retention: Option<At<Amount>>,
}

/// Who works out what is asked of the events: Milepost itself, unless something else is named.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Engine {
    /// The scheduler of a Ballista cluster, such as `"df://scheduler:50050"`, for tables that one machine reads too slowly. Its machines
    /// read the tables themselves, so these have to be in a bucket, or in a folder that each of them has in the same place.
    pub(crate) url: Option<At<String>>,
    /// In how many parts the cluster works at what it is asked: as many as its executors have processors, or a few times that. 16 unless
    /// given, at most 4096.
    pub(crate) partitions: Option<At<usize>>,
}

/// What `milepost track` does with what it finds.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Track {
    /// The folder that it publishes into; where it is relative, it begins at the folder of this file. `reports` in the folder
    /// of the data unless given.
    pub(crate) output: Option<At<String>>,
}

/// What may be stored of what people wrote.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Privacy {
    /// The texts that may be stored. None unless they are named.
    #[serde(default)]
    pub(crate) texts: Vec<Text>,
}

/// A text that events can carry.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Text {
    /// What an error said.
    Error,
    /// What a person asked the product.
    Interaction,
    /// What a person thinks of the product.
    Feedback,
}

/// How `milepost serve` reads what OpenTelemetry sends.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Otlp {
    /// Which spans are operations: `entry` unless given.
    pub(crate) spans: Option<Spans>,
    /// Names of spans that are none, such as `GET /healthz`.
    pub(crate) leave_out: Option<At<Vec<At<String>>>>,
    /// Operations that are to have another name: `"GET /search" = "search"`.
    #[serde(default)]
    pub(crate) operations: BTreeMap<At<String>, At<String>>,
    /// Which attributes say what: of each list, the first that is there counts. Those of the semantic conventions unless given.
    #[serde(default)]
    pub(crate) attributes: BTreeMap<At<Says>, At<Vec<At<String>>>>,
    /// Attributes that are kept as they are, such as `http.route`. `service.name` and the environment are kept anyway.
    pub(crate) keep: Option<At<Vec<At<String>>>>,
    /// The origin of what comes from an environment, where it is not people's use: `ci = "test"`.
    #[serde(default)]
    pub(crate) origins: BTreeMap<At<String>, Origin>,
    /// The feature flag that fills the arms of the experiment: each `feature_flag.evaluation` of it is an interaction.
    pub(crate) flag: Option<At<String>>,
    /// Names of the flag's variants as arms: `on = "learning"`, `off = "control"`.
    #[serde(default)]
    pub(crate) arms: BTreeMap<At<String>, At<String>>,
}

/// A rule that puts an error's text into a category.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErrorCategory {
    /// The category, in lower_snake_case: `network`, `permission`, `not_found`, `validation`, or one of your own.
    #[schemars(required)]
    pub(crate) category: Option<At<String>>,
    /// Patterns of which one has to occur, in any case; `*` stands for anything within the line.
    #[schemars(required)]
    pub(crate) any: Option<At<Vec<At<String>>>>,
}

/// A command that Milepost runs itself to measure an operation.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Probe {
    /// The operation that it measures.
    #[schemars(required)]
    pub(crate) operation: Option<At<String>>,
    /// The implementation that does the work.
    pub(crate) backend: Option<At<String>>,
    /// The program and its arguments, each one text. No shell reads them.
    #[schemars(required)]
    pub(crate) command: Option<At<Vec<At<String>>>>,
    /// When the command is ended: `"30s"` unless given.
    pub(crate) timeout: Option<At<Amount>>,
    /// How often `milepost track` runs it: `"1h"` unless given. Units: min, h, d.
    pub(crate) every: Option<At<Amount>>,
}

/// Something that Milepost collects itself.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Collect {
    /// What is collected.
    #[schemars(required)]
    pub(crate) kind: Option<At<CollectKind>>,
    /// Of all but `memory` and `git`: the report, relative to the folder of this file. A tool writes it; `milepost track` reads it, and what
    /// it says counts once for each time that it is written.
    pub(crate) file: Option<At<String>>,
    /// Of `memory`: the name of the running product's process.
    pub(crate) process: Option<At<String>>,
    /// Of `memory`: how long it is observed, `"30s"` unless given.
    #[serde(rename = "for")]
    pub(crate) lasting: Option<At<Amount>>,
    /// Of `memory`: the time between two readings, `"1s"` unless given.
    pub(crate) readings: Option<At<Amount>>,
    /// Of `git`: the repository, relative to the folder of this file, which it is unless given.
    pub(crate) folder: Option<At<String>>,
    /// Of `git`: names or addresses of those whose commits are no contributions of the community.
    #[serde(default)]
    pub(crate) maintainers: Vec<At<String>>,
    /// How often `milepost track` collects it: `"1h"` unless given. Units: min, h, d.
    pub(crate) every: Option<At<Amount>>,
}

/// What can be collected.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CollectKind {
    /// The memory of a running product: of its process and all that descends from it.
    Memory,
    /// A report of how much of the code its tests run.
    Coverage,
    /// A report of how complex the functions are.
    Complexity,
    /// A report of how the tests ended.
    Tests,
    /// A report of the known vulnerabilities of what the product depends on.
    Audit,
    /// Contributions to a git repository, by month.
    Git,
}

impl CollectKind {
    /// The word for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Coverage => "coverage",
            Self::Complexity => "complexity",
            Self::Tests => "tests",
            Self::Audit => "audit",
            Self::Git => "git",
        }
    }

    /// What a report of it is about; none of `memory` and `git`, which need no report.
    pub(crate) const fn report(self) -> Option<milepost_collect::Kind> {
        match self {
            Self::Memory | Self::Git => None,
            Self::Coverage => Some(milepost_collect::Kind::Coverage),
            Self::Complexity => Some(milepost_collect::Kind::Complexity),
            Self::Tests => Some(milepost_collect::Kind::Tests),
            Self::Audit => Some(milepost_collect::Kind::Audit),
        }
    }
}

/// Who hears of it when a verdict changes: a webhook or a command.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alert {
    /// The URL that alerts are posted to. Whoever knows it can post there too: `webhook_env` keeps it out of this file.
    pub(crate) webhook: Option<At<String>>,
    /// The environment variable that holds the URL, where `milepost track` runs. Stands instead of `webhook`.
    pub(crate) webhook_env: Option<At<String>>,
    /// Of a webhook: what is posted. `"json"` unless given.
    pub(crate) format: Option<At<AlertFormat>>,
    /// The program and its arguments, each one text: it is given the alert as JSON on its standard input. Stands instead of
    /// `webhook`.
    pub(crate) command: Option<At<Vec<At<String>>>>,
    /// The tiers whose criteria it is told of; all criteria unless given.
    pub(crate) only: Option<At<Vec<At<Tier>>>>,
    /// How long one alert may take: `"10s"` unless given.
    pub(crate) timeout: Option<At<Amount>>,
}

/// One thing that has to hold: a metric within a bound, or several of them together.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Criterion {
    /// Its name, unique in this file.
    #[schemars(required)]
    pub(crate) name: Option<At<String>>,
    /// What is measured: `latency.p50`, `latency.p95`, `latency.p99`, `success.rate`, `peak_memory.p50`,
    /// `peak_memory.p95`, `peak_memory.p99`, `memory.current`, `memory.average`,
    /// `memory.peak`, `memory.variation`, `memory.slope`, `cpu.percent`, `learning.accuracy`, `learning.improvement`,
    /// `voice.accuracy`, `ttfs.median`, `retention.week4`, `contributions.month`, or the name of a measurement such as
    /// `coverage.statements`.
    pub(crate) metric: Option<At<String>>,
    /// Several metrics, each within its bound; all of them have to hold. Stands instead of `metric`.
    pub(crate) all: Option<At<Vec<At<Target>>>>,
    /// Good is less than this.
    pub(crate) below: Option<At<Amount>>,
    /// Good is more than this.
    pub(crate) above: Option<At<Amount>>,
    /// Good is this or less.
    pub(crate) at_most: Option<At<Amount>>,
    /// Good is this or more.
    pub(crate) at_least: Option<At<Amount>>,
    /// A miss up to here is amber, beyond is red.
    pub(crate) bad: Option<At<Amount>>,
    /// How much depends on it. Without a tier it is judged and shown, and no tier counts it.
    pub(crate) tier: Option<Tier>,
    /// From when on events count: `quarter` (unless given), `month`, `release`, `criterion` (since it was first defined), or a
    /// date such as `2026-10-01`.
    pub(crate) since: Option<At<Since>>,
    /// Where the product started. Shown, never evidence.
    pub(crate) baseline: Option<At<String>>,
    /// How it is measured. Shown.
    pub(crate) method: Option<At<String>>,
    /// Judged for each value of this dimension; holds where all of them do. `operation`, `backend`, `persona`, `user`,
    /// `session`, `version`, `commit`, `host`, `origin`, `process`, `arm`, `modality`, `scope`, `source` or `attributes.NAME`.
    pub(crate) for_each: Option<At<String>>,
    /// The groups that have to be there; others are shown and not judged. Those that are seen, unless given.
    pub(crate) groups: Option<At<Vec<At<String>>>>,
    /// A limit for each group: `{ install = "500ms", search = "200ms" }`.
    pub(crate) limits: Option<At<BTreeMap<At<String>, At<Amount>>>>,
    /// Which events count: for each dimension the value, or the values, that they must have. `{ origin = "probe" }`
    #[serde(rename = "where")]
    pub(crate) filter: Option<At<BTreeMap<At<String>, At<Values>>>>,
    /// What a failed operation does to a latency: it counts as slower than any limit, unless it is excluded.
    pub(crate) failures: Option<At<Failures>>,
    /// Of `learning.accuracy`: how many first interactions of each person are left out.
    pub(crate) after: Option<At<u64>>,
    /// How old the newest event may be before the verdict is stale: `"7d"` unless given. Units: min, h, d.
    pub(crate) max_age: Option<At<Amount>>,
    /// The label of its card at the top of the dashboard.
    pub(crate) card: Option<At<String>>,
    /// The chance that you accept of ever seeing a wrong verdict: 0.05 unless given, from 0.0001 to 0.5.
    pub(crate) alpha: Option<At<f64>>,
}

impl Criterion {
    /// What it says of a metric.
    pub(crate) fn target(&self) -> Target {
        Target {
            metric: self.metric.clone(),
            below: self.below.clone(),
            above: self.above.clone(),
            at_most: self.at_most.clone(),
            at_least: self.at_least.clone(),
            bad: self.bad.clone(),
            filter: self.filter.clone(),
            failures: self.failures.clone(),
            after: self.after.clone(),
        }
    }
}

/// One metric within one bound.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Target {
    /// What is measured.
    #[schemars(required)]
    pub(crate) metric: Option<At<String>>,
    /// Good is less than this.
    pub(crate) below: Option<At<Amount>>,
    /// Good is more than this.
    pub(crate) above: Option<At<Amount>>,
    /// Good is this or less.
    pub(crate) at_most: Option<At<Amount>>,
    /// Good is this or more.
    pub(crate) at_least: Option<At<Amount>>,
    /// A miss up to here is amber, beyond is red.
    pub(crate) bad: Option<At<Amount>>,
    /// Which events count.
    #[serde(rename = "where")]
    pub(crate) filter: Option<At<BTreeMap<At<String>, At<Values>>>>,
    /// What a failed operation does to a latency.
    pub(crate) failures: Option<At<Failures>>,
    /// Of `learning.accuracy`: how many first interactions of each person are left out.
    pub(crate) after: Option<At<u64>>,
}

impl Target {
    /// The bounds that are given, with the key of each.
    pub(crate) fn bounds(&self) -> impl Iterator<Item = (Relation, &At<Amount>)> {
        [
            (Relation::Below, &self.below),
            (Relation::Above, &self.above),
            (Relation::AtMost, &self.at_most),
            (Relation::AtLeast, &self.at_least),
        ]
        .into_iter()
        .filter_map(|(relation, bound)| Some((relation, bound.as_ref()?)))
    }

    /// The keys that are given, with the place of the value of each.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&'static str, Range<usize>)> {
        let bounds = self.bounds().map(|(relation, bound)| (relation.name(), bound.span.clone()));
        let others = [
            ("bad", self.bad.as_ref().map(|v| v.span.clone())),
            ("where", self.filter.as_ref().map(|v| v.span.clone())),
            ("failures", self.failures.as_ref().map(|v| v.span.clone())),
            ("after", self.after.as_ref().map(|v| v.span.clone())),
        ];
        bounds.chain(others.into_iter().filter_map(|(key, span)| Some((key, span?))))
    }
}

/// A value, and its place in the file in bytes.
#[derive(Clone)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Range<usize>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = toml::Spanned::<T>::deserialize(deserializer)?;
        Ok(Self { span: spanned.span(), value: spanned.into_inner() })
    }
}

// Keys of a map: what they are decides, not where they stand.
impl<T: PartialEq> PartialEq for At<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}
impl<T: Eq> Eq for At<T> {}
impl<T: Ord> PartialOrd for At<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T: Ord> Ord for At<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.value.cmp(&other.value)
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// An amount: a text with a unit, or a plain number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Amount {
    Text(String),
    Number(f64),
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AmountVisitor;
        impl Visitor<'_> for AmountVisitor {
            type Value = Amount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount with its unit, or a plain number")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Amount, E> {
                Ok(Amount::Text(text.to_owned()))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Amount, E> {
                Ok(Amount::Number(number as f64))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Amount, E> {
                Ok(Amount::Number(number as f64))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Amount, E> {
                Ok(Amount::Number(number))
            }
        }
        deserializer.deserialize_any(AmountVisitor)
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "An amount with its unit, such as `500ms`, `300MB` or `95%`; a plain number where the metric is one.",
            "type": ["string", "number"],
        })
    }
}

/// From when on events count: a word, or a date with or without quotes.
#[derive(Clone, Debug)]
pub(crate) struct Since(pub(crate) String);

impl<'de> Deserialize<'de> for Since {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SinceVisitor;
        impl<'de> Visitor<'de> for SinceVisitor {
            type Value = Since;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`quarter`, `month`, `release`, `criterion` or a date")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Since, E> {
                Ok(Since(text.to_owned()))
            }

            // The TOML reader gives a date as a map with a key of its own.
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Since, A::Error> {
                let date = toml::value::Datetime::deserialize(MapAccessDeserializer::new(map));
                date.map(|date| Since(date.to_string())).map_err(|_| Error::custom(NOT_A_SINCE))
            }
        }
        deserializer.deserialize_any(SinceVisitor)
    }
}

const NOT_A_SINCE: &str = "invalid type: table, expected `quarter`, `month`, `release`, `criterion` or a date";

impl Since {
    pub(crate) const WORDS: &[(&str, milepost_judge::Since)] = &[
        ("quarter", milepost_judge::Since::Quarter),
        ("month", milepost_judge::Since::Month),
        ("release", milepost_judge::Since::Release),
        ("criterion", milepost_judge::Since::Criterion),
    ];

    /// What it means, if it means something.
    pub(crate) fn meaning(&self) -> Option<milepost_judge::Since> {
        let word = Self::WORDS.iter().find(|(word, _)| *word == self.0).map(|(_, since)| *since);
        // The length keeps out what else can be read as a date, such as one with a time of day that would be ignored.
        let date = || (self.0.len() == 10).then(|| self.0.parse::<Date>().ok()).flatten();
        word.or_else(|| date().map(milepost_judge::Since::Date))
    }
}

impl JsonSchema for Since {
    fn schema_name() -> Cow<'static, str> {
        "Since".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<_> = Self::WORDS.iter().map(|(word, _)| *word).collect();
        json_schema!({
            "description": "From when on events count.",
            // A date stands with or without quotes; to an editor the latter is a date of TOML.
            "anyOf": [{ "enum": words }, { "type": "string", "format": "date" }],
        })
    }
}

/// The values of a dimension that an event may have.
#[derive(Clone)]
pub(crate) enum Values {
    One(String),
    Many(Vec<At<String>>),
    /// `attributes.channel = "23.11"` is a table in TOML.
    Attributes(BTreeMap<At<String>, At<Values>>),
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValuesVisitor;
        impl<'de> Visitor<'de> for ValuesVisitor {
            type Value = Values;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or a list of texts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Values, E> {
                Ok(Values::One(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Values, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element()? {
                    values.push(value);
                }
                Ok(Values::Many(values))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Values, A::Error> {
                Deserialize::deserialize(MapAccessDeserializer::new(map)).map(Values::Attributes)
            }
        }
        deserializer.deserialize_any(ValuesVisitor)
    }
}

impl JsonSchema for Values {
    fn schema_name() -> Cow<'static, str> {
        "Values".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let this = generator.subschema_for::<Self>();
        json_schema!({
            "description": "A value, several of which one has to be there, or a table of attributes.",
            "anyOf": [
                { "type": "string" },
                { "type": "array", "items": { "type": "string" }, "minItems": 1 },
                { "type": "object", "additionalProperties": this },
            ],
        })
    }
}
