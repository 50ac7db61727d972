//! One block, one payout, one share; and luck.

use std::borrow::Cow;

use dwarves_domain::address::{AddressFormat, PayoutAddress};
use dwarves_domain::payouts::{Payout, PayoutState};
use dwarves_domain::statistics;
use dwarves_domain::units::Amount;
use dwarves_domain::work::coinbase::DecodedCoinbase;
use dwarves_ports::store::PayoutRow;
use serde::{Deserialize, Serialize};

use crate::books::Block;
use crate::named::{BlockStateName, PayoutStateName};
use crate::scalars::{Hash, Instant, Ss58};

/// A block that the pool found, with all that is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BlockDetails {
    /// The block as it is listed.
    #[serde(flatten)]
    pub block: Block,
    /// Its share's number, or that of the last share before it if its own was lost.
    pub sequence: u64,
    /// The worker who found it; null if its share was lost or is not kept any more, or its name is hidden.
    pub worker: Option<String>,
    /// Subsidy and fees: what its coinbase pays in all; null if the coinbase is not known any more.
    pub value_sats: Option<u64>,
    /// The difficulty that it had to meet; null if that is not known any more.
    pub network_difficulty: Option<f64>,
    /// The chance that a block had come with this effort: 1 - exp(-effort).
    pub probability: f64,
    /// The last share before its work began: that of the block before; null for the first block.
    pub share_before: Option<u64>,
    /// Its coinbase, taken apart; null if neither the block nor its share is kept any more.
    pub coinbase: Option<Coinbase>,
    /// What the books say of it.
    pub books: BlockBooks,
    /// The states that it went through, oldest first.
    pub states: Vec<BlockStep>,
    /// The round that credited it; null until one did.
    pub round: Option<u64>,
    /// The names of fields that are hidden from the asker (`[privacy]`); absent if none is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<String>,
}

/// A coinbase transaction, taken apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Coinbase {
    /// The transaction in hex, as it stands in the block.
    pub hex: String,
    /// Its id, as explorers write it.
    pub txid: String,
    /// The height in its script (BIP34).
    pub height: Option<u32>,
    /// The pool's words in it.
    pub tag: String,
    /// What it pays.
    pub outputs: Vec<CoinbaseOutput>,
    /// The commitment to all witnesses of the block, in hex (BIP141); null if there is none.
    pub witness_commitment: Option<String>,
}

/// One output of a coinbase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CoinbaseOutput {
    /// How much it pays.
    pub value_sats: u64,
    /// The script that is paid, in hex.
    pub script_hex: String,
    /// The address that is paid; null if the script is of no kind that addresses are written for.
    pub address: Option<String>,
    /// Whether it pays the pool.
    pub is_pool: bool,
}

impl Coinbase {
    /// The coinbase as the API shows it, on a chain with these addresses. `is_pool` says which scripts are the pool's.
    pub fn new(
        coinbase: &DecodedCoinbase,
        addresses: AddressFormat,
        is_pool: impl Fn(&[u8]) -> bool,
    ) -> Self {
        let outputs = coinbase.outputs.iter().map(|output| CoinbaseOutput {
            value_sats: output.value.sats(),
            script_hex: hex::encode(&output.script),
            address: PayoutAddress::of_script(&output.script, addresses).map(|address| address.to_string()),
            is_pool: is_pool(&output.script),
        });
        Self {
            hex: hex::encode(&coinbase.bytes),
            txid: coinbase.txid.to_string(),
            height: coinbase.height,
            tag: coinbase.tag.clone(),
            outputs: outputs.collect(),
            witness_commitment: coinbase.witness_commitment.map(hex::encode),
        }
    }
}

/// What the books say of a block: reward = fee + credited + kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BlockBooks {
    /// What its coinbase pays the pool, as it was booked.
    pub reward_sats: u64,
    /// The operator's fee; null until a round credited it.
    pub fee_sats: Option<u64>,
    /// What miners were credited; null until a round did.
    pub credited_sats: Option<u64>,
    /// What went to the pool's reserve; null until a round credited it.
    pub kept_sats: Option<u64>,
    /// Whether the coinbase pays the pool as much as is booked, and the parts add up to it, as far as they are known;
    /// null if there is nothing to compare.
    pub matches: Option<bool>,
}

