//! Wall time as it is written for people.

use dwarves_domain::time::Timestamp;

/// RFC 3339 in UTC with milliseconds; `None` beyond the years that it can write.
pub(crate) fn rfc3339(at: Timestamp) -> Option<String> {
    let at = chrono::DateTime::from_timestamp_millis(at.millis())?;
    Some(at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}
