//! `docs/schema.md` names every table and column that there is, and no other; and no SQL writes rows by position.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::*;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Each column of each table, with its type as the document writes it.
type Tables = BTreeMap<String, Vec<(String, String)>>;

fn tables_of_a_fresh_ledger() -> Tables {
    let mut ledger = Connection::open_in_memory().unwrap();
    migrate(&mut ledger).unwrap();
    let sql = "SELECT tables.name, columns.name, columns.type, columns.\"notnull\" OR columns.pk > 0
        FROM sqlite_schema AS tables JOIN pragma_table_info(tables.name) AS columns
        WHERE tables.type = 'table' ORDER BY tables.name, columns.cid";
    let mut statement = ledger.prepare(sql).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut tables = Tables::new();
    while let Some(row) = rows.next().unwrap() {
        let (table, column): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
        let (kind, is_always_there): (String, bool) = (row.get(2).unwrap(), row.get(3).unwrap());
        let kind = kind.to_lowercase() + if is_always_there { "" } else { "?" };
        tables.entry(table).or_default().push((column, kind));
    }
    tables
}

/// A heading names a table, and each row of the list under it a column: `| column | type | what it is | who writes it |`.
fn tables_of_the_document(text: &str) -> Tables {
    let mut tables = Tables::new();
    let mut table = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("## `") {
            table = name.trim_end_matches('`').to_owned();
            tables.insert(table.clone(), Vec::new());
        }
        let Some(row) = line.strip_prefix("| `") else {
            continue;
        };
        let cells: Vec<&str> = row.trim_end_matches(" |").split(" | ").collect();
        let [column, kind, what, who] = cells.as_slice() else {
            panic!("four cells: {line}");
        };
        assert!(!what.trim().is_empty() && !who.trim().is_empty(), "{line}");
        let column = column.trim_end_matches('`').to_owned();
        let of_table = tables.get_mut(&table).expect("a heading comes first");
        of_table.push((column, (*kind).to_owned()));
    }
    tables
}

#[test]
fn the_document_names_every_table_and_column() {
    let text = std::fs::read_to_string(Path::new(ROOT).join("docs/schema.md")).unwrap();
    let (written, real) = (tables_of_the_document(&text), tables_of_a_fresh_ledger());
    for (table, columns) in &real {
        assert_eq!(written.get(table), Some(columns), "docs/schema.md, `{table}`");
    }
    for table in written.keys() {
        assert!(real.contains_key(table), "docs/schema.md: there is no `{table}`");
    }
    let version = MIGRATIONS.last().unwrap().0;
    assert!(
        text.contains(&format!("schema version {version}")),
        "docs/schema.md is of another version than {version}"
    );
}

/// The text files below a folder that may hold SQL.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !name.starts_with('.') && !name.starts_with("target") {
                sources(&path, found);
            }
        } else if [".rs", ".sql", ".py"].iter().any(|end| name.ends_with(end)) {
            found.push(path);
        }
    }
}

/// Rows whose columns are counted and not named: a column that is added later shifts what such a statement means.
fn unnamed(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut found = Vec::new();
    for at in 0..words.len() {
        if !words[at].eq_ignore_ascii_case("INTO") {
            continue;
        }
        let [Some(_table), Some(next)] = [words.get(at + 1), words.get(at + 2)] else {
            continue;
        };
        let next = next.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap();
        if ["VALUES", "SELECT"]
            .iter()
            .any(|word| next.eq_ignore_ascii_case(word))
        {
            found.push(words[at..=at + 2].join(" "));
        }
    }
    found
}

#[test]
fn every_row_is_written_by_the_names_of_its_columns() {
    let probe =
        "INSERT OR IGNORE INTO\n    shares SELECT 1; REPLACE INTO a VALUES(1); INSERT INTO a (x) VALUES (1)";
    assert_eq!(unnamed(probe).len(), 2, "{:?}", unnamed(probe));
    let mut files = Vec::new();
    sources(Path::new(ROOT), &mut files);
    assert!(files.len() > 100, "only {} files were looked at", files.len());
    for path in files {
        // The first migration makes the tables that it fills, and this file has examples.
        if path.ends_with("migrations/0001_begin.sql") || path.ends_with("schema/document.rs") {
            continue;
        }
        let found = unnamed(&std::fs::read_to_string(&path).unwrap());
        assert!(found.is_empty(), "{}: {found:?}", path.display());
    }
}
