//! How it is said that a configuration is wrong: the file, the line with a mark under the value, what is wrong with it, and
//! what to do.

use super::wrong::Wrong;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, normalize_untrusted_str};
use std::{
    borrow::Cow,
    fmt, io,
    ops::Range,
    path::{Path, PathBuf},
};

/// So many faults are shown; the rest is counted.
const FAULTS_SHOWN_MAX: usize = 10;
/// A line of the file that is longer than this is cut, in columns.
const WIDTH: usize = 100;
/// The longest line that is shown as it is, whatever its characters are.
const LINE_BYTES_WHOLE: usize = 1000;

/// Why there is no configuration. `Display` is the whole report as plain text, several lines without a final line feed.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}", self.render(&Renderer::plain()))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is larger than [`FILE_BYTES_MAX`](super::FILE_BYTES_MAX).
    #[error("{}", self.render(&Renderer::plain()))]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// What the file says is wrong.
    #[error("{}", self.render(&Renderer::plain()))]
    Faulty {
        /// The file.
        path: PathBuf,
        /// What it says.
        text: String,
        /// What is wrong with that, in the order of the file. At least one.
        faults: Vec<Fault>,
    },
}

impl ConfigError {
    /// The report with colours, for a terminal.
    #[must_use]
    pub fn styled(&self) -> String {
        self.render(&Renderer::styled())
    }

    fn render(&self, renderer: &Renderer) -> String {
        let renderer = renderer.clone().term_width(WIDTH);
        let plainly = |title: String, help: &str| {
            renderer.render(&[Group::with_title(Level::ERROR.primary_title(title)).element(Level::HELP.message(help))])
        };
        match self {
            Self::Unreadable { path, source } => {
                plainly(format!("cannot read {}: {source}", path.display()), "name another file with --config, or make one: milepost init")
            }
            Self::TooLarge { path } => plainly(
                format!("{} is larger than 1 MiB", path.display()),
                "is it the right file? A configuration is a page or two of text",
            ),
            Self::Faulty { path, text, faults } => {
                let mut reports: Vec<_> = faults.iter().take(FAULTS_SHOWN_MAX).map(|fault| fault.render(&renderer, path, text)).collect();
                if faults.len() > FAULTS_SHOWN_MAX {
                    reports.push(format!("and {} more", faults.len() - FAULTS_SHOWN_MAX));
                }
                reports.join("\n\n")
            }
        }
    }
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The place in the file, in bytes.
    pub span: Range<usize>,
    /// What is wrong.
    pub wrong: Wrong,
    /// Another place that it has to do with: the first of two that are the same.
    pub first: Option<Range<usize>>,
}

impl Fault {
    pub(crate) const fn new(span: Range<usize>, wrong: Wrong) -> Self {
        Self { span, wrong, first: None }
    }

    fn render(&self, renderer: &Renderer, path: &Path, text: &str) -> String {
        let text = &*match self.wrong {
            // Whatever it looks like, it was meant as a secret.
            Wrong::NotAWebhook if !text.get(self.span.clone()).is_some_and(|url| url.contains("://")) => starred(text, &self.span),
            _ => without_secrets(text),
        };
        let text = &*of_one_column(text);
        let mut snippet =
            Snippet::source(text).path(path.display().to_string()).annotation(AnnotationKind::Primary.span(on_one_line(text, &self.span)));
        if let Some(first) = &self.first {
            snippet = snippet.annotation(AnnotationKind::Context.span(on_one_line(text, first)).label("the first one"));
        }
        let mut group = Group::with_title(Level::ERROR.primary_title(self.wrong.to_string())).element(snippet);
        if let Some(help) = self.wrong.help() {
            group = group.element(Level::HELP.message(normalize_untrusted_str(&help)));
        }
        renderer.render(&[group])
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.wrong.fmt(f)
    }
}

/// A file in which one value is starred out, but for its quotes.
fn starred<'a>(text: &'a str, span: &Range<usize>) -> Cow<'a, str> {
    let within = span.start + 1..span.end.saturating_sub(1);
    match (text.get(..within.start), text.get(within.clone()), text.get(within.end..)) {
        (Some(before), Some(secret), Some(after)) => format!("{before}{}{after}", "*".repeat(secret.len())).into(),
        _ => without_secrets(text),
    }
}

/// A file with webhooks as it can be shown: of each URL, all but where it leads is starred out. It keeps its length, so that spans
/// stay where they are.
fn without_secrets(text: &str) -> Cow<'_, str> {
    if !text.contains("webhook") {
        return Cow::Borrowed(text);
    }
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ')' | ']' | '}');
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let url = after.split(ends).next().unwrap_or_default();
        let authority = url.split(['/', '?', '#', '\\']).next().unwrap_or_default();
        let user = authority.rfind('@').unwrap_or(0);
        shown.extend(std::iter::repeat_n('*', user));
        shown.push_str(&authority[user..]);
        shown.extend(std::iter::repeat_n('*', url.len() - authority.len()));
        rest = &after[url.len()..];
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// A file whose long lines have only characters of one column: of others the renderer leaves out nothing, however long the line is. It
/// keeps its length, so that spans stay where they are.
fn of_one_column(text: &str) -> Cow<'_, str> {
    if text.lines().all(|line| line.len() <= LINE_BYTES_WHOLE) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if line.len() <= LINE_BYTES_WHOLE {
            shown.push_str(line);
            continue;
        }
        for character in line.chars() {
            let is_one = character == '\n' || (' '..='~').contains(&character);
            shown.extend(std::iter::repeat_n(if is_one { character } else { '?' }, character.len_utf8()));
        }
    }
    Cow::Owned(shown)
}

/// The part of a span that is on its first line, within the text and on the bounds of characters.
fn on_one_line(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start);
    let end = text.floor_char_boundary(span.end).max(start);
    let line = text[start..end].lines().next().unwrap_or_default();
    start..start + line.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_line_a_report_shows_a_part_whatever_it_is_made_of() {
        for letters in ["a", "\u{1F600}", "\u{202e}\u{1F600}\t", "\u{200b}é"] {
            let text = format!("# é\n[project]\nname = \"{}\"\n", letters.repeat(20_000));
            let error = crate::config::Config::read(Path::new("milepost.toml"), text.as_bytes()).expect_err("too long").to_string();
            assert!(error.contains("milepost.toml:3:") && error.len() <= 2048, "{} bytes: {error}", error.len());
        }
    }

    #[test]
    fn no_report_shows_the_secret_of_a_webhook() {
        let hidden =
            without_secrets("webhook = \"https://me:SECRET@h.example:80/SECRET/é?k=SECRET#x\" # as at 'http://other/SECRET'\nx = 1");
        assert_eq!(hidden, "webhook = \"https://*********@h.example:80*********************\" # as at 'http://other*******'\nx = 1");
        assert_eq!(without_secrets("a = \"s3://bucket/x\""), "a = \"s3://bucket/x\"");
    }
}
