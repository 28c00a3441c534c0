//! The views that people read with SQL, and what their columns mean.

use crate::{Column, ColumnType, StoreError};
use datafusion::{
    arrow::datatypes::FieldRef,
    error::DataFusionError,
    prelude::SessionContext,
    sql::{
        parser::{DFParserBuilder, Statement},
        sqlparser::ast::{Expr, SelectItem, Statement as SqlStatement},
    },
};

/// One of the views.
#[derive(Clone, Debug)]
pub struct View {
    /// Its name.
    pub name: String,
    /// What one row is.
    pub about: &'static str,
    /// Its columns.
    pub columns: Vec<ViewColumn>,
}

/// A column of a view.
#[derive(Clone, Debug)]
pub struct ViewColumn {
    /// Its name and type.
    pub column: Column,
    /// The name as SQL has to write it: in double quotes where it is a word of SQL.
    pub written: String,
    /// What it means, with the unit.
    pub about: &'static str,
    /// Every view of events has it.
    pub common: bool,
}

type Meanings = &'static [(&'static str, &'static str)];

/// The columns of every view of events.
const COMMON: Meanings = &[
    ("day", "the day of at, in UTC; a condition on it leaves other days unread"),
    ("id", "id of the event, unique within the view"),
    ("at", "when it happened, at the end where it took time"),
    ("origin", "where it comes from: use, probe, test or import"),
    ("user", "pseudonym of the person"),
    ("session", "the session, an id of the sender's choice"),
    ("persona", "the persona that the person stands for"),
    ("version", "version of the product"),
    ("commit", "commit of the product"),
    ("host", "random name of the machine"),
    ("attributes", "what else the sender tells; attributes['door'] is the way in"),
    ("attribute_types", "of attributes that are no text: boolean, integer or number"),
];

/// For each view what one row is, and what its other columns mean.
const VIEWS: &[(&str, &str, Meanings)] = &[
    (
        "operations",
        "one use of a command or function of the product",
        &[
            ("operation", "its name"),
            ("outcome", "how it ended: ok, failed, timeout or cancelled"),
            ("backend", "which implementation did the work"),
            ("duration_us", "how long it took, in microseconds"),
            ("exit_code", "what its process exited with"),
            ("error_category", "what went wrong: network, permission, not_found …"),
            ("error_text", "what the product said, where the configuration allows it"),
            ("cpu_us", "CPU time, user and system, in microseconds"),
            ("peak_bytes", "peak memory, in bytes"),
            ("peak_measure", "what peak_bytes counts: pss, rss, maxrss or cgroup"),
            ("dry_run", "it only showed what it would do, and never counts; null where nobody said"),
            ("sample", "the fixed sample that it belongs to"),
        ],
    ),
    ("sessions", "a person began to use the product", &[]),
    (
        "memory",
        "one reading of the memory of a running product",
        &[
            ("run", "the observation that the reading is part of"),
            ("bytes", "memory of all processes of the tree, in bytes"),
            ("measure", "what bytes counts: pss, rss, maxrss or cgroup"),
            ("complete", "every process could be read; else bytes is no value"),
            ("every_us", "when the next reading is due, in microseconds"),
            ("process", "name of the process at the root of the tree"),
            ("pid", "id of that process"),
            ("processes", "how many processes were read"),
            ("cpu_us", "CPU time since the reading before, in microseconds"),
            ("tree", "how bytes divides among the processes, a list: name, bytes, pid and parent of each; pid is null of (others)"),
        ],
    ),
    (
        "interactions",
        "one request that the product had to understand",
        &[
            ("recognized", "the intent that the product recognised"),
            ("correct", "the intent that was right, where the sender knew it"),
            ("arm", "arm of the experiment"),
            ("modality", "how it was said"),
            ("index", "how many interactions this user had before, plus one"),
            ("words", "words of the reference transcript"),
            ("word_errors", "words substituted, deleted or inserted"),
            ("text", "what was said, where the configuration allows it"),
        ],
    ),
    (
        "labels",
        "a later word on what an interaction meant; the newest by (at, id) wins",
        &[("of", "id of the interaction"), ("correct", "the intent that was right")],
    ),
    (
        "measurements",
        "what another tool measured",
        &[
            ("name", "its name"),
            ("value", "the value, in the unit that stands in unit"),
            ("unit", "unit of the value"),
            ("source", "the tool and its version"),
            ("scope", "the part of the product"),
        ],
    ),
    (
        "notes",
        "something to remember beside the figures",
        &[
            ("topic", "what it is about: release, feedback, decision, exclude or sample"),
            ("text", "the note; feedback where the configuration allows it"),
            ("score", "a score that somebody gave"),
            ("from", "beginning of the period that it is about"),
            ("to", "end of the period that it is about"),
            ("sample", "the fixed sample that it announces"),
            ("operation", "the operation that the sample measures"),
            ("backend", "the implementation that does the work in it"),
            ("size", "how many operations make the sample complete"),
            ("criterion", "the criterion for which the period does not count; NULL for all"),
            ("undoes", "id of the note on a period that it takes back"),
        ],
    ),
    (
        "criteria",
        "a criterion as it was defined from here on",
        &[
            ("name", "its name"),
            ("evidence_key", "digest of all that decides which evidence counts"),
            ("definition", "the whole definition, as JSON"),
        ],
    ),
    (
        "verdicts",
        "what was judged",
        &[
            ("criterion", "name of the criterion"),
            ("evidence_key", "digest of the definition under which it was judged"),
            ("verdict", "met, missed, not_proven, no_data or stale"),
            ("n", "how many events it rests on"),
        ],
    ),
    (
        "segments",
        "a file of the spool that was taken into the tables",
        &[
            ("spool", "random id of the spool"),
            ("sequence", "its number there"),
            ("crc32c", "its digest, CRC32C in hexadecimal"),
            ("bytes", "its length"),
            ("events", "how many events it held, repeated ones included"),
            ("unreadable", "how many of its lines were no event, and were set aside"),
            ("stored_at", "when it was taken in"),
        ],
    ),
];

