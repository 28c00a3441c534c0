//! Contributions by month, and what people said.

use super::{
    Panel,
    draw::Columns,
    pieces::{Cell, Empty, Figures, Table, known, numbers, texts},
};
use crate::render::{
    chart::Words,
    html::NotWritten,
    words::{count, day},
};
use askama::Template;
use milepost_judge::{Metric, Panels, digits, panels::Given, report::Said};

/// How many months are shown: the newest.
const MONTHS_MAX: usize = 13;
/// More different scores than this are no distribution that anybody can read.
const SCORES_MAX: usize = 13;

#[derive(Template)]
#[template(path = "panel/community.html", whitespace = "minimize")]
struct Body {
    contributions: Result<Months, Empty>,
    feedback: Result<Feedback, Empty>,
}

struct Feedback {
    figures: Figures,
    /// How often each score was given; none where they are too many to be told apart.
    bars: Option<Columns>,
    table: Option<Table>,
}

struct Months {
    bars: Columns,
    table: Option<Table>,
    older: usize,
    is_open: bool,
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
        let whole = |n: Option<u64>| Cell::or_none(n.map(count));
        let row = |of: &Given| {
            let month = &of.month;
            let over = if month.is_closed { "" } else { ", not whole" };
            let title = format!("{}{over}", month.first.strftime("%B %Y"));
            vec![Cell::of(title), Cell::of(digits(month.count)), whole(month.people), whole(of.of_maintainers), whole(of.of_bots)]
        };
        let counts = ["Contributions", "People", "Of maintainers alone", "Of bots alone"].map(numbers);
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
            bars: Columns::new(words, bars),
            table: Table::new(
                "community-months",
                caption,
                std::iter::once(texts("Month")).chain(counts),
                shown.iter().rev().map(row),
                MONTHS_MAX,
            ),
            older,
            is_open: shown.iter().any(|of| !of.month.is_closed),
        }
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
    let row = |(score, n): &(f64, u64)| vec![Cell::of(digits(*score)), Cell::count(*n)];
    Feedback {
        figures,
        bars: (!scores.is_empty()).then(|| Columns::new(words, bars)),
        table: Table::new(
            "community-scores",
            "How often each score was given",
            ["Score", "n"].map(numbers),
            scores.iter().map(row),
            SCORES_MAX,
        ),
    }
}
