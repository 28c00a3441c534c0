//! What a `[[criterion]]` means: the rules that keep a typing error from becoming a criterion that nothing can meet, or
//! that anything does.

use super::{
    CRITERIA_MAX, LABEL_BYTES_MAX, PARTS_MAX,
    file::{self, Amount, At, Target, Values},
    meaning::{Durations, Reader, short},
    wrong::{Wrong, nearest, origins},
};
use milepost_judge::{Criterion, Family, Goal, Metric, Quantity, Relation, Since, Unit};
use milepost_record::{Dimension, Filter, GROUPS_MAX, limits};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::Duration,
};

/// Which values of a metric are better; a measurement can be either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Less,
    More,
}

impl Direction {
    pub(crate) fn of(metric: &Metric) -> Option<Self> {
        match metric {
            Metric::Latency(_) | Metric::PeakMemory(_) | Metric::Memory(_) | Metric::CpuPercent | Metric::FirstSuccess => Some(Self::Less),
            Metric::SuccessRate
            | Metric::LearningAccuracy
            | Metric::LearningImprovement
            | Metric::VoiceAccuracy
            | Metric::RetentionWeek4
            | Metric::ContributionsMonth => Some(Self::More),
            Metric::Measurement(_) => None,
        }
    }

    /// The bound that people mean when they only give a number.
    pub(crate) const fn usual(self) -> Relation {
        match self {
            Self::Less => Relation::Below,
            Self::More => Relation::Above,
        }
    }
}

const MAX_AGE_DEFAULT: Duration = Duration::from_secs(7 * 86400);
const MAX_AGE: Durations = Durations {
    key: "max_age",
    units: &[Unit::MINUTE, Unit::HOUR, Unit::DAY],
    range_us: 60e6..=3660.0 * 86400e6,
    range: "a time from 1min to 3660d, in min, h or d",
    example: "max_age = \"7d\"",
};

/// The chance of a wrong verdict that is usual.
const ALPHA_DEFAULT: f64 = 0.05;

/// What a criterion says of groups.
struct Grouping<'a> {
    for_each: Option<Dimension>,
    groups: Vec<String>,
    /// The key `groups`, for errors.
    groups_at: Option<&'a At<Vec<At<String>>>>,
    limits: Option<&'a At<BTreeMap<At<String>, At<Amount>>>>,
}

