//! What is made for others to read: pages, Markdown, tables for spreadsheets, annotations, reports for CI, badges, metrics.

use super::{NAMES, Place, port::Server, stdout};
use std::fs;

fn made(place: &Place, args: &[&str]) -> String {
    stdout(&place.run(args))
}

#[test]
fn no_page_holds_markup_of_somebody_else() {
    let place = Place::new();
    place.record_names();
    place.run(&["track"]);
    place.ok(&["dashboard", "--output", "page.html"]);
    let server = Server::start(&place, &[]);
    let served = server.ask(&format!("GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.host));
    let pages = super::files(&place.path(".milepost/reports")).into_iter().chain([place.path("page.html")]);
    let pages = pages.filter(|file| file.extension().is_some_and(|extension| extension == "html"));
    let pages: Vec<_> = pages.map(|file| fs::read_to_string(file).expect("a page")).chain([served]).collect();
    assert!(pages.len() > 4, "the dashboard, and reports of a day, a week and a month");
    for page in pages {
        assert!(page.contains("default-src 'none'"), "a policy");
        for markup in ["<img", "<script>alert", "</title><img", "<b>p", "<!--{{", "javascript:alert(1)\"", "href=\"https://evil"] {
            assert!(!page.contains(markup), "{markup}");
        }
        assert!(page.contains("&lt;b&gt;p") || page.contains("&#60;b&#62;p"), "the name is shown");
    }
}

#[test]
fn markdown_holds_neither_markup_nor_links_nor_mentions_of_somebody_else() {
    let place = Place::new();
    place.record_names();
    for args in [
        &["status", "--format", "markdown"][..],
        &["report", "daily", "--format", "markdown"],
        &["report", "weekly", "--format", "markdown"],
    ] {
        let text = made(&place, args);
        assert!(text.len() > 200, "{args:?}: {text}");
        for markup in ["<img", "<script", "<b>", "<!--", "https://evil", "@somebody", "[x]", "| x |"] {
            assert!(!text.contains(markup), "{args:?}: {markup}: {text}");
        }
        assert!(text.lines().all(|line| !line.starts_with("::")), "{args:?}: {text}");
    }
    assert!(made(&place, &["status", "--format", "markdown"]).contains("https:&#8203;//evil.example/ @&#8203;somebody"));
}

/// The fields of RFC 4180.
fn fields(csv: &str) -> Vec<String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = csv.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => field.extend(characters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            '\r' if !quoted => {}
            '\n' if !quoted => fields.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    fields
}

#[test]
fn no_field_of_a_table_is_a_formula() {
    let place = Place::new();
    place.record_names();
    for view in ["operations", "sessions", "memory", "interactions", "labels", "measurements", "notes"] {
        let csv = place.ok(&["query", "--format", "csv", &format!("SELECT * FROM {view}")]);
        let fields = fields(&csv);
        assert!(fields.iter().any(|field| field.contains("=cmd|")), "{view}: {csv}");
        for field in fields {
            // Where a spreadsheet divides by semicolons or tabs too.
            for part in field.split([';', '\t']) {
                assert!(!part.starts_with(['=', '+', '-', '@', '\r', '\n']), "{view}: {part:?} of {field:?}");
            }
        }
    }
}

#[test]
fn no_line_is_a_command_to_a_runner_or_a_scraper() {
    let place = Place::new();
    place.record_names();
    let annotations = made(&place, &["check", "--format", "github"]);
    let commands: Vec<_> = annotations.lines().filter(|line| line.contains("::")).collect();
    assert!(!commands.is_empty(), "{annotations}");
    for line in commands {
        let (level, _) = line.strip_prefix("::").and_then(|line| line.split_once(" title=")).expect("a command of ours");
        assert!(["error", "warning", "notice"].contains(&level), "{line}");
        assert!(!line.contains("title=owned"), "{line}");
    }
    let junit = made(&place, &["check", "--format", "junit"]);
    assert!(junit.contains("&lt;b&gt;p") && !junit.contains("<b>") && !junit.contains("<img") && !junit.contains("]]>"), "{junit}");
    let server = Server::start(&place, &[]);
    let heard = server.ask(&format!("GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.host));
    let (_, metrics) = heard.split_once("\r\n\r\n").expect("an answer");
    let lines: Vec<_> = metrics.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert!(lines.len() > NAMES.len(), "{metrics}");
    assert!(lines.iter().all(|line| line.starts_with("milepost_")), "{metrics}");
}
