//! `milepost explain`: what one verdict rests on.

use super::{
    Failure, Workplace, print, printable,
    scorecard::{Judged, configured, judged, sources_of, wait},
};
use crate::{
    cli::Explain,
    render::{
        self,
        terminal::{self, Source},
    },
};
use milepost_judge::{Scorecard, plan::plans};
use milepost_record::{FieldUse, Fields};
use serde_json::{Value, json};
use std::{collections::BTreeMap, process::ExitCode};

pub(super) fn explain(explain: &Explain, workplace: &Workplace) -> Result<ExitCode, Failure> {
    configured(workplace)?;
    let names: Vec<&str> = workplace.config.criteria.criteria.iter().map(|c| c.name.as_str()).collect();
    let index = find(&explain.criterion, &names)?;
    let Judged { store, scorecard, questions, answers, .. } = judged(workplace)?;
    if explain.plan {
        return plan(explain, index, &scorecard, workplace);
    }
    let (Some(criterion), Some(questions), Some(answers)) = (scorecard.criteria.get(index), questions.get(index), answers.get(index))
    else {
        return Err(Failure::internal("the scorecard lacks a criterion of the configuration"));
    };
    let sources = wait(sources_of(&store, questions, answers, &mut Vec::new()))?;
    if !explain.json {
        return print(&terminal::explain(criterion, &sources, terminal::width()));
    }
    let row = |row: &Vec<(String, String)>| row.iter().map(|(name, value)| (name.clone(), json!(value))).collect::<serde_json::Map<_, _>>();
    let needs = |fields: &Fields| -> serde_json::Map<_, _> {
        let of_kind = |fields: &BTreeMap<String, FieldUse>| fields.iter().map(|(name, why)| (name.clone(), json!(why.name()))).collect();
        fields.iter().map(|(kind, fields)| (kind.name().to_owned(), Value::Object(of_kind(fields)))).collect()
    };
    let source = |source: &Source| {
        let newest: Vec<_> = source.newest.iter().map(row).collect();
        json!({ "needs": needs(&source.fields), "sql": source.sql, "newest_events": newest })
    };
    let sources: Vec<_> = sources.iter().map(source).collect();
    let value = json!({ "schema_version": scorecard.schema_version, "criterion": criterion, "sources": sources });
    let text = serde_json::to_string_pretty(&value).map_err(|error| Failure::internal(error.to_string()))?;
    print(&(text + "\n"))
}

/// How many events it takes, instead of what the verdict rests on.
fn plan(explain: &Explain, index: usize, scorecard: &Scorecard, workplace: &Workplace) -> Result<ExitCode, Failure> {
    let (Some(criterion), Some(result)) = (workplace.config.criteria.criteria.get(index), scorecard.criteria.get(index)) else {
        return Err(Failure::internal("the scorecard lacks a criterion of the configuration"));
    };
    let mut plans = plans(std::slice::from_ref(criterion), &explain.expect).map_err(|error| Failure::usage(error.to_string()))?;
    let plans = plans.pop().unwrap_or_default();
    if !explain.json {
        return print(&render::plan::terminal(criterion, result, &plans, terminal::width()));
    }
    let value = json!({ "schema_version": scorecard.schema_version, "criterion": criterion.name, "plans": plans });
    let text = serde_json::to_string_pretty(&value).map_err(|error| Failure::internal(error.to_string()))?;
    print(&(text + "\n"))
}

/// The criterion that is meant: its name in any case, or the beginning of one name only.
pub(crate) fn find(typed: &str, names: &[&str]) -> Result<usize, Failure> {
    let lower = typed.to_lowercase();
    if let Some(index) = names.iter().position(|name| *name == typed).or_else(|| names.iter().position(|name| name.to_lowercase() == lower))
    {
        return Ok(index);
    }
    let begin: Vec<_> = names.iter().enumerate().filter(|(_, name)| name.to_lowercase().starts_with(&lower)).collect();
    match &begin[..] {
        [(index, _)] => Ok(*index),
        [] => {
            let nearest = names.iter().max_by(|a, b| strsim::jaro_winkler(a, typed).total_cmp(&strsim::jaro_winkler(b, typed)));
            let hint = nearest.map_or("there are none".to_owned(), |name| format!("did you mean `{}`?", printable(name)));
            Err(Failure::usage(format!("there is no criterion `{}`; {hint}", printable(typed))))
        }
        several => {
            let names: Vec<_> = several.iter().map(|(_, name)| format!("`{}`", printable(name))).collect();
            Err(Failure::usage(format!("`{}` begins several criteria: {}", printable(typed), names.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_criterion_is_found_by_what_identifies_it() {
        let names = ["Response time", "Response time, nice", "Memory"];
        assert_eq!(find("Response time", &names).expect("found"), 0);
        assert_eq!(find("memory", &names).expect("found"), 2);
        assert_eq!(find("mem", &names).expect("found"), 2);
        assert!(find("resp", &names).expect_err("several").to_string().contains("begins several"));
        assert!(find("Memroy", &names).expect_err("none").to_string().contains("did you mean `Memory`?"));
        assert!(find("x", &[]).expect_err("none").to_string().contains("there are none"));
    }
}
