//! Whether intents are recognised, with learning and without, and whether speech is.

use super::{
    Panel,
    draw::{Join, Plot, Point, scale},
    pieces::{Cell, Empty, Figures, ROWS_MAX, Table, counted, known, numbers, range, texts},
};
use crate::render::{
    chart::{
        self, Words, amount,
        axis::{Axis, dates},
        days_between,
    },
    html::NotWritten,
    words::{self, capital, count},
};
use askama::Template;
use jiff::{ToSpan, civil::Date};
use milepost_judge::{
    Metric, Panels,
    improvement::{Course, CourseDay, Estimate},
    learning::{Arm, Checkpoint, Learning, Voice},
    scorecard::Reason,
};

/// The unit of a difference of shares.
const POINTS: &str = "points";
/// How many days the table of the course lists: the newest.
const DAYS_MAX: usize = 92;
/// Days that are told singly in the table, which says what is known up to each.
const DAYS_TOLD: i32 = 42;

#[derive(Template)]
#[template(path = "panel/learning.html", whitespace = "minimize")]
struct Body {
    learning: Result<Experiment, Empty>,
    voice: Result<Figures, Empty>,
}

struct Experiment {
    figures: Figures,
    reasons: Vec<String>,
    /// Which command labels what nobody has labelled.
    label: bool,
    arms: Option<Table>,
    accuracy: Option<Plot>,
    difference: Option<Plot>,
    is_any: bool,
    course: Option<Table>,
    checkpoints: Option<Table>,
}

pub(crate) fn learning(panels: &Panels) -> Result<Panel, NotWritten> {
    let (learning, voice) = (&panels.report.learning, &panels.report.voice);
    let body = Body {
        learning: if learning.interactions > 0 {
            Ok(Experiment::new(learning, &panels.course))
        } else {
            Err(Empty::fed("No interaction came in", &Metric::LearningImprovement))
        },
        voice: if voice.utterances > 0 {
            Ok(of_voice(voice, panels.voice_accuracy))
        } else {
            Err(Empty::fed("Nothing spoken came in", &Metric::VoiceAccuracy))
        },
    };
    Ok(Panel { id: "learning", title: "Learning", body: body.render()? })
}

impl Experiment {
    fn new(learning: &Learning, course: &Course) -> Self {
        let newest = course.days.last();
        let target = target(course).map(|(_, target)| format!("; {target}")).unwrap_or_default();
        let difference = newest.and_then(|day| day.difference);
        let note = match difference {
            Some(difference) => format!("with learning less without; {}{target}", confidence(difference, POINTS, course)),
            None => format!("with learning less without{target}"),
        };
        let accuracy = |of: Option<Estimate>| of.map(|of| confidence(of, "%", course)).unwrap_or_default();
        let (with, without) = (newest.and_then(|day| day.with), newest.and_then(|day| day.without));
        let [people_with, people_without] = course.people.map(count);
        let filled = if course.reasons.contains(&Reason::SampleRatio) {
            "more uneven than chance explains"
        } else {
            "no more uneven than chance explains"
        };
        let people = (course.people != [0, 0]).then(|| format!("{people_with} and {people_without}"));
        let coverage = (learning.labelled as f64 / learning.interactions as f64) * 100.0;
        let figures = Figures::new()
            .with("Difference", known(difference.map(|of| of.value), POINTS), note)
            .with("Right with learning", known(with.map(|of| of.value), "%"), accuracy(with))
            .with("Right without", known(without.map(|of| of.value), "%"), accuracy(without))
            .with("People in the arms", people.clone(), if people.is_some() { filled } else { "nobody is told apart" })
            .with(
                "Labelled",
                Some(amount(coverage, "%")),
                format!("{} of {}", count(learning.labelled), counted(learning.interactions, "interaction", "interactions")),
            );
        let reasons = course.reasons.iter().map(|reason| format!("{}.", capital(words::reason(*reason)))).collect();
        let label = course.reasons.iter().any(|reason| matches!(reason, Reason::FewLabels | Reason::EmptyArm)) || learning.labelled == 0;
        Self {
            figures,
            reasons,
            label,
            arms: arms(&learning.arms),
            accuracy: draw_accuracy(course),
            difference: draw_difference(course),
            is_any: newest.is_some(),
            course: table(course),
            checkpoints: checkpoints(&learning.checkpoints),
        }
    }
}

