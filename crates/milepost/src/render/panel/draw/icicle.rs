//! A whole and its parts: each part as wide as its share, below what it is a part of.

use super::super::super::chart::{At, Words};
use askama::Template;

/// How high a row is, in pixels.
const ROW: usize = 26;
/// A smaller share has no room for a name: the table has it.
const NAMED_MIN: f64 = 0.06;
/// A smaller share has no room for its amount on a telephone. An amount that is cut would be another one, so it comes first.
const AMOUNT_MIN: f64 = 0.18;
/// What is deeper is not drawn: the table has it.
const ROWS_MAX: usize = 6;

/// Names are cut where a part ends, by an element of its own.
#[derive(Template)]
#[template(
    ext = "svg",
    whitespace = "suppress",
    source = r##"<svg class="p-icicle" role="img" aria-details="{{ words.table }}" height="{{ height }}"><title>{{ words.title }}</title>
{% if !words.description.is_empty() %}<desc>{{ words.description }}</desc>{% endif %}
{% for block in blocks %}<svg x="{{ block.from }}" y="{{ block.y }}" width="{{ block.width }}" height="{{ ROW - 1 }}"><rect width="100%" height="100%"
{% if block.is_others +%} class="p-open"{% endif %}/>{% if !block.text.is_empty() %}<text x="6" y="17">{{ block.text }}</text>{% endif %}</svg>{% endfor %}</svg>"##
)]
pub(crate) struct Icicle {
    words: Words,
    height: usize,
    blocks: Vec<Block>,
}

/// A part of the whole.
pub(crate) struct Block {
    /// What there is room for.
    text: String,
    from: At,
    width: At,
    y: usize,
    is_others: bool,
}

impl Block {
    /// So many rows below the first; `from` and `share` are of the whole.
    pub(crate) fn new(name: String, amount: &str, depth: usize, [from, share]: [f64; 2], is_others: bool) -> Self {
        let text = match share {
            share if share >= AMOUNT_MIN => format!("{amount} {name}"),
            share if share >= NAMED_MIN => name,
            _ => String::new(),
        };
        Self { text, from: At::of_share(from), width: At::of_share(share), y: depth * ROW, is_others }
    }
}

impl Icicle {
    pub(crate) fn new(blocks: Vec<Block>, words: Words) -> Self {
        let blocks: Vec<_> = blocks.into_iter().filter(|block| block.y < ROWS_MAX * ROW).collect();
        let height = blocks.iter().map(|block| block.y + ROW).max().unwrap_or(ROW);
        Self { words, height, blocks }
    }
}
