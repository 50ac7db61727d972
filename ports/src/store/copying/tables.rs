//! Which tables a ledger is made of, whatever keeps it: their columns, what orders their rows, and the order in which they
//! are copied.

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number of 64 bits.
    Int,
    /// Yes or no.
    Flag,
    /// A number of 128 bits.
    Number,
    /// A float.
    Real,
    /// A text.
    Text,
    /// A text that is kept for ever, byte for byte, and may be kept deflated.
    LongText,
    /// Bytes.
    Bytes,
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds, or nothing.
    pub kind: Kind,
}

/// A table.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns, those first by which rows are ordered.
    pub columns: &'static [Column],
    /// How many columns order the rows. No two rows have the same values there.
    pub key: usize,
    /// Rows with the same values in so many first columns are in one piece.
    pub together: usize,
    /// Rows of a piece, about: fewer where they are large.
    pub piece: u32,
}

impl Table {
    /// The place of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// The table of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TABLES.iter().copied().find(|table| table.name == name)
    }
}

macro_rules! tables {
    ($($name:ident = $text:literal, key $key:literal, together $together:literal, piece $piece:literal:
        [$($column:ident $kind:ident),* $(,)?];)+) => {
        $(#[doc = concat!("`", $text, "`")]
        pub static $name: Table = Table {
            name: $text,
            columns: &[$(Column { name: stringify!($column), kind: Kind::$kind }),*],
            key: $key,
            together: $together,
            piece: $piece,
        };)+

        /// All tables, in the order in which they are copied: what others refer to comes first.
        pub static TABLES: &[&Table] = &[$(&$name),+];
    };
}

