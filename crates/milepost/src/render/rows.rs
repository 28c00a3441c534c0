//! The rows of a query: a table for people, JSON and CSV for programs.

use super::terminal::{left_padded, line, padded, printable, steers};
use anstyle::Style;
use serde_json::Value;
use textwrap::core::display_width;

/// Between two columns.
const GAP: usize = 2;
/// Narrower than this, words fall apart.
const NARROW: usize = 12;
/// A name as long as this has its value on the next line.
const LABEL: usize = 24;

/// What stands above a column.
#[derive(Clone, Debug)]
pub struct Heading {
    /// The name of the column.
    pub name: String,
    /// What is in it.
    pub of: Content,
}

/// What is in a column, as far as it matters for how it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Text, of anybody.
    Text,
    /// Numbers.
    Number,
    /// Words and figures that have one form, such as times.
    Exact,
}

/// A table, as wide as it has to be and, if it can, no wider than the terminal: long texts take several lines. Where the columns
/// have no room side by side, each value has a line of its own.
#[must_use]
pub fn table(headings: &[Heading], rows: &[Vec<Value>], width: usize) -> String {
    let names: Vec<_> = headings.iter().map(|heading| printable(&heading.name)).collect();
    let cells: Vec<Vec<Option<String>>> = rows.iter().map(|row| row.iter().map(|v| text(v).as_deref().map(printable)).collect()).collect();
    let mut shown = String::new();
    match widths(headings, &names, &cells, width) {
        Some(widths) => {
            let bold = Style::new().bold();
            let name = |name: &String| (name.clone(), bold);
            aligned(&mut shown, headings, &widths, names.iter().map(name));
            line(&mut shown, &widths.iter().map(|width| "─".repeat(*width)).collect::<Vec<_>>().join(&" ".repeat(GAP)));
            for row in cells {
                aligned(&mut shown, headings, &widths, row.into_iter().map(styled));
            }
        }
        None => one_below_the_other(&mut shown, &names, cells, width),
    }
    if rows.is_empty() {
        line(&mut shown, "no rows");
    }
    shown
}

/// A value for people, and how it looks.
fn styled(cell: Option<String>) -> (String, Style) {
    cell.map_or_else(|| ("NULL".to_owned(), Style::new().dimmed()), |cell| (cell, Style::new()))
}

/// How wide each column is; nothing where they do not fit.
fn widths(headings: &[Heading], names: &[String], cells: &[Vec<Option<String>>], width: usize) -> Option<Vec<usize>> {
    let gaps = GAP * headings.len().saturating_sub(1);
    let mut columns: Vec<(usize, usize)> = Vec::new();
    for (index, (heading, name)) in headings.iter().zip(names).enumerate() {
        let widest = cells.iter().filter_map(|row| row.get(index)).map(|cell| cell.as_deref().map_or("NULL".len(), display_width)).max();
        let (name, widest) = (display_width(name), widest.unwrap_or(0));
        let least = if heading.of == Content::Text { widest.min(NARROW) } else { widest };
        columns.push((name.max(widest).min(width), name.min(NARROW).max(least)));
    }
    loop {
        let total = gaps + columns.iter().map(|(width, _)| width).sum::<usize>();
        if total <= width {
            return Some(columns.into_iter().map(|(width, _)| width).collect());
        }
        // The widest gives way first.
        let (widest, _) = columns.iter_mut().filter(|(width, least)| width > least).max_by_key(|(width, _)| *width)?;
        *widest -= 1;
    }
}

/// One row, its texts broken into as many lines as they need.
fn aligned(shown: &mut String, headings: &[Heading], widths: &[usize], cells: impl Iterator<Item = (String, Style)>) {
    let cells: Vec<_> = cells.zip(widths).map(|((cell, style), width)| (pieces(&cell, *width), style)).collect();
    let lines = cells.iter().map(|(pieces, _)| pieces.len()).max().unwrap_or(0);
    for index in 0..lines {
        let columns = cells.iter().zip(headings).zip(widths).map(|(((pieces, style), heading), width)| {
            let piece = pieces.get(index).map_or("", String::as_str);
            let aligned = if heading.of == Content::Number { left_padded(piece, *width) } else { padded(piece, *width) };
            // Spaces without a style can be taken from the end of the line.
            let (before, rest) = aligned.split_at(aligned.len() - aligned.trim_start().len());
            let (word, after) = rest.split_at(rest.trim_end().len());
            if word.is_empty() { aligned } else { format!("{before}{style}{word}{style:#}{after}") }
        });
        line(shown, columns.collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end());
    }
}

fn pieces(text: &str, width: usize) -> Vec<String> {
    if display_width(text) <= width {
        return vec![text.to_owned()];
    }
    textwrap::wrap(text, textwrap::Options::new(width.max(1)).break_words(true)).into_iter().map(String::from).collect()
}

