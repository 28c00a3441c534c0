//! `lizard --xml` and `lizard --csv`: one item or line for each function.

use crate::{
    Format, Made, Refused, Report,
    complexity::{self, Function},
    report::excerpt,
    xml::{Step, walk},
};

const SOURCE: &str = "lizard";
/// The columns of the CSV: NLOC, CCN, token, PARAM, length, location, file, function, long_name, start, end.
const COLUMNS: usize = 11;

pub(crate) fn read_xml(text: &str) -> Result<Report, Refused> {
    let format = Format::LizardXml;
    let mut functions = Vec::new();
    // Where the complexity is among the values of an item, and the item that is open.
    let (mut of_functions, mut labels, mut column) = (false, 0_usize, None);
    let mut open: Option<(String, Vec<String>)> = None;
    let mut content = String::new();
    walk(format, text, |step| {
        match step {
            Step::Open(element) => {
                content.clear();
                match element.name.as_str() {
                    "measure" => {
                        of_functions = element.get("type") == Some("Function");
                        (labels, column) = (0, None);
                    }
                    "item" if of_functions => open = Some((element.get("name").unwrap_or_default().to_owned(), Vec::new())),
                    _ => {}
                }
            }
            Step::Text(text) => content.push_str(text.trim()),
            Step::Close("label") if of_functions => {
                if content == "CCN" {
                    column = Some(labels);
                }
                labels = labels.saturating_add(1);
            }
            Step::Close("value") => {
                if let Some((_, values)) = &mut open {
                    values.push(std::mem::take(&mut content));
                }
            }
            Step::Close("item") => {
                let Some((name, values)) = open.take() else { return Ok(()) };
                let complexity = column.and_then(|column| values.get(column)?.parse().ok());
                let function = complexity.and_then(|complexity| function(&name, complexity));
                functions.push(function.ok_or_else(|| format!("no place or complexity of `{}`", excerpt(&name)))?);
            }
            Step::Close(_) | Step::Comment(_) => {}
        }
        Ok(())
    })?;
    Ok(Report::new(format, text, SOURCE, Made::Untold, complexity::readings(format, functions)?))
}

/// `NAME(...) at FILE:LINE`
fn function(item: &str, complexity: u64) -> Option<Function> {
    let (name, place) = item.split_once("(...) at ")?;
    let (file, line) = place.rsplit_once(':')?;
    Some(Function { file: file.into(), line: line.parse().ok()?, name: name.to_owned(), complexity })
}

/// Whether a text begins as the CSV does, with or without the names of its columns. Of a line that has no end yet, the rest may have
/// the place of the function.
pub(crate) fn csv_begins(text: &str) -> bool {
    let (line, ends) = text.split_once('\n').map_or((text, false), |(line, _)| (line, true));
    let numbers = line.split(',').take(5).filter(|field| field.parse::<u64>().is_ok()).count();
    line.starts_with("NLOC,CCN,token,") || (numbers == 5 && (!ends || line.contains('@')))
}

pub(crate) fn read_csv(text: &str) -> Result<Report, Refused> {
    let format = Format::LizardCsv;
    if !text.ends_with('\n') {
        return Err(Refused::broken(format, "its last line does not end"));
    }
    let mut functions = Vec::new();
    let mut rows = csv::ReaderBuilder::new().has_headers(false).from_reader(text.trim_ascii_start().as_bytes());
    for row in rows.records() {
        let row = row.map_err(|error| Refused::broken(format, error.to_string()))?;
        let line = row.position().map_or(0, csv::Position::line);
        if row.get(0) == Some("NLOC") && functions.is_empty() {
            continue;
        }
        let number = |column: usize| row.get(column).and_then(|field| field.parse().ok());
        let read = || Some(Function { file: row.get(6)?.into(), line: number(9)?, name: row.get(7)?.to_owned(), complexity: number(1)? });
        let function = read().filter(|_| row.len() >= COLUMNS);
        functions.push(function.ok_or_else(|| Refused::broken(format, format!("no function at line {line}")))?);
    }
    Ok(Report::new(format, text, SOURCE, Made::Untold, complexity::readings(format, functions)?))
}
