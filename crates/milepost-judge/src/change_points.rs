//! When the level of a series changed: E-divisive (Matteson and James 2014, JASA 109), made fit for daily series by sliding
//! windows, a t-test and merging (Fleming et al. 2023, *Hunter*, ICPE), as in Apache Otava 0.8.0.
//!
//! Two stretches of a series differ as much as values of different stretches are further apart than values of the same. Within
//! each window, the place where they differ most splits it, and so on while Student's t-test finds the two sides different at
//! ten times the level asked for. Of all places found that way, the one with the largest p-value goes until every p-value is
//! small enough, then the one with the smallest change until every change is large enough; what goes leaves its neighbours
//! longer stretches, by which they are tested anew.
//!
//! Otava tests the neighbours after anew and never the one before, so now and then it reports a change by a stretch that ends at
//! a place long dropped. Here the places go in its order first; then all that are left are tested by the stretches that are left,
//! and merged with both neighbours tested anew. So there may be fewer than in Otava, and what is said of each holds.
//!
//! A change is a hint ("probable change on this day, +10%") and decides no verdict: the p-value of a place that was searched for,
//! day after day, is no error rate. A slow drift looks like a staircase; [`shifts`] calls it a trend.

use crate::always_valid::beta;

/// How much looser than asked for the test is while splitting: what is weak alone may be strong beside better neighbours.
const WHILE_SPLITTING: f64 = 10.0;

/// Windows are cut to this many values: the time that one takes grows with its square.
const WINDOW_LEN_MAX: usize = 400;

/// What the values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Amounts. The relative change is `after / before - 1`; its magnitude is the larger one of there and back.
    Plain,
    /// Natural logarithms of amounts. The relative change is `exp(after - before) - 1`, and its magnitude without the sign.
    Ln,
}

/// What counts as a change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    /// How many values are looked at together, from 2 to 400; each window begins half of it after the last, or at the last change.
    pub window_len: usize,
    /// The p-values of changes lie below this, and below 1 in any case.
    pub p_max: f64,
    /// The magnitudes of changes lie above this; 0.05 is 5%.
    pub magnitude_min: f64,
    /// So many values, at least, lie between two changes, and between a change and either end. At least 1.
    pub side_min: usize,
    /// What the values are.
    pub scale: Scale,
}

impl Parameters {
    /// The defaults of Apache Otava.
    pub const OTAVA: Self = Self { window_len: 50, p_max: 0.001, magnitude_min: 0.0, side_min: 1, scale: Scale::Plain };
    /// Ours, for the logarithm of one value a day.
    pub const DAILY: Self = Self { window_len: 30, p_max: 0.001, magnitude_min: 0.05, side_min: 3, scale: Scale::Ln };
}

/// A place where the level of a series changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChangePoint {
    /// The first value of the new level, counted from 0 in the series that was given.
    pub index: usize,
    /// The mean since the change before, in the unit of the series.
    pub before_mean: f64,
    /// The mean until the next change.
    pub after_mean: f64,
    /// By how much of itself the level changed; 0.1 is +10%. None where the mean before is 0 and the scale is plain.
    pub change: Option<f64>,
    /// The p-value of Student's t-test between the two stretches.
    pub p: f64,
    /// The divergence that found the place: `Q` of Matteson and James, with distances to the power 1, in the unit of the series.
    pub divergence: f64,
}

/// One change, or several that look like a slow one.
#[derive(Clone, Debug, PartialEq)]
pub enum Shift {
    /// The level changed once, and then not again in the same direction.
    Step(ChangePoint),
    /// Two or more changes in the same direction follow each other: a trend, whose steps are only how it was found.
    Trend(Vec<ChangePoint>),
}

impl ChangePoint {
    /// Whether the level is higher than before.
    #[must_use]
    pub fn rises(&self) -> bool {
        self.after_mean > self.before_mean
    }
}

/// The changes of a series, in order; at least `side_min` values lie on each side of each.
///
/// A value that is not finite is left out, as a day without one would be; indexes count it. The time grows with the length of
/// the series times the length of a window, and with the number of changes: ten years of days take milliseconds.
///
/// ```
/// # use milepost_judge::change_points::{Parameters, change_points};
/// let noise = |day: i32| f64::from(day * 7919 % 13 - 6);
/// let series: Vec<f64> = (0..60).map(|day| ((if day < 35 { 300.0 } else { 330.0 }) + noise(day)).ln()).collect();
/// let [found] = change_points(&series, Parameters::DAILY)[..] else { panic!("one change") };
/// assert_eq!(found.index, 35);
/// assert!((found.change.unwrap() - 0.10).abs() < 0.005);
/// ```
#[must_use]
pub fn change_points(series: &[f64], parameters: Parameters) -> Vec<ChangePoint> {
    let (places, values): (Vec<usize>, Vec<f64>) = series.iter().copied().enumerate().filter(|(_, value)| value.is_finite()).unzip();
    let mut found = merged(&values, &split(&values, parameters), parameters);
    found.iter_mut().for_each(|point| point.index = places[point.index]);
    found
}