tables! {
    POOL = "pool", key 1, together 0, piece 1: [
        id Int, created_at Int, life Int, next_worker Int, live_from Int, counters_through Int, pruned_through Int,
        history_through Int, minutes_from Int, hours_from Int, days_from Int, counted_to Int, passed_time Int,
        epoch_start Int, epoch_after Int, ended_start Int, ended_after Int,
    ];
    LIVES = "lives", key 1, together 0, piece 1000: [life Int, started_at Int, stopped_at Int];
    MINERS = "miners", key 1, together 0, piece 5000: [hotkey Bytes, registered_at Int, payout_address Text];
    BANS = "bans", key 1, together 0, piece 5000: [hotkey Bytes, reason Text, ends_at Int];
    WORKERS = "workers", key 1, together 0, piece 5000: [
        id Int, hotkey Bytes, name Text, accepted Int, rejected_unknown_job Int, rejected_stale Int,
        rejected_duplicate Int, rejected_low_difficulty Int, rejected_time_out_of_range Int,
        rejected_version_out_of_mask Int, units Number, blocks Int, last_share_at Int, gone_after Int, removed Flag,
    ];
    MINER_TOTALS = "miner_totals", key 1, together 0, piece 5000: [
        hotkey Bytes, accepted Int, rejected_unknown_job Int, rejected_stale Int, rejected_duplicate Int,
        rejected_low_difficulty Int, rejected_time_out_of_range Int, rejected_version_out_of_mask Int, units Number,
        blocks Int, last_share_at Int,
    ];
    NONCES = "nonces", key 2, together 0, piece 5000: [hotkey Bytes, nonce Int, expires_at Int];
    TEMPLATES = "templates", key 1, together 0, piece 4: [
        id Int, received_at Int, height Int, previous Bytes, version Int, version_mask Int, bits Int, time Int,
        time_min Int, time_max Int, subsidy Int, coinbase_value Int, coinbase_form Text, witness_commitment Bytes,
        payout_script Bytes, tag Text, retired Flag, first_share Int, last_share Int, trailer Bytes, transactions Bytes,
    ];
    SHARES = "shares", key 1, together 0, piece 20000: [
        sequence Int, template Int, worker Int, share_bits Int, version Int, time Int, nonce Int, received_at Int,
        units Number, extranonce Bytes, hash Bytes,
    ];
    BLOCKS = "blocks", key 1, together 0, piece 16: [
        id Int, hash Bytes, height Int, reward Int, finder Bytes, sequence Int, total_before Number, units Number,
        found_at Int, state Text, confirmations Int, accounting Text, effort Number, bytes Bytes,
    ];
    BLOCK_STATES = "block_states", key 1, together 0, piece 5000: [id Int, block Bytes, state Text, at Int];
    ROUNDS = "rounds", key 1, together 0, piece 5000: [
        id Int, closed_at Int, scheme Text, source Text, reward Int, fee Int, kept Int, credited Int, through Int,
        digest Bytes,
    ];
    ROUND_EMISSIONS = "round_emissions", key 1, together 0, piece 5000: [
        round Int, amount Int, brought Int, carried Int, burnt Int,
    ];
    ROUND_WORKINGS = "round_workings", key 1, together 0, piece 5000: [round Int, fee_bps Int, splits Int];
    ROUND_SPLITS = "round_splits", key 3, together 1, piece 5000: [
        round Int, place Int, hotkey Bytes, half_steps Number,
    ];
    ROUND_PAID = "round_paid", key 3, together 1, piece 5000: [round Int, hotkey Bytes, value Int, work Number];
    CREDITED_BLOCKS = "credited_blocks", key 1, together 0, piece 5000: [
        hash Bytes, round Int, place Int, fee Int, kept Int,
    ];
    BLOCK_CREDITS = "block_credits", key 2, together 1, piece 5000: [hash Bytes, hotkey Bytes, amount Int];
    CREDITS = "credits", key 1, together 0, piece 10000: [
        id Int, round Int, hotkey Bytes, half_steps Number, amount Int, kind Text, block Bytes,
    ];
    PAYOUTS = "payouts", key 1, together 0, piece 200: [
        id Int, state Text, reserved_at Int, sent_at Int, changed_at Int, fee_payer Text, fee_rate Int, txid Bytes,
        bytes Bytes, inputs Bytes, fee Int, confirmations Int, is_watched Flag, note Text, batch Text, reference Text,
    ];
    PAYOUT_PARTS = "payout_parts", key 2, together 0, piece 5000: [
        payout Int, place Int, hotkey Bytes, address Text, amount Int, fee Int, borne Int,
    ];
    JOURNAL = "journal", key 1, together 0, piece 10000: [
        id Int, at Int, round Int, payout Int, step Text, account Text, hotkey Bytes, delta Int,
    ];
    BALANCES = "balances", key 2, together 0, piece 10000: [account Text, hotkey Bytes, amount Int];
    SUMS = "sums", key 1, together 0, piece 1000: [name Text, sats Int];
    CARRIED = "carried", key 1, together 0, piece 5000: [hotkey Bytes, remainder Number];
    PAYOUT_THRESHOLDS = "payout_thresholds", key 1, together 0, piece 5000: [hotkey Bytes, amount Int];
    PAYOUT_BATCHES = "payout_batches", key 1, together 0, piece 4: [
        id Int, name Text, at Int, first_payout Int, payouts Int, total Int, previous Bytes, digest Bytes, signer Bytes,
        signature Bytes, csv_signature Bytes, text LongText, csv LongText,
    ];
    SETTINGS = "settings", key 1, together 0, piece 1000: [name Text, value Text];
    AUDIT = "audit", key 1, together 0, piece 2000: [
        id Int, at Int, who Text, actor Text, message Text, fields Text, outcome Text,
    ];
    NOTICES = "notices", key 1, together 0, piece 2000: [
        id Int, key Text, kind Text, at Int, text Text, detail Text, planned Flag,
    ];
    DELIVERIES = "deliveries", key 2, together 0, piece 5000: [notice Int, channel Text, failures Int, next_at Int];
    SUBSCRIPTIONS = "subscriptions", key 1, together 0, piece 1000: [hotkey Bytes, record Text];
    MINER_NOTICES = "miner_notices", key 3, together 0, piece 2000: [
        hotkey Bytes, channel Text, key Text, kind Text, at Int, text Text, detail Text, failures Int, next_at Int,
    ];
    WATCHES = "watches", key 1, together 0, piece 5000: [
        id Bytes, hotkey Bytes, name Text, created_at Int, expires_at Int,
    ];
    SUBMISSIONS = "submissions", key 1, together 0, piece 200: [
        sequence Int, id Bytes, hotkey Bytes, worker Text, digest Bytes, received_at Int, evaluated_at Int, loss Number,
        score Number, metadata Text, fault Text, detail Text, work Text,
    ];
    STATEMENTS = "statements", key 1, together 0, piece 4: [
        start Int, ends Int, after_share Int, through_share Int, previous Bytes, digest Bytes, signer Bytes,
        signature Bytes, text LongText,
    ];
    EPOCH_REJECTS = "epoch_rejects", key 3, together 0, piece 5000: [
        hotkey Bytes, worker Text, at Int, rejected_unknown_job Int, rejected_stale Int, rejected_duplicate Int,
        rejected_low_difficulty Int, rejected_time_out_of_range Int, rejected_version_out_of_mask Int,
    ];
    WORKER_HISTORY = "worker_history", key 3, together 1, piece 20000: [
        whose Int, step Int, at Int, accepted Int, units Number, hashes Real, squares Real, rejected_unknown_job Int,
        rejected_stale Int, rejected_duplicate Int, rejected_low_difficulty Int, rejected_time_out_of_range Int,
        rejected_version_out_of_mask Int, last_bits Int,
    ];
    MINER_HISTORY = "miner_history", key 3, together 1, piece 20000: [
        whose Bytes, step Int, at Int, accepted Int, units Number, hashes Real, squares Real, rejected_unknown_job Int,
        rejected_stale Int, rejected_duplicate Int, rejected_low_difficulty Int, rejected_time_out_of_range Int,
        rejected_version_out_of_mask Int, miners Int, workers Int,
    ];
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn tables_have_names_of_their_own_and_are_ordered_by_columns_that_they_have() {
        let names: BTreeSet<_> = TABLES.iter().map(|table| table.name).collect();
        assert_eq!(names.len(), TABLES.len());
        for table in TABLES {
            assert!((1..=table.columns.len()).contains(&table.key), "{}", table.name);
            assert!(table.together < table.key && table.piece > 0, "{}", table.name);
            assert_eq!(Table::named(table.name), Some(*table));
            let columns: BTreeSet<_> = table.columns.iter().map(|column| column.name).collect();
            assert_eq!(columns.len(), table.columns.len(), "{}", table.name);
        }
        assert_eq!(Table::named("fronts"), None);
    }
}
