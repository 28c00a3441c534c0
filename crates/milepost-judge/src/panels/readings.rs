//! The memory of the newest run over time, with the line that a verdict on growth looks at, and what earlier runs took.

use super::Division;
use crate::{
    report::Memory,
    stability::{LineOfGrowth, line_of_growth},
};
use milepost_record::{MemorySample, MemoryTree, Run, Timestamp};
use std::time::Duration;

/// The most spells that a run is shown in.
const SPELLS_MAX: u64 = 96;
/// The most runs that are shown: the newest.
const RUNS_MAX: usize = 60;
const MEGABYTE: f64 = 1e6;

/// The memory of a running product.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoryReadings {
    /// The figures of the runs, the newest first.
    pub runs: Vec<Memory>,
    /// How many more there are.
    pub more_runs: usize,
    /// The newest run, spell by spell; those without a reading are missing.
    pub spells: Vec<Spell>,
    /// How long a spell is.
    pub spell: Duration,
    /// The line through the newest run; `None` where it is too short for one.
    pub line: Option<LineOfGrowth>,
    /// How the newest complete reading of the newest run divides among the processes.
    pub newest: Option<Division>,
    /// The same at its peak, where that is another one.
    pub peak: Option<Division>,
}

/// Readings that followed one another. MB are 1,000,000 bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Spell {
    /// Which one it is, counted from the one around the first reading.
    pub place: u64,
    /// Minutes from the first reading of the run to the first of these.
    pub minutes: f64,
    /// Complete readings.
    pub readings: u64,
    /// Those in which a process could not be read, which count for nothing.
    pub incomplete: u64,
    /// The lowest complete one, their median and the highest; `None` where there is none.
    pub mb: Option<[f64; 3]>,
    /// CPU time as a share of one processor, in percent, up to the last reading; `None` where it is not known.
    pub cpu_percent: Option<f64>,
}

impl MemoryReadings {
    pub(super) fn of<'a>(runs: impl Iterator<Item = &'a Run>, trees: &[MemoryTree]) -> Self {
        let mut runs: Vec<&Run> = runs.filter(|run| !run.samples.is_empty()).collect();
        runs.sort_by_key(|run| std::cmp::Reverse(run.samples.last().map(|sample| sample.at)));
        let trees: Vec<_> = trees.iter().filter(|tree| runs.first().is_some_and(|run| run.run == tree.run)).collect();
        let newest = trees.iter().max_by_key(|tree| tree.at);
        let peak = trees.iter().max_by_key(|tree| tree.bytes).filter(|peak| newest.is_some_and(|newest| newest.bytes < peak.bytes));
        let (spell, spells) = runs.first().map(|run| spells(run)).unwrap_or_default();
        Self {
            more_runs: runs.len().saturating_sub(RUNS_MAX),
            line: runs.first().and_then(|run| line_of_growth(run)),
            spells,
            spell,
            newest: newest.map(|tree| Division::of(tree)),
            peak: peak.map(|tree| Division::of(tree)),
            runs: runs.iter().take(RUNS_MAX).filter_map(|run| Memory::of(run)).collect(),
        }
    }
}

