//! As Prometheus answers HashTensor's queries: for each worker its valid shares, the sum of their difficulty, and for how long it worked.
//!
//! Read from `src/metrics.py`, `src/rating.py` and `src/validator.py` of HashTensor/HashTensor_Subnet at d9cd6c9. The reader knows a worker by a
//! wallet, which is the same for all (its setting `kaspa_pool_owner_wallet`), and a name, which miners bind to their hotkey at its
//! validators: `HOTKEY.worker` here. It asks five queries and no others, so these are answered and no others. It takes the
//! sum of difficulty over valid and invalid shares for the mean; invalid ones are told as none, so valid shares times that are the
//! sum itself.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use dwarves_domain::statements::Worked;
use dwarves_domain::time::Span;
use dwarves_http::HttpState;
use serde_json::{Value, json};

use crate::answer::{Fault, ok};
use crate::params::Params;
use crate::reading;
use crate::state::ValidatorState;
use crate::work::Range;

/// What a query asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Series {
    ValidShares,
    InvalidShares,
    Difficulty,
    WorkSeconds,
    /// How long it has been up: of a time, one value after the other.
    Uptime,
}

impl Series {
    const ALL: [(&str, Self); 5] = [
        ("ks_valid_share_counter", Self::ValidShares),
        ("ks_invalid_share_counter", Self::InvalidShares),
        ("ks_valid_share_diff_counter", Self::Difficulty),
        ("ks_miner_work_seconds_total", Self::WorkSeconds),
        ("ks_miner_uptime_seconds", Self::Uptime),
    ];

    /// What a worker's work comes to in it, as Prometheus writes numbers.
    fn value(self, work: &Worked, window: Span) -> String {
        let secs = u64::from(work.active_minutes) * 60;
        match self {
            Self::ValidShares => work.shares.to_string(),
            Self::InvalidShares => "0".to_owned(),
            Self::Difficulty => work.hashes.difficulty().to_string(),
            Self::WorkSeconds | Self::Uptime => secs.min(window.secs()).to_string(),
        }
    }
}

/// The series and the time that a query asks for, if it is one that is known.
fn parse(query: &str) -> Option<(Series, Span)> {
    let (before, rest) = query.split_once('[')?;
    let (time, behind) = rest.split_once("s]")?;
    let is_number = !time.is_empty() && time.len() <= 9 && time.bytes().all(|byte| byte.is_ascii_digit());
    let window = Span::from_secs(time.parse().ok().filter(|secs| is_number && *secs > 0)?);
    let (name, is_sum) = match before.strip_prefix("sum(increase(") {
        Some(name) => (name, true),
        None => (before, false),
    };
    let (_, series) = Series::ALL.into_iter().find(|(known, _)| *known == name)?;
    let is_whole = match (is_sum, series) {
        (true, Series::Uptime) | (false, Series::ValidShares | Series::InvalidShares) => false,
        (false, Series::Difficulty | Series::WorkSeconds) => false,
        (true, _) => [")) by (wallet, worker)", ")) by (worker, wallet)"].contains(&behind),
        (false, Series::Uptime) => behind.is_empty(),
    };
    is_whole.then_some((series, window))
}

/// `GET /api/v1/query`.
pub(crate) async fn query(
    http: &HttpState,
    state: &ValidatorState,
    params: &Params,
) -> Result<HttpResponse, Fault> {
    let bad = |words: &str| {
        let body = json!({"status": "error", "errorType": "bad_data", "error": words});
        Ok(HttpResponse::build(StatusCode::BAD_REQUEST).json(body))
    };
    let Some((series, window)) = params.get("query").and_then(parse) else {
        return bad("query: expected one of those of HashTensor's validators; docs/bittensor.md lists them");
    };
    if window > state.deps().range_max {
        return bad("query: the time is longer than validators.range_max_secs");
    }
    let now = state.date();
    let range = Range {
        start: now.minus(window),
        end: now,
    };
    let at = now.millis() as f64 / 1_000.0;
    let mut rows: Vec<Value> = Vec::new();
    for work in reading::of_hotkeys(http, state, &[range]).await? {
        for ((hotkey, worker), work) in &work.0 {
            let metric = json!({
                "wallet": state.deps().wallet,
                "worker": format!("{hotkey}.{worker}"),
            });
            let value = json!([at, series.value(work, window)]);
            rows.push(match series {
                Series::Uptime => json!({"metric": metric, "values": [value]}),
                _ => json!({"metric": metric, "value": value}),
            });
        }
    }
    let kind = match series {
        Series::Uptime => "matrix",
        _ => "vector",
    };
    Ok(ok(&json!({
        "status": "success",
        "data": {"resultType": kind, "result": rows},
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_five_queries_are_known_and_no_others() {
        let hour = Span::from_secs(3_600);
        for (query, series) in [
            (
                "sum(increase(ks_valid_share_counter[3600s])) by (wallet, worker)",
                Series::ValidShares,
            ),
            (
                "sum(increase(ks_invalid_share_counter[3600s])) by (wallet, worker)",
                Series::InvalidShares,
            ),
            (
                "sum(increase(ks_valid_share_diff_counter[3600s])) by (wallet, worker)",
                Series::Difficulty,
            ),
            (
                "sum(increase(ks_miner_work_seconds_total[3600s])) by (worker, wallet)",
                Series::WorkSeconds,
            ),
            ("ks_miner_uptime_seconds[3600s]", Series::Uptime),
        ] {
            assert_eq!(parse(query), Some((series, hour)), "{query}");
        }
        for other in [
            "",
            "up",
            "ks_valid_share_counter[3600s]",
            "sum(increase(ks_miner_uptime_seconds[3600s])) by (wallet, worker)",
            "sum(increase(ks_valid_share_counter[3600s]))",
            "sum(increase(ks_valid_share_counter[1h])) by (wallet, worker)",
            "sum(increase(ks_valid_share_counter[0s])) by (wallet, worker)",
            "sum(increase(ks_valid_share_counter[+5s])) by (wallet, worker)",
            "sum(increase(ks_valid_share_counter[99999999999s])) by (wallet, worker)",
            "ks_miner_uptime_seconds[3600s] or up",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_query_makes_it_panic(query in "(sum\\(increase\\()?(ks_[a-z_]{0,30})?\\[?.{0,20}s?\\]?.{0,30}") {
            let _ = parse(&query);
        }
    }
}
