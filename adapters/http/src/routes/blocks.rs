//! The blocks that the pool found, and one of them.

use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_api_types::books::{BLOCK_COLUMNS, Block, Blocks};
use dwarves_api_types::details::{self, BlockBooks, BlockDetails, BlockStep};
use dwarves_api_types::scalars::Instant;
use dwarves_domain::ids::{HeaderHash, ParseIdError};
use dwarves_domain::statistics::effort_chance;
use dwarves_domain::target::CompactTarget;
use dwarves_domain::units::Amount;
use dwarves_domain::work::coinbase::DecodedCoinbase;
use dwarves_ports::store::{BlockBooked, ShareDetails, TemplateRow};

use super::next_cursor;
use crate::csv::{self, Form, List};
use crate::problem::{Code, Problem, ProblemBody};
use crate::query::Params;
use crate::state::HttpState;
use crate::{asker, body, query};

/// The columns of blocks as CSV.
const BLOCKS: List = List {
    field: "blocks",
    columns: BLOCK_COLUMNS,
};

/// Found blocks, newest first.
#[utoipa::path(
    get, path = "/v1/blocks", operation_id = "list_blocks", tag = "pool",
    params(
        ("cursor" = Option<String>, Query, description = "The next_cursor of the page before", pattern = "^[0-9]{1,18}$"),
        ("limit" = Option<u32>, Query, description = "At most this many: 1 to 100, 50 if absent", minimum = 1, maximum = 100),
        ("format" = Option<String>, Query, description = "`json` or `csv`; without it `Accept` says which", pattern = "^(json|csv)$"),
    ),
    responses(
        (status = 200, description = "A page of blocks; the rows are also answered as CSV", content((Blocks = "application/json"), (String = "text/csv")), headers(("X-Next-Cursor" = String, description = "With CSV: the cursor of the next page, if there is one"))),
        (status = "default", description = "Refused; codes: query_invalid", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn list(req: HttpRequest, state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&req)?;
    let form = Form::of(&req, &mut params)?;
    let page = params.page()?;
    let page = state.read(|store| store.blocks(page)).await?;
    csv::answer(
        form,
        BLOCKS,
        &Blocks {
            blocks: page.rows.into_iter().map(Block::from).collect(),
            next_cursor: next_cursor(page.next),
        },
    )
}

/// So many of a block's bytes are looked at: a coinbase is far shorter.
const BEGINNING_BYTES: u32 = 65_536;

fn unknown(detail: impl std::fmt::Display) -> Problem {
    Problem::new(Code::BlockUnknown, format!("hash: {detail}")).of_field("hash")
}

/// The block that a request's path names.
fn hash_in_path(req: &HttpRequest) -> Result<HeaderHash, Problem> {
    let text = req.match_info().query("hash");
    text.parse().map_err(|error: ParseIdError| unknown(error))
}

/// What is known of a block's coinbase, and the difficulty that it had to meet.
struct Found {
    coinbase: Option<DecodedCoinbase>,
    bits: Option<CompactTarget>,
    pool_script: Option<Vec<u8>>,
}

impl Found {
    /// From the block's own bytes while they are kept; later from its share and the template of that.
    fn new(beginning: &[u8], share: Option<&ShareDetails>) -> Self {
        let template = share.map(|share| &share.template);
        let pool_script = template.map(|template| template.payout_script.clone());
        if let Some((bits, coinbase)) = DecodedCoinbase::of_block(beginning) {
            return Self {
                coinbase: Some(coinbase),
                bits: Some(bits),
                pool_script,
            };
        }
        let made = share.filter(|share| share.is_whole).and_then(|share| {
            let TemplateRow {
                chain,
                payout_script,
                tag,
                ..
            } = &share.template;
            let coinbase = chain.coinbase(payout_script, tag).ok()?;
            DecodedCoinbase::read(&coinbase.transaction(share.row.extranonce))
        });
        Self {
            coinbase: made,
            bits: template.map(|template| template.chain.bits),
            pool_script,
        }
    }

    /// Whether an output is the pool's. Where its template is not known any more, the pool's is the one that pays what is
    /// booked.
    fn is_pool(&self, script: &[u8], reward: Amount) -> bool {
        match (&self.pool_script, &self.coinbase) {
            (Some(pool), _) => pool == script,
            (None, Some(coinbase)) => {
                let paid = coinbase.outputs.iter().find(|output| output.value == reward);
                paid.is_some_and(|paid| paid.script == script)
            }
            (None, None) => false,
        }
    }

    fn paid(&self, is_counted: impl Fn(&[u8]) -> bool) -> Option<Amount> {
        let outputs = self.coinbase.as_ref()?.outputs.iter();
        let counted = outputs.filter(|output| is_counted(&output.script));
        Amount::checked_sum(counted.map(|output| output.value))
    }
}

fn books(reward: Amount, booked: Option<BlockBooked>, paid: Option<Amount>) -> BlockBooks {
    let is_paid = paid.map(|paid| paid == reward);
    let adds_up =
        booked.map(|booked| Amount::checked_sum([booked.fee, booked.kept, booked.credited]) == Some(reward));
    BlockBooks {
        reward_sats: reward.sats(),
        fee_sats: booked.map(|booked| booked.fee.sats()),
        credited_sats: booked.map(|booked| booked.credited.sats()),
        kept_sats: booked.map(|booked| booked.kept.sats()),
        matches: match (is_paid, adds_up) {
            (None, None) => None,
            (is_paid, adds_up) => Some(is_paid.unwrap_or(true) && adds_up.unwrap_or(true)),
        },
    }
}

/// A found block: its states, its coinbase taken apart, and what the books say of it.
#[utoipa::path(
    get, path = "/v1/blocks/{hash}", operation_id = "read_block", tag = "pool",
    params(("hash" = String, Path, description = "The block's hash in 64 lower-case hex digits, as explorers write it")),
    responses(
        (status = 200, description = "The block", body = BlockDetails),
        (status = "default", description = "Refused; codes: block_unknown", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn read(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    query::none(&req)?;
    let hash = hash_in_path(&req)?;
    let view = asker::view(&req, payload, &state).await?;
    let details = state
        .read(|store| store.block_details(hash, BEGINNING_BYTES))
        .await?;
    let details = details.ok_or_else(|| unknown("the pool found no such block"))?;
    let block = details.block;
    let before = state.read(|store| store.block_before(hash)).await?;
    let share = state.read(|store| store.share(block.sequence)).await?;
    // Of a block whose share was lost only the place is known: what stands there is another's.
    let share = share.filter(|share| share.row.hash == hash);
    let finder = share.as_ref().map(|share| &share.hotkey);
    let name_is_shown = finder.is_none_or(|finder| view.shows_names_of(finder));
    let found = Found::new(&details.beginning, share.as_ref());
    let reward = block.reward;
    let is_pool = |script: &[u8]| found.is_pool(script, reward);
    let coinbase = found
        .coinbase
        .as_ref()
        .map(|coinbase| details::Coinbase::new(coinbase, state.deps().addresses, is_pool));
    let steps = details.states.into_iter().map(|(state, at)| BlockStep {
        state: state.into(),
        at: at.map(Instant),
    });
    body::ok(&BlockDetails {
        sequence: block.sequence.get(),
        worker: share
            .as_ref()
            .filter(|_| name_is_shown)
            .map(|share| share.worker.to_string()),
        hidden: super::shares::hidden_worker(name_is_shown),
        value_sats: found.paid(|_| true).map(Amount::sats),
        network_difficulty: found.bits.map(super::shares::difficulty),
        probability: 1.0 - effort_chance(block.effort.to_f64()),
        share_before: before.map(|before| before.sequence.get()),
        coinbase,
        books: books(reward, details.booked, found.paid(is_pool)),
        states: steps.collect(),
        round: details.booked.map(|booked| booked.round.get()),
        block: block.into(),
    })
}