/// A state of a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BlockStep {
    /// Which.
    pub state: BlockStateName,
    /// When the pool learnt it; null if nobody kept that.
    pub at: Option<Instant>,
}

/// Luck over the last blocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Luck {
    /// Over the last 10, 50 and 250 blocks.
    pub windows: Vec<LuckWindow>,
}

/// Luck over so many of the last blocks. Where 1 lies between `low` and `high`, chance explains it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LuckWindow {
    /// How many blocks it is about.
    pub blocks: u32,
    /// How many of them there are: fewer while the pool found fewer.
    pub found: u64,
    /// How many were to be expected of the work that they took.
    pub expected: f64,
    /// Found over expected; null before the first block.
    pub luck: Option<f64>,
    /// The lower end of its 95 % interval: the 2.5 % quantile of the Gamma distribution of shape `found`, over
    /// `expected`.
    pub low: Option<f64>,
    /// The upper end: the 97.5 % quantile.
    pub high: Option<f64>,
    /// The chance to be as unlucky as this or more so: P(Gamma(found) >= expected).
    pub percentile: Option<f64>,
}

impl LuckWindow {
    /// What the last `blocks` blocks say.
    pub fn new(blocks: u32, window: statistics::LuckWindow) -> Self {
        let interval = window.interval();
        Self {
            blocks,
            found: window.found,
            expected: window.expected,
            luck: window.ratio(),
            low: interval.map(|(low, _)| low),
            high: interval.map(|(_, high)| high),
            percentile: window.percentile(),
        }
    }
}

/// A payout: one transaction to miners.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PayoutSummary {
    /// The payout's number.
    pub id: u64,
    /// Where it is on its way, as in a miner's payouts.
    #[cfg_attr(feature = "schema", schema(schema_with = crate::schema::payout_state))]
    pub state: PayoutStateName,
    /// The transaction's id, as explorers write it; null until it is signed.
    pub txid: Option<String>,
    /// The transaction's confirmations when last looked at; 0 until a block has it.
    pub confirmations: u32,
    /// How many miners' parts it has.
    pub miners: u64,
    /// What was set aside for them, with the network's fee that they bear.
    pub debited_sats: u64,
    /// What the network takes; null until it is signed.
    pub fee_sats: Option<u64>,
    /// Who bears the network's fee: `pool` or `miners`.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub fee_payer: Cow<'static, str>,
    /// What the network is offered for each virtual byte; 0 if somebody else sends it.
    pub fee_rate_sats: u32,
    /// When the money was set aside.
    pub reserved_at: Instant,
    /// When it was first sent; null until then.
    pub sent_at: Option<Instant>,
    /// When its state changed last.
    pub changed_at: Instant,
    /// What is out of the ordinary, in words; null if nothing is.
    pub note: Option<String>,
    /// The batch that it was exported in, if somebody else sends it; null otherwise.
    pub batch: Option<String>,
    /// By what it was paid, if somebody else sent it; null until it is marked so.
    pub reference: Option<String>,
}

impl PayoutSummary {
    fn new(payout: &Payout, miners: u64, debited: Amount) -> Self {
        let signed = payout.signed.as_ref();
        let exported = payout.exported.as_ref();
        let reference = exported.and_then(|exported| exported.reference.as_ref());
        Self {
            id: payout.id.get(),
            state: payout.state.into(),
            txid: signed.map(|signed| signed.txid.to_string()),
            confirmations: payout.confirmations,
            miners,
            debited_sats: debited.sats(),
            fee_sats: signed.map(|signed| signed.fee.sats()),
            fee_payer: payout.payer.name().into(),
            fee_rate_sats: match exported {
                Some(_) => 0,
                None => payout.fee_rate.sats_per_vbyte(),
            },
            reserved_at: Instant(payout.reserved_at),
            sent_at: payout.sent_at.map(Instant),
            changed_at: Instant(payout.changed_at),
            note: Some(payout.note.clone()).filter(|note| !note.is_empty()),
            batch: exported.map(|exported| exported.batch.to_string()),
            reference: reference.map(ToString::to_string),
        }
    }
}

impl From<PayoutRow> for PayoutSummary {
    fn from(row: PayoutRow) -> Self {
        Self::new(&row.payout, row.parts, row.total)
    }
}

/// A page of payouts, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Payouts {
    /// The payouts, newest first.
    pub payouts: Vec<PayoutSummary>,
    /// The `cursor` of the next page; null on the last.
    pub next_cursor: Option<String>,
}

