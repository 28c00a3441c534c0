//! `/metrics`: the verdicts and what they rest on, for Prometheus. What is not known has no series at all: a 0 in its place would be read
//! as measured. A state is one series for each word, of which one is 1.

use super::{
    api::{self, Query},
    counted::{Counted, Counters},
    live::{Live, Round},
    problem::Problem,
};
use crate::render::words::plain;
use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use milepost_judge::{
    Family, Quantity, Scorecard, Unit, Verdict,
    scorecard::{Judgement, Target},
};
use milepost_record::Timestamp;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, LabelSetEncoder, text::encode},
    metrics::{MetricType, gauge::ConstGauge},
    registry::{self, Registry},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The longest value of a label, in characters: a name that the configuration takes is never cut.
const LABEL_CHARS_MAX: usize = 200;
/// The most criteria, and the most goals of one, that have series: the configuration takes no more, so that it says how many there are.
const CRITERIA_MAX: usize = crate::config::CRITERIA_MAX;
const GOALS_MAX: usize = crate::config::PARTS_MAX;

pub(super) async fn metrics(
    State(live): State<Arc<Live>>,
    State(counted): State<Arc<Counted>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Query::read(query.as_deref(), &[])?;
    let standing = live.now().await;
    let round = standing.round.clone();
    let (snapshot, begun) = api::judged(standing)?;
    let text = text(&snapshot.scorecard, round.as_ref(), Some(&counted));
    let text = text.map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(api::tagged(&headers, OPEN_METRICS, begun, super::Tagged::new(text)))
}

/// A scorecard in the text format of OpenMetrics 1.0.
fn text(scorecard: &Scorecard, round: Option<&Round>, counted: Option<&Arc<Counted>>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Families::of(scorecard, round)));
    if let Some(counted) = counted {
        registry.register_collector(Box::new(Counters(Arc::clone(counted))));
    }
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

/// Names and values. The encoder writes a value as it is, so it is escaped here.
#[derive(Clone, Debug)]
struct Labels(Vec<(&'static str, String)>);

impl Labels {
    fn and(&self, name: &'static str, value: &str) -> Self {
        let mut labels = self.0.clone();
        labels.push((name, plain(value, LABEL_CHARS_MAX)));
        Self(labels)
    }
}

impl EncodeLabelSet for Labels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        let escape = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        self.0.iter().map(|(name, value)| (*name, escape(value))).collect::<Vec<_>>().encode(encoder)
    }
}

/// What is shown, by name and unit.
#[derive(Debug, Default)]
struct Families(BTreeMap<(&'static str, Option<&'static str>), Series>);

#[derive(Debug)]
struct Series {
    help: &'static str,
    values: Vec<(Labels, f64)>,
}

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for ((name, unit), Series { help, values }) in &self.0 {
            let unit = unit.map(|unit| registry::Unit::Other(unit.to_owned()));
            let mut metric = encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
            for (labels, value) in values {
                if labels.0.is_empty() {
                    metric.encode_gauge(value)?;
                } else {
                    ConstGauge::new(*value).encode(metric.encode_family(labels)?)?;
                }
            }
        }
        Ok(())
    }
}

