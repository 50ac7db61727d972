//! `getblocktemplate` as a pool gives it (BIP22, BIP23), and `submitblock`.
//!
//! Every answer has a coinbase of its own (`coinbasetxn`), because miners of this kind roll no extranonce. They are
//! told to submit no more than header and coinbase (`submit/coinbase`): a share need not carry a block.

use dwarves_domain::work::{FullExtraNonce, Header, Job, JobId};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::call::{Failure, Given};
use super::caller::Caller;
use super::share;
use crate::state::HttpState;
use crate::transactions::reversed_hex;

/// What a miner may change: the time, the nonce, and what it submits.
const MUTABLE: [&str; 3] = ["time", "noncerange", "submit/coinbase"];
/// Where to ask for newer work: here.
const LONG_POLL_URI: &str = "/rpc";
/// Hex digits of a block's hash in a long poll's id.
const HASH_DIGITS: usize = 64;

#[derive(Serialize)]
struct CoinbaseTxn {
    /// Without witness: what miners hash for the merkle root.
    data: String,
    txid: String,
}

#[derive(Serialize)]
struct BlockTemplate<'a> {
    capabilities: [&'static str; 0],
    version: u32,
    rules: &'static [&'static str],
    /// BIP9: nothing that miners would have a say in. Without these two fields libblkmaker refuses a version of BIP9's
    /// kind.
    vbavailable: Nothing,
    vbrequired: u32,
    previousblockhash: String,
    transactions: &'a RawValue,
    coinbaseaux: Nothing,
    coinbasetxn: CoinbaseTxn,
    coinbasevalue: u64,
    longpollid: String,
    longpolluri: &'static str,
    submitold: bool,
    workid: String,
    /// The share target: what is to be submitted.
    target: String,
    mintime: u32,
    maxtime: u32,
    mutable: [&'static str; 3],
    noncerange: &'static str,
    curtime: u32,
    bits: String,
    height: u32,
    /// Seconds for which this is good at the least.
    expires: u64,
}

/// An empty object: nothing is to be put into the coinbase, and nothing is on vote.
#[derive(Serialize)]
struct Nothing {}

/// What a long poll waits to see change: the tip, and the job that the miner has.
pub(super) struct LongPollId {
    tip: String,
    job: JobId,
}

impl LongPollId {
    fn parse(text: &str) -> Option<Self> {
        let (tip, job) = text.split_at_checked(HASH_DIGITS)?;
        let job = job.parse().ok()?;
        Some(Self {
            tip: tip.to_owned(),
            job,
        })
    }
}

/// The first parameter's field of this name, a text.
fn text_field<'a>(params: &'a [Value], at: usize, name: &str) -> Result<Option<&'a str>, Failure> {
    let Some(value) = params.get(at).and_then(|param| param.get(name)) else {
        return Ok(None);
    };
    let wrong = || Failure::param(format!("params[{at}].{name}: expected a string"));
    value.as_str().map(Some).ok_or_else(wrong)
}

/// What the caller of `getblocktemplate` has already, if it waits for newer.
pub(super) fn known_of(params: &[Value]) -> Result<Option<LongPollId>, Failure> {
    if text_field(params, 0, "mode")?.is_some_and(|mode| mode != "template") {
        return Err(Failure::param("params[0].mode: only template is served here"));
    }
    let known = text_field(params, 0, "longpollid")?;
    let wrong = || Failure::param("params[0].longpollid: expected one that getblocktemplate gave");
    known
        .map(|id| LongPollId::parse(id).ok_or_else(wrong))
        .transpose()
}

/// Gives a template, or waits for a newer one if the caller has one already.
pub(super) async fn get(state: &HttpState, caller: &Caller, params: &[Value]) -> Result<Given, Failure> {
    let known = known_of(params)?;
    let (job, expires_at) = share::fetch(state, caller, known.as_ref().map(|known| known.job)).await?;
    let remaining = expires_at.since(state.deps().clock.now()).millis() / 1_000;
    template_of(state, &job, known.as_ref(), remaining)
}

