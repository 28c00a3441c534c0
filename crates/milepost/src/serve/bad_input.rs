//! Whatever stands after the question mark of a request or in the file of tokens is read, or is told what is wrong.
#![allow(clippy::expect_used, reason = "a test that cannot go on has failed")]

use super::{api::Query, tokens};
use crate::bad_input::try_it;
use std::fs;

/// What stands after the question mark.
fn query(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for known in [&[][..], &["limit"], &["for", "limit"]] {
        if let Err(problem) = Query::read(Some(text), known) {
            assert!(problem.status == 400 && problem.detail.len() <= 1024, "{problem:?}");
        }
    }
}

#[test]
fn what_stands_after_the_question_mark_is_read_or_told_what_is_wrong() {
    let mut inputs: Vec<_> =
        ["limit=20", "for=a+b&limit=%32", "limit=1&limit=2", "%00=%ff&&=&a", ""].map(|text| text.as_bytes().to_vec()).to_vec();
    inputs.push(b"a&".repeat(30_000));
    inputs.push(b"%f0%9f%98%80".repeat(5000));
    try_it("query", query, 256, inputs);
}

/// The file of tokens: one that can be read is written as it was, and of any other nothing is quoted.
fn file(bytes: &[u8]) {
    let data = tempfile::tempdir().expect("a folder");
    let path = data.path().join("tokens.json");
    fs::write(&path, bytes).expect("written");
    match tokens::read(data.path()) {
        Ok(kept) => {
            let written = tokens::text(kept);
            fs::write(&path, &written).expect("written");
            assert_eq!(tokens::text(tokens::read(data.path()).expect("as it was written")), written);
        }
        Err(error) => assert!(error.contains("tokens.json") && error.len() <= 1024 && !error.contains("sha256"), "{error}"),
    }
}

#[test]
fn a_file_of_tokens_is_read_or_named() {
    let (token, _) = tokens::Token::make("ci", tokens::Scope::Write).expect("made");
    let (other, _) = tokens::Token::make("page", tokens::Scope::Read).expect("made");
    try_it("tokens", file, 64, vec![tokens::text(vec![token, other]).into_bytes(), tokens::text(Vec::new()).into_bytes()]);
}
