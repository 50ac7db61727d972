//! Figures of the ledger: blocks by state, the books, luck.

use dwarves_ports::store::{BlockState, PoolTotals, StandbyState};

use super::page::{Kind, Page};
use crate::routes::pool::{luck, round_effort};

impl Page {
    /// The standby that pages are read from.
    pub(super) fn standby(&mut self, standby: &StandbyState) {
        let help = "Whether the standby answers pages: 0 while the primary does.";
        self.flag("dwarves_store_standby_answers", help, standby.answers);
        let lag = standby.lag.map_or(f64::NAN, |lag| lag.millis() as f64 / 1_000.0);
        let help = "By how much the standby is behind, as measured; NaN while nobody knows.";
        self.gauge("dwarves_store_standby_lag_seconds", help, lag);
        let help = "By how much it may be (store.read_lag_max_secs).";
        self.gauge(
            "dwarves_store_standby_lag_max_seconds",
            help,
            standby.lag_max.secs(),
        );
        let name = "dwarves_store_page_reads_total";
        let help = "Questions of pages that a standby may answer, by who answered them, since the start.";
        self.begin(name, Kind::Counter, help);
        self.value(&[("side", "standby")], standby.answered);
        self.value(&[("side", "primary")], standby.passed_on);
    }

    pub(super) fn ledger(&mut self, totals: &PoolTotals) {
        let name = "dwarves_blocks";
        self.begin(name, Kind::Gauge, "Found blocks by state.");
        for state in BlockState::ALL {
            let count = totals.blocks_by_state.get(&state).copied().unwrap_or(0);
            self.value(&[("state", &state.to_string())], count);
        }
        let help = "Bytes of the log of writes beside the database; it grows while somebody reads the ledger for long.";
        self.gauge("dwarves_store_wal_bytes", help, totals.log_bytes);
        let (held, income) = (&totals.holdings, &totals.income);
        let help =
            "Rewards of deep blocks and emissions: the equation's left side, added up apart from the books.";
        self.gauge("dwarves_ledger_confirmed_rewards_sats", help, income.confirmed());
        self.gauge(
            "dwarves_ledger_immature_sats",
            "Credited for blocks that are not deep.",
            held.immature,
        );
        self.gauge("dwarves_ledger_fee_sats", "The operator's fees.", held.fee);
        let help = "The pool's reserve: dust carried and kept rewards, less losses; below zero the operator owes it.";
        self.gauge("dwarves_ledger_reserve_sats", help, held.reserve);
        self.gauge(
            "dwarves_ledger_payable_sats",
            "Owed to miners and free to be paid.",
            held.payable,
        );
        self.gauge(
            "dwarves_ledger_in_flight_sats",
            "Set aside for payouts under way.",
            held.in_flight,
        );
        self.gauge("dwarves_ledger_paid_sats", "Paid to miners.", held.paid);
        self.gauge(
            "dwarves_ledger_network_fees_sats",
            "Paid to the network.",
            held.network_fees,
        );
        let difference = income.confirmed() - held.confirmed();
        let help =
            "Confirmed rewards less fee, reserve, payable, in flight, paid and network fees: always 0.";
        self.gauge("dwarves_ledger_difference_sats", help, difference);
        let is_conserved = held.check(income).is_ok();
        self.flag(
            "dwarves_ledger_conserved",
            "Whether the books hold exactly what came in: always 1.",
            is_conserved,
        );
        self.gauge(
            "dwarves_blocks_lost",
            "Blocks lost after they were deep, and still lost.",
            totals.blocks_lost,
        );
        self.gauge(
            "dwarves_blocks_lost_sats",
            "What those blocks had paid; the reserve bears it.",
            income.lost,
        );
        self.counter(
            "dwarves_work_units_total",
            "Work of all shares, in blocks to be expected.",
            totals.units.to_f64(),
        );
        self.gauge(
            "dwarves_round_effort",
            "Work since the last block, in blocks to be expected.",
            round_effort(totals),
        );
        let luck = luck(totals);
        let ratio = luck.and_then(|luck| luck.ratio()).unwrap_or(f64::NAN);
        self.gauge(
            "dwarves_luck_ratio",
            "Blocks found over blocks to be expected; NaN before the first.",
            ratio,
        );
        let percentile = luck.map_or(f64::NAN, |luck| luck.percentile());
        let help = "The chance to be as unlucky or more so; NaN before the first block.";
        self.gauge("dwarves_luck_percentile_ratio", help, percentile);
    }
}
