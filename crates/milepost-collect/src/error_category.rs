//! Puts the error text of a failed operation into one category: `network`, `permission`, `not_found`, `validation`,
//! `unknown`, or a name that the user's own rules add.
//!
//! What the five mean here:
//!
//! - **network**: the other end could not be reached, did not answer, could not be trusted or failed itself (DNS, refused,
//!   timed out, TLS, HTTP 5xx and 429). A daemon that nobody listens for counts too, though it is on the same machine.
//! - **permission**: somebody or something may not do this (files, passwords, HTTP 401 and 403, read-only places).
//! - **not_found**: what was named is not there (command, file, package, attribute, branch, table).
//! - **validation**: what was asked is not acceptable: malformed, unknown as an option, or in conflict with itself or
//!   with what is there already.
//! - **unknown**: none of these, known or not: disk full, killed, a fault of the program, a lock that another one holds.
//!
//! Rules are ordered data, and the first one that matches *anywhere* in the text decides: the place of a line does not.
//! Real programs leave little choice. Nix, tar and make tell the cause first and its consequences after it; cargo, Java and
//! Python tell it last; pip hides it in a warning above its errors; git prints advice about access rights below a name that
//! did not resolve. Letting the first or the last known line decide was measured, and either is wrong more often. So each
//! rule is narrow enough to be true wherever it stands, the rules of a cause come before those of its consequences, and
//! lines that are not about this failure (quoted source, attempts made again) are left out before. This keeps a promise
//! too: a user's own rule, placed first, always wins.
//!
//! Plain patterns are enough for this, so there are no regular expressions.
//!
//! Texts are read in English. A program that speaks another language ends in `unknown`, unless it is run with `LC_ALL=C`
//! or the user adds rules.

mod defaults;

use defaults::DEFAULTS;
use std::fmt;

/// The other end could not be reached, did not answer, could not be trusted or failed itself.
pub const NETWORK: &str = "network";
/// Somebody or something may not do this.
pub const PERMISSION: &str = "permission";
/// What was named is not there.
pub const NOT_FOUND: &str = "not_found";
/// What was asked is not acceptable as it stands.
pub const VALIDATION: &str = "validation";
/// None of the others.
pub const UNKNOWN: &str = "unknown";

/// Only the end of a text is looked at: the last 8 KiB hold the failure, and the work stays bounded.
pub const TEXT_BYTES_MAX: usize = 8 * 1024;
/// At most so many rules can be placed before the defaults.
pub const RULES_MAX: usize = 100;
/// At most so many patterns in one rule.
pub const PATTERNS_MAX: usize = 100;
/// At most so many bytes in one pattern.
pub const PATTERN_BYTES_MAX: usize = 200;
/// At most so many bytes in a category's name.
pub const CATEGORY_BYTES_MAX: usize = 64;

/// One rule: any of the patterns puts a text into the category.
///
/// A pattern is plain text, compared without regard to case, to the number of spaces and to the kind of quotation marks. It
/// begins and ends where a word does, so `access` does not match "accessory". A `*` stands for anything within the line,
/// also for nothing; where it touches a word, the word may go on: `http error 5*` matches "HTTP error 503".
///
/// ```
/// use milepost_collect::error_category::{Rule, Rules};
///
/// let quota = Rule { category: "quota".into(), any: vec!["quota exceeded".into(), "disk quota *".into()] };
/// let rules = Rules::defaults().with_first(vec![quota])?;
/// assert_eq!(rules.categorize("write failed: Disk quota exceeded"), "quota");
/// assert_eq!(rules.categorize("sudo: frobnicate: command not found"), "not_found");
/// # Ok::<(), milepost_collect::error_category::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Lower snake case, such as `quota`; one of the five, or a name of the user's own.
    pub category: String,
    /// The patterns, any of which decides.
    pub any: Vec<String>,
}

