//! What is stored, as the actors see it.

use dwarves_domain::blocks::{Accounting, BlockState, CreditKind};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, PayoutId, RoundId, Sequence, TemplateId, WorkerId, WorkerName};
use dwarves_domain::payouts::{Exported, PayoutState, Txid};
use dwarves_domain::rewards::{Credit, Emitted, HalfUnits, Scheme, Source};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::{Amount, Units};
use dwarves_domain::work::{ChainTemplate, FullExtraNonce};

/// A registered miner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinerRow {
    /// The miner's account.
    pub hotkey: Hotkey,
    /// When it registered first.
    pub registered_at: Timestamp,
    /// Where payouts go, if the miner said.
    pub payout_address: Option<String>,
    /// The ban in force or over, if there ever was one that was not lifted.
    pub ban: Option<BanRow>,
    /// What workers came to that were taken out.
    pub gone: CounterRow,
}

/// An operator's decision that a miner may not mine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanRow {
    /// Why, in the operator's words.
    pub reason: String,
    /// When it ends; `None`: when lifted.
    pub until: Option<Timestamp>,
}

/// A worker of a miner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerRow {
    /// The number under which its shares are kept.
    pub id: WorkerId,
    /// The miner whose worker it is.
    pub hotkey: Hotkey,
    /// The worker's name.
    pub name: WorkerName,
}

/// What a worker's shares came to, as saved from time to time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CounterRow {
    /// Shares accepted.
    pub accepted: u64,
    /// Rejected shares by [`dwarves_domain::share::Rejection::index`].
    pub rejected: [u64; 6],
    /// Work of the accepted shares.
    pub units: Units,
    /// Blocks among the accepted shares, whatever became of them.
    pub blocks: u64,
    /// When the last share was accepted.
    pub last_share_at: Option<Timestamp>,
}

impl CounterRow {
    /// Adds what another one came to. `None` if the work does not fit 128 bits.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Option<Self> {
        self.accepted += other.accepted;
        for (sum, n) in self.rejected.iter_mut().zip(other.rejected) {
            *sum += n;
        }
        self.units = self.units.checked_add(other.units)?;
        self.blocks += other.blocks;
        self.last_share_at = self.last_share_at.max(other.last_share_at);
        Some(self)
    }
}

/// A share of a live template, as far as it must be known at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecentShare {
    /// The template that its job was made of.
    pub template: TemplateId,
    /// The header's hash.
    pub hash: HeaderHash,
    /// Its place in the ledger.
    pub sequence: Sequence,
    /// The worker who mined it.
    pub worker: WorkerId,
}

/// An accepted share on its way into the ledger. The store gives it its sequence and running total.
///
/// With the [`TemplateRow`] of its template a row suffices to build the share's 80 bytes of header again, and so to
/// find its hash: the template's coinbase with [`ShareRow::extranonce`] gives the merkle root, previous hash and bits
/// are the template's; version, time and nonce stand here. That holds as long as the template is whole.
/// Later its row has lost its transactions, so what its shares' merkle branch was is known only if there were none,
/// or from the chain if one of them became a block. Rows of databases from before the whole extranonce was kept lack
/// the last four bytes: a job's were zeros, what a session's miner rolled there is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareRow {
    /// The template it was mined on.
    pub template: TemplateId,
    /// The whole extranonce in its coinbase. With the template its first eight bytes name the job, and its first
    /// four the session if the miner rolled the others.
    pub extranonce: FullExtraNonce,
    /// The worker who mined it.
    pub worker: WorkerId,
    /// The share target that was issued with the job.
    pub share_bits: CompactTarget,
    /// What it counts for.
    pub units: Units,
    /// The header's hash.
    pub hash: HeaderHash,
    /// The header's version.
    pub version: u32,
    /// The header's time.
    pub time: u32,
    /// The header's nonce.
    pub nonce: u32,
    /// When the pool received it.
    pub received_at: Timestamp,
    /// Set if it is a block: what is needed to follow it.
    pub block: Option<FoundBlock>,
}

/// A share that is a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundBlock {
    /// The block's height.
    pub height: u32,
    /// What its coinbase pays the pool.
    pub reward: Amount,
    /// Whose worker found it; `None` if a crash lost it.
    pub finder: Option<Hotkey>,
    /// The serialized block, kept until it is deep, so that it can be submitted again.
    pub bytes: Vec<u8>,
}

