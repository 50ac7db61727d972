//! Query parameters: each known by name, given once, and refused by name otherwise.

use std::str::FromStr;

use actix_web::HttpRequest;
use actix_web::web::Query;
use dwarves_ports::store::{Cursor, PageRequest};

use super::problem::{Code, Problem};

/// How many rows a page has if the request does not say.
pub const PAGE_ROWS_DEFAULT: u32 = 50;
/// The most rows that a page has.
pub const PAGE_ROWS_MAX: u32 = 100;

/// The query parameters that were not taken yet.
#[derive(Debug)]
pub struct Params(Vec<(String, String)>);

fn invalid(name: &str, detail: impl std::fmt::Display) -> Problem {
    Problem::new(Code::QueryInvalid, format!("{name}: {detail}")).of_field(name)
}

impl Params {
    /// The parameters of a request.
    ///
    /// # Errors
    /// `query_invalid` if it is no query string.
    pub fn of(req: &HttpRequest) -> Result<Self, Problem> {
        let query = req.query_string();
        if query.is_empty() {
            return Ok(Self(Vec::new()));
        }
        Query::<Vec<(String, String)>>::from_query(query)
            .map(|pairs| Self(pairs.into_inner()))
            .map_err(|_| Problem::new(Code::QueryInvalid, "expected name=value pairs joined by &"))
    }

    /// Takes the parameter `name`, if it was given.
    ///
    /// # Errors
    /// `query_invalid` if it was given twice or is not in its form.
    pub fn take<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, Problem>
    where
        T::Err: std::fmt::Display,
    {
        let Some(at) = self.0.iter().position(|(given, _)| given == name) else {
            return Ok(None);
        };
        let (_, value) = self.0.swap_remove(at);
        if self.0.iter().any(|(given, _)| given == name) {
            return Err(invalid(name, "given more than once"));
        }
        value.parse().map(Some).map_err(|error| invalid(name, error))
    }

    /// Refuses what was not taken.
    ///
    /// # Errors
    /// `query_invalid`, naming the first parameter that the route does not know.
    pub fn finish(self) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(invalid(name, "this route has no such parameter")),
        }
    }

    /// Takes `cursor` and `limit`, and refuses everything else.
    ///
    /// # Errors
    /// `query_invalid`, naming the parameter.
    pub fn page(mut self) -> Result<PageRequest, Problem> {
        let CursorParam(cursor) = self.take("cursor")?.unwrap_or(CursorParam(None));
        let LimitParam(limit) = self.take("limit")?.unwrap_or(LimitParam(PAGE_ROWS_DEFAULT));
        self.finish()?;
        Ok(PageRequest { cursor, limit })
    }
}

/// Refuses every query parameter.
///
/// # Errors
/// `query_invalid`, naming the first parameter.
pub fn none(req: &HttpRequest) -> Result<(), Problem> {
    Params::of(req)?.finish()
}

/// The number that `text` writes in plain digits: no sign, no spaces.
pub(crate) fn plain_number(text: &str) -> Option<u64> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

/// Digits of the longest cursor.
const CURSOR_DIGITS_MAX: usize = 18;

struct CursorParam(Option<Cursor>);

impl FromStr for CursorParam {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The store counts in signed 64-bit numbers, of which a pool that runs for ages uses 18 digits: what is longer is
        // no cursor that it ever gave, and is described so.
        let is_short = text.len() <= CURSOR_DIGITS_MAX;
        let cursor = plain_number(text).filter(|_| is_short);
        cursor
            .map(|cursor| Self(Some(cursor)))
            .ok_or("expected the next_cursor of the page before")
    }
}

struct LimitParam(u32);

impl FromStr for LimitParam {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        plain_number(text)
            .and_then(|limit| u32::try_from(limit).ok())
            .filter(|limit| (1..=PAGE_ROWS_MAX).contains(limit))
            .map(Self)
            .ok_or_else(|| format!("expected a number from 1 to {PAGE_ROWS_MAX}"))
    }
}
