//! `/metrics`: the pool's figures, as OpenMetrics or in the text format of Prometheus, version 0.0.4.
//!
//! They are gathered anew for every reading, from what the actors tell and the ledger holds, so that none can be forgotten
//! when something changes; what is measured while it happens stands in `dwarves_actors::meter`.
//!
//! Names follow Prometheus' conventions: base units, `_total` for what only grows. Money is in sats.

use actix_web::http::header::ACCEPT;
use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_actors::block_tracker::messages::{BlocksView, ReadBlocks};
use dwarves_actors::control::hold::Hold;
use dwarves_actors::gate::GateView;
use dwarves_actors::miner_manager::messages::{MinersView, NewcomersRefused, ReadMiners};
use dwarves_actors::miner_notifier::messages::ReadTold;
use dwarves_actors::paymaster::messages::{PayoutsView, ReadPayouts};
use dwarves_actors::pool_manager::messages::{LifeState, PoolView, ReadPool};
use dwarves_actors::reward_distributor::messages::ReadSchedule;
use dwarves_actors::time_keeper::messages::{ClockView, ReadClock};
use dwarves_actors::work_evaluator::messages::ReadEvaluator;
use dwarves_actors::work_manager::messages::ReadWork;
use dwarves_domain::chain_guard::Verdict;
use dwarves_domain::payouts::WhyHeld;
use dwarves_domain::share::Rejection;
use dwarves_ports::chain::Standing;

use crate::problem::{Problem, ProblemBody};
use crate::query;
use crate::state::HttpState;

mod books;
mod evaluation;
mod fronts;
mod measured;
mod notified;
mod page;
mod process;

use page::{Format, Kind, Page};