/// A found block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockRow {
    /// The block's hash.
    pub hash: HeaderHash,
    /// The block's height.
    pub height: u32,
    /// What its coinbase pays the pool.
    pub reward: Amount,
    /// Who found it; `None` if a crash lost it.
    pub finder: Option<Hotkey>,
    /// The share that is this block.
    pub sequence: Sequence,
    /// Units of all shares before that share.
    pub total_before: Units,
    /// Units of that share.
    pub units: Units,
    /// When it was found.
    pub found_at: Timestamp,
    /// What became of it.
    pub state: BlockState,
    /// Confirmations when last looked at.
    pub confirmations: u32,
    /// What the ledger has booked.
    pub accounting: Accounting,
    /// Units of work since the end of the block before it (one that was not refused), fixed when it was
    /// stored: 1 is what was to be expected.
    pub effort: Units,
    /// The serialized block, until it is deep. Only [`super::Store::open_blocks`] gives it; else it is empty.
    pub bytes: Vec<u8>,
}

/// What a block's acceptance credited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockCredits {
    /// The operator's fee.
    pub fee: Amount,
    /// What went to the pool's reserve.
    pub kept: Amount,
    /// The miners' parts.
    pub credits: Vec<Credit>,
}

/// A template that shares refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateRow {
    /// The template's number.
    pub id: TemplateId,
    /// When the pool got it.
    pub received_at: Timestamp,
    /// What the chain proposed.
    pub chain: ChainTemplate,
    /// The script that its coinbase pays.
    pub payout_script: Vec<u8>,
    /// The tag in its coinbase.
    pub tag: String,
}

/// Units of one miner on one template's terms, for schemes that pay by the share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValuedUnits {
    /// The miner whose work it is.
    pub hotkey: Hotkey,
    /// The work, in units as it was issued.
    pub units: Units,
    /// What the template's block newly mints.
    pub subsidy: Amount,
    /// What the template's block pays in all.
    pub coinbase_value: Amount,
}

/// A place in the ledger of shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerPosition {
    /// The last share up to here; 0 before the first.
    pub sequence: Sequence,
    /// Units of all shares up to and including it.
    pub total: Units,
}

/// A closed round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundRow {
    /// The round's number.
    pub id: RoundId,
    /// The date with which it closed.
    pub closed_at: Timestamp,
    /// The scheme by which it split.
    pub scheme: Scheme,
    /// Where its reward came from.
    pub source: Source,
    /// What came in, before the fee.
    pub reward: Amount,
    /// What the operator took.
    pub fee: Amount,
    /// What went to the pool's reserve.
    pub kept: Amount,
    /// What miners were credited.
    pub credited: Amount,
    /// What became of its emission, if it had one and that was kept (since version 150 of the schema).
    pub emitted: Option<Emitted>,
    /// The blocks that it credited.
    pub blocks: Vec<HeaderHash>,
    /// SHA-256 over its content.
    pub digest: [u8; 32],
}

/// A change of a miner's credits: a part of a round, or what became of it since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditRow {
    /// The round that made it.
    pub round: RoundId,
    /// The date with which that round closed.
    pub closed_at: Timestamp,
    /// The miner who is credited.
    pub hotkey: Hotkey,
    /// For which work; none if it is a reversal or a return.
    pub units: HalfUnits,
    /// How much; a reversal takes it.
    pub amount: Amount,
    /// What the entry does: credit, take back, or give again.
    pub kind: CreditKind,
    /// The block that was split, if the round split just one; the block that was orphaned or came back.
    pub block: Option<HeaderHash>,
}

/// A miner's part of a payout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinerPayoutRow {
    /// The payout that pays it.
    pub payout: PayoutId,
    /// Where it is on its way.
    pub state: PayoutState,
    /// Its transaction, once it is signed.
    pub txid: Option<Txid>,
    /// The batch that it was exported in, if somebody else sends it.
    pub exported: Option<Exported>,
    /// Its transaction's confirmations when last looked at.
    pub confirmations: u32,
    /// When its money was set aside.
    pub reserved_at: Timestamp,
    /// When the network first had it, or when it was first marked paid.
    pub sent_at: Option<Timestamp>,
    /// The address that is paid.
    pub address: String,
    /// What is taken from the miner's balance.
    pub amount: Amount,
    /// The network's fee in it.
    pub fee: Amount,
    /// What is out of the ordinary: why it was given up, returned or is not deep any more; empty otherwise.
    pub note: String,
}

/// A control message that an admin sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its place in the trail; 0 until stored.
    pub id: u64,
    /// When the message came.
    pub at: Timestamp,
    /// Who: a hotkey, or `token`.
    pub who: String,
    /// The actor that it was for.
    pub actor: String,
    /// The message's name.
    pub message: String,
    /// Its fields as JSON.
    pub fields: String,
    /// What came of it, as JSON.
    pub outcome: String,
}

/// The setting that says how often operators' sessions were ended.
pub const SESSIONS_ENDED: &str = "admin.sessions_ended";
