//! Points of `process.memory.usage` become memory readings. No other metric is ours.

use super::{Mapping, Reason, Taken, Told, digest, moment, shortened};
use milepost_record::{Measure, Memory};
use opentelemetry_proto::tonic::{
    metrics::v1::{AggregationTemporality, Metric, NumberDataPoint, metric::Data, number_data_point::Value},
    resource::v1::Resource,
};

const MEMORY: &str = "process.memory.usage";
/// The bit of a point's flags that says that there was nothing to tell.
const NO_RECORDED_VALUE: u32 = 1;
/// As much of a name as a reason quotes.
const QUOTED_BYTES_MAX: usize = 100;

/// Why a metric of this name is not ours; none where it is.
pub(in super::super) fn foreign(name: &str) -> Option<Reason> {
    (name != MEMORY).then(|| format!("the metric {} is none of ours", shortened(name.to_owned(), QUOTED_BYTES_MAX)).into())
}

impl Mapping {
    /// Tells of each point what became of it.
    pub(in super::super) fn metric<E>(
        &self,
        resource: &Resource,
        scope: &str,
        metric: &Metric,
        tell: &mut dyn FnMut(Taken) -> Result<(), E>,
    ) -> Result<(), E> {
        let (points, refused): (&[NumberDataPoint], _) = match &metric.data {
            Some(Data::Gauge(gauge)) => (&gauge.data_points, None),
            Some(Data::Sum(sum)) if sum.aggregation_temporality == AggregationTemporality::Cumulative as i32 => (&sum.data_points, None),
            Some(Data::Sum(sum)) => (&[], Some((sum.data_points.len(), "memory as a difference: take cumulative temporality"))),
            Some(Data::Histogram(data)) => (&[], Some((data.data_points.len(), "memory as a histogram"))),
            Some(Data::ExponentialHistogram(data)) => (&[], Some((data.data_points.len(), "memory as a histogram"))),
            Some(Data::Summary(data)) => (&[], Some((data.data_points.len(), "memory as a summary"))),
            // In JSON, also one with a word where the specification wants a number.
            None => (&[], Some((1, "a metric without data that can be read"))),
        };
        if let Some(why) = foreign(&metric.name) {
            let counted = refused.map_or(points.len(), |(n, _)| n);
            return (0..counted).try_for_each(|_| tell(Taken::Rejected(why.clone())));
        }
        if let Some((n, why)) = refused {
            return (0..n).try_for_each(|_| tell(Taken::rejected(why)));
        }
        if !matches!(metric.unit.as_str(), "" | "By") {
            return points.iter().try_for_each(|_| tell(Taken::rejected("memory in another unit than By")));
        }
        let is_sum = matches!(metric.data, Some(Data::Sum(_)));
        points.iter().try_for_each(|point| tell(self.memory(resource, scope, point, is_sum)))
    }

    fn memory(&self, resource: &Resource, scope: &str, point: &NumberDataPoint, is_sum: bool) -> Taken {
        if point.flags & NO_RECORDED_VALUE != 0 {
            return Taken::left_out("a point that says that nothing was recorded");
        }
        let told = Told::by(&point.attributes, resource);
        if told.text(&["type"]).is_some_and(|what| what != "rss") {
            return Taken::rejected("memory that is not the resident one");
        }
        let bytes = match point.value {
            Some(Value::AsInt(bytes)) => u64::try_from(bytes).ok(),
            Some(Value::AsDouble(bytes)) => (bytes.is_finite() && bytes >= 0.0).then_some(bytes.round() as u64),
            None => None,
        };
        let Some(bytes) = bytes else { return Taken::rejected("memory that is no number from 0 on") };
        let Some(at) = moment(point.time_unix_nano) else { return Taken::rejected("a point without a time since the year 2000") };
        let Some(run) = run(&told, if is_sum { point.start_time_unix_nano } else { 0 }) else {
            return Taken::rejected("memory of a process that nothing tells apart: give the resource a service.instance.id");
        };
        let mut memory = Memory::new(run.as_str(), bytes, Measure::Rss, true);
        memory.process = told.text(&["process.executable.name", "service.name"]).map(super::cut);
        memory.pid = told.integer("process.pid").and_then(|pid| u64::try_from(pid).ok());
        memory.processes = Some(1);
        let id = digest(&[b"memory", run.as_bytes(), scope.as_bytes(), &point.time_unix_nano.to_le_bytes()]);
        self.event(&told, id, at, memory)
    }
}

/// The process whose memory it is, as one observation: by the id of its instance, else by what else there is of its own.
fn run(told: &Told<'_>, since: u64) -> Option<String> {
    let instance = told.text(&["service.instance.id"]);
    let pid = told.integer("process.pid");
    if instance.is_none() && pid.is_none() && since == 0 {
        return None;
    }
    let named = |keys: &[&str]| told.text(keys).unwrap_or_default();
    let of = [named(&["service.namespace"]), named(&["service.name"]), named(&["host.id", "host.name"]), named(&["process.creation.time"])];
    let mut parts: Vec<&[u8]> = of.iter().map(String::as_bytes).collect();
    // What differs from process to process; an instance needs no more, and its streams may begin at several times.
    let (own, pid, since) = (instance.clone().unwrap_or_default(), pid.unwrap_or_default().to_le_bytes(), since.to_le_bytes());
    parts.push(own.as_bytes());
    if instance.is_none() {
        parts.extend([pid.as_slice(), since.as_slice()]);
    }
    Some(digest(&parts))
}
