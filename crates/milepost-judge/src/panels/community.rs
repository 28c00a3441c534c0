//! What the community gave, month by month, with who else committed where the history tells.

use crate::{
    code::whole,
    contributions::{Month, months},
};
use jiff::tz::TimeZone;
use milepost_record::{Event, Fact, Reading};

/// One month of contributions of people outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Given {
    /// The contributions.
    pub month: Month,
    /// Commits of maintainers and nobody else; null where nobody counted them.
    pub of_maintainers: Option<u64>,
    /// Commits of bots and nobody else.
    pub of_bots: Option<u64>,
}

/// The months that readings in the order of time are about; `newest` are the measurements that were taken together last.
pub(super) fn given(calendar: &TimeZone, readings: &[Reading], newest: &[Event]) -> Vec<Given> {
    let of_month = |month: Month| {
        let scope = month.first.strftime("%Y-%m").to_string();
        let is_of_month = |event: &&Event| {
            let is_its = matches!(&event.fact, Fact::Measurement(m) if m.scope.as_ref() == Some(&scope) && m.value == month.count);
            is_its && event.at == month.read
        };
        let event = newest.iter().find(is_of_month);
        let of = |name| event.and_then(|event| u64::try_from(whole(event, name)?).ok());
        Given { month, of_maintainers: of("of_maintainers"), of_bots: of("of_bots") }
    };
    months(calendar, readings).into_iter().map(of_month).collect()
}