/// Why a rule of the user's was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuleError {
    /// More rules than [`RULES_MAX`].
    TooManyRules {
        /// How many there are.
        count: usize,
    },
    /// The name of a category is not lower snake case, or longer than [`CATEGORY_BYTES_MAX`].
    CategoryName {
        /// The name as given.
        category: String,
    },
    /// No pattern, or more than [`PATTERNS_MAX`].
    PatternCount {
        /// The rule's category.
        category: String,
        /// How many there are.
        count: usize,
    },
    /// A pattern that would match everything or nothing: without a letter or digit, with a line break, or longer than
    /// [`PATTERN_BYTES_MAX`].
    Pattern {
        /// The rule's category.
        category: String,
        /// The pattern as given.
        pattern: String,
    },
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyRules { count } => {
                write!(f, "{count} error categories are given, {RULES_MAX} are the most: put patterns of one category together")
            }
            Self::CategoryName { category } => write!(
                f,
                "error category {category:?}: a name is lower snake case, such as \"quota\" or \"rate_limit\", \
                 of at most {CATEGORY_BYTES_MAX} bytes"
            ),
            Self::PatternCount { category, count: 0 } => {
                write!(f, "error category {category:?} has no pattern: add any = [\"some text of the error\"]")
            }
            Self::PatternCount { category, count } => write!(
                f,
                "error category {category:?} has {count} patterns, {PATTERNS_MAX} are the most: \
                 use * or give the category twice"
            ),
            Self::Pattern { category, pattern } => write!(
                f,
                "error category {category:?}: pattern {pattern:?} cannot be used: \
                 write one line of at most {PATTERN_BYTES_MAX} bytes with a letter or digit in it"
            ),
        }
    }
}

impl std::error::Error for RuleError {}

/// The ordered rules that put error texts into categories.
#[derive(Clone, Debug)]
pub struct Rules {
    ordered: Vec<(String, Vec<Pattern>)>,
}

impl Rules {
    /// The rules that hold without any configuration.
    pub fn defaults() -> Self {
        let compile = |any: &[&str]| any.iter().map(|text| Pattern::new(text)).collect();
        Self { ordered: DEFAULTS.iter().map(|(category, any)| ((*category).to_owned(), compile(any))).collect() }
    }

    /// Places `rules` before these, in the order given, so that they win.
    ///
    /// # Errors
    ///
    /// [`RuleError`] names the first rule that cannot be used and what to write instead.
    pub fn with_first(self, rules: Vec<Rule>) -> Result<Self, RuleError> {
        if rules.len() > RULES_MAX {
            return Err(RuleError::TooManyRules { count: rules.len() });
        }
        let mut ordered = Vec::with_capacity(rules.len().saturating_add(self.ordered.len()));
        for Rule { category, any } in rules {
            if !is_lower_snake_case(&category) || category.len() > CATEGORY_BYTES_MAX {
                return Err(RuleError::CategoryName { category });
            }
            if any.is_empty() || any.len() > PATTERNS_MAX {
                return Err(RuleError::PatternCount { category, count: any.len() });
            }
            if let Some(pattern) = any.iter().find(|pattern| !is_usable_pattern(pattern)) {
                return Err(RuleError::Pattern { pattern: pattern.clone(), category });
            }
            ordered.push((category, any.iter().map(|text| Pattern::new(text)).collect()));
        }
        ordered.extend(self.ordered);
        Ok(Self { ordered })
    }

    /// The category of an error text; [`UNKNOWN`] where no rule matches.
    ///
    /// The text may be anything: only its last [`TEXT_BYTES_MAX`] bytes are looked at, once for each pattern.
    pub fn categorize(&self, text: &str) -> &str {
        let lines = relevant_lines(text);
        let decides = |(_, any): &&(String, Vec<Pattern>)| any.iter().any(|pattern| pattern.is_in(&lines));
        self.ordered.iter().find(decides).map_or(UNKNOWN, |(category, _)| category)
    }
}

/// The category of a command whose error text was not seen.
///
/// Shells end with 127 when a command was not found and with 126 when it may not be executed. Every other code means
/// something else in each program, and a signal tells who ended it rather than why.
pub fn from_exit(exit_code: Option<i32>, signal: Option<i32>) -> &'static str {
    match (exit_code, signal) {
        (Some(127), None) => NOT_FOUND,
        (Some(126), None) => PERMISSION,
        _ => UNKNOWN,
    }
}