fn one_below_the_other(shown: &mut String, names: &[String], cells: Vec<Vec<Option<String>>>, width: usize) {
    let label = names.iter().map(|name| display_width(name)).max().unwrap_or(0).min(LABEL);
    let bold = Style::new().bold();
    for (number, row) in cells.into_iter().enumerate() {
        line(shown, &format!("{}{bold}row {}{bold:#}", if number > 0 { "\n" } else { "" }, number + 1));
        for (name, cell) in names.iter().zip(row) {
            let (cell, style) = styled(cell);
            let mut name = name.as_str();
            if display_width(name) > label {
                line(shown, &format!("{:GAP$}{name}", ""));
                name = "";
            }
            for piece in pieces(&cell, width.saturating_sub(2 * GAP + label).max(NARROW)) {
                line(shown, format!("{:GAP$}{}{:GAP$}{style}{piece}{style:#}", "", padded(name, label), "").trim_end());
                name = "";
            }
        }
    }
}

/// A value as text; nothing where there is none.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// An array of objects, each on one line.
#[must_use]
pub fn json(headings: &[Heading], rows: &[Vec<Value>]) -> String {
    let names: Vec<_> = headings.iter().map(|heading| Value::from(heading.name.as_str()).to_string()).collect();
    let object = |row: &Vec<Value>| {
        let entries: Vec<_> = names.iter().zip(row).map(|(name, value)| format!("{name}: {value}")).collect();
        format!("\n  {{{}}}", entries.join(", "))
    };
    let objects = rows.iter().map(object).collect::<Vec<_>>().join(",");
    let mut shown = String::with_capacity(objects.len());
    for character in objects.chars() {
        // Line feeds are ours; in a text they are escaped already.
        if steers(character) && character != '\n' {
            shown.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            shown.push(character);
        }
    }
    format!("[{shown}{}]\n", if rows.is_empty() { "" } else { "\n" })
}

/// Comma-separated values (RFC 4180) under a header. Text that a spreadsheet would take for a formula begins with a `'`, also after what it
/// may take for the end of a field, and what has no value is empty, without quotes. For a terminal, what would steer it is made visible.
#[must_use]
pub fn csv(headings: &[Heading], rows: &[Vec<Value>], for_terminal: bool) -> String {
    let field = |text: Option<String>, of: Content| {
        let Some(text) = text else { return String::new() };
        let text = if of == Content::Text { without_formulas(&text) } else { text };
        let text = if for_terminal { printable(&text) } else { text };
        if text.is_empty() || text.contains([',', ';', '\t', '"', '\r', '\n']) || text.trim() != text {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text
        }
    };
    let header: Vec<_> = headings.iter().map(|heading| field(Some(heading.name.clone()), Content::Text)).collect();
    let mut shown = header.join(",") + "\r\n";
    for row in rows {
        let fields: Vec<_> = headings.iter().zip(row).map(|(heading, value)| field(text(value), heading.of)).collect();
        shown.push_str(&fields.join(","));
        shown.push_str("\r\n");
    }
    shown
}

/// Where the decimal point is a comma, spreadsheets divide lines by semicolons, and quotes that begin later in a line do not count.
fn without_formulas(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut begins = true;
    for character in text.chars() {
        if begins && matches!(character, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠') {
            shown.push('\'');
        }
        shown.push(character);
        begins = matches!(character, ';' | '\t');
    }
    shown
}

/// A view and its columns: for each its name, its type and what it means.
#[derive(Clone, Debug)]
pub struct Section {
    /// The name of the view.
    pub title: String,
    /// What one row is.
    pub about: String,
    /// Its columns.
    pub columns: Vec<[String; 3]>,
}

