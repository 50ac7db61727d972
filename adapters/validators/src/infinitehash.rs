//! As Luxor and the miners' proxy tell it that InfiniteHash's validators scrape: each worker's hashrate, under its hotkey.
//!
//! Read from `fetch_current_luxor_hashrates` in `app/src/infinite_hashes/validator/tasks.py`, and from `worker_windows.py` and
//! `hashrates.py` beside it, of backend-developers-ltd/InfiniteHash at d8099a9. The reader takes a name of two parts for `HOTKEY.worker`, and
//! one of three or more for `SUBACCOUNT.HOTKEY.worker`; so a worker's own name has no dots here.

use chrono::{DateTime, SecondsFormat, Utc};
use dwarves_domain::time::{Span, Timestamp};
use dwarves_http::HttpState;
use serde_json::{Value, json};

use crate::answer::Fault;
use crate::params::Params;
use crate::reading;
use crate::state::ValidatorState;
use crate::work::{Range, WorkOfHotkeys};

/// Over which time the hashrate of now is told.
const WINDOW: Span = Span::from_secs(300);
/// Rows of a page at most.
const PAGE_MAX: i64 = 10_000;

/// Without dots.
fn plain(worker: &str) -> String {
    worker.replace('.', "-")
}

async fn in_range(http: &HttpState, state: &ValidatorState, range: Range) -> Result<WorkOfHotkeys, Fault> {
    let work = reading::of_hotkeys(http, state, &[range]).await?;
    let work = work.into_iter().next().unwrap_or_default();
    work.renamed(plain)
        .ok_or_else(|| Fault::malformed("the work of this time does not fit 128 bits"))
}

/// Hashes per second, as a whole number.
fn rate(hashes: u128, secs: f64) -> u64 {
    (hashes as f64 / secs) as u64
}

fn rfc3339(at: Timestamp) -> String {
    let at = DateTime::<Utc>::from_timestamp_millis(at.millis()).unwrap_or_default();
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// `GET /v2/pool/workers/{coin}`: those who had a share in the last minutes.
pub(crate) async fn luxor(http: &HttpState, state: &ValidatorState, params: &Params) -> Result<Value, Fault> {
    let now = state.date();
    let range = Range {
        start: now.minus(WINDOW),
        end: now,
    };
    let size = params.number("page_size", 1, PAGE_MAX)?.unwrap_or(1_000);
    let number = params.number("page_number", 1, i64::MAX)?.unwrap_or(1);
    // There are none but active ones.
    let is_asked = params.get("status").is_none_or(|status| status == "ACTIVE");
    let work = in_range(http, state, range).await?;
    let total = work.0.len();
    let skipped = (number - 1).saturating_mul(size);
    let rows = work.0.iter().filter(|_| is_asked);
    let rows = rows
        .skip(usize::try_from(skipped).unwrap_or(usize::MAX))
        .take(usize::try_from(size).unwrap_or(usize::MAX));
    let rows: Vec<Value> = rows
        .map(|((hotkey, worker), work)| {
            json!({
                "name": format!("{hotkey}.{worker}"),
                "status": "ACTIVE",
                "hashrate": rate(work.hashes.get(), range.secs()),
                "efficiency": 1,
                "last_share_time": work.last_at().map(rfc3339),
            })
        })
        .collect();
    Ok(json!({"total_active": total, "total_inactive": 0, "workers": rows}))
}

/// An instant as Python's `isoformat` writes it.
fn instant(params: &Params, name: &str) -> Result<Timestamp, Fault> {
    let wrong = || {
        Fault::malformed(format!(
            "{name}: expected an instant, such as 2026-11-22T14:10:57+00:00"
        ))
    };
    // A plus sign that was not encoded is a space by now.
    let text = params.get(name).ok_or_else(wrong)?.replace(' ', "+");
    let at = DateTime::parse_from_rfc3339(&text).map_err(|_| wrong())?;
    Ok(Timestamp::from_millis(at.timestamp_millis()))
}

/// Whether a name is of a pattern, in which `*` stands for anything.
fn is_of(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    true
}

/// `GET /api/v1/workers`: the mean hashrate over a time.
pub(crate) async fn proxy(http: &HttpState, state: &ValidatorState, params: &Params) -> Result<Value, Fault> {
    let now = state.date();
    let (start, end) = (instant(params, "start_time")?, instant(params, "end_time")?);
    if start >= end || end.since(start) > state.deps().range_max {
        let most = state.deps().range_max.secs();
        return Err(Fault::malformed(format!(
            "end_time: behind start_time, and at most {most} s (validators.range_max_secs)"
        )));
    }
    let limit = params.number("limit", 1, PAGE_MAX)?.unwrap_or(500);
    let offset = params.number("offset", 0, i64::MAX)?.unwrap_or(0);
    let pattern = params.get("pattern").unwrap_or("*");
    let asked = Range { start, end };
    let range = Range {
        start: start.min(now),
        end: end.min(now),
    };
    let work = in_range(http, state, range).await?;
    let subaccount = &state.deps().subaccount;
    let named = work.0.iter().map(|((hotkey, worker), work)| {
        let name = format!("{subaccount}.{hotkey}.{worker}");
        (name, rate(work.hashes.get(), asked.secs()))
    });
    let rows = named.filter(|(name, _)| is_of(pattern, name));
    let rows = rows
        .skip(usize::try_from(offset).unwrap_or(usize::MAX))
        .take(usize::try_from(limit).unwrap_or(usize::MAX));
    let rows: Vec<Value> = rows
        .map(|(name, hashrate)| json!({"worker_id": name, "hashrate": hashrate}))
        .collect();
    Ok(json!({"workers": rows, "limit": limit, "offset": offset}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, name, is) in [
            ("*", "", true),
            ("*", "infinite.5A.rig", true),
            ("infinite.*", "infinite.5A.rig", true),
            ("*.rig", "infinite.5A.rig", true),
            ("*.5A.*", "infinite.5A.rig", true),
            ("*.5B.*", "infinite.5A.rig", false),
            ("infinite.5A.rig", "infinite.5A.rig", true),
            ("infinite.5A", "infinite.5A.rig", false),
            ("", "x", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(is_of(pattern, name), is, "{pattern} {name}");
        }
    }

    #[test]
    fn instants_are_read_as_python_writes_them() {
        let at = Timestamp::from_secs(1_700_000_000);
        for text in [
            "2023-11-14T22:13:20+00:00",
            "2023-11-14T22:13:20 00:00",
            "2023-11-14T22:13:20Z",
            "2023-11-14T23:13:20+01:00",
        ] {
            let params = Params::from_pairs(&[("start_time", text)]);
            assert_eq!(instant(&params, "start_time"), Ok(at), "{text}");
        }
        for wrong in ["", "now", "1700000000"] {
            assert!(instant(&Params::from_pairs(&[("start_time", wrong)]), "start_time").is_err());
        }
        assert_eq!(rfc3339(at), "2023-11-14T22:13:20.000Z");
        assert_eq!(plain("a.b_c.d"), "a-b_c-d");
    }

    proptest! {
        #[test]
        fn a_pattern_made_of_a_name_matches_it(name in "[a-z.]{0,12}", at in 0_usize..12, pattern in "[a-z*]{0,9}") {
            let at = at.min(name.len());
            let with_star = format!("{}*{}", &name[..at], &name[at..]);
            prop_assert!(is_of(&with_star, &name) && is_of(&name, &name));
            let _ = is_of(&pattern, &name);
        }
    }
}
