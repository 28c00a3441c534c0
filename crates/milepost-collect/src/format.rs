//! Which format a report has: its content tells, not its name.

use crate::{
    Refused, Report, cargo_audit, cobertura, coverage_py, junit, lcov, lizard, llvm_cov, osv, pip_audit, radon, report::json_fault, sarif,
    xml,
};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::{collections::BTreeSet, fmt};

/// What is collected from reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// How much of the code its tests run.
    Coverage,
    /// How complex the functions are.
    Complexity,
    /// How the tests ended.
    Tests,
    /// The known vulnerabilities of what the product depends on.
    Audit,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Coverage => "coverage",
            Self::Complexity => "complexity",
            Self::Tests => "tests",
            Self::Audit => "audit",
        })
    }
}

macro_rules! formats {
    ($( $(#[$doc:meta])* $Format:ident $name:literal $Kind:ident $read:path; )*) => {
        /// The formats that are read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Format { $( $(#[$doc])* $Format, )* }

        impl Format {
            /// All of them.
            pub const ALL: &[Self] = &[$( Self::$Format, )*];

            /// What is collected from it.
            #[must_use]
            pub const fn kind(self) -> Kind {
                match self { $( Self::$Format => Kind::$Kind, )* }
            }

            fn read(self, text: &str) -> Result<Report, Refused> {
                match self { $( Self::$Format => $read(text), )* }
            }
        }

        impl fmt::Display for Format {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $( Self::$Format => $name, )* })
            }
        }
    };
}

formats! {
    /// `coverage json`, formats 1 to 3.
    CoveragePy "coverage.py (JSON)" Coverage coverage_py::read;
    /// The tracefile of lcov, which many tools write.
    Lcov "lcov" Coverage lcov::read;
    /// The XML of Cobertura, which many tools write.
    Cobertura "Cobertura (XML)" Coverage cobertura::read;
    /// `llvm-cov export`.
    LlvmCov "llvm-cov (JSON)" Coverage llvm_cov::read;
    /// `radon cc --json`.
    Radon "radon (cc --json)" Complexity radon::read;
    /// `lizard --xml`.
    LizardXml "lizard (XML)" Complexity lizard::read_xml;
    /// `lizard --csv`.
    LizardCsv "lizard (CSV)" Complexity lizard::read_csv;
    /// The XML of JUnit, which most test runners write.
    Junit "JUnit (XML)" Tests junit::read;
    /// `pip-audit -f json`.
    PipAudit "pip-audit (JSON)" Audit pip_audit::read;
    /// `cargo audit --json`.
    CargoAudit "cargo-audit (JSON)" Audit cargo_audit::read;
    /// SARIF 2.1.0 of a scanner for vulnerabilities.
    Sarif "SARIF" Audit sarif::read;
    /// `osv-scanner --format json`.
    Osv "OSV-Scanner (JSON)" Audit osv::read;
}

/// Reads a report of this kind.
///
/// # Errors
/// Where it is none, is damaged, or says nothing.
pub fn read(kind: Kind, bytes: &[u8]) -> Result<Report, Refused> {
    let text = text(bytes)?;
    let format = detect(kind, text)?;
    if format.kind() != kind {
        return Err(Refused::OtherKind { format });
    }
    format.read(text)
}

/// Whether what begins like this could be a report of this kind: so that no more need be read of what is none.
///
/// # Errors
/// Where it is none.
pub fn could_be_a_report(kind: Kind, head: &[u8]) -> Result<(), Refused> {
    let text = match text(head) {
        // It may be cut in the middle of a character.
        Err(Refused::NotText { utf_16: false }) => match std::str::from_utf8(head) {
            Err(error) if error.error_len().is_none() => std::str::from_utf8(head.get(..error.valid_up_to()).unwrap_or_default()),
            other => other,
        }
        .map_err(|_| Refused::NotText { utf_16: false })?,
        // The rest may have what is not there yet.
        Err(Refused::Empty) => return Ok(()),
        other => other?,
    };
    let begin = text.trim_ascii_start();
    let may = begin.is_empty() || begin.starts_with(['{', '<']) || lcov::begins(begin) || lizard::csv_begins(begin);
    if may { Ok(()) } else { Err(Refused::Unknown { kind }) }
}

fn text(bytes: &[u8]) -> Result<&str, Refused> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(Refused::NotText { utf_16: true });
    }
    let bytes = bytes.strip_prefix(&[0xEF, 0xBB, 0xBF]).unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) if text.trim_ascii().is_empty() => Err(Refused::Empty),
        Ok(text) if text.contains('\0') => Err(Refused::NotText { utf_16: false }),
        Ok(text) => Ok(text),
        Err(_) => Err(Refused::NotText { utf_16: false }),
    }
}

fn detect(kind: Kind, text: &str) -> Result<Format, Refused> {
    let begin = text.trim_ascii_start();
    let found = if begin.starts_with('{') {
        detect_json(kind, begin)?
    } else if begin.starts_with('<') {
        detect_xml(begin)?
    } else if lcov::begins(begin) {
        Some(Format::Lcov)
    } else if lizard::csv_begins(begin) {
        Some(Format::LizardCsv)
    } else {
        None
    };
    found.ok_or(Refused::Unknown { kind })
}

fn detect_xml(text: &str) -> Result<Option<Format>, Refused> {
    let root = xml::root(text).map_err(|what| Refused::Damaged { language: "XML", what })?;
    Ok(match root.name.as_str() {
        "coverage" if root.get("line-rate").is_some() => Some(Format::Cobertura),
        "cppncss" => Some(Format::LizardXml),
        "testsuites" | "testsuite" => Some(Format::Junit),
        _ => None,
    })
}

fn detect_json(kind: Kind, text: &str) -> Result<Option<Format>, Refused> {
    let mut keys = BTreeSet::new();
    let mut json = serde_json::Deserializer::from_str(text);
    let ended = Keys(&mut keys).deserialize(&mut json).and_then(|()| json.end());
    let has = |wanted: &[&str]| wanted.iter().all(|key| keys.contains(*key));
    // Also where it is damaged further on: then its own reader says where.
    let known: &[(&[&str], Format)] = &[
        (&["meta", "files"], Format::CoveragePy),
        (&["data", "type", "version"], Format::LlvmCov),
        (&["lockfile", "vulnerabilities"], Format::CargoAudit),
        (&["dependencies", "fixes"], Format::PipAudit),
        (&["version", "runs"], Format::Sarif),
        (&["results", "experimental_config"], Format::Osv),
    ];
    if let Some((_, format)) = known.iter().find(|(wanted, _)| has(wanted)) {
        return Ok(Some(*format));
    }
    match ended {
        Err(error) => Err(Refused::Damaged { language: "JSON", what: json_fault(&error) }),
        // Its keys are names of files. One without a file says nothing of any kind.
        Ok(()) if radon::is_one(text) && (kind == Kind::Complexity || !keys.is_empty()) => Ok(Some(Format::Radon)),
        Ok(()) => Ok(None),
    }
}

/// The keys of an object, as far as it can be read; its values are passed over.
struct Keys<'a>(&'a mut BTreeSet<String>);

/// No format that has keys of its own has more.
const KEYS_MAX: usize = 64;

impl<'de> DeserializeSeed<'de> for Keys<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if self.0.len() < KEYS_MAX {
                self.0.insert(key);
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}