impl Families {
    fn of(scorecard: &Scorecard, round: Option<&Round>) -> Self {
        let mut all = Self::default();
        let none = Labels(Vec::new());
        all.time("milepost_judged_timestamp", "When it was judged.", none.clone(), Some(scorecard.generated_at));
        let went_well = round.map(|round| f64::from(u8::from(round.went_well)));
        all.add("milepost_track_round_success", None, "Whether the last round of milepost track went well.", none.clone(), went_well);
        for (tier, result) in &scorecard.tiers {
            let help = "The verdict of a tier: 1 for the one that holds.";
            all.state("milepost_tier_verdict", help, &none.and("tier", tier.name()), result.verdict);
        }
        let mut names = BTreeSet::new();
        for (place, criterion) in (1..).zip(scorecard.criteria.iter().take(CRITERIA_MAX)) {
            // Two names that are alike once they are harmless would be one series twice, for which a scrape is refused as a whole.
            let mut name = plain(&criterion.name, LABEL_CHARS_MAX);
            while !names.insert(name.clone()) {
                name = format!("{place} {name}");
            }
            let named = Labels(vec![("criterion", name)]);
            let tiered = criterion.tier.map_or_else(|| named.clone(), |tier| named.and("tier", tier.name()));
            all.state("milepost_verdict", "The verdict of a criterion: 1 for the one that holds.", &tiered, criterion.judgement.verdict);
            let parts = criterion.parts.iter().take(GOALS_MAX).map(|part| &part.judgement);
            let goals: Vec<_> = if criterion.parts.is_empty() { vec![&criterion.judgement] } else { parts.collect() };
            for (goal, judgement) in (1..).zip(goals) {
                let labels = named.and("goal", &format!("{goal}"));
                all.figures(&judgement.metric.iter().fold(labels, |labels, metric| labels.and("metric", metric)), judgement);
            }
        }
        all
    }

    /// What one goal rests on.
    fn figures(&mut self, labels: &Labels, judgement: &Judgement) {
        let [lower, upper] = judgement.interval;
        let unit = &judgement.unit;
        self.amount("milepost_estimate", "What was observed.", labels.clone(), judgement.estimate, unit);
        self.amount("milepost_lower_bound", "The true value is not below, with 95 % confidence.", labels.clone(), lower, unit);
        self.amount("milepost_upper_bound", "The true value is not above, with 95 % confidence.", labels.clone(), upper, unit);
        if let Some(Target { below, at_most, above, at_least, unit }) = &judgement.target {
            for (relation, limit) in [("below", below), ("at_most", at_most), ("above", above), ("at_least", at_least)] {
                self.amount("milepost_target", "What has to hold.", labels.and("relation", relation), *limit, unit);
            }
        }
        self.add("milepost_events", None, "Events, readings or samples it rests on.", labels.clone(), Some(judgement.n as f64));
        let needed = judgement.at_least_more.map(|needed| needed as f64);
        self.add("milepost_events_needed", None, "The fewest further events after which it could be met.", labels.clone(), needed);
        self.time("milepost_newest_event_timestamp", "When the newest event was.", labels.clone(), judgement.newest_event);
    }

    fn state(&mut self, name: &'static str, help: &'static str, labels: &Labels, holds: Verdict) {
        for verdict in Verdict::ALL {
            let value = f64::from(u8::from(*verdict == holds));
            self.add(name, None, help, labels.and("verdict", verdict.name()), Some(value));
        }
    }

    fn time(&mut self, name: &'static str, help: &'static str, labels: Labels, at: Option<Timestamp>) {
        self.add(name, Some("seconds"), help, labels, at.map(|at| at.as_microseconds() as f64 / 1e6));
    }

    /// An amount in the base unit that Prometheus has for it.
    fn amount(&mut self, name: &'static str, help: &'static str, labels: Labels, value: Option<f64>, unit: &str) {
        let Some((value, unit)) = value.zip(Unit::named(unit)) else { return };
        let base = Quantity::new(value, unit).base();
        let (base, unit) = match unit.family() {
            Family::Time => (base / 1e6, Some("seconds")),
            Family::Memory => (base, Some("bytes")),
            Family::MemoryGrowth => (base / 86_400.0, Some("bytes_per_second")),
            Family::Share => (base, Some("ratio")),
            Family::Number => (base, None),
        };
        self.add(name, unit, help, labels, Some(base));
    }

