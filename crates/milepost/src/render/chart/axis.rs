//! The time of a chart: what the page's script has to know of it, and which dates and durations stand below it.

use super::{At, days_between};
use jiff::{ToSpan, civil::Date};
use milepost_record::Timestamp;
use std::fmt;

/// No more dates than this stand below a chart, and of those with a year.
const DATES_MAX: [usize; 2] = [5, 4];
/// No more durations than this stand below a chart.
const ELAPSED_MAX: f64 = 6.0;
/// Steps of a scale of minutes.
const STEPS: [f64; 11] = [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 240.0, 480.0, 1440.0];

/// From when to when a chart goes. What moves when somebody looks at a part of it is in its groups `times` and `dates`.
pub(crate) struct Axis {
    first: String,
    /// How many days or minutes it covers.
    span: f64,
    of: Of,
    /// The columns of its table with its numbers; else they are in all of them.
    columns: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// Points, each at a day.
    Days,
    /// Bars, each as wide as a day.
    Bars,
    Minutes,
}

impl Axis {
    /// Of points: from the first day to so many days later.
    pub(crate) fn days(first: Date, span: i32) -> Self {
        Self { first: first.to_string(), span: f64::from(span), of: Of::Days, columns: Vec::new() }
    }

    /// Of bars: so many days from the first one on.
    pub(crate) fn bars(first: Date, days: i32) -> Self {
        Self { of: Of::Bars, ..Self::days(first, days) }
    }

    /// So many minutes.
    pub(crate) fn minutes(first: Timestamp, span: f64) -> Self {
        Self { first: first.to_string(), span, of: Of::Minutes, columns: Vec::new() }
    }

    /// Its numbers are in these columns of its table.
    pub(crate) fn in_columns(self, columns: &[usize]) -> Self {
        Self { columns: columns.to_vec(), ..self }
    }
}

/// As attributes of the chart; none of them has anything of strangers.
impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " data-first=\"{}\" data-span=\"{}\"", self.first, (self.span * 100.0).round() / 100.0)?;
        match self.of {
            Of::Days => {}
            Of::Bars => f.write_str(" data-bars")?,
            Of::Minutes => f.write_str(" data-every=\"60000\"")?,
        }
        match &self.columns[..] {
            [] => Ok(()),
            columns => write!(f, " data-columns=\"{}\"", columns.iter().map(usize::to_string).collect::<Vec<_>>().join(" ")),
        }
    }
}

/// Where months begin, or weeks, or days, each with its label, between a day and so many days later.
pub(crate) fn dates(begin: Date, span: i32) -> Vec<(At, String)> {
    let days = || (0..=span).map(|day| begin.saturating_add(day.days()));
    let counts = |date: &Date| match span {
        70.. => date.day() == 1,
        12.. => date.weekday().to_monday_zero_offset() == 0,
        _ => true,
    };
    let dates: Vec<Date> = days().filter(counts).collect();
    let with_year = begin.year() != begin.saturating_add(span.days()).year() && span > 200;
    let format = if with_year { "%b %Y" } else { "%-d %b" };
    let every = dates.len().div_ceil(DATES_MAX[usize::from(with_year)]).max(1);
    let at = |date: Date| At(100.0 * f64::from(days_between(begin, date)) / f64::from(span.max(1)));
    dates.iter().step_by(every).map(|date| (at(*date), date.strftime(format).to_string())).collect()
}

/// Round durations since the beginning of so many minutes, each with its place.
pub(crate) fn elapsed(minutes: f64) -> Vec<(At, String)> {
    let step =
        STEPS.into_iter().find(|step| minutes / step <= ELAPSED_MAX).unwrap_or_else(|| (minutes / ELAPSED_MAX / 1440.0).ceil() * 1440.0);
    let label = |at: f64| match at {
        0.0 => "0".to_owned(),
        at if step >= 1440.0 => format!("{} d", at / 1440.0),
        at if step >= 60.0 => format!("{} h", at / 60.0),
        at => format!("{at} min"),
    };
    let all = (0..=6_u32).map(|place| f64::from(place) * step).take_while(|at| *at <= minutes);
    all.map(|at| (At(100.0 * at / minutes.max(f64::MIN_POSITIVE)), label(at))).collect()
}
