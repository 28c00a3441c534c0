//! What reports of coverage share: percentages come from counts, never from a percentage that a tool computed.

use crate::{
    Format, Refused,
    report::{DETAILS_MAX, Reading, whole},
};

/// Files of which less is covered count as `coverage.files_below_80`, in %.
const LITTLE: f64 = 80.0;

/// How many of how many are covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) covered: u64,
    pub(crate) of: u64,
}

impl Counts {
    pub(crate) const fn add(&mut self, other: Self) {
        self.covered = self.covered.saturating_add(other.covered);
        self.of = self.of.saturating_add(other.of);
    }

    pub(crate) const fn one(covered: bool) -> Self {
        Self { covered: covered as u64, of: 1 }
    }

    fn percent(self) -> f64 {
        100.0 * self.covered as f64 / self.of as f64
    }

    fn reading(self, name: &'static str) -> Reading {
        let reading = Reading { value: self.percent(), unit: Some("%"), ..Reading::count(name, 0) };
        reading.with("covered", whole(self.covered)).with("of", whole(self.of))
    }
}

/// One source file.
pub(crate) struct SourceFile {
    pub(crate) path: String,
    /// Statements, or lines where a tool counts those.
    pub(crate) statements: Counts,
    /// None where branches were not measured.
    pub(crate) branches: Option<Counts>,
}

/// What all files say together, and the worst ones.
pub(crate) fn readings(format: Format, files: &[SourceFile]) -> Result<Vec<Reading>, Refused> {
    let (mut statements, mut branches) = (Counts::default(), Counts::default());
    for file in files {
        let mut counts = [Some(file.statements), file.branches].into_iter().flatten();
        if let Some(Counts { covered, of }) = counts.find(|counts| counts.covered > counts.of) {
            return Err(Refused::unusable(format, format!("of `{}` it says that {covered} of {of} are covered", file.path)));
        }
        statements.add(file.statements);
        branches.add(file.branches.unwrap_or_default());
    }
    if statements.of == 0 {
        return Err(Refused::Nothing { format, what: "statement" });
    }
    let mut worst: Vec<_> = files.iter().filter(|file| file.statements.of > 0 && file.statements.percent() < LITTLE).collect();
    worst.sort_by(|a, b| a.statements.percent().total_cmp(&b.statements.percent()).then_with(|| a.path.cmp(&b.path)));
    let mut readings = vec![statements.reading("coverage.statements")];
    if branches.of > 0 {
        readings.push(branches.reading("coverage.branches"));
    }
    readings.push(Reading::count("coverage.uncovered_lines", statements.of.saturating_sub(statements.covered)));
    readings.push(Reading::count("coverage.files_below_80", worst.len() as u64));
    readings.extend(worst.iter().take(DETAILS_MAX).map(|file| file.statements.reading("coverage.file").of(file.path.as_str())));
    Ok(readings)
}

/// Whether a text has a word: what stands between characters that are neither letter nor digit, and begins at each capital
/// after a small letter. `tests/test_integration_stock.py` and `StockIntegrationTest` have `integration`; `realistic.py` has
/// no `real`.
pub(crate) fn has_word(text: &str, words: &[&str]) -> bool {
    let mut word = String::new();
    let mut after_small = false;
    for c in text.chars().chain(['/']) {
        if !c.is_alphanumeric() || (c.is_uppercase() && after_small) {
            if words.contains(&word.as_str()) {
                return true;
            }
            word.clear();
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        after_small = c.is_lowercase();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_no_part_of_another() {
        for (text, has) in [
            ("tests/integration/test_a.py", true),
            ("tests/test_integration_stock.py", true),
            ("org.example.StockIntegrationTest", true),
            ("real.py", true),
            ("tests/RealNix.py", true),
            ("realistic.py", false),
            ("unreal/integrations.py", false),
            ("surreal", false),
            ("", false),
        ] {
            assert_eq!(has_word(text, &["integration", "real"]), has, "{text}");
        }
    }
}
