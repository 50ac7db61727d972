//! One share.

use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_api_types::details::Share;
use dwarves_api_types::scalars::{Hash, Instant, Ss58};
use dwarves_domain::ids::Sequence;
use dwarves_domain::privacy::View;
use dwarves_domain::target::{CompactTarget, Target};
use dwarves_ports::store::ShareDetails;

use crate::problem::{Code, Problem, ProblemBody};
use crate::state::HttpState;
use crate::{asker, body, query};

fn unknown(detail: impl std::fmt::Display) -> Problem {
    Problem::new(Code::ShareUnknown, format!("sequence: {detail}")).of_field("sequence")
}

/// The difficulty that compact bits mean, as it is shown; 0 for bits that no target has, which no share is stored with.
pub(super) fn difficulty(bits: CompactTarget) -> f64 {
    Target::from_compact(bits).map_or(0.0, |target| target.difficulty().shown())
}

/// What an answer says of a worker's name that it leaves out.
pub(super) fn hidden_worker(is_shown: bool) -> Vec<String> {
    (!is_shown).then(|| "worker".to_owned()).into_iter().collect()
}

fn shown(share: ShareDetails, view: View) -> Share {
    let names_are_shown = view.shows_names_of(&share.hotkey);
    let row = share.row;
    let mut extranonce = row.extranonce.as_bytes().to_vec();
    if !share.is_whole {
        extranonce.truncate(8);
    }
    Share {
        sequence: share.sequence.get(),
        hash: Hash(row.hash),
        hotkey: Ss58(share.hotkey),
        worker: names_are_shown.then(|| share.worker.to_string()),
        at: Instant(row.received_at),
        template: row.template.get(),
        height: share.template.chain.height,
        issued_difficulty: difficulty(row.share_bits),
        network_difficulty: difficulty(share.template.chain.bits),
        units: row.units.to_string(),
        units_before: share.total_before.to_string(),
        is_block: share.block.is_some(),
        block: share.block.map(|_| Hash(row.hash)),
        block_state: share.block.map(Into::into),
        round: share.round.map(|round| round.get()),
        version_hex: format!("{:08x}", row.version),
        time: row.time,
        nonce_hex: format!("{:08x}", row.nonce),
        extranonce_hex: hex::encode(extranonce),
        hidden: hidden_worker(names_are_shown),
    }
}

/// An accepted share, as long as it is kept. It is found by its number alone: hashes have no index.
#[utoipa::path(
    get, path = "/v1/shares/{sequence}", operation_id = "read_share", tag = "pool",
    params(("sequence" = u64, Path, description = "The share's number, as the answer to its submission gave it")),
    responses(
        (status = 200, description = "The share", body = Share),
        (status = "default", description = "Refused; codes: share_unknown", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn read(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    query::none(&req)?;
    let number = query::plain_number(req.match_info().query("sequence"));
    // The store counts in signed 64-bit numbers: there is no share beyond.
    let number = number.filter(|number| *number > 0 && i64::try_from(*number).is_ok());
    let number = number.ok_or_else(|| unknown("expected a share's number: 1, 2, 3, ..."))?;
    let view = asker::view(&req, payload, &state).await?;
    let sequence = Sequence::new(number);
    match state.read(|store| store.share(sequence)).await? {
        Some(share) => body::ok(&shown(share, view)),
        None if number <= state.totals().await?.shares => Err(unknown(
            "this share was counted and is not kept any more (store.retention_days)",
        )),
        None => Err(unknown("there is no share with this number yet")),
    }
}
