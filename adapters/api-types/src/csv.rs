//! Rows as CSV (RFC 4180): a header line, lines that end with CR LF, quotes where they are needed.
//!
//! A spreadsheet takes a text that begins with `=`, `+`, `-`, `@`, a tab or a carriage return for a formula and runs it. So
//! what anybody may have typed (a worker's name, a note) gets an apostrophe in front there, which spreadsheets show as the
//! text. Numbers are numbers, also below zero.

use serde_json::Value;

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing.
    Empty,
    /// A number, as JSON writes it.
    Number(serde_json::Number),
    /// Yes or no.
    Bool(bool),
    /// A text.
    Text(String),
}

impl Cell {
    /// What an answer of the API has, as a cell: lists of texts are put together with spaces, and whatever else is no plain
    /// value is its JSON.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Empty,
            Value::Number(number) => Self::Number(number.clone()),
            Value::Bool(is) => Self::Bool(*is),
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(list) if list.iter().all(Value::is_string) => {
                let texts: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
                Self::Text(texts.join(" "))
            }
            other => Self::Text(other.to_string()),
        }
    }

    /// The same in JSON.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Empty => Value::Null,
            Self::Number(number) => Value::Number(number.clone()),
            Self::Bool(is) => Value::Bool(*is),
            Self::Text(text) => Value::String(text.clone()),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Self::Number(number.into())
    }
}

impl From<u32> for Cell {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Number(number.into())
    }
}

impl From<f64> for Cell {
    /// What JSON cannot write (no number, infinity) is nothing.
    fn from(number: f64) -> Self {
        serde_json::Number::from_f64(number).map_or(Self::Empty, Self::Number)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(cell: Option<T>) -> Self {
        cell.map_or(Self::Empty, Into::into)
    }
}

/// The line of column names.
pub fn header(out: &mut String, names: &[&str]) {
    for (place, name) in names.iter().enumerate() {
        separate(out, place);
        text(out, name);
    }
    out.push_str("\r\n");
}

/// One row.
pub fn row(out: &mut String, cells: &[Cell]) {
    for (place, cell) in cells.iter().enumerate() {
        separate(out, place);
        match cell {
            Cell::Empty => {}
            Cell::Number(number) => out.push_str(&number.to_string()),
            Cell::Bool(is) => out.push_str(if *is { "true" } else { "false" }),
            Cell::Text(content) => text(out, content),
        }
    }
    out.push_str("\r\n");
}

fn separate(out: &mut String, place: usize) {
    if place > 0 {
        out.push(',');
    }
}

fn text(out: &mut String, content: &str) {
    let is_formula = content.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let apostrophe = if is_formula { "'" } else { "" };
    if content.contains(['"', ',', '\r', '\n']) {
        out.push('"');
        out.push_str(apostrophe);
        out.push_str(&content.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(apostrophe);
        out.push_str(content);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(cells: &[Cell]) -> String {
        let mut out = String::new();
        row(&mut out, cells);
        out
    }

    #[test]
    fn cells_are_quoted_where_rfc_4180_asks_for_it() {
        let cells = [
            Cell::Empty,
            7_u64.into(),
            Cell::from(-5_i64),
            "plain".into(),
            "a,b".into(),
            "say \"x\"".into(),
            "two\r\nlines".into(),
            Cell::Bool(true),
            Cell::from(0.5),
            Cell::from(f64::NAN),
        ];
        assert_eq!(
            line(&cells),
            ",7,-5,plain,\"a,b\",\"say \"\"x\"\"\",\"two\r\nlines\",true,0.5,\r\n"
        );
        let mut out = String::new();
        header(&mut out, &["a", "b_sats"]);
        assert_eq!(out, "a,b_sats\r\n");
    }

    #[test]
    fn a_text_is_never_a_formula_and_a_number_stays_one() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "=cmd|' /C calc'!A0"] {
            let line = line(&[text.into()]);
            let inner = line.trim_end_matches("\r\n").trim_matches('"');
            assert!(inner.starts_with('\''), "{text:?}: {line:?}");
        }
        for text in ["rig-1", "a=b", "'", "1", ""] {
            assert_eq!(line(&[text.into()]), format!("{text}\r\n"));
        }
        assert_eq!(line(&[Cell::from(-1_i64)]), "-1\r\n");
    }

    #[test]
    fn what_the_api_answers_becomes_cells() {
        let cells = [
            json!(null),
            json!(3),
            json!(["a", "b"]),
            json!([1]),
            json!({"x": "y"}),
        ];
        let cells = cells.map(|value| Cell::of(&value));
        assert_eq!(line(&cells), ",3,a b,[1],\"{\"\"x\"\":\"\"y\"\"}\"\r\n");
        assert_eq!(Cell::from(Some("x")).to_json(), json!("x"));
    }
}
