//! What the report of a period says in fewer lines than the figures of a whole history: what nothing is known of is one line at its
//! end, and no section; a table of one row is a line. The JSON has it all.

use super::{
    report::{Section, Table, code, community, in_words, learning, memory, performance, personas, reliability, retention, usability},
    rows::Heading,
};
use milepost_judge::{
    PeriodReport,
    code::Code,
    learning::{Learning, Voice},
    operations::{Performance, Reliability},
    report::{Community, Memory, Persona, Usability},
    retention::Retention,
};
use serde_json::Value;

/// The sections of a report, and what nothing is known of.
#[derive(Default)]
pub(super) struct Concise {
    pub(super) sections: Vec<Section>,
    unknown: Vec<&'static str>,
}

impl Concise {
    /// Adds a section as it is.
    pub(super) fn whole(&mut self, section: Section) {
        self.sections.push(section);
    }

    /// Adds a section, unless nothing is known of it.
    fn known(&mut self, name: &'static str, is_known: bool, section: impl FnOnce() -> Section) {
        let section = Some(is_known).filter(|is_known| *is_known).map(|_| short(section()));
        match section.filter(|section| !section.figures.is_empty() || !section.tables.is_empty()) {
            Some(section) => self.sections.push(section),
            None => self.unknown.push(name),
        }
    }

    pub(super) fn performance(&mut self, of: &Performance) {
        let all = &of.overall;
        self.known("performance", all.count + all.cancelled + all.dry_runs > 0, || {
            let mut section = performance(of);
            // Where nobody tells implementations apart, each operation would stand there twice.
            if of.by_backend.iter().all(|group| group.backend.iter().flatten().next().is_none()) {
                section.tables.retain(|table| !table.headings.iter().any(|heading| heading.name == "backend"));
            }
            section
        });
    }

    pub(super) fn reliability(&mut self, of: &Reliability) {
        self.known("reliability", !of.by_command.is_empty() || !of.errors.is_empty(), || reliability(of));
    }

    pub(super) fn memory(&mut self, of: Option<&Memory>) {
        self.known("memory", of.is_some(), || memory(of));
    }

    pub(super) fn code(&mut self, of: &Code) {
        let is_known = of.coverage.is_some() || of.complexity.is_some() || of.tests.is_some() || of.vulnerabilities.is_some();
        self.known("code", is_known, || code(of));
    }

    pub(super) fn learning(&mut self, of: &Learning, voice: &Voice) {
        let is_known = [of.interactions > 0, voice.utterances > 0];
        if is_known.contains(&true) {
            self.known("learning and voice", true, || {
                let mut section = learning(of, voice);
                section.figures.retain(|(name, _)| is_known[usize::from(matches!(*name, "spoken" | "word error rate"))]);
                section
            });
        }
        self.unknown.extend(["learning", "voice"].into_iter().zip(is_known).filter(|(_, is_known)| !is_known).map(|(name, _)| name));
    }

    pub(super) fn usability(&mut self, of: &Usability) {
        self.known("usability", of.users > 0 || of.first_success.starters > 0, || usability(of));
    }

    pub(super) fn personas(&mut self, of: &[Persona]) {
        self.known("personas", of.iter().any(|persona| persona.persona.is_some() && persona.figures.count > 0), || {
            let (with, without): (Vec<_>, Vec<_>) = of.iter().cloned().partition(|persona| persona.figures.count > 0);
            let mut section = personas(&with);
            let names: Vec<_> = without.into_iter().filter_map(|persona| persona.persona).collect();
            if !names.is_empty() {
                section.figures.push(("without operations", names.join(", ")));
            }
            section
        });
    }

    pub(super) fn retention(&mut self, of: &Retention) {
        self.known("retention", !of.cohorts.is_empty() || of.week4.mature + of.week4.immature > 0, || retention(of));
    }

    /// What the community gave, with what people said.
    pub(super) fn community(&mut self, of: &Community, said: Option<Table>) {
        self.known("community", of.feedback.notes > 0 || !of.contributions.is_empty() || said.is_some(), || {
            let mut section = community(of);
            section.tables.extend(said);
            section
        });
    }

    /// The last line; none where something is known of everything.
    pub(super) fn last_line(&self) -> Option<String> {
        (!self.unknown.is_empty()).then(|| format!("Nothing is known of: {}.", self.unknown.join(", ")))
    }

