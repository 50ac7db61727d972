//! What an operator sees of the pool, in one document.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::chain::NodeState;
use crate::scalars::{Instant, Ss58};

/// Something that hinders the pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Hindrance {
    /// Its name.
    pub name: String,
    /// What is so, in words.
    pub text: String,
    /// What an operator can do.
    pub remedy: String,
    /// Where the runbook speaks of it: `RUNBOOK.md#section`.
    pub runbook: String,
    /// The title of that section.
    pub section: String,
}

/// An actor and its mailbox: of several of a kind, all together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ActorState {
    /// Its name, such as `miner_manager`.
    pub name: String,
    /// Questions that wait for it, or that it deals with.
    pub mailbox: u64,
    /// Messages that its mailbox takes.
    pub mailbox_max: u64,
    /// Messages that were turned away since the start, because it was full.
    pub refused: u64,
    /// 99 of 100 questions kept its thread for less, in milliseconds; null while there were none.
    pub handling_p99_ms: Option<f64>,
}

/// How the ledger writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CommitState {
    /// Commits since the start.
    pub count: u64,
    /// Half of them took less, in milliseconds; null while there were none.
    pub p50_ms: Option<f64>,
    /// 99 of 100 took less, in milliseconds.
    pub p99_ms: Option<f64>,
    /// Half of them had fewer writes.
    pub batch_p50: Option<f64>,
}

/// What the pool has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Assets {
    /// Coins of blocks that are not deep yet.
    #[cfg_attr(feature = "schema", schema(value_type = i64))]
    pub immature_sats: i128,
    /// Coins that blocks and emissions brought for good, less what was paid and what the network took.
    #[cfg_attr(feature = "schema", schema(value_type = i64))]
    pub confirmed_sats: i128,
    /// Both.
    #[cfg_attr(feature = "schema", schema(value_type = i64))]
    pub total_sats: i128,
}

/// What the pool owes, and its own money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Liabilities {
    /// Parts of blocks that are not deep yet.
    #[cfg_attr(feature = "schema", schema(value_type = i64))]
    pub immature_sats: i128,
    /// Owed to miners and free to be paid.
    #[cfg_attr(feature = "schema", schema(value_type = i64))]
    pub payable_sats: i128,
    /// Set aside for payouts that are under way.
    #[cfg_attr(feature = "schema", schema(value_type = i64))]
    pub in_flight_sats: i128,
    /// The operator's fees.
    #[cfg_attr(feature = "schema", schema(value_type = i64))]
    pub fee_sats: i128,
    /// The pool's reserve. Below zero the operator owes it.
    #[cfg_attr(feature = "schema", schema(value_type = i64))]
    pub reserve_sats: i128,
    /// All of them.
    #[cfg_attr(feature = "schema", schema(value_type = i64))]
    pub total_sats: i128,
}

/// The books: what the pool has is what it owes and its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BooksState {
    /// What the pool has.
    pub assets: Assets,
    /// What it owes, and its own.
    pub liabilities: Liabilities,
    /// Assets less liabilities: always 0.
    #[cfg_attr(feature = "schema", schema(value_type = i64))]
    pub difference_sats: i128,
    /// What miners were paid so far.
    #[cfg_attr(feature = "schema", schema(value_type = i64))]
    pub paid_sats: i128,
    /// What the network took for it.
    #[cfg_attr(feature = "schema", schema(value_type = i64))]
    pub network_fees_sats: i128,
}

/// A payout that is under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OpenPayoutState {
    /// Its number.
    pub id: u64,
    /// Where it is on its way.
    pub state: String,
    /// Its transaction, once it is signed.
    pub txid: Option<String>,
    /// The transaction's confirmations.
    pub confirmations: u32,
    /// When its money was set aside.
    pub reserved_at: Instant,
}

/// How payouts are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PayoutsState {
    /// Whether an operator paused them.
    pub paused: bool,
    /// Why none may leave.
    pub holds: Vec<Hindrance>,
    /// What hinders them.
    pub troubles: Vec<Hindrance>,
    /// Those that are under way, oldest first: at most 100.
    pub open: Vec<OpenPayoutState>,
    /// Whether somebody else sends them: an operator begins batches, and nothing is planned.
    pub by_export: bool,
    /// When the next one is planned; null if they are exported.
    pub next_plan_at: Option<Instant>,
}

