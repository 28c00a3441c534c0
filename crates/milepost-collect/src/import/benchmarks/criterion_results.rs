//! What the crate criterion leaves of a benchmark: `new/benchmark.json` and `new/estimates.json`, durations in nanoseconds.
//!
//! A sample of criterion is the time of many iterations together. No user waits for one, and none is known alone, so they are no
//! operations: mean and median are taken as measurements, with the bounds that criterion worked out.

use super::{NotADocument, bounds, event, measured};
use crate::import::{Format, Ids};
use milepost_record::{Event, Scalar, Timestamp};
use serde::Deserialize;
use serde_json::json;

const FORMAT: Format = Format::Criterion;

#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
}

#[derive(Deserialize)]
struct Estimates {
    mean: Estimate,
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
    confidence_interval: Interval,
}

#[derive(Deserialize)]
struct Interval {
    confidence_level: f64,
    lower_bound: f64,
    upper_bound: f64,
}

/// Reads the two files of one benchmark, which were last written at this time.
///
/// # Errors
/// Where one of them is not what criterion writes.
pub fn criterion(benchmark: &str, estimates: &str, written: Timestamp, ids: &mut Ids) -> Result<Vec<Event>, NotADocument> {
    let benchmark: Benchmark = serde_json::from_str(benchmark).map_err(|error| NotADocument::json(FORMAT, &error))?;
    let estimates: Estimates = serde_json::from_str(estimates).map_err(|error| NotADocument::json(FORMAT, &error))?;
    let of = |(name, estimate): (&str, &Estimate)| {
        let us = |ns: f64| ns / 1e3;
        let Interval { confidence_level, lower_bound, upper_bound } = estimate.confidence_interval;
        let fact = measured(name, us(estimate.point_estimate), Some("us"), "criterion", &benchmark.full_id);
        let says = [
            ("benchmark", json!(benchmark.full_id)),
            ("statistic", json!(name)),
            ("value", json!([estimate.point_estimate, confidence_level, lower_bound, upper_bound])),
        ];
        let mut event = event(FORMAT, ids, written, fact, &says);
        bounds(&mut event, [("lower", Some(us(lower_bound))), ("upper", Some(us(upper_bound)))]);
        event.attributes.insert("confidence".to_owned(), Scalar::Number(confidence_level));
        event
    };
    Ok([("mean", &estimates.mean), ("median", &estimates.median)].map(of).into_iter().collect())
}