/// What is demanded of the difference, and in words.
fn target(course: &Course) -> Option<(f64, String)> {
    let (relation, bound) = chart::bound(course.target.as_ref()?)?;
    Some((bound, format!("target {} {}", relation.sign(), amount(bound, POINTS))))
}

fn confidence(of: Estimate, unit: &str, course: &Course) -> String {
    format!("{}% confidence at every look: {}", milepost_judge::digits(100.0 * (1.0 - course.alpha)), range(of.interval.map(Some), unit))
}

fn arms(arms: &[Arm]) -> Option<Table> {
    let row = |arm: &Arm| {
        let counts = [arm.users, arm.interactions, arm.labelled, arm.correct].map(Cell::count);
        let ends = [Cell::name(arm.arm.as_deref(), "in no arm"), Cell::or_none(known(arm.accuracy, "%"))];
        let [name, accuracy] = ends;
        std::iter::once(name).chain(counts).chain([accuracy]).collect()
    };
    let columns = std::iter::once(texts("Arm")).chain(["People", "Interactions", "Labelled", "Right", "Accuracy"].map(numbers));
    Table::new("learning-arms", "Arms of the experiment", columns, arms.iter().map(row), ROWS_MAX)
}

fn checkpoints(checkpoints: &[Checkpoint]) -> Option<Table> {
    let row = |at: &Checkpoint| {
        let share = |share| Cell::or_none(known(share, "%"));
        let shares = [share(at.accuracy_with_learning), share(at.accuracy_without_learning)];
        let difference = Cell::or_none(known(at.improvement, POINTS));
        std::iter::once(Cell::count(at.interactions_total)).chain(shares).chain([difference]).collect()
    };
    let columns = ["Labelled in all", "With learning", "Without", "Difference"].map(numbers);
    let caption = "Checkpoints, the newest first: the last hundred of each arm";
    Table::new("learning-checkpoints", caption, columns, checkpoints.iter().rev().map(row), ROWS_MAX)
}

fn table(course: &Course) -> Option<Table> {
    let shown = |of: Option<Estimate>, unit: &str| {
        Cell::or_none(of.map(|of| format!("{} ({})", amount(of.value, unit), range(of.interval.map(Some), unit))))
    };
    let row = |day: &CourseDay| {
        vec![Cell::of(words::day(day.date)), shown(day.with, "%"), shown(day.without, "%"), shown(day.difference, POINTS)]
    };
    let columns = std::iter::once(texts("Up to")).chain(["With learning", "Without", "Difference"].map(numbers));
    let caption = "All labelled interactions up to each day, the newest first; beyond six weeks, up to the end of each week";
    let newest = course.days.last().map(|day| day.date);
    let monday = |date: Date| date.saturating_sub(i32::from(date.weekday().to_monday_zero_offset()).days());
    let is_told = |(place, day): &(usize, &CourseDay)| {
        let is_new = newest.is_some_and(|newest| days_between(day.date, newest) <= DAYS_TOLD);
        is_new || course.days.get(place + 1).is_none_or(|next| monday(next.date) != monday(day.date))
    };
    let told: Vec<_> = course.days.iter().enumerate().filter(is_told).map(|(_, day)| day).collect();
    let table = Table::new("learning-course", caption, columns, told.iter().rev().copied().map(row), DAYS_MAX);
    table.map(|table| match course.days.first() {
        Some(first) => table.on_days(first.date, told.iter().rev().map(|day| day.date)),
        None => table,
    })
}

