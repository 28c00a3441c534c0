//! Contributions by month, and what people said.

use super::{
    Panel,
    parts::{Empty, Figures, Table, known},
};
use crate::render::{
    chart::{At, Words},
    html::NotWritten,
    words::{count, day},
};
use askama::Template;
use milepost_judge::{Metric, Panels, digits, panels::Given, report::Said};

/// How many months are shown: the newest.
const MONTHS_MAX: usize = 13;
/// More different scores than this are no distribution that anybody can read.
const SCORES_MAX: usize = 13;
/// The height of the longest bar.
const PIXELS: f64 = 90.0;
/// Room for the number above a bar.
const ABOVE: f64 = 16.0;

#[derive(Template)]
#[template(path = "panel/community.html", whitespace = "minimize")]
struct Body {
    contributions: Result<Months, Empty>,
    feedback: Result<Feedback, Empty>,
}

struct Feedback {
    figures: Figures,
    /// How often each score was given; none where they are too many to be told apart.
    bars: Option<Bars>,
    table: Option<Table>,
}

struct Months {
    bars: Bars,
    table: Option<Table>,
    older: usize,
    is_open: bool,
}

#[derive(Template)]
#[template(
    ext = "svg",
    whitespace = "suppress",
    source = r##"<svg class="p-plot" role="img" aria-details="{{ words.table }}" height="{{ bottom + 20.0 }}"><title>
{{- words.title }}</title>{% if !words.description.is_empty() %}<desc>{{ words.description }}</desc>{% endif %}
<line class="axis" x2="100%" y1="{{ bottom }}" y2="{{ bottom }}"/>
{% for bar in bars %}<rect class="{% if bar.is_closed %}p-bar{% else %}p-open{% endif %}" x="{{ bar.from }}" y="{{ bottom - bar.height }}" width="{{ bar.width }}" height="{{ bar.height }}"/>
<text class="p-count" x="{{ bar.middle }}" y="{{ bottom - bar.height - 4.0 }}">{{ bar.count }}</text><text class="p-month" x="{{ bar.middle }}" y="{{ bottom + 15.0 }}">{{ bar.label }}</text>{% endfor %}</svg>"##
)]
struct Bars {
    words: Words,
    bottom: f64,
    bars: Vec<Bar>,
}

struct Bar {
    from: At,
    width: At,
    middle: At,
    height: f64,
    is_closed: bool,
    count: String,
    label: String,
}

pub(crate) fn community(panels: &Panels) -> Result<Panel, NotWritten> {
    let said = &panels.report.community.feedback;
    let body = Body {
        contributions: if panels.given.is_empty() {
            Err(Empty::fed("Nobody counted contributions", &Metric::ContributionsMonth))
        } else {
            Ok(Months::new(&panels.given))
        },
        feedback: if said.notes > 0 {
            Ok(feedback(said, &panels.scores))
        } else {
            Err(Empty::new("Nobody said anything", "milepost record note --topic feedback --score NUMBER"))
        },
    };
    Ok(Panel { id: "community", title: "Community", body: body.render()? })
}

impl Months {
    fn new(given: &[Given]) -> Self {
        let older = given.len().saturating_sub(MONTHS_MAX);
        let shown = given.get(older..).unwrap_or_default();
        let whole = |n: Option<u64>| n.map(count).unwrap_or_default();
        let row = |of: &Given| {
            let month = &of.month;
            let over = if month.is_closed { "" } else { ", not whole" };
            let title = format!("{}{over}", month.first.strftime("%B %Y"));
            vec![title, digits(month.count), whole(month.people), whole(of.of_maintainers), whole(of.of_bots)]
        };
        let headings =
            [("Month", false), ("Contributions", true), ("People", true), ("Of maintainers alone", true), ("Of bots alone", true)];
        let ends = shown.first().zip(shown.last()).map(|(first, last)| format!("{} to {}", day(first.month.first), day(last.month.first)));
        let words = Words {
            title: "Contributions of people outside by month".to_owned(),
            description: ends.unwrap_or_default(),
            table: "community-months".to_owned(),
        };
        let label = |of: &Given| of.month.first.strftime("%b").to_string();
        let bars = shown.iter().map(|of| (label(of), of.month.count, digits(of.month.count), of.month.is_closed));
        let caption = "Contributions of people outside, as author or co-author; the newest month first";
        Self {
            bars: Bars::new(words, bars),
            table: Table::new("community-months", caption, &headings, shown.iter().rev().map(row), MONTHS_MAX),
            older,
            is_open: shown.iter().any(|of| !of.month.is_closed),
        }
    }
}

impl Bars {
    /// Of labels, heights, what is written above, and whether the height is the last word.
    fn new(words: Words, of: impl ExactSizeIterator<Item = (String, f64, String, bool)> + Clone) -> Self {
        let highest = of.clone().map(|(_, height, ..)| height).fold(1.0, f64::max);
        // A few bars keep the width that they would have among more.
        let share = 1.0 / of.len().max(6) as f64;
        let bar = |(index, (label, height, count, is_closed)): (usize, (String, f64, String, bool))| Bar {
            from: At::of_share((index as f64 + 0.15) * share),
            width: At::of_share(0.7 * share),
            middle: At::of_share((index as f64 + 0.5) * share),
            height: (height / highest * PIXELS).round().max(0.0),
            is_closed,
            count,
            label,
        };
        Self { words, bottom: ABOVE + PIXELS, bars: of.enumerate().map(bar).collect() }
    }
}

fn feedback(said: &Said, scores: &[(f64, u64)]) -> Feedback {
    let figures = Figures::new().with("Notes", Some(count(said.notes)), "").with(
        "Mean score",
        known(said.mean_score, ""),
        format!("{} of them have a score", count(said.scores)),
    );
    if scores.len() > SCORES_MAX {
        return Feedback { figures, bars: None, table: None };
    }
    let words =
        Words { title: "Scores of feedback, and how often".to_owned(), description: String::new(), table: "community-scores".to_owned() };
    let bars = scores.iter().map(|(score, n)| (digits(*score), *n as f64, count(*n), true));
    let row = |(score, n): &(f64, u64)| vec![digits(*score), count(*n)];
    Feedback {
        figures,
        bars: (!scores.is_empty()).then(|| Bars::new(words, bars)),
        table: Table::new(
            "community-scores",
            "How often each score was given",
            &[("Score", true), ("n", true)],
            scores.iter().map(row),
            SCORES_MAX,
        ),
    }
}
