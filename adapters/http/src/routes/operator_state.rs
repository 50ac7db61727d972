//! What an operator sees of the pool, in one document.

use std::io::Read;
use std::path::Path;

use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_actors::meter::histogram::HistogramView;
use dwarves_actors::meter::{self, actors};
use dwarves_actors::miner_manager::messages::{ReadBans, ReadMiners};
use dwarves_actors::notary::messages::StatementsView;
use dwarves_actors::paymaster::messages::{PayoutsView, ReadPayouts};
use dwarves_actors::pool_manager::messages::ReadPool;
use dwarves_actors::reward_distributor::messages::ReadSchedule;
use dwarves_api_types::operator::{
    ActorState, AdminState, Assets, BackupRecord, BackupState, BanState, BooksState, CommitState, Hindrance,
    Liabilities, OpenPayoutState, OperatorSettings, PayoutsState, StandbyState, StatementsState,
};
use dwarves_api_types::scalars::{Instant, Ss58};
use dwarves_domain::ledger::{Holdings, Income};
use dwarves_domain::statements::{EpochId, EpochLength};
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::clock::Moment;
use dwarves_ports::store;

use super::admin::let_admins_only;
use super::chain;
use crate::problem::{Problem, ProblemBody};
use crate::remedies::{self, Section};
use crate::state::HttpState;
use crate::{body, fronts, query};

/// Payouts and bans that are shown at most.
const SHOWN_MAX: usize = 100;
/// The longest record of a backup that is read, in bytes.
const RECORD_MAX: u64 = 65_536;

/// The pool as its operator sees it: what hinders it, its actors, its books, its nodes, payouts, bans, the last backup.
#[utoipa::path(
    get, path = "/v1/admin/state", operation_id = "read_admin_state", tag = "admin",
    responses(
        (status = 200, description = "The pool, in one document", body = AdminState),
        (status = "default", description = "Refused; codes: forbidden, query_invalid, busy, unavailable", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("admin" = []), ("operator" = []), ("signature" = [])),
)]
pub async fn read(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let_admins_only(&req, &state, payload).await?;
    query::none(&req)?;
    let deps = state.deps();
    let ports = &deps.ports;
    let pool = state.ask(&ports.pool, ReadPool).await?;
    let miners = state.ask(&ports.miners, ReadMiners).await?;
    let schedule = state.ask(&ports.schedule, ReadSchedule).await?;
    let payouts = state.ask(&ports.payouts, ReadPayouts).await?;
    let limit = SHOWN_MAX;
    let bans = state.ask(&ports.bans, ReadBans { limit }).await?;
    let chain = chain::current(&state).await?;
    let totals = state.totals().await?;
    let (seen, links, now) = (fronts::seen(&state), fronts::links(&state), Moment::now());
    body::ok(&AdminState {
        pool_state: pool.state.as_str().to_owned(),
        started_at: Instant(pool.started_at),
        hindrances: fronts::all_hindrances(&state, pool.hindrances)
            .into_iter()
            .map(hindrance)
            .collect(),
        fronts: seen
            .all
            .iter()
            .map(|front| fronts::state(front, &links, now))
            .collect(),
        actors: actors(),
        commit: commit(),
        standby: deps.store.standby().map(standby),
        books: books(&totals.holdings, &totals.income),
        nodes: chain.nodes,
        settings: OperatorSettings {
            run_interval_secs: schedule.run_interval.secs(),
            fee_bps: schedule.fee.get(),
            threshold_sats: payouts.threshold.sats(),
            registration_open: miners.registration_open,
            rounds_paused: schedule.paused,
        },
        payouts: payouts_state(&payouts),
        statements: pool.statements.as_ref().map(statements_state),
        bans: bans
            .into_iter()
            .map(|(hotkey, ban)| BanState {
                hotkey: Ss58(hotkey),
                reason: ban.reason,
                until: ban.until.map(Instant),
            })
            .collect(),
        backup: backup(&deps.files.backup_record, deps.clock.date()).await,
    })
}

fn hindrance(text: String) -> Hindrance {
    let known = remedies::of(&text);
    told(known.name, text, known.remedy, known.section)
}

fn told(name: &str, text: String, remedy: &str, section: Section) -> Hindrance {
    Hindrance {
        name: name.to_owned(),
        text,
        remedy: remedy.to_owned(),
        runbook: format!("RUNBOOK.md#{}", section.anchor),
        section: section.title.to_owned(),
    }
}

/// A part of what was measured, in milliseconds. What is beyond every bucket has no number.
fn millis(view: &HistogramView, part: f64) -> Option<f64> {
    quantile(view, part).map(|secs| secs * 1_000.0)
}

fn quantile(view: &HistogramView, part: f64) -> Option<f64> {
    view.quantile(part).filter(|bound| bound.is_finite())
}