    fn add(&mut self, name: &'static str, unit: Option<&'static str>, help: &'static str, labels: Labels, value: Option<f64>) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            self.0.entry((name, unit)).or_insert_with(|| Series { help, values: Vec::new() }).values.push((labels, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use milepost_judge::{
        Tier,
        scorecard::{CriterionResult, PartResult, SCHEMA_VERSION, Since, TierResult},
    };

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn criterion(name: &str, judgement: Judgement) -> CriterionResult {
        CriterionResult {
            name: name.to_owned(),
            tier: Some(Tier::Must),
            card: None,
            judgement,
            baseline: None,
            method: None,
            definition: String::new(),
            since: Since { from: at("2026-10-01T00:00:00Z"), why: "quarter".to_owned() },
            excluded: Vec::new(),
            was: None,
            misses: None,
            groups: Vec::new(),
            parts: Vec::new(),
        }
    }

    fn scorecard(criteria: Vec<CriterionResult>) -> Scorecard {
        Scorecard {
            schema_version: SCHEMA_VERSION,
            project: "test".to_owned(),
            generated_at: at("2026-11-24T21:13:00.5Z"),
            verdict: Verdict::NotProven,
            tiers: [(Tier::Must, TierResult { met: 0, of: 1, verdict: Verdict::NotProven })].into(),
            criteria,
        }
    }

    fn known(verdict: Verdict, estimate: f64, unit: &str) -> Judgement {
        Judgement { metric: Some("m".to_owned()), verdict, estimate: Some(estimate), unit: unit.to_owned(), n: 7, ..Judgement::nothing() }
    }

    fn written(criteria: Vec<CriterionResult>) -> String {
        text(&scorecard(criteria), None, None).expect("text")
    }

