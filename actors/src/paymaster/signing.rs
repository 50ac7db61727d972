//! What the wallet is asked to sign, and whether it signed just that. Pure.

use std::collections::BTreeSet;

use dwarves_domain::payouts::{FeePayer, FeeTerms, OutPoint, PayoutBatch, Txid, read_transaction};
use dwarves_domain::units::{Amount, BasisPoints};

use dwarves_ports::wallet::{BuildRequest, Built};

/// The request for a batch: the network may take at most `terms.fee_max` of what is paid.
pub(super) fn build_request(batch: &PayoutBatch, terms: FeeTerms) -> BuildRequest {
    BuildRequest {
        batch: batch.clone(),
        terms,
        fee_max: batch.total().fee(terms.fee_max),
    }
}

/// Checks what the wallet signed before anything is stored of it: it is this payout's and no other's, spends no
/// coin of a payout that stands, and takes no more fee than it may. Returns each part's fee.
pub(super) fn check_signed(
    built: &Built,
    batch: &PayoutBatch,
    fee_max: BasisPoints,
    known: &BTreeSet<Txid>,
    spent: &BTreeSet<OutPoint>,
) -> Result<Vec<Amount>, String> {
    let Built { signed, borne } = built;
    let transaction = read_transaction(&signed.bytes).map_err(|error| error.to_string())?;
    if transaction.txid != signed.txid || transaction.inputs != signed.inputs {
        return Err("its bytes are not the transaction that the wallet names".to_owned());
    }
    if known.contains(&signed.txid) || signed.inputs.iter().any(|input| spent.contains(input)) {
        return Err("it spends coins of an earlier payout".to_owned());
    }
    if signed.fee > batch.total().fee(fee_max) {
        return Err(format!("its fee of {} sats is above the cap", signed.fee));
    }
    if *borne > signed.fee || (batch.payer() == FeePayer::Pool && *borne > Amount::ZERO) {
        return Err(format!(
            "miners would bear {borne} sats of a fee of {}",
            signed.fee
        ));
    }
    let outputs = batch.outputs_after(*borne).map_err(|error| error.to_string())?;
    transaction
        .check_pays(&outputs)
        .map_err(|error| error.to_string())?;
    let parts = batch.parts_after(*borne).map_err(|error| error.to_string())?;
    Ok(parts.into_iter().map(|part| part.fee).collect())
}
