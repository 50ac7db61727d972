//! Lists as CSV, for spreadsheets and books: the same rows as the JSON has, in columns that stay.

use actix_web::http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName};
use actix_web::{HttpRequest, HttpResponse};
use dwarves_api_types::csv::{self, Cell};
use serde::Serialize;
use serde_json::Value;

use super::body;
use super::problem::{Code, Problem};
use super::query::Params;

/// Where the next page begins; absent on the last.
const NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");

/// Of which lists some rows are hidden from the asker; absent if none are.
const HIDDEN: HeaderName = HeaderName::from_static("x-hidden");

/// In which form a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON.
    Json,
    /// CSV.
    Csv,
}

impl std::str::FromStr for Form {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "csv" => Ok(Self::Csv),
            _ => Err("expected json or csv"),
        }
    }
}

impl Form {
    /// What `?format=` says, or else `Accept`: CSV if that names it and not JSON before.
    ///
    /// # Errors
    /// `query_invalid` for another format.
    pub fn of(req: &HttpRequest, params: &mut Params) -> Result<Self, Problem> {
        if let Some(form) = params.take("format")? {
            return Ok(form);
        }
        let accepts = req
            .headers()
            .get_all(ACCEPT)
            .filter_map(|accept| accept.to_str().ok());
        let wanted = accepts.flat_map(|accept| accept.split(',')).find_map(|kind| {
            match kind.split(';').next().unwrap_or_default().trim() {
                "text/csv" => Some(Self::Csv),
                "application/json" => Some(Self::Json),
                _ => None,
            }
        });
        Ok(wanted.unwrap_or(Self::Json))
    }
}

/// A list of an answer: the field that it is in, and its columns.
#[derive(Clone, Copy, Debug)]
pub struct List {
    /// The answer's field, which is also the name of the file.
    pub field: &'static str,
    /// The fields of its rows, in order; `outer.inner` is a field of a field.
    pub columns: &'static [&'static str],
}

/// What a row has in a column.
fn cell(row: &Value, column: &str) -> Cell {
    let inner = column.split('.').try_fold(row, |value, field| value.get(field));
    inner.map_or(Cell::Empty, Cell::of)
}

/// An answer in the form that is wanted.
///
/// # Errors
/// As [`body::ok`].
pub fn answer(form: Form, list: List, answer: &impl Serialize) -> Result<HttpResponse, Problem> {
    if form == Form::Json {
        return body::ok(answer);
    }
    let answer = serde_json::to_value(answer).map_err(|error| {
        log::error!("an answer could not be written: {error}");
        let detail = "the answer could not be written; the log says why";
        Problem::new(Code::Internal, detail)
    })?;
    let mut text = String::new();
    csv::header(&mut text, list.columns);
    for row in answer[list.field].as_array().into_iter().flatten() {
        let cells: Vec<Cell> = list.columns.iter().map(|column| cell(row, column)).collect();
        csv::row(&mut text, &cells);
    }
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, "text/csv; charset=utf-8; header=present"));
    let name = format!("attachment; filename=\"{}.csv\"", list.field);
    response.insert_header((CONTENT_DISPOSITION, name));
    let hidden = answer["hidden"].as_array().into_iter().flatten();
    let hidden: Vec<&str> = hidden.filter_map(Value::as_str).collect();
    if !hidden.is_empty() {
        response.insert_header((HIDDEN, hidden.join(", ")));
    }
    if let Value::String(cursor) = &answer["next_cursor"] {
        response.insert_header((NEXT_CURSOR, cursor.as_str()));
    }
    Ok(response.body(text))
}
