//! How the memory of a reading divides among the processes of the tree.

use super::{
    super::{
        super::{
            chart::Words,
            html::NotWritten,
            words::{PAGE_NAME_CHARS_MAX, moment, plain},
        },
        draw::{Block, Icicle},
        pieces::{Cell, Table, megabytes, numbers, percent, texts},
    },
    ID,
};
use askama::Template;
use milepost_judge::panels::{Division, MemoryReadings, Part};

#[derive(Template)]
#[template(
    ext = "html",
    whitespace = "suppress",
    source = r#"<section><h3>By process</h3>
{% for shown in all %}<figure><figcaption>{{ shown.caption }}</figcaption>
{% if let Some(chart) = shown.chart %}{{ chart|safe }}{% else %}<div class="gap"></div>{% endif %}</figure>
{% if let Some(table) = shown.table %}<details><summary>{{ shown.summary }}</summary>{{ table|safe }}</details>{% endif %}{% endfor %}
<p class="fine">{{ note }}</p></section>"#
)]
struct ByProcess {
    all: Vec<Shown>,
    note: &'static str,
}

struct Shown {
    caption: String,
    summary: String,
    /// `None` where it is not known.
    chart: Option<Icicle>,
    table: Option<Table>,
}

/// The section; `None` where no reading of the newest run is complete.
pub(super) fn by_process(of: &MemoryReadings) -> Result<Option<String>, NotWritten> {
    let Some(newest) = &of.newest else { return Ok(None) };
    let what = if of.peak.is_some() { "The newest reading" } else { "The newest reading, which is the peak" };
    let newest = Shown::new(newest, what, "newest");
    let all: Vec<_> = std::iter::once(newest).chain(of.peak.as_ref().map(|peak| Shown::new(peak, "The peak", "peak"))).collect();
    let note = if all.iter().any(|shown| shown.chart.is_none()) {
        "What is hatched is not known by process: whoever recorded it did not say."
    } else {
        "Each process is as wide as it and all that it started; what is free below it is its own."
    };
    Ok(Some(ByProcess { all, note }.render()?))
}

fn name(part: &Part) -> String {
    part.name.as_deref().map_or_else(|| "others".to_owned(), |name| plain(name, PAGE_NAME_CHARS_MAX))
}

impl Shown {
    fn new(of: &Division, what: &str, id: &str) -> Self {
        let table = format!("{ID}-{id}");
        let all = megabytes(Some(of.mb)).unwrap_or_default();
        let caption = format!("{what}, {}: {all} ({})", moment(of.at), of.measure);
        let parts = of.parts.as_deref();
        let block = |part: &Part| {
            let amount = megabytes(Some(part.mb)).unwrap_or_default();
            Block::new(name(part), &amount, part.depth, [part.from, part.share], part.name.is_none())
        };
        let words = Words { title: format!("{what} by process: {all}"), description: String::new(), table: table.clone() };
        let row = |part: &Part| {
            let own = Cell::foreign(name(part));
            vec![
                if let Some(pid) = part.pid { own.with(format!("process {pid}")) } else { own },
                Cell::foreign(part.parent.as_deref().map_or_else(|| "–".to_owned(), |name| plain(name, PAGE_NAME_CHARS_MAX))),
                Cell::known(megabytes(Some(part.own_mb))),
                Cell::known(megabytes(Some(part.mb))),
                Cell::known(percent(Some(100.0 * part.share))),
            ]
        };
        let columns = [texts("Process"), texts("Below"), numbers("Its own"), numbers("With all below"), numbers("Share")];
        Self {
            chart: parts.map(|parts| Icicle::new(parts.iter().map(block).collect(), words)),
            summary: format!("{what} as a table"),
            table: parts.and_then(|parts| Table::new(table, &caption, columns, parts.iter().map(row), parts.len())),
            caption,
        }
    }
}
