//! Files that somebody else made: reports of tools and what is imported. What each format does with what is cut off or too large is tested
//! in milepost-collect; here, that no file leads out of itself.

use super::{Place, files, stderr, stdout};
use std::fs;

#[test]
fn no_report_leads_out_of_itself() {
    let place = Place::with("[project]\nname = \"p\"\n");
    fs::write(place.path("secret"), "XSECRETX").expect("written");
    let secret = place.path("secret").display().to_string();
    let lol = (1..10).map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10))).collect::<String>();
    let documents = [
        format!(
            "<!DOCTYPE t [<!ENTITY x SYSTEM \"file://{secret}\">]><testsuites>\
             <testcase classname=\"&x;\" name=\"&x;\">&x;</testcase></testsuites>"
        ),
        format!("<!DOCTYPE t SYSTEM \"file://{secret}\"><testsuites><testcase name=\"a\"/></testsuites>"),
        "<!DOCTYPE t [<!ENTITY % x SYSTEM \"http://127.0.0.1:1/x\"> %x;]><testsuites><testcase name=\"a\"/></testsuites>".to_owned(),
        format!("<!DOCTYPE t [<!ENTITY l0 \"lol\">{lol}]><testsuites><testcase name=\"&l9;\"/></testsuites>"),
        format!(
            "<testsuites xmlns:xi=\"http://www.w3.org/2001/XInclude\">\
             <xi:include href=\"{secret}\" parse=\"text\"/><testcase name=\"a\"/></testsuites>"
        ),
        format!("<?xml-stylesheet href=\"file://{secret}\"?><testsuites><testcase name=\"a\"/></testsuites>"),
    ];
    for (number, document) in documents.iter().enumerate() {
        fs::write(place.path("report.xml"), document).expect("written");
        let output = place.run(&["collect", "tests", "report.xml"]);
        assert!(output.status.code().is_some_and(|code| code == 0 || code == 2), "{number}: {}", stderr(&output));
        assert!(!stderr(&output).contains("XSECRETX") && !stderr(&output).contains("lollol"), "{number}: {}", stderr(&output));
    }
    let export = place.ok(&["export"]);
    assert!(!export.contains("XSECRETX") && !export.contains("lollol"), "{export}");
}

#[test]
fn the_sql_of_an_import_reads_one_database_and_nothing_else() {
    let place = Place::with("[project]\nname = \"p\"\n");
    let database = place.path("a.db");
    let other = place.path("other.db");
    for path in [&database, &other] {
        let connection = rusqlite::Connection::open(path).expect("a database");
        connection.execute_batch("CREATE TABLE t (at TEXT, operation TEXT, outcome TEXT)").expect("made");
    }
    let before = fs::read(&database).expect("a file");
    let other = other.display();
    for sql in [
        format!("ATTACH DATABASE '{other}' AS o"),
        format!("ATTACH DATABASE '{}/owned.db' AS o", place.folder.path().display()),
        format!("VACUUM INTO '{}/owned.db'", place.folder.path().display()),
        "SELECT load_extension('./owned.so')".to_owned(),
        "SELECT writefile('owned', 'x')".to_owned(),
        "SELECT readfile('/etc/passwd') AS operation".to_owned(),
        "SELECT * FROM fsdir('/')".to_owned(),
        "INSERT INTO t VALUES (1, 2, 3)".to_owned(),
        "DROP TABLE t".to_owned(),
        "PRAGMA journal_mode = WAL".to_owned(),
        "PRAGMA writable_schema = ON".to_owned(),
        "CREATE TEMP TABLE owned AS SELECT 1".to_owned(),
        "SELECT 1; DROP TABLE t".to_owned(),
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r".to_owned(),
    ] {
        let output = place.run(&["import", "a.db", "--sql", &sql]);
        assert_ne!(output.status.code(), Some(0), "{sql}: {}{}", stdout(&output), stderr(&output));
        assert!(!stdout(&output).contains("root:") && !stderr(&output).contains("root:"), "{sql}");
    }
    assert_eq!(fs::read(&database).expect("a file"), before);
    let owned = |file: &std::path::PathBuf| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("owned"));
    assert!(!files(place.folder.path()).iter().any(owned));
}