fn actors() -> Vec<ActorState> {
    let mut all: Vec<ActorState> = actors::all()
        .map(|actor| ActorState {
            name: actor.name().to_owned(),
            mailbox: actor.waiting(),
            mailbox_max: actor.room(),
            refused: actor.refused(),
            handling_p99_ms: millis(&actor.handling(), 0.99),
        })
        .collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

fn commit() -> CommitState {
    let took = meter::COMMITTED.view();
    CommitState {
        count: took.count,
        p50_ms: millis(&took, 0.5),
        p99_ms: millis(&took, 0.99),
        batch_p50: quantile(&meter::COMMIT_SIZE.view(), 0.5),
    }
}

fn standby(known: store::StandbyState) -> StandbyState {
    StandbyState {
        place: known.place,
        answers: known.answers,
        lag_secs: known.lag.map(|lag| lag.millis() as f64 / 1_000.0),
        lag_max_secs: known.lag_max.secs(),
        why: known.why,
    }
}

/// Income is entered on one side, and where it went on the other; what was paid is neither had nor owed any more.
fn books(has: &Holdings, income: &Income) -> BooksState {
    let confirmed = income.confirmed() - has.paid - has.network_fees;
    let assets = Assets {
        immature_sats: income.immature,
        confirmed_sats: confirmed,
        total_sats: income.immature + confirmed,
    };
    let liabilities = Liabilities {
        immature_sats: has.immature,
        payable_sats: has.payable,
        in_flight_sats: has.in_flight,
        fee_sats: has.fee,
        reserve_sats: has.reserve,
        total_sats: has.immature + has.payable + has.in_flight + has.fee + has.reserve,
    };
    BooksState {
        difference_sats: assets.total_sats - liabilities.total_sats,
        assets,
        liabilities,
        paid_sats: has.paid,
        network_fees_sats: has.network_fees,
    }
}

fn payouts_state(view: &PayoutsView) -> PayoutsState {
    let holds = view
        .holds
        .each()
        .map(|(hold, detail)| told(hold.name(), detail.to_owned(), hold.remedy(), remedies::HOLDS));
    let troubles = view.troubles.iter().map(|trouble| {
        let kind = trouble.kind;
        told(
            kind.name(),
            trouble.detail.clone(),
            kind.remedy(),
            remedies::TROUBLES,
        )
    });
    let open = view.open.iter().take(SHOWN_MAX).map(|payout| OpenPayoutState {
        id: payout.id.get(),
        state: payout.state.name().to_owned(),
        txid: payout.txid.map(|txid| txid.to_string()),
        confirmations: payout.confirmations,
        reserved_at: Instant(payout.reserved_at),
    });
    PayoutsState {
        paused: view.paused,
        holds: holds.collect(),
        troubles: troubles.collect(),
        open: open.collect(),
        by_export: view.is_by_export,
        next_plan_at: (!view.is_by_export).then_some(Instant(view.next_plan_at)),
    }
}

fn statements_state(view: &StatementsView) -> StatementsState {
    StatementsState {
        epoch_secs: view.length.map_or(0, EpochLength::secs),
        open: view.open.map(EpochId::get),
        stated: view.stated.map(|epoch| epoch.start.get()),
        overdue_secs: view.overdue.map_or(0, Span::secs),
        hindrance: view.hindrance.clone(),
    }
}

/// What `dwarves backup` wrote down when it made the last one. What cannot be read says nothing.
async fn backup(record: &Path, now: Timestamp) -> BackupState {
    let record = record.to_owned();
    let read = web::block(move || {
        let mut text = String::new();
        let file = std::fs::File::open(record).ok()?;
        file.take(RECORD_MAX).read_to_string(&mut text).ok()?;
        serde_json::from_str::<BackupRecord>(&text).ok()
    });
    let read = read.await.ok().flatten();
    BackupState {
        last_at: read.as_ref().map(|record| record.finished_at),
        age_secs: read.as_ref().map(|record| now.since(record.finished_at.0).secs()),
        bytes: read.and_then(|record| record.bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_books_balance_as_long_as_nothing_is_lost() {
        let income = Income {
            immature: 50,
            matured: 900,
            emitted: 100,
            lost: 7,
        };
        let mut has = Holdings {
            sum: 0,
            immature: 50,
            fee: 10,
            reserve: -5,
            payable: 300,
            in_flight: 95,
            paid: 590,
            network_fees: 10,
        };
        let shown = books(&has, &income);
        assert_eq!(shown.difference_sats, 0);
        assert_eq!(
            (shown.assets.total_sats, shown.liabilities.total_sats),
            (450, 450)
        );
        has.payable += 1;
        assert_eq!(books(&has, &income).difference_sats, -1);
    }
}
