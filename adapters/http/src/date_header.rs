//! The date of answers.

use std::cell::RefCell;
use std::time::{Duration, UNIX_EPOCH};

use actix_web::http::header::{HeaderValue, HttpDate, TryIntoHeaderValue};
use dwarves_domain::time::Timestamp;

/// The pool's date as HTTP writes it. The server's own would be the wall clock's, which may have been set wrong while
/// every other date in an answer goes by the pool's.
fn http_date(secs: u64) -> Option<HeaderValue> {
    let date = HttpDate::from(UNIX_EPOCH.checked_add(Duration::from_secs(secs))?);
    date.try_into_value().ok()
}

/// The pool's date, written once a second. It is one thread's.
#[derive(Debug, Default)]
pub(crate) struct DateHeader(RefCell<Option<(u64, HeaderValue)>>);

impl DateHeader {
    /// The header that says this date.
    pub(crate) fn of(&self, date: Timestamp) -> Option<HeaderValue> {
        let secs = u64::try_from(date.millis()).ok()? / 1_000;
        let mut written = self.0.borrow_mut();
        if let Some((at, header)) = &*written
            && *at == secs
        {
            return Some(header.clone());
        }
        let header = http_date(secs)?;
        *written = Some((secs, header.clone()));
        Some(header)
    }
}