/// Where a day lies between the first and the last.
fn place(course: &Course) -> Option<impl Fn(Date) -> f64> {
    let (first, last) = (course.days.first()?.date, course.days.last()?.date);
    let span = days_between(first, last);
    Some(move |date| if span == 0 { 0.5 } else { f64::from(days_between(first, date)) / f64::from(span) })
}

fn points(course: &Course, of: impl Fn(&CourseDay) -> Option<Estimate>) -> Vec<Point> {
    let Some(place) = place(course) else { return Vec::new() };
    let point = |day: &CourseDay| of(day).map(|Estimate { value, interval }| Point { at: place(day.date), value, interval });
    course.days.iter().filter_map(point).collect()
}

/// Room for all values and the newest intervals; the first ones, which reach far, are cut off.
fn room(lines: &[&[Point]], others: &[f64]) -> Option<([f64; 2], f64)> {
    let values = lines.iter().flat_map(|line| line.iter().map(|point| point.value));
    let newest = lines.iter().filter_map(|line| line.last()).flat_map(|point| point.interval);
    let all: Vec<f64> = values.chain(newest).chain(others.iter().copied()).collect();
    Some(scale(all.iter().copied().reduce(f64::min)?, all.iter().copied().reduce(f64::max)?, 1.0))
}

/// A chart over the days of the course.
fn over_days(course: &Course, plot: Plot, columns: &[usize]) -> Plot {
    let Some((first, last)) = course.days.first().zip(course.days.last()) else { return plot };
    let span = days_between(first.date, last.date);
    plot.over(Axis::days(first.date, span).in_columns(columns)).ticks(dates(first.date, span))
}

fn draw_accuracy(course: &Course) -> Option<Plot> {
    let (with, without) = (points(course, |day| day.with), points(course, |day| day.without));
    let ([low, high], step) = room(&[&with, &without], &[])?;
    let words = Words {
        title: "Share of right intents, of all labelled interactions up to each day".to_owned(),
        description: format!("{} with labelled interactions", counted(course.days.len() as u64, "day", "days")),
        table: "learning-course".to_owned(),
    };
    let plot = Plot::new(words, 130.0, [low.max(0.0), high.min(100.0)], step, |value| amount(value, "%"));
    let plot = over_days(course, plot, &[1, 2]);
    Some(plot.line("p-b", [&without[..]], Join::Lines).line("p-a", [&with[..]], Join::Lines))
}

fn draw_difference(course: &Course) -> Option<Plot> {
    let line = points(course, |day| day.difference);
    let target = target(course);
    line.first()?;
    let others: Vec<f64> = target.iter().map(|(bound, _)| *bound).chain([0.0]).collect();
    let (ends, step) = room(&[&line], &others)?;
    let words = Words {
        title: "Accuracy with learning less accuracy without, up to each day".to_owned(),
        description: "With the interval that holds however often somebody looks".to_owned(),
        table: "learning-course".to_owned(),
    };
    let plot = Plot::new(words, 130.0, ends, step, milepost_judge::digits);
    let plot = target.into_iter().fold(plot, |plot, (bound, label)| plot.level(bound, label));
    Some(over_days(course, plot, &[3]).line("p-a", [&line[..]], Join::Lines))
}

fn of_voice(voice: &Voice, accuracy: Option<Estimate>) -> Figures {
    let labelled = format!("{} of {}", count(voice.labelled), counted(voice.utterances, "utterance", "utterances"));
    let sure = accuracy.map(|of| format!("; 95% confidence at every look: {}", range(of.interval.map(Some), "%"))).unwrap_or_default();
    let errors = format!("{} of {}; shown, and decides nothing", count(voice.word_errors), counted(voice.words, "word", "words"));
    Figures::new()
        .with(
            "Right intents",
            known(voice.accuracy, "%"),
            format!("{} of {} labelled: this decides{sure}", count(voice.correct), count(voice.labelled)),
        )
        .with("Word error rate", known(voice.word_error_rate.map(|rate| 100.0 * rate), "%"), errors)
        .with("Labelled", known(Some(100.0 * voice.labelled as f64 / voice.utterances as f64), "%"), labelled)
}