/// Changes in the same direction that follow each other, as one trend; the others as they are.
#[must_use]
pub fn shifts(points: &[ChangePoint]) -> Vec<Shift> {
    let shift = |run: &[ChangePoint]| match run {
        [alone] => Shift::Step(*alone),
        steps => Shift::Trend(steps.to_vec()),
    };
    points.chunk_by(|a, b| a.rises() == b.rises()).map(shift).collect()
}

/// Where a stretch may be split.
#[derive(Clone, Copy)]
struct Candidate {
    index: usize,
    divergence: f64,
}

/// The places that sliding windows find, in rising order: no window begins before the last place found.
fn split(values: &[f64], parameters: Parameters) -> Vec<Candidate> {
    let window_len = parameters.window_len.clamp(2, WINDOW_LEN_MAX);
    let (mut found, mut start) = (Vec::new(), 0);
    while start < values.len() {
        let end = (start + window_len).min(values.len());
        let in_window = split_window(values, start, end, parameters);
        start = in_window.last().map_or(0, |last| last.index).max(start + window_len / 2);
        found.extend(in_window);
    }
    found
}

/// A stretch between two splits of a window, and where it is split best.
struct Stretch {
    start: usize,
    end: usize,
    best: Option<Candidate>,
}

/// Splits `start..end` at the most divergent place of all its stretches, until that place is not significant.
fn split_window(values: &[f64], start: usize, end: usize, parameters: Parameters) -> Vec<Candidate> {
    let stretch = |start, end| Stretch { start, end, best: most_divergent(values, start, end, parameters.side_min) };
    let mut stretches = vec![stretch(start, end)];
    let mut found = Vec::new();
    loop {
        let candidates = stretches.iter().enumerate().filter_map(|(at, stretch)| Some((at, stretch.best?)));
        // The first of equals, as everywhere here.
        let Some((at, best)) = candidates.min_by(|(_, a), (_, b)| b.divergence.total_cmp(&a.divergence)) else { break };
        let Stretch { start, end, .. } = stretches[at];
        let p = t_test(Moments::of(&values[start..best.index]), Moments::of(&values[best.index..end]));
        let is_significant = p <= WHILE_SPLITTING * parameters.p_max;
        if !is_significant {
            break;
        }
        stretches.splice(at..=at, [stretch(start, best.index), stretch(best.index, end)]);
        found.push(best);
    }
    found.sort_unstable_by_key(|candidate| candidate.index);
    found
}

/// Where `X = start..t` and `Y = t..k` diverge most, over all `t < k <= end`; none where nothing differs.
///
/// With `n` values in X and `m` in Y, sums over pairs,
/// `Q(t, k) = 2/(m+n) sum |Xi - Yj| - 2m/((m+n)(n-1)) sum |Xi - Xk| - 2n/((m+n)(m-1)) sum |Yj - Yk|`.
/// The sums grow by one distance a step, so each `Q` takes constant time, and memory grows with the length, not its square.
fn most_divergent(values: &[f64], start: usize, end: usize, side_min: usize) -> Option<Candidate> {
    let (values, side_min) = (values.get(start..end)?, side_min.max(1));
    let len = values.len();
    // By k: the distances of all pairs among the first k values.
    let mut among_first = vec![0.0; len + 1];
    for k in 0..len {
        among_first[k + 1] = among_first[k] + values[..k].iter().map(|value| (value - values[k]).abs()).sum::<f64>();
    }
    // By index: the distances to all values from t on that come before it.
    let mut to_earlier = vec![0.0; len];
    let mut best: Option<Candidate> = None;
    for t in (1..len).rev() {
        let (within_x, mut within_y, n) = (among_first[t], 0.0, t as f64);
        let mut best_of_t = Candidate { index: start + t, divergence: 0.0 };
        for (k, among_first) in (1..).zip(&among_first[1..]).skip(t) {
            let (last, m) = (k - 1, (k - t) as f64);
            to_earlier[last] += (values[last] - values[t]).abs();
            within_y += to_earlier[last];
            let between = among_first - within_x - within_y;
            let mean_within = |other: f64, own: f64, sum: f64| if own > 1.0 { 2.0 * other / ((m + n) * (own - 1.0)) * sum } else { 0.0 };
            let q = 2.0 / (m + n) * between - mean_within(m, n, within_x) - mean_within(n, m, within_y);
            if q > best_of_t.divergence && t >= side_min && k - t >= side_min {
                best_of_t.divergence = q;
            }
        }
        // From the last t to the first one, so that the first of equals stays.
        if best_of_t.divergence > 0.0 && best.is_none_or(|best| best_of_t.divergence >= best.divergence) {
            best = Some(best_of_t);
        }
    }
    best
}

