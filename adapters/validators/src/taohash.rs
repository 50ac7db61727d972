//! As TAOHash's proxy tells it: for each hotkey what its accepted shares came to.
//!
//! Read from `taohash/core/pool/proxy/api.py` and `taohash/core/pool/metrics/taohash_proxy.py` of latent-to/taohash at 306c8cc, and
//! what they were written for: `src/api/app.py` and `src/api/models.py` of latent-to/taohash-proxy at 4003acb. The reader takes what stands behind a
//! name's last dot for the hotkey, and of several such names the last one: so there is one name a hotkey, and no dot in it.

use dwarves_domain::miners::Bindings;
use dwarves_domain::statements::Worked;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_http::HttpState;
use serde_json::{Map, Value, json};

use crate::answer::Fault;
use crate::params::Params;
use crate::reading;
use crate::state::ValidatorState;
use crate::work::{Range, WorkOfHotkeys};

/// A worker whose last share is younger is `ok`.
const OK_WITHIN: Span = Span::from_secs(600);
/// The times of which statistics tell, each up to now.
const WINDOWS: [(&str, Span); 3] = [
    ("5m", Span::from_secs(300)),
    ("60m", Span::from_secs(3_600)),
    ("24h", Span::from_secs(86_400)),
];
/// The last second that can be asked for: in the year 9999.
const SECS_MAX: i64 = 253_402_300_799;

/// Giga hashes per second.
fn rate(work: &Worked, secs: f64) -> f64 {
    work.hashes.get() as f64 / secs / 1e9
}

fn state_of(work: &Worked, now: Timestamp) -> &'static str {
    let last = work.last_at();
    match last.is_some_and(|last| now.since(last) <= OK_WITHIN) {
        true => "ok",
        false => "offline",
    }
}

fn last_share(work: &Worked) -> i64 {
    work.last_at().map_or(0, Timestamp::secs)
}

/// The same under each coin's name.
fn of_coins(state: &ValidatorState, answer: &Value) -> Value {
    let coins = state.deps().coins.iter();
    Value::Object(coins.map(|coin| (coin.clone(), answer.clone())).collect())
}

fn sums(
    work: &WorkOfHotkeys,
    state: &ValidatorState,
    bindings: &Bindings,
) -> Result<Vec<(String, Worked)>, Fault> {
    let sums = work.by_hotkey();
    let sums = sums.ok_or_else(|| Fault::malformed("the work of this time does not fit 128 bits"))?;
    let named = sums.into_iter();
    Ok(named
        .map(|(hotkey, work)| (state.name_of(&hotkey, bindings), work))
        .collect())
}

/// `GET /api/workers/timerange`: `start_time` belongs to it, `end_time` does not.
pub(crate) async fn timerange(
    http: &HttpState,
    state: &ValidatorState,
    params: &Params,
) -> Result<Value, Fault> {
    let second = |name: &str| -> Result<i64, Fault> {
        let missing = || Fault::malformed(format!("{name}: expected Unix seconds"));
        params.number(name, 0, SECS_MAX)?.ok_or_else(missing)
    };
    let (start, end) = (second("start_time")?, second("end_time")?);
    if start >= end {
        return Err(Fault::malformed("start_time must be before end_time"));
    }
    let most = state.deps().range_max.secs();
    if u64::try_from(end - start).unwrap_or(u64::MAX) > most {
        return Err(Fault::malformed(format!(
            "end_time: at most {most} s behind start_time (validators.range_max_secs)"
        )));
    }
    let now = state.date();
    let asked = Range {
        start: Timestamp::from_secs(start),
        end: Timestamp::from_secs(end),
    };
    // What is to come is asked for later.
    let range = Range {
        start: asked.start.min(now),
        end: asked.end.min(now),
    };
    let work = reading::of_hotkeys(http, state, &[range]).await?;
    let bindings = state.bindings().await?;
    let mut workers = Map::new();
    for work in &work {
        for (name, work) in sums(work, state, &bindings)? {
            let of_worker = json!({
                "hashrate": rate(&work, asked.secs()),
                "shares": work.shares,
                "share_value": work.hashes.difficulty(),
                "hash_rate_unit": "Gh/s",
                "state": state_of(&work, now),
                "last_share": last_share(&work),
            });
            workers.insert(name, of_worker);
        }
    }
    let answer = json!({"workers": workers, "worker_percentage": state.deps().worker_percentage});
    Ok(of_coins(state, &answer))
}

/// `GET /api/workers/stats`: of all, or of the one that `worker` names.
pub(crate) async fn stats(http: &HttpState, state: &ValidatorState, params: &Params) -> Result<Value, Fault> {
    let now = state.date();
    let recent = match state.recent() {
        Some(recent) => recent,
        None => {
            // Each window without those in it, so that every share is read once.
            let mut end = now;
            let ranges = WINDOWS.map(|(_, span)| {
                let range = Range {
                    start: now.minus(span),
                    end,
                };
                end = range.start;
                range
            });
            state.note_recent(reading::of_hotkeys(http, state, &ranges).await?)
        }
    };
    let bindings = state.bindings().await?;
    let asked = params.get("worker");
    let mut workers: Map<String, Value> = Map::new();
    let mut so_far: std::collections::BTreeMap<String, Worked> = Default::default();
    for ((window, span), work) in WINDOWS.iter().zip(recent.iter()) {
        for (name, work) in sums(work, state, &bindings)? {
            let sum = so_far.entry(name).or_default();
            // What is older comes first.
            let both = work.with(sum);
            *sum = both.ok_or_else(|| Fault::malformed("the work of a day does not fit 128 bits"))?;
        }
        for (name, work) in &so_far {
            let of_worker = workers.entry(name.clone()).or_insert_with(|| json!({}));
            of_worker[format!("hash_rate_{window}")] = json!(rate(work, span.secs() as f64));
            of_worker[format!("shares_{window}")] = json!(work.shares);
            of_worker[format!("share_value_{window}")] = json!(work.hashes.difficulty());
        }
    }
    for (name, of_worker) in &mut workers {
        let work = so_far.get(name).copied().unwrap_or_default();
        for (window, _) in WINDOWS {
            for figure in ["hash_rate", "shares", "share_value"] {
                let figure = &mut of_worker[format!("{figure}_{window}")];
                if figure.is_null() {
                    *figure = json!(0);
                }
            }
        }
        of_worker["state"] = json!(state_of(&work, now));
        of_worker["last_share"] = json!(last_share(&work));
        of_worker["hash_rate_unit"] = json!("Gh/s");
        of_worker["hash_rate_scoring"] = json!(0);
    }
    workers.retain(|name, _| asked.is_none_or(|asked| asked == name));
    Ok(of_coins(state, &json!({"workers": workers})))
}