    /// The samples of one name, each without it.
    fn of<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
        text.lines().filter_map(|line| line.strip_prefix(name)).filter(|rest| rest.starts_with(['{', ' '])).collect()
    }

    #[test]
    fn the_verdict_that_holds_is_1_and_each_other_0() {
        for holds in Verdict::ALL {
            let text = written(vec![criterion("a", Judgement { verdict: *holds, ..Judgement::nothing() })]);
            let expected = Verdict::ALL.iter().map(|verdict| {
                let value = if verdict == holds { "1.0" } else { "0.0" };
                format!("{{criterion=\"a\",tier=\"must\",verdict=\"{}\"}} {value}", verdict.name())
            });
            assert_eq!(of(&text, "milepost_verdict"), expected.collect::<Vec<_>>());
            assert_eq!(of(&text, "milepost_tier_verdict").len(), Verdict::ALL.len());
        }
    }

    #[test]
    fn what_is_not_known_has_no_series() {
        let text = written(vec![criterion("a", Judgement { estimate: Some(f64::NAN), ..Judgement::nothing() })]);
        let families: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        let there = ["milepost_events", "milepost_judged_timestamp_seconds", "milepost_tier_verdict", "milepost_verdict"];
        assert_eq!(families, there.map(|name| format!("{name} gauge")));
        assert_eq!(of(&text, "milepost_events"), ["{criterion=\"a\",goal=\"1\"} 0.0"], "so many there are");
        assert_eq!(of(&text, "milepost_judged_timestamp_seconds"), [" 1795554780.5"]);
        assert!(text.ends_with("\n# EOF\n"), "{text}");
    }

    #[test]
    fn amounts_are_in_base_units() {
        for (unit, value, name, base) in [
            ("ms", 312.5, "milepost_estimate_seconds", "0.3125"),
            ("MB", 300.0, "milepost_estimate_bytes", "300000000.0"),
            ("MB/d", 86.4, "milepost_estimate_bytes_per_second", "1000.0"),
            ("%", 55.0, "milepost_estimate_ratio", "0.55"),
            ("", 12.0, "milepost_estimate", "12.0"),
        ] {
            let text = written(vec![criterion("a", known(Verdict::Met, value, unit))]);
            assert_eq!(of(&text, name), [format!("{{criterion=\"a\",goal=\"1\",metric=\"m\"}} {base}")], "{unit}");
            assert_eq!(text.matches("# TYPE milepost_estimate").count(), 1, "{text}");
        }
        assert_eq!(of(&written(vec![criterion("a", known(Verdict::Met, 1.0, "parsecs"))]), "milepost_estimate"), [""; 0]);
    }

    #[test]
    fn each_goal_has_its_own_figures() {
        let target = Target { below: Some(0.5), at_most: None, above: None, at_least: None, unit: "s".to_owned() };
        let first = Judgement {
            target: Some(target),
            interval: [None, Some(400.0)],
            at_least_more: Some(3),
            newest_event: Some(at("1970-01-01T00:00:01Z")),
            ..known(Verdict::NotProven, 300.0, "ms")
        };
        let part = |judgement| PartResult { judgement, definition: String::new(), groups: Vec::new() };
        let parts = vec![part(first), part(known(Verdict::Met, 2.0, "s"))];
        let both = CriterionResult { parts, ..criterion("a", Judgement { n: 9, ..Judgement::nothing() }) };
        let round = Round { began: at("2026-11-24T21:00:00Z"), went_well: false, said: String::new() };
        let text = text(&scorecard(vec![both]), Some(&round), None).expect("text");
        let goal = |n: u8, value: &str| format!("{{criterion=\"a\",goal=\"{n}\",metric=\"m\"}} {value}");
        assert_eq!(of(&text, "milepost_estimate_seconds"), [goal(1, "0.3"), goal(2, "2.0")]);
        assert_eq!(of(&text, "milepost_lower_bound_seconds"), [""; 0]);
        assert_eq!(of(&text, "milepost_upper_bound_seconds"), [goal(1, "0.4")]);
        assert_eq!(of(&text, "milepost_target_seconds"), ["{criterion=\"a\",goal=\"1\",metric=\"m\",relation=\"below\"} 0.5"]);
        assert_eq!(of(&text, "milepost_events"), [goal(1, "7.0"), goal(2, "7.0")]);
        assert_eq!(of(&text, "milepost_events_needed"), [goal(1, "3.0")]);
        assert_eq!(of(&text, "milepost_newest_event_timestamp_seconds"), [goal(1, "1.0")]);
        assert_eq!(of(&text, "milepost_track_round_success"), [" 0.0"]);
    }

    #[test]
    fn names_stay_within_their_quotes_and_limit_and_apart() {
        let long = "x".repeat(10_000);
        let names =
            ["a\"} 1\nmilepost_verdict{criterion=\"b", "back\\", "a\u{1}\r\u{202e}", "a\u{2}\r\u{202e}", &long, &format!("{long}y")];
        let text = written(names.iter().map(|name| criterion(name, Judgement::nothing())).collect());
        let shown = of(&text, "milepost_events");
        assert_eq!(shown[0], "{criterion=\"a\\\"} 1 milepost_verdict{criterion=\\\"b\",goal=\"1\"} 0.0");
        assert_eq!(shown[1], "{criterion=\"back\\\\\",goal=\"1\"} 0.0");
        assert_eq!(shown[3], "{criterion=\"4 a\u{fffd}\u{fffd}\u{fffd}\",goal=\"1\"} 0.0");
        assert_eq!((shown.len(), shown.iter().collect::<BTreeSet<_>>().len()), (names.len(), names.len()), "{shown:?}");
        assert!(shown.iter().all(|line| line.chars().count() < LABEL_CHARS_MAX + 50), "{shown:?}");
        assert_eq!(of(&text, "milepost_verdict").len(), names.len() * Verdict::ALL.len());
    }

    #[test]
    fn there_are_no_more_series_than_a_configuration_can_bring() {
        let text = written((0..CRITERIA_MAX + 5).map(|n| criterion(&n.to_string(), Judgement::nothing())).collect());
        assert_eq!(of(&text, "milepost_events").len(), CRITERIA_MAX);
    }
}
