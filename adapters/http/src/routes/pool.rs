//! The pool as a whole.

use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_actors::miner_manager::messages::ReadMiners;
use dwarves_actors::pool_manager::messages::ReadPool;
use dwarves_actors::reward_distributor::messages::ReadSchedule;
use dwarves_actors::work_evaluator::messages::ReadEvaluator;
use dwarves_actors::work_manager::messages::ReadWork;
use dwarves_api_types::miners::ShareCounts;
use dwarves_api_types::pool::{EvaluatedPool, Pool, PrivacyState};
use dwarves_api_types::scalars::{Instant, Ss58};
use dwarves_domain::statistics::{Luck, effort_chance};
use dwarves_domain::units::Amount;
use dwarves_ports::store::PoolTotals;

use crate::problem::{Problem, ProblemBody};
use crate::state::HttpState;
use crate::{body, query, rates};

/// Blocks found and blocks to be expected from the work up to the last one, once there is one.
pub(super) fn luck(totals: &PoolTotals) -> Option<Luck> {
    let luck = Luck {
        blocks: totals.blocks,
        expected: totals.units_to_last_block.to_f64(),
    };
    (luck.blocks > 0 && luck.expected > 0.0).then_some(luck)
}

/// Work since the last block.
pub(super) fn round_effort(totals: &PoolTotals) -> f64 {
    totals.units.saturating_sub(totals.units_to_last_block).to_f64()
}

/// The pool: its hotkey, its terms, its miners and its luck.
#[utoipa::path(
    get, path = "/v1/pool", operation_id = "read_pool", tag = "pool",
    responses(
        (status = 200, description = "The pool", body = Pool),
        (status = "default", description = "Refused; codes: busy, unavailable", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn read(req: HttpRequest, state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    query::none(&req)?;
    body::ok(&current(&state).await?)
}

/// The pool as it is now.
///
/// # Errors
/// `busy` or `unavailable` if somebody who knows does not answer.
pub(crate) async fn current(state: &HttpState) -> Result<Pool, Problem> {
    let deps = state.deps();
    let pool = state.ask(&deps.ports.pool, ReadPool).await?;
    let work = state.ask(&deps.ports.work, ReadWork).await?;
    let miners = state.ask(&deps.ports.miners, ReadMiners).await?;
    let schedule = state.ask(&deps.ports.schedule, ReadSchedule).await?;
    let totals = state.totals().await?;
    let rates = rates::of_pool(state).await?;
    let evaluated = match &deps.evaluation {
        Some(evaluation) => {
            let view = state.ask(&evaluation.read, ReadEvaluator).await?;
            Some(EvaluatedPool {
                pays_by: evaluation.measure.to_string(),
                emission_sats: schedule.emission.map_or(0, Amount::sats),
                max_age_secs: evaluation.max_age.secs(),
                waiting: view.waiting as u64,
                at_work: view.at_work as u64,
            })
        }
        None => None,
    };
    let template = work.work.current.as_deref();
    let luck = luck(&totals);
    let effort = round_effort(&totals);
    Ok(Pool {
        name: deps.pool_name.clone(),
        hotkey: Ss58(deps.pool_hotkey),
        chain: deps.chain_name.clone(),
        unit: deps.unit.0.clone(),
        unit_decimals: deps.unit.1,
        evaluated,
        algorithm: deps.algorithm.into(),
        state: pool.state.as_str().into(),
        // A template is the block after the tip.
        height: template.map(|template| template.chain().height.saturating_sub(1)),
        network_difficulty: template.map(|template| template.network_target().difficulty().to_f64()),
        miners: miners.miners,
        workers: miners.workers,
        workers_active: miners.workers_active,
        hashrate: miners.hashrate,
        hashrate_error: miners.hashrate_error,
        hashrates: rates.hashrates,
        share_rate: rates.share_rate,
        registration_open: miners.registration_open,
        scheme: schedule.scheme.into(),
        fee_bps: schedule.fee.get(),
        run_interval_secs: schedule.run_interval.secs(),
        next_round_at: Instant(schedule.next_round_at),
        luck: luck.and_then(|luck| luck.ratio()),
        luck_error: luck.and_then(|luck| luck.standard_error()),
        luck_percentile: luck.map(|luck| luck.percentile()),
        round_effort: effort,
        effort_percentile: 1.0 - effort_chance(effort),
        shares: ShareCounts {
            accepted: miners.accepted,
            rejected: miners.rejected.into(),
        },
        privacy: PrivacyState::of(deps.privacy),
        ledger_sum_sats: totals.ledger_sum,
    })
}
