//! Text of strangers in XML 1.0.

/// A text as the content of an element or the value of an attribute in double quotes. What XML 1.0 has no place for, not even
/// escaped, becomes U+FFFD (section 2.2 of the recommendation).
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // In an attribute they would be read as spaces.
            '\t' => escaped.push_str("&#9;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn nothing_ends_what_it_stands_in() {
        assert_eq!(escaped("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;'");
        assert_eq!(escaped("]]>"), "]]&gt;");
        assert_eq!(escaped("a\r\n\tb"), "a&#13;&#10;&#9;b");
        assert_eq!(escaped("\0\u{1b}[2J\u{fffe}\u{ffff}\u{1f600}"), "\u{fffd}\u{fffd}[2J\u{fffd}\u{fffd}\u{1f600}");
    }
}