/// A pattern made ready: lower case, split at its stars.
#[derive(Clone, Debug)]
struct Pattern {
    /// What has to follow one another within a line.
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
struct Piece {
    text: String,
    /// False where a star touches this side, so that the word may go on there.
    starts_at_edge: bool,
    ends_at_edge: bool,
}

impl Pattern {
    fn new(text: &str) -> Self {
        let mut plain = String::with_capacity(text.len());
        push_normal(&mut plain, text);
        let last = plain.matches('*').count();
        let pieces = plain.split('*').enumerate().map(|(index, text)| Piece {
            starts_at_edge: index == 0 || text.starts_with(' '),
            ends_at_edge: index == last || text.ends_with(' '),
            text: text.trim().to_owned(),
        });
        Self { pieces: pieces.filter(|piece| !piece.text.is_empty()).collect() }
    }

    /// Whether some line of `lines` (as [`relevant_lines`] makes them) holds the pattern.
    fn is_in(&self, lines: &str) -> bool {
        let Some((first, others)) = self.pieces.split_first() else { return false };
        let mut from = 0;
        while let Some(first_end) = first.end_in(lines, from) {
            let line_end =
                lines.get(first_end..).and_then(|rest| rest.find('\n')).map_or(lines.len(), |length| first_end.saturating_add(length));
            let line = lines.get(..line_end).unwrap_or_default();
            if others.iter().try_fold(first_end, |end, piece| piece.end_in(line, end)).is_some() {
                return true;
            }
            // The earliest first piece of a line leaves the most room to the others: only later lines are left to try,
            // so the text is walked once.
            from = line_end;
        }
        false
    }
}

impl Piece {
    /// Where the earliest occurrence at or after `from` ends.
    fn end_in(&self, text: &str, from: usize) -> Option<usize> {
        let step = self.text.chars().next().map_or(1, char::len_utf8);
        let mut from = from;
        loop {
            let start = from.saturating_add(text.get(from..)?.find(&self.text)?);
            let end = start.saturating_add(self.text.len());
            if (!self.starts_at_edge || is_edge(text, start)) && (!self.ends_at_edge || is_edge(text, end)) {
                return Some(end);
            }
            from = start.saturating_add(step);
        }
    }
}

/// Whether no word goes on across `at`.
fn is_edge(text: &str, at: usize) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let goes_on =
        |(before, after): (&str, &str)| before.chars().next_back().is_some_and(is_word) && after.chars().next().is_some_and(is_word);
    !text.split_at_checked(at).is_some_and(goes_on)
}

fn is_lower_snake_case(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.split('_').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()))
}

fn is_usable_pattern(text: &str) -> bool {
    text.len() <= PATTERN_BYTES_MAX && !text.contains(['\n', '\r']) && text.contains(char::is_alphanumeric)
}

/// The end of `text`, made comparable, without the lines that are not about this failure.
///
/// Left out are source lines that compilers and tracebacks quote, since they hold any words at all, and grumbles after
/// which the program went on:
///
/// - `12 | code` and the notes below it, a line with a row of `^` below, and what stands under Python's
///   `File "x.py", line 3`;
/// - an attempt that failed and is made again ("retrying in 300 ms", "2 tries remaining"): where all of them fail, the
///   program says so once more without these words;
/// - sudo that cannot resolve the name of its own machine, as in many containers.
///
/// Other warnings stay: pip tells of the network in nothing else, and to some programs every failure is a warning.
fn relevant_lines(text: &str) -> String {
    let plain = without_escapes(tail(text));
    let mut lines = plain.split('\n').peekable();
    let mut kept = String::with_capacity(plain.len());
    let mut below_frame: Option<usize> = None;
    let mut in_excerpt = false;
    while let Some(line) = lines.next() {
        // Python draws a bar before the tracebacks of a group of exceptions.
        let content = line.trim_start_matches([' ', '\t', '|']);
        let indent = line.len().saturating_sub(content.len());
        in_excerpt = is_numbered_source(line) || (in_excerpt && line.trim_start().starts_with('|'));
        let quoted = in_excerpt
            || below_frame.is_some_and(|frame| indent > frame)
            || is_underline(line)
            || lines.peek().is_some_and(|next| is_underline(next));
        if content.is_empty() || quoted {
            continue;
        }
        below_frame = is_python_frame(content).then_some(indent);
        if below_frame.is_some() {
            continue;
        }
        let start = kept.len();
        push_normal(&mut kept, content);
        if GRUMBLES.iter().any(|grumble| kept.get(start..).is_some_and(|line| line.contains(grumble))) {
            kept.truncate(start);
        } else {
            kept.push('\n');
        }
    }
    kept
}