    /// All that this report is about.
    pub(super) fn trackers(&mut self, report: &PeriodReport) {
        if let Some(of) = &report.performance {
            self.performance(of);
        }
        if let Some(of) = &report.reliability {
            self.reliability(of);
        }
        if let Some(of) = &report.memory {
            self.memory(of.as_ref());
        }
        if let Some(of) = &report.code {
            self.code(of);
        }
        if let Some((of, voice)) = report.learning.as_ref().zip(report.voice.as_ref()) {
            self.learning(of, voice);
        }
        if let Some(of) = &report.usability {
            self.usability(of);
        }
        if let Some(of) = &report.personas {
            self.personas(of);
        }
        if let Some(of) = &report.retention {
            self.retention(of);
        }
    }
}

/// Its figures that are not known in one line, and its tables of one row as lines.
fn short(mut section: Section) -> Section {
    let is_unknown = |value: &str| value.starts_with("not known") && !value.contains(|c: char| c == ':' || c.is_ascii_digit());
    let (unknown, known): (Vec<_>, Vec<_>) = section.figures.into_iter().partition(|(_, value)| is_unknown(value));
    section.figures = known;
    let (one, several): (Vec<_>, Vec<_>) = section.tables.into_iter().partition(|table| table.rows.len() == 1);
    section.tables = several;
    for Table { title, headings, rows } in one {
        section.figures.extend(rows.first().map(|row| (title, sentence(&headings, row))));
    }
    if !unknown.is_empty() {
        let names: Vec<_> = unknown.into_iter().map(|(name, _)| name).collect();
        section.figures.push(("not known", names.join(", ")));
    }
    section
}

/// The row of a table as a line: what it is about, and each other cell that has something, after its heading.
fn sentence(headings: &[Heading], row: &[Value]) -> String {
    let part = |(index, (heading, value)): (usize, (&Heading, &Value))| {
        let value = in_words(value);
        let name = heading.name.as_str();
        if matches!(value.as_str(), "–" | "not known") {
            return None;
        }
        // A unit stands behind its number.
        let (name, unit) = match (name, name.rsplit_once(' ')) {
            ("%", _) => ("", "%"),
            (_, Some((name, "%"))) => (name, "%"),
            (_, Some((name, "ms"))) => (name, " ms"),
            _ => (name, ""),
        };
        let unit = if value.ends_with(|c: char| c.is_ascii_digit()) { unit } else { "" };
        Some(if index == 0 { format!("{value}{unit}") } else { format!("{name} {value}{unit}").trim_start().to_owned() })
    };
    headings.iter().zip(row).enumerate().filter_map(part).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::{super::rows::Content, *};
    use serde_json::json;

    #[test]
    fn one_row_is_a_line_and_what_is_not_known_another() {
        let headings = [("operation", Content::Text), ("n", Content::Number), ("ok %", Content::Number), ("P95 ms", Content::Number)];
        let table = |rows| Table::new("By operation", &headings, rows);
        let row = || vec![json!("search"), json!(3), json!("66.7"), json!("failed")];
        let section = |figures, tables| short(Section { title: "Performance", figures, tables });
        let figures = vec![
            ("a", "not known".to_owned()),
            ("b", "1".to_owned()),
            ("c", "not known, not known".to_owned()),
            ("d", "not known, 5 s".to_owned()),
            ("e", "not known: why".to_owned()),
        ];
        let shown = section(figures, vec![table(vec![row()]), table(vec![row(), row()])]);
        let expected = [
            ("b", "1"),
            ("d", "not known, 5 s"),
            ("e", "not known: why"),
            ("By operation", "search, n 3, ok 66.7%, P95 failed"),
            ("not known", "a, c"),
        ];
        let figures: Vec<_> = shown.figures.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!((figures.as_slice(), shown.tables.len()), (expected.as_slice(), 1));
        let percent = [("file", Content::Text), ("%", Content::Number), ("limit ms", Content::Number)];
        let shown = section(Vec::new(), vec![Table::new("Files", &percent, vec![vec![json!("a.py"), json!(40), json!("–")]])]);
        assert_eq!(shown.figures, [("Files", "a.py, 40%".to_owned())]);
    }
}