fn template_of(
    state: &HttpState,
    job: &Job,
    known: Option<&LongPollId>,
    expires: u64,
) -> Result<Given, Failure> {
    let template = job.template();
    let chain = template.chain();
    let transactions = state.transactions().of(template).map_err(|error| {
        log::error!("the transactions of a template could not be written: {error}");
        Failure::internal()
    })?;
    let tip = chain.previous.to_string();
    let extranonce = FullExtraNonce::from(job.extranonce());
    let coinbase = template.coinbase();
    Given::new(&BlockTemplate {
        capabilities: [],
        version: chain.version,
        rules: if chain.witness_commitment.is_some() {
            &["csv", "!segwit"]
        } else {
            &["csv"]
        },
        transactions: &transactions,
        vbavailable: Nothing {},
        vbrequired: 0,
        coinbaseaux: Nothing {},
        coinbasetxn: CoinbaseTxn {
            data: hex::encode([coinbase.prefix(), extranonce.as_bytes(), coinbase.suffix()].concat()),
            txid: reversed_hex(coinbase.txid(extranonce)),
        },
        coinbasevalue: chain.coinbase_value.sats(),
        longpollid: format!("{tip}{}", job.id()),
        longpolluri: LONG_POLL_URI,
        // On the same tip what the miner has is as good as before; on another one it is lost work.
        submitold: known.is_none_or(|known| known.tip == tip),
        previousblockhash: tip,
        workid: job.id().to_string(),
        target: job.share_target().to_string(),
        mintime: chain.time_min,
        maxtime: chain.time_max,
        mutable: MUTABLE,
        noncerange: "00000000ffffffff",
        curtime: chain.time,
        bits: format!("{:08x}", chain.bits.bits()),
        height: chain.height,
        expires,
    })
}

/// The header with which a submission begins. What follows it is the job's own.
fn header_of(block: &str) -> Result<Header, Failure> {
    let wrong =
        || Failure::param("params[0]: expected a block in hex, beginning with the 80 bytes of its header");
    let digits = block.as_bytes().get(..2 * Header::LEN).ok_or_else(wrong)?;
    let mut bytes = [0; Header::LEN];
    hex::decode_to_slice(digits, &mut bytes).map_err(|_| wrong())?;
    Ok(Header::from_bytes(bytes))
}

/// What `submitblock` brings: a header, and the name of its job if the miner sent it along.
pub(super) fn submission_of(params: &[Value]) -> Result<(Header, Option<JobId>), Failure> {
    let block = params.first().and_then(Value::as_str);
    let block = block.ok_or_else(|| Failure::param("params[0]: expected a string"))?;
    let header = header_of(block)?;
    let named = text_field(params, 1, "workid")?.and_then(|id| id.parse().ok());
    Ok((header, named))
}

/// Takes a solved template: `null` if it counts, or BIP22's word for why not.
pub(super) async fn submit(state: &HttpState, caller: &Caller, params: &[Value]) -> Result<Given, Failure> {
    let (header, named) = submission_of(params)?;
    Given::new(&share::submit(state, caller, &header, named).await?)
}

#[cfg(test)]
mod tests {
    use dwarves_domain::ids::HeaderHash;

    use super::*;

    #[test]
    fn a_long_polls_id_holds_the_tip_and_the_job() {
        let tip = HeaderHash::from_bytes([7; 32]).to_string();
        let job = "ab".repeat(28);
        let id = LongPollId::parse(&format!("{tip}{job}")).unwrap();
        assert_eq!((id.tip, id.job.to_string()), (tip.clone(), job.clone()));
        for wrong in [
            "",
            &tip,
            &format!("{tip}{job}0"),
            &format!("{}{job}", &tip[1..]),
            "ä".repeat(60).as_str(),
        ] {
            assert!(LongPollId::parse(wrong).is_none(), "{wrong}");
        }
    }
}