/// The views that the engine has: those that are described, in order, then all others.
pub(crate) async fn views(engine: &SessionContext) -> Result<Vec<View>, StoreError> {
    let place = |name: &String| VIEWS.iter().position(|(described, ..)| described == name).unwrap_or(VIEWS.len());
    let mut names = engine.state().schema_for_ref("operations")?.table_names();
    names.sort_by_key(|name| (place(name), name.clone()));
    let mut views = Vec::new();
    for name in names {
        let (about, own) = VIEWS.get(place(&name)).map_or(("", Meanings::default()), |(_, about, own)| (*about, *own));
        let table = engine.table(&name).await?;
        let fields = table.schema().fields();
        let of_events = COMMON.iter().all(|(common, _)| fields.iter().any(|field| field.name() == common));
        let column = |field: &FieldRef| {
            let meaning = |of: Meanings| of.iter().find(|(described, _)| described == field.name()).map(|(_, about)| *about);
            let common = if of_events { meaning(COMMON) } else { None };
            ViewColumn {
                column: Column { name: field.name().clone(), of: ColumnType::of(field.data_type()) },
                written: written(field.name()),
                about: common.or_else(|| meaning(own)).unwrap_or_default(),
                common: common.is_some(),
            }
        };
        let columns = fields.iter().map(column).collect();
        views.push(View { name, about, columns });
    }
    Ok(views)
}

/// A name as SQL has to write it.
fn written(name: &str) -> String {
    let read = || -> Result<bool, DataFusionError> {
        let sql = format!("SELECT id, {name}, id FROM t WHERE {name} IS NULL GROUP BY {name} ORDER BY {name}");
        let statements = DFParserBuilder::new(sql.as_str()).build()?.parse_statements()?;
        let Some(Statement::Statement(statement)) = statements.front() else { return Ok(false) };
        let SqlStatement::Query(query) = statement.as_ref() else { return Ok(false) };
        let column = query.body.as_select().and_then(|select| select.projection.get(1));
        Ok(matches!(column, Some(SelectItem::UnnamedExpr(Expr::Identifier(word))) if word.value == name && name == name.to_lowercase()))
    };
    if read().unwrap_or(false) { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}
