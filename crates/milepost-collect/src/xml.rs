//! XML, step by step: nothing is kept but what is open, no entity is expanded but the five that XML has.

use crate::{Format, Refused, report::excerpt};
use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

/// Deeper than any report.
const DEPTH_MAX: usize = 256;
/// More than an element of any report has. Each is compared with all before it, so a million of them would take a day.
const ATTRIBUTES_MAX: usize = 256;

/// An element that begins.
pub(crate) struct Element {
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
}

impl Element {
    /// The value of an attribute.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of an attribute that is a number.
    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.trim().parse().ok()
    }
}

/// What comes next.
pub(crate) enum Step<'a> {
    Open(Element),
    Close(&'a str),
    Text(&'a str),
    Comment(&'a str),
}

/// The first element.
pub(crate) fn root(text: &str) -> Result<Element, String> {
    let mut reader = Reader::from_str(text);
    loop {
        match reader.read_event().map_err(|error| at(&reader, text, &error.to_string()))? {
            Event::Start(start) | Event::Empty(start) => return element(&start).map_err(|what| at(&reader, text, &what)),
            Event::Eof => return Err("there is no element".to_owned()),
            _ => {}
        }
    }
}

/// Goes through a whole document. Where `visit` says that something is wrong, that ends it.
pub(crate) fn walk(format: Format, text: &str, mut visit: impl FnMut(Step<'_>) -> Result<(), String>) -> Result<(), Refused> {
    let mut reader = Reader::from_str(text);
    // An element without content closes as every other.
    reader.config_mut().expand_empty_elements = true;
    let (mut depth, mut roots) = (0_usize, 0_usize);
    loop {
        let broken = |reader: &Reader<&[u8]>, what: &str| Refused::Broken { format, what: at(reader, text, what) };
        let event = reader.read_event().map_err(|error| broken(&reader, &error.to_string()))?;
        let step = match event {
            Event::Start(start) => {
                roots = roots.saturating_add(usize::from(depth == 0));
                depth = depth.saturating_add(1);
                if depth > DEPTH_MAX {
                    return Err(broken(&reader, "its elements are nested too deeply"));
                }
                if roots > 1 {
                    return Err(broken(&reader, "another document begins"));
                }
                element(&start).and_then(|element| visit(Step::Open(element)))
            }
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                visit(Step::Close(local(end.local_name().as_ref())))
            }
            Event::Text(text) => visit(Step::Text(local(&text))),
            Event::CData(text) => visit(Step::Text(local(&text))),
            Event::Comment(text) => visit(Step::Comment(local(&text))),
            Event::DocType(declaration) if local(&declaration).contains("<!ENTITY") => {
                Err("it declares entities, which no report needs".to_owned())
            }
            Event::Eof if depth > 0 => Err("it ends before its last element does".to_owned()),
            Event::Eof if roots == 0 => Err("there is no element".to_owned()),
            Event::Eof => return Ok(()),
            _ => Ok(()),
        };
        step.map_err(|what| broken(&reader, &what))?;
    }
}

fn element(start: &BytesStart<'_>) -> Result<Element, String> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        if attributes.len() == ATTRIBUTES_MAX {
            return Err(format!("an element has more than {ATTRIBUTES_MAX} attributes"));
        }
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = quick_xml::escape::unescape(local(&attribute.value)).map_err(|error| error.to_string())?.into_owned();
        attributes.push((local(attribute.key.local_name().as_ref()).to_owned(), value));
    }
    Ok(Element { name: local(start.local_name().as_ref()).to_owned(), attributes })
}

/// What is cut out of UTF-8 between ASCII characters is UTF-8.
fn local(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

fn at(reader: &Reader<&[u8]>, text: &str, what: &str) -> String {
    let position = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX).min(text.len());
    let line = text.as_bytes().get(..position).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
    format!("{} at line {}", excerpt(what), line.saturating_add(1))
}
