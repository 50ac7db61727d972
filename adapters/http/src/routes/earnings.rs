//! What a miner earned beside what was to be expected, its place in the window, and when it is paid next.

use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_actors::miner_manager::messages::{MinerView, ReadMiners};
use dwarves_actors::paymaster::messages::ReadPayouts;
use dwarves_actors::reward_distributor::messages::{ReadSchedule, ScheduleView};
use dwarves_actors::work_manager::messages::ReadWork;
use dwarves_api_types::earnings::{Earnings, EarningsPeriod, NextPayout, WindowPlace};
use dwarves_api_types::scalars::Instant;
use dwarves_domain::history::Step;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::rewards::{Scheme, Source};
use dwarves_domain::statistics::earnings::{Period, time_for};
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::units::{Amount, Units};
use dwarves_ports::store::{BlockRow, Earned, HistoryOf, HistoryQuestion, MinerBalances, PageRequest};

use super::named_miner::{hotkey_in_path, known_miner};
use crate::asker;
use crate::csv::{self, Form, List};
use crate::problem::{Problem, ProblemBody};
use crate::query::Params;
use crate::state::HttpState;

/// Periods, in whole days before today.
const PERIODS: [(&str, u64); 3] = [("yesterday", 1), ("7_days", 7), ("30_days", 30)];
/// Credits that are added up for a page: thirty days of a round a minute.
const CREDITS_MAX: u32 = 45_000;
/// Credits that are added up to tell how fast a balance grows, and over how long at most.
const RECENT_CREDITS_MAX: u32 = 500;
const RECENT: Span = Span::from_secs(7 * 86_400);
/// And over how long at least.
const RECENT_MIN: Span = Span::from_secs(600);
/// Blocks that are looked at.
const BLOCKS_MAX: u32 = 1_000;

fn days(days: u64) -> Span {
    Span::from_secs(days * Step::Day.secs())
}