/// A payout with its parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PayoutDetails {
    /// The payout as it is listed.
    #[serde(flatten)]
    pub payout: PayoutSummary,
    /// Its steps as far as their times are kept, oldest first.
    pub steps: Vec<PayoutStep>,
    /// Each miner's part; of those that are hidden, the asker's own alone.
    pub parts: Vec<PayoutPart>,
    /// The names of fields of which something is hidden from the asker (`[privacy]`); absent if none is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<String>,
}

/// A step of a payout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PayoutStep {
    /// The state that it came into.
    #[cfg_attr(feature = "schema", schema(schema_with = crate::schema::payout_state))]
    pub state: PayoutStateName,
    /// When.
    pub at: Instant,
}

/// A miner's part of a payout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PayoutPart {
    /// Whose, in SS58.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub hotkey: Ss58,
    /// The address that is paid.
    pub address: String,
    /// How much the miner gets.
    pub amount_sats: u64,
    /// The network's fee that the miner bears; 0 if the pool pays it.
    pub fee_sats: u64,
    /// What is taken from the miner's balance: both of them.
    pub debited_sats: u64,
}

impl PayoutDetails {
    /// A payout with those of its parts that may be shown.
    pub fn new(payout: &Payout, is_shown: impl Fn(&dwarves_domain::payouts::Part) -> bool) -> Self {
        let mut steps = vec![(PayoutState::Reserved, payout.reserved_at)];
        if let Some(sent_at) = payout.sent_at {
            steps.push((PayoutState::Broadcast, sent_at));
        }
        if steps.last().is_none_or(|(last, _)| *last != payout.state) {
            steps.push((payout.state, payout.changed_at));
        }
        let parts: Vec<_> = payout.parts.iter().filter(|part| is_shown(part)).collect();
        let is_hidden = parts.len() < payout.parts.len();
        Self {
            payout: PayoutSummary::new(payout, payout.parts.len() as u64, payout.total()),
            steps: steps
                .into_iter()
                .map(|(state, at)| PayoutStep {
                    state: state.into(),
                    at: Instant(at),
                })
                .collect(),
            parts: parts
                .into_iter()
                .map(|part| PayoutPart {
                    hotkey: Ss58(part.hotkey),
                    address: part.address.clone(),
                    amount_sats: part.amount.checked_sub(part.fee).unwrap_or(Amount::ZERO).sats(),
                    fee_sats: part.fee.sats(),
                    debited_sats: part.amount.sats(),
                })
                .collect(),
            hidden: if is_hidden {
                vec!["parts".to_owned()]
            } else {
                Vec::new()
            },
        }
    }
}

/// An accepted share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Share {
    /// Its number: 1, 2, 3, … in the order in which shares count.
    pub sequence: u64,
    /// Its header's hash.
    pub hash: Hash,
    /// The miner whose it is, in SS58.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub hotkey: Ss58,
    /// The worker who mined it; null if names are hidden from the asker.
    pub worker: Option<String>,
    /// When the pool received it.
    pub at: Instant,
    /// The number of the template that it was mined on.
    pub template: u32,
    /// The height of the block that it was to become.
    pub height: u32,
    /// The difficulty that was issued with its job: what it counts for.
    pub issued_difficulty: f64,
    /// The network's difficulty at that time.
    pub network_difficulty: f64,
    /// What it counts for: issued over network difficulty, an exact decimal.
    pub units: String,
    /// The work of all shares before it, an exact decimal.
    pub units_before: String,
    /// Whether it is a block.
    pub is_block: bool,
    /// The block that it is; null if it is none.
    pub block: Option<Hash>,
    /// What became of that block; null if it is none.
    pub block_state: Option<BlockStateName>,
    /// The first round that closed after it; null until one did. Which rounds pay it depends on the scheme: see
    /// docs/rewards.md.
    pub round: Option<u64>,
    /// Its header's version, in hex as miners write it.
    pub version_hex: String,
    /// Its header's time, Unix seconds.
    pub time: u32,
    /// Its header's nonce, in hex as miners write it.
    pub nonce_hex: String,
    /// Its coinbase's extranonce, in hex.
    pub extranonce_hex: String,
    /// The names of fields that are hidden from the asker (`[privacy]`); absent if none is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<String>,
}