/// Words of lines that tell of trouble which the program got over.
const GRUMBLES: &[&str] = &[
    // nix; cargo
    "retrying in ",
    "tries remaining",
    "sudo: unable to resolve host",
];

fn tail(text: &str) -> &str {
    let start = text.len().saturating_sub(TEXT_BYTES_MAX);
    // At most three bytes further on: a character of UTF-8 has four.
    (start..text.len()).find_map(|at| text.get(at..)).unwrap_or_default()
}

/// `text` without colours, links and other orders to a terminal; a carriage return ends a line as a line feed does.
fn without_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.peek() {
                // "ESC [ 31 m": ends at the first letter or sign from @ to ~.
                Some('[') => {
                    chars.next();
                    while chars.next_if(|&c| (' '..='?').contains(&c)).is_some() {}
                    chars.next_if(|&c| ('@'..='~').contains(&c));
                }
                // "ESC ] 8 ; ; address BEL": a link or a title, ended by BEL or "ESC \". One without an end hides no
                // more than its line.
                Some(']') => {
                    while chars.next_if(|&c| !matches!(c, '\u{7}' | '\u{1b}' | '\n' | '\r')).is_some() {}
                    if chars.next_if_eq(&'\u{1b}').is_some() {
                        chars.next_if_eq(&'\\');
                    } else {
                        chars.next_if_eq(&'\u{7}');
                    }
                }
                // "ESC ( B" and the like.
                _ => {
                    while chars.next_if(|&c| (' '..='/').contains(&c)).is_some() {}
                    chars.next_if(|&c| ('0'..='~').contains(&c));
                }
            },
            '\r' | '\n' => plain.push('\n'),
            '\t' => plain.push(c),
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    plain
}

/// Appends one line in lower case, with single spaces and straight quotation marks.
fn push_normal(to: &mut String, line: &str) {
    for (index, word) in line.split_whitespace().enumerate() {
        if index > 0 {
            to.push(' ');
        }
        for c in word.chars() {
            match c {
                // Programs quote in both ways, by locale.
                '‘' | '’' | '`' => to.push('\''),
                '“' | '”' => to.push('"'),
                c => to.extend(c.to_lowercase()),
            }
        }
    }
}

/// `File "app.py", line 3, in <module>`
fn is_python_frame(content: &str) -> bool {
    content.starts_with("File \"") && content.contains("\", line ")
}

/// `      ~~^~~`
fn is_underline(line: &str) -> bool {
    line.contains('^') && line.chars().all(|c| matches!(c, ' ' | '\t' | '^' | '~'))
}

/// `12 | let x = 1;`
fn is_numbered_source(line: &str) -> bool {
    let content = line.trim_start();
    let after = content.trim_start_matches(|c: char| c.is_ascii_digit());
    after.len() < content.len() && after.trim_start().starts_with('|')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn default_rules_keep_to_what_users_rules_must() {
        let mut seen = BTreeSet::new();
        for (category, any) in DEFAULTS {
            assert!([NETWORK, PERMISSION, NOT_FOUND, VALIDATION, UNKNOWN].contains(category), "{category}");
            assert!(!any.is_empty() && any.len() <= PATTERNS_MAX, "{category} has {} patterns", any.len());
            for pattern in *any {
                assert!(is_usable_pattern(pattern), "{pattern}");
                assert!(seen.insert(pattern), "{pattern} is there twice");
            }
        }
    }
}