/// The candidates that are left when the weakest has gone again and again: first as in Otava, then by what is left.
fn merged(values: &[f64], candidates: &[Candidate], parameters: Parameters) -> Vec<ChangePoint> {
    let untested = |candidate: &Candidate| ChangePoint {
        index: candidate.index,
        before_mean: 0.0,
        after_mean: 0.0,
        change: None,
        p: 1.0,
        divergence: candidate.divergence,
    };
    let mut points: Vec<ChangePoint> = candidates.iter().map(untested).collect();
    let test_all = |points: &mut [ChangePoint]| (0..points.len()).for_each(|at| test(values, points, at, parameters.scale));
    test_all(&mut points);
    while let Some(weakest) = weakest(&points, parameters) {
        points.remove(weakest);
        for after in [weakest, weakest + 1] {
            test(values, &mut points, after, parameters.scale);
        }
    }
    test_all(&mut points);
    while let Some(weakest) = weakest(&points, parameters) {
        points.remove(weakest);
        for neighbour in [weakest.checked_sub(1), Some(weakest)].into_iter().flatten() {
            test(values, &mut points, neighbour, parameters.scale);
        }
    }
    points
}

/// The change that goes next: by p-value, then by magnitude.
fn weakest(points: &[ChangePoint], parameters: Parameters) -> Option<usize> {
    let places = || 0..points.len();
    let least_sure = places().min_by(|a, b| points[*b].p.total_cmp(&points[*a].p))?;
    let p = points[least_sure].p;
    let is_sure = p < parameters.p_max && p < 1.0;
    if !is_sure {
        return Some(least_sure);
    }
    let magnitude = |at: &usize| magnitude(&points[*at], parameters.scale);
    let smallest = places().min_by(|a, b| magnitude(a).total_cmp(&magnitude(b)))?;
    let is_large = magnitude(&smallest) > parameters.magnitude_min;
    (!is_large).then_some(smallest)
}

/// Compares the stretches on both sides of a change, up to its neighbours; nothing where there is no such change.
fn test(values: &[f64], points: &mut [ChangePoint], at: usize, scale: Scale) {
    let start = at.checked_sub(1).and_then(|before| points.get(before)).map_or(0, |before| before.index);
    let end = points.get(at + 1).map_or(values.len(), |next| next.index);
    let Some(point) = points.get_mut(at) else { return };
    let (before, after) = (Moments::of(&values[start..point.index]), Moments::of(&values[point.index..end]));
    (point.before_mean, point.after_mean) = (before.mean, after.mean);
    point.change = change(before.mean, after.mean, scale);
    point.p = t_test(before, after);
}

fn change(from: f64, to: f64, scale: Scale) -> Option<f64> {
    match scale {
        Scale::Plain => (from != 0.0).then(|| to / from - 1.0),
        Scale::Ln => Some((to - from).exp_m1()),
    }
}

fn magnitude(point: &ChangePoint, scale: Scale) -> f64 {
    let there = point.change.unwrap_or(0.0).abs();
    match scale {
        Scale::Plain => there.max(change(point.after_mean, point.before_mean, scale).unwrap_or(0.0).abs()),
        Scale::Ln => there,
    }
}

#[derive(Clone, Copy)]
struct Moments {
    n: f64,
    mean: f64,
    /// With the divisor n, as Otava has it.
    variance: f64,
}

impl Moments {
    fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        Self { n, mean, variance: values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n }
    }
}

/// The two-sided p-value of Student's t-test with a pooled variance; 1 where it cannot tell.
fn t_test(a: Moments, b: Moments) -> f64 {
    let (degrees, difference) = (a.n + b.n - 2.0, a.mean - b.mean);
    if degrees < 1.0 || difference == 0.0 {
        return 1.0;
    }
    let pooled = ((a.n - 1.0) * a.variance + (b.n - 1.0) * b.variance) / degrees;
    let t_square = difference * difference / (pooled * (1.0 / a.n + 1.0 / b.n));
    // P(|T| > t) = I_x(degrees/2, 1/2) at x = degrees / (degrees + t^2).
    let p = beta::regularized(degrees / 2.0, 0.5, 1.0 / (1.0 + t_square / degrees), 1.0 / (1.0 + degrees / t_square));
    if p.is_nan() { 1.0 } else { p }
}
