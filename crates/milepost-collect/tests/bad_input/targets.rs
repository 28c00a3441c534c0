//! What has to hold for any bytes that are read as what another tool prints.

use jiff::tz::{self, TimeZone};
use milepost_collect::{
    Kind, contributions, could_be_a_report,
    error_category::{Rule, Rules},
    import::{self, Columns, CsvRows, Format, Ids, KINDS, Line, Surroundings},
    read,
};
use milepost_record::{Event, Timestamp};
use serde_json::Value;
use std::sync::LazyLock;

/// More than any sentence about one thing needs; what is wrong is shown on a screen, and kept.
const SAID_BYTES_MAX: usize = 4096;

fn said(error: impl ToString) -> String {
    let said = error.to_string();
    assert!(!said.is_empty() && said.len() <= SAID_BYTES_MAX, "{} bytes: {said}", said.len());
    said
}

static RULES: LazyLock<Rules> = LazyLock::new(Rules::defaults);

fn now() -> Timestamp {
    Timestamp::from_microseconds(1_795_554_780_123_456).expect("a time")
}

/// Each event can be written, and is then the same.
fn written(event: &Event) {
    let line = event.to_json().expect("an event that can be written");
    assert_eq!(Event::from_json(&line).as_ref(), Ok(event), "{line}");
}

/// A report says something, all of which are events; or it is told what is wrong, and where a report is damaged, at which line.
pub fn report(bytes: &[u8]) {
    for kind in [Kind::Coverage, Kind::Complexity, Kind::Tests, Kind::Audit] {
        let begins = could_be_a_report(kind, bytes.get(..512).unwrap_or(bytes));
        match read(kind, bytes) {
            Ok(report) => {
                assert_eq!(begins, Ok(()), "what is read begins as it has to");
                assert_eq!(report.format.kind(), kind);
                assert!(report.totals().count() > 0 && report.readings.iter().all(|reading| reading.value.is_finite()));
                let events = report.events(now());
                events.iter().for_each(written);
                assert_eq!(events, read(kind, bytes).expect("the same again").events(now()));
            }
            Err(refused) => {
                let said = said(&refused);
                let at_a_place = matches!(refused, milepost_collect::Refused::Damaged { .. } | milepost_collect::Refused::Broken { .. });
                let of_all = ["there is no element", "does not end", "nothing is said of"].iter().any(|what| said.contains(what));
                assert!(!at_a_place || of_all || said.contains("line ") || said.contains("(line: "), "{said}");
            }
        }
    }
}

/// What `git log` prints is months, or it is told what is wrong.
pub fn git_log(bytes: &[u8]) {
    let maintainers = ["rose@example.org".to_owned()];
    for zone in [TimeZone::UTC, TimeZone::fixed(tz::offset(-12)), TimeZone::fixed(tz::offset(14))] {
        match contributions(bytes, &maintainers, &zone, now()) {
            Ok(found) => {
                assert!((1..=13).contains(&found.months.len()), "{found:?}");
                found.events(now(), &zone).iter().for_each(written);
            }
            Err(error) => _ = said(error),
        }
    }
}

/// Rows are events or are told what is wrong, whatever the columns are taken for.
fn rows<'a>(names: &[String], rows: impl Iterator<Item = &'a [Value]> + Clone) {
    let zone = TimeZone::fixed(tz::offset(2));
    let around = Surroundings { zone: &zone, rules: &RULES, pseudonym: &|name| format!("u-{:016x}", name.len()) };
    for kind in KINDS {
        let columns = match Columns::new(*kind, names, &[]) {
            Ok(columns) => columns,
            Err(error) => {
                said(error);
                continue;
            }
        };
        let kept: Vec<_> = columns.left_out().take(3).map(str::to_owned).collect();
        let columns = columns.keeping(&kept.iter().map(String::as_str).collect::<Vec<_>>());
        for row in rows.clone().take(50) {
            match columns.event(row, &around) {
                // The limit of a line is the spool's to hold.
                Ok(event) if event.to_json().is_ok() => written(&event),
                Ok(event) => event.check().expect("an event"),
                Err(why) => _ = said(why),
            }
            let impersonal: Value = serde_json::from_str(&columns.impersonal(row)).expect("JSON");
            assert!(impersonal.is_object());
            assert!(Ids::default().next("a", columns.named(row)).starts_with("i-"));
        }
    }
}

/// Lines of JSON that are to be imported.
pub fn json_lines(bytes: &[u8]) {
    let _ = Format::of(bytes);
    for line in bytes.split(|byte| *byte == b'\n') {
        match import::line(line) {
            Ok(Line::Event(event, says)) => {
                written(&event);
                assert!(says.contains_key("kind"));
            }
            Ok(Line::Row(row)) => {
                let (names, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
                rows(&names, [values.as_slice()].into_iter());
            }
            Ok(Line::Blank) => {}
            Err(no_line) => _ = said(no_line.why),
        }
    }
}

/// A table that is to be imported.
pub fn csv(bytes: &[u8]) {
    let _ = Format::of(bytes);
    match CsvRows::new(bytes.get(..4096).unwrap_or(bytes), bytes) {
        Ok(table) => {
            let names = table.names().to_vec();
            let (mut read, mut last) = (Vec::new(), 0);
            for row in table {
                match row {
                    Ok((line, row)) => {
                        assert!(line >= last, "rows are told by their lines");
                        last = line;
                        match row {
                            Ok(values) if read.len() < 50 => read.push(values),
                            Ok(_) => {}
                            Err(why) => _ = said(why),
                        }
                    }
                    Err(no_more) => {
                        said(no_more);
                        break;
                    }
                }
            }
            rows(&names, read.iter().map(Vec::as_slice));
        }
        Err(no_more) => _ = said(no_more),
    }
}

/// What a tool says of benchmarks.
pub fn benchmarks(bytes: &[u8]) {
    let of = Format::of(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for format in [Format::Hyperfine, Format::Bencher, Format::PytestBenchmark] {
        for whole_commands in [false, true] {
            match import::read(format, text, now(), whole_commands) {
                Ok(document) => {
                    assert!(!document.events.is_empty() && of != Some(Format::Csv));
                    for event in document.events.iter().take(100) {
                        // Beyond the limits of an event, the door says so.
                        if event.check().is_ok() {
                            written(event);
                        }
                    }
                }
                Err(error) => {
                    let said = said(error);
                    assert!(!said.contains("is damaged") || said.contains(" at line "), "{said}");
                }
            }
        }
    }
    let (one, other) = text.split_once('\u{1}').unwrap_or((text, text));
    match import::criterion(one, other, now(), &mut Ids::default()) {
        Ok(events) => assert_eq!(events.len(), 2),
        Err(error) => _ = said(error),
    }
}

/// What a command said when it failed, and rules of people for that.
pub fn error_text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let category = RULES.categorize(&text);
    assert!(!category.is_empty() && category.len() <= 64);
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let rule = Rule { category: "mine".to_owned(), any: first.split('|').map(str::to_owned).collect() };
    match RULES.clone().with_first(vec![rule]) {
        Ok(rules) => assert!(["mine", RULES.categorize(rest)].contains(&rules.categorize(rest))),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