/// As short as their number allows: from one reading to the next, in whole seconds up to a minute, or in whole minutes.
fn spells(run: &Run) -> (Duration, Vec<Spell>) {
    const SECOND: u64 = 1_000_000;
    let Some((first, last)) = run.samples.first().zip(run.samples.last()) else { return Default::default() };
    let since = |at: Timestamp| u64::try_from(at.since(first.at).as_micros()).unwrap_or(u64::MAX);
    let least = since(last.at).div_ceil(SPELLS_MAX).max(1);
    let between = since(last.at) / (run.samples.len() as u64).saturating_sub(1).max(1);
    let every = run.every_us.unwrap_or(between);
    let whole = if least <= 60 * SECOND { SECOND } else { 60 * SECOND };
    let spell = if every >= least { every } else { least.div_ceil(whole) * whole };
    // Each is around the moment that a reading was due at: readings are some milliseconds late, and the first as any.
    let place = |sample: &MemorySample| (since(sample.at) + spell / 2) / spell;
    let (mut spells, mut before) = (Vec::new(), None);
    for samples in run.samples.chunk_by(|a, b| place(a) == place(b)) {
        let Some((from, to)) = samples.first().zip(samples.last()) else { continue };
        let mut mb: Vec<f64> = samples.iter().filter(|sample| sample.complete).map(|sample| sample.bytes as f64 / MEGABYTE).collect();
        mb.sort_by(f64::total_cmp);
        let n = mb.len();
        // The time that a reading says something of began at the reading before it.
        let begin: Timestamp = before.replace(to.at).unwrap_or(from.at);
        let of = if begin == from.at { samples.get(1..).unwrap_or_default() } else { samples };
        let used: Option<Vec<u64>> = of.iter().map(|sample| sample.cpu_us).collect();
        let lasted = to.at.since(begin).as_micros() as f64;
        spells.push(Spell {
            place: place(from),
            minutes: since(from.at) as f64 / 60e6,
            readings: n as u64,
            incomplete: (samples.len() - n) as u64,
            mb: mb.first().zip(mb.last()).map(|(low, high)| [*low, f64::midpoint(mb[(n - 1) / 2], mb[n / 2]), *high]),
            cpu_percent: used.filter(|_| lasted > 0.0).map(|used| 100.0 * used.iter().sum::<u64>() as f64 / lasted),
        });
    }
    (Duration::from_micros(spell), spells)
}

#[cfg(test)]
mod tests {
    use super::*;
    use milepost_record::Measure;

    fn run(readings: u64, every: u64) -> Run {
        let sample = |i: u64| MemorySample {
            at: "2026-11-01T00:00:00Z".parse::<Timestamp>().expect("a time").saturating_add(Duration::from_secs(i * every)),
            bytes: (100 + i) * 1_000_000,
            complete: i != 1,
            cpu_us: (i > 0).then_some(every * 500_000),
        };
        Run { run: "r".to_owned(), process: None, measure: Measure::Pss, every_us: None, samples: (0..readings).map(sample).collect() }
    }

    #[test]
    fn spells_hold_every_reading_and_its_processor_time() {
        for (readings, every) in [(1, 1), (3, 10), (450, 10), (9000, 10)] {
            let run = run(readings, every);
            let (spell, spells) = spells(&run);
            assert!(spells.len() as u64 <= SPELLS_MAX + 1, "{readings}: {}", spells.len());
            assert_eq!(spells.iter().map(|spell| spell.readings + spell.incomplete).sum::<u64>(), readings);
            assert_eq!(spells.iter().map(|spell| spell.incomplete).sum::<u64>(), u64::from(readings > 1));
            let cpu: Vec<_> = spells.iter().filter_map(|spell| spell.cpu_percent).collect();
            assert!(cpu.iter().all(|percent| (percent - 50.0).abs() < 1e-9), "{cpu:?}");
            assert!(spell >= Duration::from_micros(1) && (readings == 1) == cpu.is_empty());
            // Nothing is missing of a run that is whole.
            assert!(spells.iter().enumerate().all(|(place, of)| of.place == place as u64), "{readings}");
        }
        let (_, spells) = spells(&run(3, 10));
        assert_eq!(spells.iter().map(|spell| spell.mb).collect::<Vec<_>>(), [Some([100.0; 3]), None, Some([102.0; 3])]);
    }

    #[test]
    fn the_newest_run_comes_first_and_the_line_needs_an_hour() {
        let (short, long) = (run(30, 10), run(600, 10));
        let readings = MemoryReadings::of([&short, &long].into_iter(), &[]);
        assert_eq!(readings.runs.iter().map(|run| run.readings).collect::<Vec<_>>(), [599, 29]);
        // One megabyte in ten seconds.
        let line = readings.line.expect("a line");
        assert!((line.slope_mb_a_day - 8640.0).abs() < 1e-6 && line.interval_mb_a_day[0] > 8000.0, "{line:?}");
        assert_eq!(MemoryReadings::of(std::iter::once(&short), &[]).line, None);
    }
}