/// Figures for Prometheus: conservation of money, blocks, alarms, miners, luck, how long things take.
#[utoipa::path(
    get, path = "/metrics", operation_id = "read_metrics", tag = "health",
    responses(
        (status = 200, description = "Figures for Prometheus: OpenMetrics if the client accepts it, or the text format 0.0.4",
            content((String = "text/plain"), (String = "application/openmetrics-text"))),
        (status = "default", description = "Refused; codes: busy, unavailable", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn read(req: HttpRequest, state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    query::none(&req)?;
    let accept = req.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = Format::accepted(accept);
    let ports = &state.deps().ports;
    let clock = &state.deps().clock;
    let mut page = Page::default();
    let pool = state.ask(&ports.pool, ReadPool).await?;
    page.pool(&pool);
    let hindrances = crate::fronts::all_hindrances(&state, pool.hindrances).len();
    let help = "What troubles the pool, as /readyz tells it.";
    page.gauge("dwarves_hindrances", help, hindrances);
    page.miners(&state.ask(&ports.miners, ReadMiners).await?);
    let payouts = state.ask(&ports.payouts, ReadPayouts).await?;
    page.payouts(&payouts);
    page.clock(
        &state.ask(&ports.clock, ReadClock).await?,
        state.ask(&ports.schedule, ReadSchedule).await?.missed,
    );
    page.ledger(&state.totals().await?);
    if let Some(standby) = state.deps().store.standby() {
        page.standby(&standby);
    }
    page.payouts_under_way(&payouts, clock.date());
    match &state.deps().evaluation {
        Some(evaluation) => page.evaluation(&state.ask(&evaluation.read, ReadEvaluator).await?),
        // Without a chain there is none that could be behind, no template and no block.
        None => {
            page.blocks(&state.ask(&ports.blocks, ReadBlocks).await?);
            page.work(&state.ask(&ports.work, ReadWork).await?, clock.now());
        }
    }
    page.connections(pool.gate.as_ref());
    if let Some(notifications) = &ports.notifications {
        page.notified(&state.ask(&notifications.told, ReadTold).await?);
    }
    if state.deps().fronts.is_some() {
        page.fronts(&crate::fronts::seen(&state), &crate::fronts::links(&state));
    }
    page.served();
    page.flow();
    page.actors();
    page.process();
    let text = page.write(format);
    Ok(HttpResponse::Ok().content_type(format.content_type()).body(text))
}

/// Figures of a process that is not the pool, as OpenMetrics: how its own parts do, and the sessions that it serves, if it
/// serves any.
pub fn of_this_process(gate: Option<&GateView>) -> String {
    let mut page = Page::default();
    if let Some(gate) = gate {
        page.gate(gate);
    }
    page.connections(gate);
    page.served();
    page.actors();
    page.process();
    page.write(Format::OpenMetrics)
}

impl Page {
    fn pool(&mut self, view: &PoolView) {
        let is_running = view.state == LifeState::Running;
        self.flag(
            "dwarves_running",
            "Whether the pool runs: 0 while it starts, is paused or drains.",
            is_running,
        );
        self.flag(
            "dwarves_has_work",
            "Whether there is work to give out.",
            view.has_work,
        );
        let lack = view.no_work.as_ref();
        self.gauge(
            "dwarves_no_work_seconds",
            "For how long there has been no live work; 0 while there is.",
            lack.map_or(0.0, |lack| lack.began.elapsed().millis() as f64 / 1_000.0),
        );
        self.flag(
            "dwarves_miners_let_go",
            "Whether miners are let go, because there has been no live work for too long.",
            lack.is_some_and(|lack| lack.lets_go),
        );
        self.flag(
            "dwarves_ledger_writable",
            "Whether the last commit was written.",
            view.ledger_writes,
        );
        if let Some(gate) = &view.gate {
            self.gate(gate);
        }
        if let Some(gate) = &view.http_gate {
            let help = "Workers that are kept out of HTTP for wrong shares.";
            self.gauge("dwarves_http_kept_out", help, gate.kept_out.len());
            let help = "Workers that were put out of HTTP for wrong shares, since the start.";
            self.counter("dwarves_http_put_out_total", help, gate.put_out);
        }
        if let Some(standing) = &view.standing {
            self.chain(standing);
        }
        if let Some(statements) = view.statements.as_ref().filter(|view| view.length.is_some()) {
            let help = "For how long an epoch has been over that is not stated; 0: none is.";
            let overdue = statements
                .overdue
                .map_or(0.0, |span| span.millis() as f64 / 1_000.0);
            self.gauge("dwarves_statements_overdue_seconds", help, overdue);
        }
    }

    fn gate(&mut self, view: &GateView) {
        let help = "Open Stratum connections.";
        self.gauge("dwarves_stratum_connections", help, view.connections);
        let help = "Stratum sessions that were let go for want of work, since the start.";
        self.counter("dwarves_stratum_let_go_total", help, view.let_go);
        let help = "Stratum connections that were sent away for want of work, since the start.";
        self.counter("dwarves_stratum_sent_away_total", help, view.sent_away);
        let help = "Stratum connections of addresses that are kept out, since the start.";
        self.counter("dwarves_stratum_refused_total", help, view.refused);
        let name = "dwarves_stratum_kept_out";
        let help = "Workers and addresses that are kept out for refused shares.";
        self.begin(name, Kind::Gauge, help);
        for (kind, of_worker) in [("worker", true), ("address", false)] {
            let kept_out = view.kept_out.iter();
            let count = kept_out.filter(|one| one.worker.is_some() == of_worker).count();
            self.value(&[("kind", kind)], count);
        }
    }

    fn chain(&mut self, standing: &Standing) {
        let name = "dwarves_chain_verdict";
        let help =
            "Which chain the working node is on: 1 for the present verdict. Minority stops work and payouts.";
        self.begin(name, Kind::Gauge, help);
        for verdict in Verdict::ALL {
            let is_it = u8::from(standing.verdict == verdict);
            self.value(&[("verdict", &verdict.to_string())], is_it);
        }
        let name = "dwarves_chain_nodes";
        self.begin(name, Kind::Gauge, "Nodes by verdict; none on the devnet.");
        for verdict in Verdict::ALL {
            let count = standing
                .nodes
                .iter()
                .filter(|node| node.verdict == verdict)
                .count();
            self.value(&[("verdict", &verdict.to_string())], count);
        }
        let help = "Whether an operator has to look which chain the nodes are on.";
        self.flag("dwarves_chain_in_doubt", help, standing.trouble.is_some());
        let age = standing.tip_age_secs.map_or(f64::NAN, |secs| secs as f64);
        let help = "Age of the working node's tip by its header; NaN if the node does not tell.";
        self.gauge("dwarves_chain_tip_age_seconds", help, age);
    }

    fn clock(&mut self, view: &ClockView, missed: u64) {
        let secs = |millis: i64| millis as f64 / 1_000.0;
        self.flag(
            "dwarves_clock_refused",
            "Whether the machine's clock is too far from the chain's best header: no round closes, no payout begins.",
            view.wall.is_refused,
        );
        self.gauge(
            "dwarves_clock_jump_seconds",
            "By how much the machine's clock jumped and is not followed (yet); 0: it did not.",
            secs(view.wall.jump.map_or(0, |jump| jump.millis)),
        );
        if let Some(millis) = view.wall.from_header {
            let help = "By how much the machine's clock is ahead of the chain's best header.";
            self.gauge("dwarves_clock_ahead_of_best_header_seconds", help, secs(millis));
        }
        let help = "Reward rounds that were missed and are still to be closed.";
        self.gauge("dwarves_rounds_missed", help, missed);
    }

    /// A counter of newcomers that were refused, by reason.
    fn newcomers_refused(&mut self, name: &'static str, help: &'static str, refused: NewcomersRefused) {
        self.begin(name, Kind::Counter, help);
        for (reason, count) in [("rate_limit", refused.rate), ("no_room", refused.no_room)] {
            self.value(&[("reason", reason)], count);
        }
    }

    fn miners(&mut self, view: &MinersView) {
        self.gauge("dwarves_miners", "Registered miners.", view.miners);
        let help = "Registered miners that are payout addresses.";
        self.gauge("dwarves_address_miners", help, view.address_miners);
        let name = "dwarves_new_addresses_refused_total";
        let help = "Logins of new payout addresses that were refused, since the start, by reason.";
        self.newcomers_refused(name, help, view.addresses_refused);
        let name = "dwarves_new_miners_refused_total";
        let help = "Registrations of new hotkeys that were refused, since the start, by reason.";
        self.newcomers_refused(name, help, view.registrations_refused);
        let help = "Miners without work that gave way to others, since the start.";
        self.counter("dwarves_miners_gave_way_total", help, view.gave_way.miners);
        let help = "Workers without a share for long that gave way to others, since the start.";
        self.counter("dwarves_workers_gave_way_total", help, view.gave_way.workers);
        let help = "Names of workers that had no share accepted yet.";
        self.gauge("dwarves_names_without_work", help, view.names_waiting);
        let (recent, recent_max) = view.recent_shares;
        let help = "Live shares that are remembered against duplicates.";
        self.gauge("dwarves_recent_shares", help, recent);
        let help = "For how many of them there is room (limits.recent_shares).";
        self.gauge("dwarves_recent_shares_max", help, recent_max);
        self.gauge("dwarves_workers", "Known workers.", view.workers);
        self.gauge(
            "dwarves_workers_active",
            "Workers with a share in the last ten minutes.",
            view.workers_active,
        );
        self.gauge(
            "dwarves_hashrate_hashes_per_second",
            "Hashrate from issued difficulty.",
            view.hashrate,
        );
        let error = view.hashrate_error.unwrap_or(f64::NAN);
        let help = "One standard deviation of the hashrate by chance alone, as a part of it.";
        self.gauge("dwarves_hashrate_error_ratio", help, error);
        self.counter("dwarves_shares_accepted_total", "Accepted shares.", view.accepted);
        let name = "dwarves_shares_rejected_total";
        self.begin(name, Kind::Counter, "Rejected shares by reason.");
        for (reason, count) in Rejection::REASONS.iter().zip(view.rejected) {
            self.value(&[("reason", reason)], count);
        }
    }

    fn blocks(&mut self, view: &BlocksView) {
        self.flag(
            "dwarves_chain_synced",
            "Whether the chain says that it has all blocks: 0 while it does not answer.",
            view.is_synced == Some(true),
        );
        self.gauge(
            "dwarves_blocks_followed",
            "Found blocks whose fate is still open.",
            view.followed,
        );
        self.gauge(
            "dwarves_blocks_waiting",
            "Found blocks that the chain has not taken yet.",
            view.waiting,
        );
        self.gauge(
            "dwarves_blocks_missing",
            "Deep blocks that the chain does not know.",
            view.missing,
        );
        let help = "Whether the chain is still to be searched for blocks that a crash lost.";
        self.flag("dwarves_block_recovery_pending", help, view.recovery_pending);
        let help = "Submissions of blocks without a final answer, since the start.";
        self.counter(
            "dwarves_block_submissions_failed_total",
            help,
            view.submissions_failed,
        );
        self.counter(
            "dwarves_blocks_refused_total",
            "Blocks refused for good, since the start.",
            view.refused,
        );
        let help = "Blocks that were left out because enough of their height were kept, since the start.";
        self.counter("dwarves_blocks_left_out_total", help, view.left_out);
        let help = "Blocks settled as orphaned because others have their heights, since the start.";
        self.counter("dwarves_blocks_settled_total", help, view.settled);
        let help =
            "Blocks refused whose time or version the pool gave no credit for either, since the start.";
        self.counter(
            "dwarves_blocks_doubtful_refused_total",
            help,
            view.doubtful_refused,
        );
        let help = "Blocks orphaned after they were mature, since the start.";
        self.counter("dwarves_deep_reorgs_total", help, view.deep_reorgs);
        let help = "Blocks found on the chain that a crash had lost, since the start.";
        self.counter("dwarves_blocks_recovered_total", help, view.recovered);
    }

    fn payouts(&mut self, view: &PayoutsView) {
        self.flag(
            "dwarves_payouts_paused",
            "Whether an admin paused payouts.",
            view.paused,
        );
        let name = "dwarves_payouts_held";
        self.begin(name, Kind::Gauge, "Whether payouts are held, by ground.");
        for hold in Hold::ALL {
            let is_set = u8::from(view.holds.contains(hold));
            self.value(&[("hold", &hold.to_string())], is_set);
        }
        self.gauge("dwarves_payouts_open", "Payouts under way.", view.open.len());
        self.gauge(
            "dwarves_payouts_settled",
            "Payouts confirmed or returned and still watched for reorganisations.",
            view.settled,
        );
        let name = "dwarves_payouts_waiting_sats";
        self.begin(name, Kind::Gauge, "Balances that the last plan left, by reason.");
        for why in WhyHeld::ALL {
            let held = view.held.get(&why).copied().unwrap_or_default();
            self.value(&[("reason", &why.to_string())], held.amount);
        }
        self.gauge(
            "dwarves_payout_troubles",
            "What hinders payouts.",
            view.troubles.len(),
        );
        let help =
            "Payouts that a reorganisation took out of the chain after they were deep, since the start.";
        self.counter("dwarves_payouts_reorged_total", help, view.alarms.reorged);
        let help = "Payouts given back because their inputs were spent elsewhere, since the start.";
        self.counter("dwarves_payouts_returned_total", help, view.alarms.returned);
        let help = "Payouts given back that came into the chain after all, since the start.";
        self.counter("dwarves_payouts_revived_total", help, view.alarms.revived);
    }
}
