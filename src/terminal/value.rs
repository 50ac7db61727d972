//! What a pool answers, as people read it: names and values line by line, lists of things as tables.

use serde_json::{Map, Value};

use super::{Align, Table, coins, harmless};

/// How far what belongs to something stands to the right of it.
const INDENT: &str = "  ";

/// A document in lines of at most `width` columns, as far as its texts can be cut.
pub fn described(value: &Value, width: usize) -> String {
    let mut out = String::new();
    match value {
        Value::Object(fields) => fields_of(&mut out, fields, "", width),
        other => list_or_plain(&mut out, "", other, "", width),
    }
    if out.is_empty() {
        out.push_str("done\n");
    }
    out
}

fn fields_of(out: &mut String, fields: &Map<String, Value>, indent: &str, width: usize) {
    let is_plain = |value: &&Value| plain(value).is_some();
    let names = fields.iter().filter(|(_, value)| is_plain(value));
    let widest = names.map(|(name, _)| name.len()).max().unwrap_or(0);
    // What is said in a word comes first, what needs lines behind it.
    for (name, value) in fields {
        if let Some(text) = plain(value) {
            let text = with_coins(name, value, text);
            out.push_str(&format!(
                "{indent}{:<widest$}  {}\n",
                harmless(name),
                harmless(&text)
            ));
        }
    }
    for (name, value) in fields.iter().filter(|(_, value)| !is_plain(value)) {
        list_or_plain(out, name, value, indent, width);
    }
}

fn list_or_plain(out: &mut String, name: &str, value: &Value, indent: &str, width: usize) {
    let inside = if name.is_empty() {
        indent.to_owned()
    } else {
        format!("{indent}{INDENT}")
    };
    if !name.is_empty() {
        out.push_str(&format!("{indent}{}\n", harmless(name)));
    }
    match value {
        Value::Object(fields) => fields_of(out, fields, &inside, width),
        Value::Array(list) if list.iter().all(Value::is_object) => {
            let table = table_of(list).fit(width.saturating_sub(inside.len()));
            for line in table.lines() {
                out.push_str(&format!("{inside}{line}\n"));
            }
        }
        Value::Array(list) => {
            for item in list {
                let text = plain(item).unwrap_or_else(|| item.to_string());
                out.push_str(&format!("{inside}{}\n", harmless(&text)));
            }
        }
        other => {
            let text = plain(other).unwrap_or_else(|| other.to_string());
            out.push_str(&format!("{inside}{}\n", harmless(&text)));
        }
    }
}

/// A value that fits a line.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("-".to_owned()),
        Value::Bool(true) => Some("yes".to_owned()),
        Value::Bool(false) => Some("no".to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Array(list) if list.is_empty() => Some("none".to_owned()),
        Value::Object(fields) if fields.is_empty() => Some("none".to_owned()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// An amount with what it is in coins.
fn with_coins(name: &str, value: &Value, text: String) -> String {
    match value.as_i64() {
        Some(sats) if name.ends_with("_sats") => format!("{text} ({} coins)", coins(sats.into())),
        _ => text,
    }
}

/// A row for each object, a column for each field that any of them has.
fn table_of(list: &[Value]) -> Table {
    let objects: Vec<&Map<String, Value>> = list.iter().filter_map(Value::as_object).collect();
    let mut names: Vec<&str> = Vec::new();
    for name in objects.iter().flat_map(|fields| fields.keys()) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let is_number = |name: &str| {
        let mut values = objects.iter().filter_map(|fields| fields.get(name));
        values.all(|value| value.is_number() || value.is_null())
    };
    let columns: Vec<(&str, Align)> = names
        .iter()
        .map(|name| {
            (
                *name,
                if is_number(name) {
                    Align::Right
                } else {
                    Align::Left
                },
            )
        })
        .collect();
    let cell = |value: Option<&Value>| match value {
        None => String::new(),
        Some(value) => plain(value).unwrap_or_else(|| value.to_string()),
    };
    let rows = objects
        .iter()
        .map(|fields| names.iter().map(|name| cell(fields.get(*name))).collect());
    Table::new(&columns, rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_lists_and_tables_are_told_apart() {
        let value = json!({
            "state": "running",
            "fee_sats": 150_000_000,
            "none_yet": [],
            "hindrances": ["a\u{1b}[2J", "b"],
            "payouts": { "paused": false, "open": [{ "id": 1, "state": "signed" }, { "id": 22, "state": null }] },
        });
        let text = described(&value, 80);
        let expected = "fee_sats  150000000 (1.50000000 coins)\n\
            none_yet  none\n\
            state     running\n\
            hindrances\n  a\u{fffd}[2J\n  b\n\
            payouts\n  paused  no\n  open\n    id  state\n     1  signed\n    22  -\n";
        assert_eq!(text, expected, "{text}");
        assert_eq!(described(&json!({}), 80), "done\n");
    }

    #[test]
    fn a_table_fits_the_terminal() {
        let row = json!({ "setting": "x".repeat(60), "from": "y".repeat(60), "value": 7 });
        let text = described(&json!({ "settings": [row] }), 60);
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
    }
}