/// Views and their columns as text for a terminal.
#[must_use]
pub fn sections(sections: &[Section], width: usize) -> String {
    let bold = Style::new().bold();
    let widest = |index: usize| sections.iter().flat_map(|s| &s.columns).map(|column| display_width(&column[index])).max().unwrap_or(0);
    let (name, of) = (widest(0), widest(1));
    let mut shown = String::new();
    for (index, section) in sections.iter().enumerate() {
        let about = if section.about.is_empty() { String::new() } else { format!(": {}", section.about) };
        line(&mut shown, &format!("{}{bold}{}{bold:#}{about}", if index > 0 { "\n" } else { "" }, printable(&section.title)));
        for column in &section.columns {
            let mut head = format!("{:GAP$}{}{:GAP$}{}{:GAP$}", "", padded(&printable(&column[0]), name), "", padded(&column[1], of), "");
            let indent = display_width(&head);
            for piece in pieces(&column[2], width.saturating_sub(indent).max(NARROW)) {
                line(&mut shown, format!("{head}{piece}").trim_end());
                head = " ".repeat(indent);
            }
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn headings(of: &[(&str, Content)]) -> Vec<Heading> {
        of.iter().map(|(name, of)| Heading { name: (*name).to_owned(), of: *of }).collect()
    }

    fn rows(rows: Value) -> Vec<Vec<Value>> {
        serde_json::from_value(rows).unwrap_or_default()
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn columns_are_aligned_and_nothing_steers_the_terminal() {
        let headings = headings(&[("name", Content::Text), ("n", Content::Number), ("\u{1b}[1m", Content::Text)]);
        let rows = rows(json!([["漢字", 5, null], ["a\nb\u{1b}[31m", 1234, ""]]));
        assert_eq!(
            plain(&table(&headings, &rows, 80)),
            "name                  n  \\u{1b}[1m\n\
             ─────────────────  ────  ─────────\n\
             漢字                  5  NULL\n\
             a\\u{a}b\\u{1b}[31m  1234\n"
        );
        assert_eq!(plain(&table(&headings, &[], 80)), "name  n  \\u{1b}[1m\n────  ─  ─────────\nno rows\n");
    }

    #[test]
    fn a_long_text_takes_several_lines_and_too_many_columns_stand_below_each_other() {
        let two = headings(&[("n", Content::Number), ("text", Content::Text)]);
        let long = rows(json!([[1, "one two three four five six seven"]]));
        assert_eq!(plain(&table(&two, &long, 20)), "n  text\n─  ─────────────────\n1  one two three\n   four five six\n   seven\n");
        let many = headings(&[("first", Content::Exact), ("a name of more than 24 letters", Content::Text), ("n", Content::Number)]);
        let wide = rows(json!([["2026-11-24T12:00:00Z", "one two three four five six seven eight nine", 7], [null, null, 8]]));
        assert_eq!(
            plain(&table(&many, &wide, 32)),
            "row 1\n  first                     2026-11-\n                            24T12:00:00Z\n  a name of more than 24 letters\n                            one two\n\
             \u{20}                           three four\n                            five six\n                            seven eight\n\
             \u{20}                           nine\n  n                         7\n\n\
             row 2\n  first                     NULL\n  a name of more than 24 letters\n                            NULL\n  n                         8\n"
        );
    }

    #[test]
    fn json_keeps_numbers_and_escapes_what_steers() {
        let headings = headings(&[("n", Content::Number), ("a \"name\"", Content::Text)]);
        let rows = rows(json!([[u64::MAX, "x\u{9b}31m\u{202e}\n"], [1.5, null], ["NaN", {"door": "run"}]]));
        let text = json(&headings, &rows);
        assert_eq!(
            text,
            "[\n  {\"n\": 18446744073709551615, \"a \\\"name\\\"\": \"x\\u009b31m\\u202e\\n\"},\n  \
             {\"n\": 1.5, \"a \\\"name\\\"\": null},\n  {\"n\": \"NaN\", \"a \\\"name\\\"\": {\"door\":\"run\"}}\n]\n"
        );
        let read: Value = serde_json::from_str(&text).unwrap_or_default();
        assert_eq!(read[0]["a \"name\""], "x\u{9b}31m\u{202e}\n");
        assert_eq!(json(&headings, &[]), "[]\n");
    }

    #[test]
    fn csv_quotes_what_it_has_to_and_defuses_formulas() {
        let headings = headings(&[("=text", Content::Text), ("n", Content::Number)]);
        let rows = rows(json!([
            ["=cmd|' /C calc'!A0", -1],
            ["+1", 1.5],
            ["-1", "-inf"],
            ["@a", null],
            ["\tb", 0],
            ["\rc", 0],
            ["a,\"b\"\nc", 0],
            ["", 0],
            [null, 0],
            ["a;=1+1\t@b", 0],
            ["＝1", 0],
            ["\n=1", 0],
            ["\u{1b}[31m", 0]
        ]));
        let expected = "'=text,n\r\n'=cmd|' /C calc'!A0,-1\r\n'+1,1.5\r\n'-1,-inf\r\n'@a,\r\n\"'\tb\",0\r\n\"'\rc\",0\r\n\
                        \"a,\"\"b\"\"\nc\",0\r\n\"\",0\r\n,0\r\n\"a;'=1+1\t'@b\",0\r\n'＝1,0\r\n\"'\n=1\",0\r\n\u{1b}[31m,0\r\n";
        assert_eq!(csv(&headings, &rows, false), expected);
        assert!(csv(&headings, &rows, true).ends_with("\\u{1b}[31m,0\r\n"));
    }
}