impl Reader<'_> {
    pub(crate) fn criteria(&mut self, criteria: &[At<file::Criterion>]) -> Vec<Criterion> {
        if !self.few_enough("criteria", criteria, CRITERIA_MAX) {
            return Vec::new();
        }
        self.names_and_cards(criteria);
        criteria.iter().filter_map(|criterion| self.criterion(criterion)).collect()
    }

    /// A criterion is found by its name, and a card by its label: neither can be there twice.
    fn names_and_cards(&mut self, criteria: &[At<file::Criterion>]) {
        let (mut names, mut cards) = (BTreeSet::<&At<String>>::new(), BTreeSet::new());
        for criterion in criteria {
            let name = criterion.value.name.as_ref().map(|at| ("the criterion", at, &mut names));
            let card = criterion.value.card.as_ref().map(|at| ("the card", at, &mut cards));
            for (what, at, seen) in [name, card].into_iter().flatten() {
                match seen.get(at) {
                    Some(first) => self.twice(what, &at.value, first.span.clone(), at.span.clone()),
                    None => _ = seen.insert(at),
                }
            }
        }
    }

    fn criterion(&mut self, At { value: typed, span }: &At<file::Criterion>) -> Option<Criterion> {
        let name = self.required(typed.name.as_ref(), ("[[criterion]]", span), "name", "name = \"Response time\"");
        let name = name.and_then(|at| self.line("name", at, LABEL_BYTES_MAX));
        let goals = self.goals(typed, span);
        let since = match &typed.since {
            Some(at) => self.since(at),
            None => Some(Since::Quarter),
        };
        let max_age = match &typed.max_age {
            Some(at) => self.duration(at, &MAX_AGE),
            None => Some(MAX_AGE_DEFAULT),
        };
        let alpha = typed.alpha.as_ref().map_or(ALPHA_DEFAULT, |at| at.value);
        if let Some(at) = typed.alpha.as_ref().filter(|at| !(0.0001..=0.5).contains(&at.value)) {
            self.fault(at.span.clone(), Wrong::Alpha);
        }
        let baseline = self.remark("baseline", typed.baseline.as_ref());
        let method = self.remark("method", typed.method.as_ref());
        let card = self.remark("card", typed.card.as_ref());
        Some(Criterion { name: name?, tier: typed.tier, goals: goals?, since: since?, baseline, method, max_age: max_age?, card, alpha })
    }

    fn since(&mut self, at: &At<file::Since>) -> Option<Since> {
        let since = at.value.meaning();
        if since.is_none() {
            let words = file::Since::WORDS.iter().map(|(word, _)| word);
            let text = short(&at.value.0);
            self.fault(at.span.clone(), Wrong::Since { text, nearest: nearest(&at.value.0, words) });
        }
        since
    }

    fn goals(&mut self, typed: &file::Criterion, span: &Range<usize>) -> Option<Vec<Goal>> {
        let grouping = self.grouping(typed);
        match (&typed.metric, &typed.all) {
            (Some(_), None) => Some(vec![self.goal(&typed.target(), span, &grouping?)?]),
            (None, Some(all)) => {
                let beside = typed.target();
                let limits = typed.limits.as_ref().map(|at| ("limits", at.span.clone()));
                for (key, span) in beside.keys().chain(limits) {
                    self.fault(span, Wrong::BesideAll { key });
                }
                let parts = self.members("all", all)?;
                if !self.few_enough("parts of `all`", parts, PARTS_MAX) {
                    return None;
                }
                let grouping = Grouping { limits: None, ..grouping? };
                let goals: Vec<_> = parts.iter().map(|part| self.goal(&part.value, &part.span, &grouping)).collect();
                goals.into_iter().collect()
            }
            (Some(metric), Some(all)) => {
                let (first, second) =
                    if metric.span.start < all.span.start { (&metric.span, &all.span) } else { (&all.span, &metric.span) };
                self.fault_beside(first.clone(), second.clone(), Wrong::MetricOrAll { both: true });
                None
            }
            (None, None) => {
                self.fault(span.clone(), Wrong::MetricOrAll { both: false });
                None
            }
        }
    }

    fn grouping<'a>(&mut self, typed: &'a file::Criterion) -> Option<Grouping<'a>> {
        let for_each = match &typed.for_each {
            Some(at) => Some(self.dimension(at)?),
            None => None,
        };
        let groups = typed.groups.as_ref().map(|at| self.distinct("groups", "the group", at, GROUPS_MAX));
        if for_each.is_none() {
            let keys = [("groups", typed.groups.as_ref().map(|at| &at.span)), ("limits", typed.limits.as_ref().map(|at| &at.span))];
            if let Some((key, span)) = keys.into_iter().find_map(|(key, span)| Some((key, span?))) {
                self.fault(span.clone(), Wrong::WithoutForEach { key });
                return None;
            }
        }
        if let Some(dimension) = &for_each {
            let limited = typed.limits.iter().flat_map(|at| at.value.keys());
            for name in typed.groups.iter().flat_map(|at| &at.value).chain(limited) {
                self.can_occur(dimension, name);
            }
        }
        let groups = match groups {
            Some(groups) => groups?,
            None => Vec::new(),
        };
        if let Some(at) = typed.limits.as_ref().filter(|at| at.value.is_empty()) {
            self.fault(at.span.clone(), Wrong::EmptyList { key: "limits" });
            return None;
        }
        if let Some(at) = typed.limits.as_ref().filter(|at| at.value.len() > GROUPS_MAX) {
            self.fault(at.span.clone(), Wrong::TooMany { what: "limits", n: at.value.len(), max: GROUPS_MAX });
            return None;
        }
        Some(Grouping { for_each, groups, groups_at: typed.groups.as_ref(), limits: typed.limits.as_ref() })
    }

    fn goal(&mut self, target: &Target, span: &Range<usize>, grouping: &Grouping<'_>) -> Option<Goal> {
        let at = self.required(target.metric.as_ref(), ("this part", span), "metric", "metric = \"latency.p95\"")?;
        let metric: Metric = match at.value.parse() {
            Ok(metric) => metric,
            Err(unknown) => {
                self.fault(at.span.clone(), Wrong::UnknownMetric(unknown));
                return None;
            }
        };
        if let Some(for_each) = grouping.for_each.as_ref().filter(|dimension| !metric.has(dimension)) {
            let wrong = Wrong::NotOfMetric { metric: metric.clone(), dimension: for_each.clone() };
            self.fault(at.span.clone(), wrong);
        } else if grouping.for_each.is_some() && !metric.has_groups() {
            self.fault(at.span.clone(), Wrong::NoGroups { metric: metric.clone() });
        }
        let bound = self.bound(target, &metric, at, grouping.limits.is_some());
        let limits = self.limits(&metric, grouping);
        let filter = self.filter(target, &metric);
        if let Some(at) = target.failures.as_ref().filter(|_| !matches!(metric, Metric::Latency(_))) {
            self.fault(at.span.clone(), Wrong::FailuresOfOther { metric: metric.clone() });
        }
        if let Some(at) = target.after.as_ref().filter(|_| metric != Metric::LearningAccuracy) {
            self.fault(at.span.clone(), Wrong::AfterOfOther { metric: metric.clone() });
        }
        if let Some(at) = target.after.as_ref().filter(|at| !(1..=limits::COUNT_MAX).contains(&at.value)) {
            self.fault(at.span.clone(), Wrong::After);
        }
        let ((relation, limit), limits) = (bound?, limits?);
        self.same_family(&metric, limit, &limits, grouping)?;
        let bad = match &target.bad {
            Some(at) => Some(self.bad(at, &metric, relation, limit, &limits)?),
            None => None,
        };
        let goal = Goal {
            metric,
            relation,
            limit,
            bad,
            for_each: grouping.for_each.clone(),
            groups: grouping.groups.clone(),
            limits,
            filter: filter?,
            failures: target.failures.as_ref().map(|at| at.value).unwrap_or_default(),
            after: target.after.as_ref().map(|at| at.value).unwrap_or_default(),
        };
        self.can_be_there(grouping, &goal);
        Some(goal)
    }

    /// The one bound of a metric: which side is good, and of what. Limits of groups can stand alone, where only one side makes sense.
    fn bound(&mut self, target: &Target, metric: &Metric, at: &At<String>, limits: bool) -> Option<(Relation, Option<Quantity>)> {
        let mut bounds = target.bounds();
        let direction = Direction::of(metric);
        let Some((relation, bound)) = bounds.next() else {
            if let Some(direction) = direction.filter(|_| limits) {
                return Some((direction.usual(), None));
            }
            self.fault(at.span.clone(), Wrong::NoBound { metric: metric.clone(), limits });
            return None;
        };
        if let Some((_, second)) = bounds.next() {
            let (first, second) = if bound.span.start < second.span.start { (bound, second) } else { (second, bound) };
            self.fault_beside(first.span.clone(), second.span.clone(), Wrong::TwoBounds { metric: metric.clone() });
            return None;
        }
        if direction.is_some_and(|direction| direction.usual().is_upper() != relation.is_upper()) {
            self.fault(bound.span.clone(), Wrong::WrongWay { metric: metric.clone(), relation });
            return None;
        }
        Some((relation, Some(self.limit(relation.name(), bound, metric)?)))
    }

    fn limits(&mut self, metric: &Metric, grouping: &Grouping<'_>) -> Option<BTreeMap<String, Quantity>> {
        let mut limits = BTreeMap::new();
        let mut whole = true;
        for (group, amount) in grouping.limits.iter().flat_map(|at| &at.value) {
            let name = self.event_name("limits", group);
            match (name, self.limit(&group.value, amount, metric)) {
                (Some(name), Some(limit)) => _ = limits.insert(name, limit),
                _ => whole = false,
            }
        }
        whole.then_some(limits)
    }

    /// A limit that can be met and missed.
    fn limit(&mut self, key: &str, at: &At<Amount>, metric: &Metric) -> Option<Quantity> {
        let key = short(key);
        let quantity = self.quantity(&key, at, metric.family())?;
        let base = quantity.base();
        let wrong = match (metric, quantity.unit.family()) {
            (Metric::Measurement(_), _) => return Some(quantity),
            // A difference of two shares: no change is a goal, and so is a loss that one can live with.
            (Metric::LearningImprovement, _) if base >= 1.0 => Wrong::RateTooHigh { written: quantity },
            (Metric::LearningImprovement, _) if base <= -1.0 => Wrong::RateTooLow { written: quantity },
            (Metric::LearningImprovement, _) => return Some(quantity),
            (Metric::CpuPercent, _) if base > 0.0 => return Some(quantity),
            (Metric::CpuPercent, _) => Wrong::NotPositive { key },
            (_, Family::Share) if base >= 1.0 => Wrong::RateTooHigh { written: quantity },
            (_, Family::Share) if base <= 0.0 => Wrong::RateTooLow { written: quantity },
            (_, Family::Time) if base > limits::DURATION_US_MAX as f64 => Wrong::BeyondEvents { key, max: "366 d" },
            (_, Family::Memory) if base > limits::MEMORY_BYTES_MAX as f64 => Wrong::BeyondEvents { key, max: "1 PiB" },
            (Metric::PeakMemory(_), _) if base < limits::PEAK_BYTES_KNOWN_ABOVE as f64 => Wrong::PeakUnknown { written: quantity },
            _ if base <= 0.0 => Wrong::NotPositive { key },
            _ => return Some(quantity),
        };
        self.fault(at.span.clone(), wrong);
        None
    }

    /// A finite amount in a unit of this family; any, where only the reading tells which.
    fn quantity(&mut self, key: &str, at: &At<Amount>, family: Option<Family>) -> Option<Quantity> {
        let read = match &at.value {
            Amount::Number(number) => Ok(Quantity::new(*number, Unit::NONE)),
            Amount::Text(text) => text.parse::<Quantity>(),
        };
        let wrong = match (read, family) {
            (Err(error), family) => Wrong::NotAnAmount { error, family },
            (Ok(quantity), _) if !quantity.base().is_finite() => Wrong::NotFinite { key: key.to_owned() },
            (Ok(quantity), Some(family)) if quantity.unit.family() == family => return Some(quantity),
            (Ok(quantity), None) => return Some(quantity),
            (Ok(quantity), Some(family)) if quantity.unit == Unit::NONE => {
                Wrong::NoUnit { key: key.to_owned(), written: self.written(&at.span), value: quantity.value, family }
            }
            (Ok(written), Some(family)) => Wrong::WrongFamily { key: key.to_owned(), written, family },
        };
        self.fault(at.span.clone(), wrong);
        None
    }

    /// Whether the limits of a measurement, which may be in any unit, can be compared with each other.
    fn same_family(
        &mut self,
        metric: &Metric,
        limit: Option<Quantity>,
        limits: &BTreeMap<String, Quantity>,
        grouping: &Grouping<'_>,
    ) -> Option<()> {
        let family = metric.family().or(limit.map(|limit| limit.unit.family()))?;
        let typed = grouping.limits.iter().flat_map(|at| &at.value);
        for (group, amount) in typed {
            if let Some(other) = limits.get(&group.value).filter(|other| other.unit.family() != family) {
                let wrong = Wrong::WrongFamily { key: group.value.clone(), written: *other, family };
                self.fault(amount.span.clone(), wrong);
                return None;
            }
        }
        Some(())
    }

    /// The second bound: beyond the limit, and beyond each limit of a group.
    fn bad(
        &mut self,
        at: &At<Amount>,
        metric: &Metric,
        relation: Relation,
        limit: Option<Quantity>,
        limits: &BTreeMap<String, Quantity>,
    ) -> Option<Quantity> {
        let all = || limits.values().copied().chain(limit);
        let bad = self.quantity("bad", at, metric.family().or_else(|| all().next().map(|limit| limit.unit.family())))?;
        let beyond = |limit: &Quantity| if relation.is_upper() { bad.base() > limit.base() } else { bad.base() < limit.base() };
        if let Some(limit) = all().find(|limit| !beyond(limit)) {
            self.fault(at.span.clone(), Wrong::BadInside { bad, limit, relation });
            return None;
        }
        Some(bad)
    }

    fn filter(&mut self, target: &Target, metric: &Metric) -> Option<Filter> {
        let mut filter = Filter::new();
        let mut whole = true;
        for (name, values) in target.filter.iter().flat_map(|at| &at.value) {
            match &values.value {
                Values::Attributes(attributes) if name.value == "attributes" => {
                    for (attribute, values) in attributes {
                        let name = self.event_name("where", attribute);
                        let read = name.and_then(|name| Some((Dimension::Attribute(name), self.values(&attribute.value, values)?)));
                        whole &= self.keep(&mut filter, attribute, read);
                    }
                }
                _ => {
                    let read = self.dimension(name).and_then(|dimension| self.dimension_filter(metric, dimension, name, values));
                    whole &= self.keep(&mut filter, name, read);
                }
            }
        }
        whole.then_some(filter)
    }

    /// An attribute can be written in two ways, but not in both.
    fn keep(&mut self, filter: &mut Filter, at: &At<String>, read: Option<(Dimension, BTreeSet<String>)>) -> bool {
        let Some((dimension, values)) = read else { return false };
        let name = dimension.to_string();
        let once = filter.insert(dimension, values).is_none();
        if !once {
            self.fault(at.span.clone(), Wrong::Twice { what: "the filter on", name: short(&name) });
        }
        once
    }

    fn dimension_filter(
        &mut self,
        metric: &Metric,
        dimension: Dimension,
        name: &At<String>,
        values: &At<Values>,
    ) -> Option<(Dimension, BTreeSet<String>)> {
        if !metric.has(&dimension) {
            self.fault(name.span.clone(), Wrong::NotOfMetric { metric: metric.clone(), dimension });
            return None;
        }
        let set = self.values(&name.value, values)?;
        for value in each(values) {
            self.can_occur(&dimension, &value);
        }
        Some((dimension, set))
    }

    fn values(&mut self, dimension: &str, values: &At<Values>) -> Option<BTreeSet<String>> {
        let wrong = match &values.value {
            Values::Attributes(_) => Wrong::NoTable { dimension: short(dimension) },
            Values::Many(many) if many.is_empty() => Wrong::EmptyList { key: "where" },
            _ => return each(values).iter().map(|value| self.event_name("where", value)).collect(),
        };
        self.fault(values.span.clone(), wrong);
        None
    }

    fn dimension(&mut self, at: &At<String>) -> Option<Dimension> {
        match at.value.parse() {
            Ok(dimension) => Some(dimension),
            Err(_) => {
                let known = Dimension::NAMED.iter().map(ToString::to_string);
                let name = short(&at.value);
                self.fault(at.span.clone(), Wrong::UnknownDimension { name, nearest: nearest(&at.value, known) });
                None
            }
        }
    }

    /// Whether events can have this value. Those of an alias are counted under the name that it stands for, so nothing is ever
    /// found under the alias; and of origins there are four.
    fn can_occur(&mut self, dimension: &Dimension, at: &At<String>) {
        let stands_for = self.aliases.get(&at.value).filter(|_| *dimension == Dimension::Operation).cloned();
        let known = origins();
        if let Some(name) = stands_for {
            self.fault(at.span.clone(), Wrong::IsAlias { alias: short(&at.value), name });
        } else if *dimension == Dimension::Origin && !known.contains(&at.value) {
            self.fault(at.span.clone(), Wrong::UnknownOrigin { word: short(&at.value), nearest: nearest(&at.value, &known) });
        }
    }

    /// Whether the groups that have to be there can be: each has a limit, and the filter lets its events through.
    fn can_be_there(&mut self, grouping: &Grouping<'_>, goal: &Goal) {
        let through = goal.for_each.as_ref().and_then(|dimension| goal.filter.get(dimension));
        let limited = grouping.limits.iter().flat_map(|at| at.value.keys());
        for at in grouping.groups_at.iter().flat_map(|at| &at.value).chain(limited) {
            let group = short(&at.value);
            if goal.limit_of(Some(&at.value)).is_none() {
                self.fault(at.span.clone(), Wrong::GroupWithoutLimit { group });
            } else if through.is_some_and(|through| !through.contains(&at.value)) {
                self.fault(at.span.clone(), Wrong::GroupFilteredOut { group });
            }
        }
    }
}

/// The values of a filter, each with its place.
fn each(values: &At<Values>) -> Vec<At<String>> {
    match &values.value {
        Values::One(one) => vec![At { value: one.clone(), span: values.span.clone() }],
        Values::Many(many) => many.clone(),
        Values::Attributes(_) => Vec::new(),
    }
}
