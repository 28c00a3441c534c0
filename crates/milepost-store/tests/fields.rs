//! Which fields a question says that it needs, beside those that the engine reads for it, and beside the page that lists them.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use milepost_record::{Dimension, FieldUse, Fields, Kind, Limit, Question, Span, Subject};
use milepost_store::Store;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

fn about(subject: Subject) -> Question {
    let span = Span { from: "2026-10-01T00:00:00Z".parse().expect("a time"), to: "2026-11-24T12:00:00Z".parse().expect("a time") };
    Question { subject, span, filter: BTreeMap::new(), for_each: None, aliases: BTreeMap::new(), time_zone: "UTC".to_owned() }
}

fn limit(of_group: bool) -> Option<Limit> {
    let by_group = of_group.then(|| ("nina".to_owned(), 7)).into_iter().collect();
    Some(Limit { default: Some(5), by_group, inclusive: false })
}

/// One of each subject; the match refuses to compile where one is added, which then has to be here too.
fn subjects() -> Vec<Subject> {
    let all = vec![
        Subject::Operations { limit: None },
        Subject::Operations { limit: limit(false) },
        Subject::Operations { limit: limit(true) },
        Subject::PeakMemory { limit: None },
        Subject::PeakMemory { limit: limit(true) },
        Subject::Misses { limit: None, failed: true },
        Subject::Misses { limit: limit(false), failed: false },
        Subject::Misses { limit: limit(true), failed: true },
        Subject::Memory,
        Subject::MemoryTrees,
        Subject::Measurement { name: "coverage.statements".to_owned() },
        Subject::Breakdown,
        Subject::ErrorDays,
        Subject::Failures,
        Subject::Sessions,
        Subject::FirstSessions,
        Subject::Interactions,
        Subject::Returns,
        Subject::Measurements { family: "coverage".to_owned() },
        Subject::Feedback,
        Subject::Scores,
    ];
    let place = |subject: &Subject| match subject {
        Subject::Operations { .. } => 0,
        Subject::PeakMemory { .. } => 1,
        Subject::Misses { .. } => 2,
        Subject::Memory => 3,
        Subject::Measurement { .. } => 4,
        Subject::Breakdown => 5,
        Subject::ErrorDays => 6,
        Subject::Failures => 7,
        Subject::Sessions => 8,
        Subject::FirstSessions => 9,
        Subject::Interactions => 10,
        Subject::Returns => 11,
        Subject::Measurements { .. } => 12,
        Subject::Feedback => 13,
        Subject::Scores => 14,
        Subject::MemoryTrees => 15,
    };
    assert_eq!(all.iter().map(place).collect::<BTreeSet<_>>(), (0..16).collect());
    all
}

/// Every subject: bare, with every filter that its events have, of probes, and for each of a field and of an attribute.
fn questions() -> Vec<Question> {
    let mut questions = Vec::new();
    for plain in subjects().into_iter().map(about) {
        let values = || BTreeSet::from(["use".to_owned()]);
        let attribute = Dimension::Attribute("o'clock".to_owned());
        let dimensions =
            Dimension::NAMED.iter().filter(|dimension| dimension.is_of(plain.subject.kind()) && !is_not_of_all(&plain, dimension));
        let filter = dimensions.cloned().chain([attribute.clone()]).map(|dimension| (dimension, values())).collect();
        let aliases = BTreeMap::from([("find".to_owned(), "search".to_owned())]);
        questions.push(Question { filter, ..plain.clone() });
        questions.push(Question { filter: [(Dimension::Origin, ["probe".to_owned()].into())].into(), ..plain.clone() });
        questions.push(Question { for_each: Some(Dimension::Host), aliases, ..plain.clone() });
        questions.push(Question { for_each: Some(attribute), ..plain.clone() });
        questions.push(plain);
    }
    questions
}

/// People come back to a product, not to an operation: the other kinds that are read have none.
fn is_not_of_all(question: &Question, dimension: &Dimension) -> bool {
    question.subject == Subject::Returns && !dimension.is_of(Kind::Session)
}

/// As columns: a `day` and the types of attributes are the store's own, made of `at` and of the attributes.
fn columns(fields: &Fields) -> BTreeMap<Kind, BTreeSet<String>> {
    let column = |name: &String| name.split('.').next().unwrap_or_default().to_owned();
    fields.iter().map(|(kind, names)| (*kind, names.keys().map(column).collect())).collect()
}

#[test]
fn a_question_needs_the_fields_that_the_engine_reads_and_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let store = runtime.block_on(Store::open(folder.path(), "2026-11-24T12:00:00Z".parse().expect("a time"))).expect("a store");
    for question in questions() {
        let mut read = runtime.block_on(store.columns_read(&question)).expect("a plan");
        for columns in read.values_mut() {
            columns.retain(|column| !matches!(column.as_str(), "day" | "attribute_types"));
        }
        assert_eq!(columns(&question.fields()), read, "{question:#?}");
        if !read.values().any(|columns| columns.contains("attributes")) {
            continue;
        }
        // The engine reads all attributes at once; which of them is taken stands in the statement.
        let sql = runtime.block_on(store.answer(&question)).expect("an answer").sql;
        let taken: BTreeSet<_> = sql.split("get_field(attributes, '").skip(1).filter_map(|rest| rest.split("')").next()).collect();
        let fields = question.fields();
        let said = fields.values().flat_map(BTreeMap::keys).filter_map(|name| name.strip_prefix("attributes."));
        assert_eq!(
            said.map(|name| name.replace('\'', "''")).collect::<BTreeSet<_>>(),
            taken.into_iter().map(str::to_owned).collect(),
            "{sql}"
        );
    }
}

/// What a criterion asks, as the page lists it: by people, so without fixed samples.
#[test]
fn the_page_lists_what_each_metric_needs() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/what-is-stored.md")).expect("a page");
    let asked = [
        ("`latency.*`", Subject::Operations { limit: limit(false) }),
        ("`success.rate`", Subject::Operations { limit: None }),
        ("`peak_memory.*`", Subject::PeakMemory { limit: limit(false) }),
        ("`memory.*`, `cpu.percent`", Subject::Memory),
        ("`learning.*`, `voice.accuracy`", Subject::Interactions),
        ("`ttfs.median`", Subject::FirstSessions),
        ("`retention.week4`", Subject::Returns),
        ("`contributions.month`, measurements", Subject::Measurement { name: "x".to_owned() }),
    ];
    for (metrics, subject) in asked {
        let mut question = about(subject);
        question.filter.insert(Dimension::Origin, ["use".to_owned()].into());
        let of_kind = |(kind, fields): (&Kind, &BTreeMap<String, FieldUse>)| {
            let names = fields.iter().filter(|(_, why)| **why == FieldUse::Value).map(|(name, _)| format!("`{name}`"));
            format!("{}: {}", kind.table(), names.collect::<Vec<_>>().join(", "))
        };
        let row = format!("| {metrics} | {} |", question.fields().iter().map(of_kind).collect::<Vec<_>>().join("; "));
        assert!(page.contains(&row), "docs/what-is-stored.md has no\n{row}");
    }
}