/// The work of each day in this time.
async fn work_of(
    state: &HttpState,
    of: HistoryOf,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<(Timestamp, Units)>, Problem> {
    let question = HistoryQuestion {
        of,
        step: Step::Day,
        from,
        to,
    };
    let history = state.read(|store| store.history(question)).await?;
    let steps = history.into_iter().flat_map(|history| history.steps);
    Ok(steps.map(|step| (step.at, step.sums.units)).collect())
}

/// Units of the days that begin at or after `from` and before `to`.
fn units_of(work: &[(Timestamp, Units)], from: Timestamp, to: Timestamp) -> f64 {
    let days = work.iter().filter(|(at, _)| (from..to).contains(at));
    // A sum of nothing is -0 to the library.
    days.fold(0.0, |sum, (_, units)| sum + units.to_f64())
}

/// What is known of all periods.
struct Known {
    schedule: ScheduleView,
    earned: Earned,
    mine: Vec<(Timestamp, Units)>,
    all: Vec<(Timestamp, Units)>,
    blocks: Vec<BlockRow>,
    /// Of blocks up to this moment some are not among them.
    blocks_cut_at: Option<Timestamp>,
    /// What a block is worth if the pool found none.
    template_value: Option<Amount>,
}

impl Known {
    fn period(&self, name: &'static str, from: Timestamp, to: Timestamp) -> EarningsPeriod {
        let earned_sats = self.earned.days.range(from..to).map(|(_, sats)| sats).sum();
        let is_inside =
            |block: &&BlockRow| block.found_at >= from && block.found_at < to && block.state.is_found();
        let found: Vec<&BlockRow> = self.blocks.iter().filter(is_inside).collect();
        let pool_units = units_of(&self.all, from, to);
        let expected = self.block_sats(&found).and_then(|block_sats| {
            let period = Period {
                units: units_of(&self.mine, from, to),
                pool_units,
                block_sats,
            };
            period.expected(self.schedule.scheme)
        });
        let is_of_blocks = self.schedule.source == Source::Blocks;
        let (expected_sats, spread_sats) = match expected.filter(|_| is_of_blocks) {
            Some(expected) => (
                Some(expected.sats.round() as u64),
                Some(expected.spread.round() as u64),
            ),
            // Every share is paid its worth: what was earned is what was to be expected.
            None if is_of_blocks && self.schedule.scheme.pays_per_share() => {
                (u64::try_from(earned_sats).ok(), Some(0))
            }
            None => (None, None),
        };
        EarningsPeriod {
            name: name.into(),
            from: Instant(from),
            to: Instant(to),
            earned_sats,
            expected_sats,
            spread_sats,
            blocks: found.len() as u64,
            expected_blocks: Some(pool_units),
            is_cut: [self.earned.cut_at, self.blocks_cut_at]
                .iter()
                .flatten()
                .any(|cut_at| *cut_at >= from),
        }
    }

    /// What a block leaves for miners: the mean of those that were found, else the last one, else the next.
    fn block_sats(&self, found: &[&BlockRow]) -> Option<f64> {
        let rewards: Vec<f64> = found.iter().map(|block| block.reward.sats() as f64).collect();
        let mean = (!rewards.is_empty()).then(|| rewards.iter().sum::<f64>() / rewards.len() as f64);
        let last = || self.blocks.first().map(|block| block.reward.sats() as f64);
        let next = || self.template_value.map(|value| value.sats() as f64);
        let reward = mean.or_else(last).or_else(next)?;
        Some(reward * (1.0 - f64::from(self.schedule.fee.get()) / 10_000.0))
    }
}

/// The columns of periods as CSV.
const PERIODS_OF: List = List {
    field: "periods",
    columns: &[
        "name",
        "from",
        "to",
        "earned_sats",
        "expected_sats",
        "spread_sats",
        "blocks",
        "expected_blocks",
        "is_cut",
    ],
};

/// What a miner earned beside what was to be expected of its work, with its spread: an estimate.
#[utoipa::path(
    get, path = "/v1/miners/{hotkey}/earnings", operation_id = "read_earnings", tag = "miners",
    params(
        ("hotkey" = String, Path, description = "The miner's hotkey in SS58, or the payout address with which it logs in over Stratum"),
        ("format" = Option<String>, Query, description = "`json` or `csv`; without it `Accept` says which", pattern = "^(json|csv)$"),
    ),
    responses(
        (status = 200, description = "Today so far, yesterday, and the last 7 and 30 whole days; the rows are also answered as CSV", content((Earnings = "application/json"), (String = "text/csv"))),
        (status = "default", description = "Refused; codes: miner_unknown, hidden", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn read(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&req)?;
    let form = Form::of(&req, &mut params)?;
    params.finish()?;
    let hotkey = hotkey_in_path(&req, &state)?;
    known_miner(&state, hotkey).await?;
    if !asker::view(&req, payload, &state)
        .await?
        .shows_balances_of(&hotkey)
    {
        return Err(Problem::hidden("earnings"));
    }
    let deps = state.deps();
    let now = deps.clock.date();
    let today = Step::Day.begin(now);
    let longest = PERIODS.iter().map(|(_, days)| *days).max().unwrap_or(1);
    let from = today.minus(days(longest));
    let page = PageRequest {
        cursor: None,
        limit: BLOCKS_MAX,
    };
    let work = state.ask(&deps.ports.work, ReadWork).await?;
    let blocks = state.read(|store| store.blocks(page)).await?;
    let known = Known {
        schedule: state.ask(&deps.ports.schedule, ReadSchedule).await?,
        earned: state
            .read(|store| store.earned(hotkey, from, CREDITS_MAX))
            .await?,
        mine: work_of(&state, HistoryOf::Miner(hotkey), from, now).await?,
        all: work_of(&state, HistoryOf::Pool, from, now).await?,
        blocks_cut_at: blocks.next.and(blocks.rows.last()).map(|block| block.found_at),
        blocks: blocks.rows,
        template_value: work
            .work
            .current
            .as_deref()
            .map(|template| template.chain().coinbase_value),
    };
    let mut periods = vec![known.period("today", today, now)];
    periods.extend(PERIODS.map(|(name, length)| known.period(name, today.minus(days(length)), today)));
    let earnings = Earnings { periods };
    csv::answer(form, PERIODS_OF, &earnings)
}

/// A miner's place in the window that ends now; `None` under a scheme that has none.
pub(super) async fn window_place(
    state: &HttpState,
    miner: &MinerView,
) -> Result<Option<WindowPlace>, Problem> {
    let ports = &state.deps().ports;
    let schedule = state.ask(&ports.schedule, ReadSchedule).await?;
    if schedule.scheme != Scheme::Pplns {
        return Ok(None);
    }
    let totals = state.totals().await?;
    let of_units = miner.window.min(totals.units);
    let begin = totals.units.saturating_sub(miner.window);
    let first = state.read(|store| store.position_before(begin)).await?;
    let all = of_units.to_f64();
    Ok(Some(WindowPlace {
        units: miner.units.to_string(),
        of_units: of_units.to_string(),
        share: if all > 0.0 {
            (miner.units.to_f64() / all).min(1.0)
        } else {
            0.0
        },
        first_sequence: (totals.shares > 0).then(|| first.sequence.next().get()),
        leaves_at: leaves_at(state, miner, totals.units).await?,
    }))
}

/// When the last of a miner's work leaves the window, if the pool goes on as now.
async fn leaves_at(state: &HttpState, miner: &MinerView, total: Units) -> Result<Option<Instant>, Problem> {
    let last = miner
        .workers
        .iter()
        .filter_map(|worker| worker.last_share_at)
        .max();
    let Some(last) = last.filter(|_| !miner.units.is_zero()) else {
        return Ok(None);
    };
    let deps = state.deps();
    let hashrate = state.ask(&deps.ports.miners, ReadMiners).await?.hashrate;
    let work = state.ask(&deps.ports.work, ReadWork).await?;
    let Some(template) = work.work.current.as_deref() else {
        return Ok(None);
    };
    let position = state.read(|store| store.position_at(last)).await?;
    // So much work may still come before the miner's last share is behind the window.
    let since = total.saturating_sub(position.total);
    let left = miner.window.saturating_sub(since).to_f64();
    let per_sec = hashrate / template.network_target().difficulty().expected_hashes();
    let now = deps.clock.date();
    Ok(time_for(left, per_sec).map(|time| Instant(now.plus(time))))
}

/// When a miner is paid next.
pub(super) async fn next_payout(
    state: &HttpState,
    hotkey: Hotkey,
    balances: &MinerBalances,
    own: Option<Amount>,
    registered_at: Timestamp,
) -> Result<NextPayout, Problem> {
    let deps = state.deps();
    let payouts = state.ask(&deps.ports.payouts, ReadPayouts).await?;
    let threshold = own.unwrap_or(payouts.threshold);
    let now = deps.clock.date();
    let since = now.minus(RECENT);
    let earned = state
        .read(|store| store.earned(hotkey, since, RECENT_CREDITS_MAX))
        .await?;
    let sats: i64 = earned.days.values().sum();
    // A miner that is new has had less time; of one that has just begun, a few credits say little.
    let known_since = earned.cut_at.unwrap_or(since).max(registered_at);
    let over = now.since(known_since).max(RECENT_MIN).secs();
    let per_sec = sats.max(0) as f64 / over as f64;
    let missing = threshold.sats().saturating_sub(balances.payable.sats());
    // Nobody knows when an operator begins the next batch; else no payout begins before the next plan.
    let from = if payouts.is_by_export {
        now
    } else {
        payouts.next_plan_at
    };
    let reached_at = if missing == 0 && balances.payable > Amount::ZERO {
        (!payouts.is_by_export).then_some(now)
    } else {
        time_for(missing as f64, per_sec).map(|time| now.plus(time))
    };
    let due_at = reached_at.map(|at| at.max(from));
    Ok(NextPayout {
        threshold_sats: threshold.sats(),
        payable_sats: balances.payable.sats(),
        per_day_sats: (per_sec > 0.0).then(|| (per_sec * Step::Day.secs() as f64).round() as u64),
        due_at: due_at.map(Instant),
    })
}
