//! A criterion's whole definition as JSON, in the words of `milepost.toml`: for people who wonder later what was demanded.

use milepost_judge::{Criterion, Failures, Goal, Metric, Quantity, Since, Unit};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A definition with more bytes of JSON is left out of the event: the key beside it tells as much to Milepost.
const BYTES_MAX: usize = 64 * 1024;

/// The definition; none where it is too long for an event.
pub(super) fn definition(criterion: &Criterion, aliases: &BTreeMap<String, String>) -> Option<Map<String, Value>> {
    let mut map = match criterion.goals.as_slice() {
        [goal] => of_goal(goal),
        goals => [("all".to_owned(), goals.iter().map(|goal| Value::Object(of_goal(goal))).collect())].into_iter().collect(),
    };
    let mut put = |key: &str, value: Option<Value>| _ = value.map(|value| map.insert(key.to_owned(), value));
    let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
    put("since", Some(since(criterion.since)));
    put("tier", criterion.tier.map(|tier| json!(tier.name())));
    put("max_age", Some(json!(written(Quantity::new(criterion.max_age.as_secs_f64() / 86400.0, Unit::DAY)))));
    put("alpha", Some(json!(criterion.alpha)));
    put("baseline", text(&criterion.baseline));
    put("method", text(&criterion.method));
    put("card", text(&criterion.card));
    put("aliases", (!aliases.is_empty()).then(|| json!(aliases)));
    (Value::Object(map.clone()).to_string().len() <= BYTES_MAX).then_some(map)
}

fn of_goal(goal: &Goal) -> Map<String, Value> {
    let mut map = Map::new();
    let mut put = |key: &str, value: Option<Value>| _ = value.map(|value| map.insert(key.to_owned(), value));
    put("metric", Some(json!(goal.metric.to_string())));
    put(goal.relation.name(), goal.limit.map(|limit| json!(written(limit))));
    put("bad", goal.bad.map(|bad| json!(written(bad))));
    put("for_each", goal.for_each.as_ref().map(|dimension| json!(dimension.to_string())));
    put("groups", (!goal.groups.is_empty()).then(|| json!(goal.groups)));
    let limits: BTreeMap<_, _> = goal.limits.iter().map(|(group, limit)| (group, written(*limit))).collect();
    put("limits", (!limits.is_empty()).then(|| json!(limits)));
    let filter: BTreeMap<_, _> = goal.filter.iter().map(|(dimension, values)| (dimension.to_string(), values)).collect();
    put("where", (!filter.is_empty()).then(|| json!(filter)));
    let failures = match goal.failures {
        Failures::Slow => "slow",
        Failures::Exclude => "exclude",
    };
    put("failures", matches!(goal.metric, Metric::Latency(_)).then(|| json!(failures)));
    put("after", (goal.after > 0).then(|| json!(goal.after)));
    map
}

fn since(since: Since) -> Value {
    match since {
        Since::Quarter => json!("quarter"),
        Since::Month => json!("month"),
        Since::Release => json!("release"),
        Since::Criterion => json!("criterion"),
        Since::Date(date) => json!(date.to_string()),
    }
}

/// With all its digits, as it can be read again.
fn written(quantity: Quantity) -> String {
    format!("{}{}", quantity.value, quantity.unit.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use std::path::Path;

    fn criterion(keys: &str) -> Criterion {
        let text = format!("[project]\nname = \"p\"\n[[criterion]]\nname = \"c\"\n{keys}");
        Config::read(Path::new("milepost.toml"), text.as_bytes()).expect("a configuration").criteria.criteria.remove(0)
    }

    #[test]
    fn a_definition_says_what_was_typed() {
        let typed = r#"metric = "latency.p95"
            below = "0.5s"
            bad = "1s"
            for_each = "operation"
            groups = ["install"]
            limits = { search = "200ms" }
            where = { backend = ["native"] }
            since = "2026-10-01"
            tier = "must"
            max_age = "36h"
            card = "Card""#;
        let definition = definition(&criterion(typed), &[("add".to_owned(), "install".to_owned())].into()).expect("a short one");
        let expected = json!({
            "metric": "latency.p95", "below": "0.5s", "bad": "1s", "for_each": "operation", "groups": ["install"],
            "limits": { "search": "200ms" }, "where": { "backend": ["native"] }, "failures": "slow", "since": "2026-10-01",
            "tier": "must", "max_age": "1.5d", "alpha": 0.05, "card": "Card", "aliases": { "add": "install" },
        });
        assert_eq!(Value::Object(definition), expected);
    }

    #[test]
    fn several_goals_are_listed_and_what_is_too_long_is_left_out() {
        let two = "all = [ { metric = \"memory.peak\", below = \"300MB\" }, { metric = \"vulnerabilities.known\", at_most = 0 } ]";
        let short = definition(&criterion(two), &BTreeMap::new()).expect("a short one");
        assert_eq!(short["all"][1], json!({ "metric": "vulnerabilities.known", "at_most": "0" }));
        let groups: Vec<_> = (0..900).map(|i| format!("\"{i}{}\"", "x".repeat(100))).collect();
        let long = format!("metric = \"success.rate\"\nabove = \"95%\"\nfor_each = \"operation\"\ngroups = [{}]", groups.join(","));
        assert!(definition(&criterion(&long), &BTreeMap::new()).is_none());
    }
}
