//! `getwork`: a bare header, its words turned round, and the same back.

use actix_web::http::header::HeaderValue;
use dwarves_actors::handlers::last_job::messages::{JobGiven, ReadLastJob};
use dwarves_domain::work::{Header, Job};
use serde::Serialize;
use serde_json::Value;

use super::call::{Failure, Given};
use super::caller::Caller;
use super::{LONG_POLL_PATH, X_LONG_POLLING, X_REJECT_REASON, share};
use crate::state::HttpState;

/// Bytes of `data`: a header, and SHA-256's padding behind it.
const DATA_LEN: usize = 128;

#[derive(Serialize)]
struct Work {
    data: String,
    /// The share target, little-endian.
    target: String,
}

/// Turns every 32-bit word round.
fn words_turned(bytes: &mut [u8]) {
    for word in bytes.chunks_exact_mut(4) {
        word.reverse();
    }
}

pub(super) fn data_of(header: &Header) -> String {
    let mut data = [0; DATA_LEN];
    data[..Header::LEN].copy_from_slice(header.as_bytes());
    data[Header::LEN] = 0x80;
    // The header's length in bits, as the last eight bytes of a SHA-256 block hold it.
    data[DATA_LEN - 8..].copy_from_slice(&(8 * Header::LEN as u64).to_be_bytes());
    words_turned(&mut data);
    hex::encode(data)
}

fn header_of(data: &str) -> Result<Header, Failure> {
    let wrong = || Failure::param("params[0]: expected the data of getwork: 256 hex digits");
    let mut bytes = [0; DATA_LEN];
    // Some miners send the header alone.
    let bytes = bytes.get_mut(..data.len() / 2).ok_or_else(wrong)?;
    hex::decode_to_slice(data, bytes).map_err(|_| wrong())?;
    words_turned(bytes);
    let (header, _) = bytes.split_first_chunk().ok_or_else(wrong)?;
    Ok(Header::from_bytes(*header))
}

fn work_of(job: &Job) -> Result<Given, Failure> {
    let mut target = job.share_target().to_be_bytes();
    target.reverse();
    let mut given = Given::new(&Work {
        data: data_of(job.header()),
        target: hex::encode(target),
    })?;
    let path = HeaderValue::from_static(LONG_POLL_PATH);
    given.headers.push((X_LONG_POLLING.clone(), path));
    Ok(given)
}

/// Answers `getwork` without parameters: a header to hash.
pub(super) async fn get(state: &HttpState, caller: &Caller) -> Result<Given, Failure> {
    let (job, _) = share::fetch(state, caller, None).await?;
    write_down(state, caller, &job);
    work_of(&job)
}

/// Gives work once there is newer than the caller has: at once, if what it was given last is stale already.
pub(super) async fn wait(state: &HttpState, caller: &Caller) -> Result<Given, Failure> {
    let question = ReadLastJob {
        owner: caller.miner,
        worker: caller.worker.clone(),
    };
    let known = match state.ask(&state.deps().json_rpc.last_job, question).await? {
        Some(known) => known,
        None => share::fetch(state, caller, None).await?.0.id(),
    };
    let (job, _) = share::fetch(state, caller, Some(known)).await?;
    write_down(state, caller, &job);
    work_of(&job)
}

/// Writes down what the caller has now: its next long poll cannot say.
fn write_down(state: &HttpState, caller: &Caller, job: &Job) {
    let given = JobGiven {
        owner: caller.miner,
        worker: caller.worker.clone(),
        job: job.id(),
    };
    if state.deps().json_rpc.job_given.tell(given).is_err() {
        log::debug!("a long poll will wait for newer work than there is at its time");
    }
}

/// The solved header that `getwork` brings.
pub(super) fn solution_of(params: &[Value]) -> Result<Header, Failure> {
    let data = params.first().and_then(Value::as_str);
    let data = data.ok_or_else(|| Failure::param("params[0]: expected a string"))?;
    header_of(data)
}

/// Takes a solved header: `true` if it counts.
pub(super) async fn submit(state: &HttpState, caller: &Caller, params: &[Value]) -> Result<Given, Failure> {
    let reason = share::submit(state, caller, &solution_of(params)?, None).await?;
    let mut given = Given::new(&reason.is_none())?;
    if let Some(reason) = reason {
        let reason = HeaderValue::from_str(&reason).map_err(|_| Failure::internal())?;
        given.headers.push((X_REJECT_REASON.clone(), reason));
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_genesis_block_are_turned_and_padded_and_turned_back() {
        let header = "0100000000000000000000000000000000000000000000000000000000000000000000003ba3ed\
                      fd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c";
        let mut bytes = [0; Header::LEN];
        hex::decode_to_slice(header, &mut bytes).unwrap();
        let header = Header::from_bytes(bytes);
        let data = data_of(&header);
        let padding = format!("00000080{}80020000", "0".repeat(80));
        assert!(data.starts_with("0000000100000000"), "{data}");
        assert!(data.ends_with(&padding), "{data}");
        assert_eq!(data.len(), 256);
        assert_eq!(header_of(&data).unwrap(), header);
        assert_eq!(header_of(&data[..160]).unwrap(), header);
        for wrong in [
            &data[..158],
            &data[1..],
            "",
            &format!("{data}00"),
            &"zz".repeat(128),
        ] {
            assert!(header_of(wrong).is_err(), "{wrong}");
        }
    }
}
