//! Why a miner got an amount.

use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_api_types::example::{NoExample, WorkedExample};
use dwarves_ports::store::StoreErrorKind;

use super::named_miner::hotkey_in_path;
use super::rounds::closed_round;
use crate::problem::{Code, Problem, ProblemBody};
use crate::state::HttpState;
use crate::{asker, body, query};

/// Why a miner got its amount in a round: every number and every step, to be reckoned again to the last sat.
#[utoipa::path(
    get, path = "/v1/miners/{hotkey}/rounds/{id}", operation_id = "read_worked_example", tag = "miners",
    params(
        ("hotkey" = String, Path, description = "The miner's hotkey in SS58, or the payout address with which it logs in over Stratum"),
        ("id" = u64, Path, description = "The round's number"),
    ),
    responses(
        (status = 200, description = "The steps", body = WorkedExample),
        (status = "default", description = "Refused; codes: miner_unknown, hidden, round_unknown, credit_unknown, workings_unknown", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn read(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    query::none(&req)?;
    // A miner that is not registered any more may have been credited all the same.
    let hotkey = hotkey_in_path(&req, &state)?;
    let view = asker::view(&req, payload, &state).await?;
    if !view.shows_balances_of(&hotkey) {
        return Err(Problem::hidden("credits"));
    }
    let (round, credits) = closed_round(&req, &state).await?;
    let id = round.id;
    let workings = state.read(|store| store.workings(id, hotkey)).await?;
    let mut blocks = Vec::with_capacity(round.blocks.len());
    for hash in &round.blocks {
        let details = state.read(|store| store.block_details(*hash, 0)).await?;
        let booked = details.and_then(|details| Some((details.block, details.booked?)));
        let (block, booked) = booked.ok_or_else(|| {
            log::error!("block {hash} of round {id} is not booked");
            Problem::from(dwarves_ports::store::StoreError::new(
                StoreErrorKind::Corrupt,
                "a round's block is not booked",
            ))
        })?;
        blocks.push((block.reward, booked.fee, block.finder));
    }
    let example = WorkedExample::new(round, &credits, &blocks, workings.as_ref(), hotkey);
    let mut example = example.map_err(|why| match why {
        NoExample::NotCredited => {
            let detail = "this round credited this miner nothing; GET /v1/miners/{hotkey}/credits lists those that did";
            Problem::new(Code::CreditUnknown, detail).of_field("id")
        }
        NoExample::NotKept => {
            let detail = "this round closed before it was kept how rounds came to their credits";
            Problem::new(Code::WorkingsUnknown, detail).of_field("id")
        }
        NoExample::Differs => {
            log::error!("round {id}: the credit of {hotkey} is not what its workings come to");
            let detail = "this credit is not what the kept numbers come to; the log says of which round";
            Problem::new(Code::Internal, detail)
        }
    })?;
    if !view.shows_all_balances() {
        example.hide_others();
    }
    body::ok(&example)
}