/// Settings that operators change while the pool runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OperatorSettings {
    /// How often a round closes.
    pub run_interval_secs: u64,
    /// The operator's fee in ten-thousandths.
    pub fee_bps: u16,
    /// The balance from which miners are paid who chose none.
    pub threshold_sats: u64,
    /// Whether new miners are taken.
    pub registration_open: bool,
    /// Whether an operator paused the closing of rounds.
    pub rounds_paused: bool,
}

/// A miner who may not mine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BanState {
    /// Who, in SS58.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub hotkey: Ss58,
    /// Why, in the operator's words.
    pub reason: String,
    /// Until when; null: until it is lifted.
    pub until: Option<Instant>,
}

/// The last backup that `dwarves backup` made of this ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BackupState {
    /// When; null: never.
    pub last_at: Option<Instant>,
    /// How long ago.
    pub age_secs: Option<u64>,
    /// How large it is.
    pub bytes: Option<u64>,
}

/// What `dwarves backup` writes beside the ledger.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct BackupRecord {
    /// When it was made.
    pub finished_at: Instant,
    /// How large it is.
    pub bytes: Option<u64>,
}

/// How the making of statements goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StatementsState {
    /// How long an epoch is; 0: no statements are made.
    pub epoch_secs: u32,
    /// The epoch that is open: the second since 1970 with which it began.
    pub open: Option<u64>,
    /// The last one that is stated.
    pub stated: Option<u64>,
    /// For how long an epoch has been over that is not stated; 0: none is.
    pub overdue_secs: u64,
    /// Why statements wait, in words, if they do.
    pub hindrance: Option<String>,
}

/// One of the processes that share the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FrontState {
    /// Its number.
    pub number: u32,
    /// What its operator calls it (`front.name`).
    pub name: String,
    /// Whether it leads: the others pass on to it whoever comes to them.
    pub leads: bool,
    /// Whether it said in the last 3 s that it lives.
    pub lives: bool,
    /// Whether it has a link with the one that leads, and serves miners on Stratum, too.
    pub linked: bool,
    /// For how long it has had no link that it should have, in milliseconds; null while it has one or need not.
    #[serde(default)]
    pub unlinked_ms: Option<u64>,
    /// How long it has said nothing, in milliseconds.
    pub silent_ms: u64,
    /// Since when it runs.
    pub since: Instant,
    /// The version of the pool that it runs.
    pub version: String,
    /// Where the others reach its listeners, by their settings.
    pub listeners: BTreeMap<String, String>,
}

/// How the standby is that pages are read from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StandbyState {
    /// Where it is: its database and host.
    pub place: String,
    /// Whether it answers pages; otherwise the primary does.
    pub answers: bool,
    /// By how many seconds it is behind; null while that is not known.
    pub lag_secs: Option<f64>,
    /// By how many it may be: `store.read_lag_max_secs`.
    pub lag_max_secs: u64,
    /// Why it does not answer; null while it does.
    pub why: Option<String>,
}

/// The pool, as its operator sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AdminState {
    /// `starting`, `running`, `paused` or `draining`.
    pub pool_state: String,
    /// When the pool was started.
    pub started_at: Instant,
    /// What hinders it.
    pub hindrances: Vec<Hindrance>,
    /// Every actor and its mailbox.
    pub actors: Vec<ActorState>,
    /// How the ledger writes.
    pub commit: CommitState,
    /// The standby that pages are read from; null if there is none.
    pub standby: Option<StandbyState>,
    /// The books.
    pub books: BooksState,
    /// The chain's nodes, the preferred one first.
    pub nodes: Vec<NodeState>,
    /// How payouts are.
    pub payouts: PayoutsState,
    /// How the making of statements goes; null if the notary does not say so.
    pub statements: Option<StatementsState>,
    /// What operators change.
    pub settings: OperatorSettings,
    /// Who may not mine: at most 100.
    pub bans: Vec<BanState>,
    /// The last backup.
    pub backup: BackupState,
    /// The fronts that share the ledger, by number; empty if it is a file.
    #[serde(default)]
    pub fronts: Vec<FrontState>,
}
