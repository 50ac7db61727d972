//! A ledger of very many shares, written through the store as a pool writes it, and what a round reads and writes on it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dwarves_domain::blocks::{BlockState, Booking};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, RoundId, Sequence, TemplateId, WorkerId};
use dwarves_domain::rewards::{BlockReward, RoundInput, Scheme, Source, close, pplns};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::units::{Amount, BasisPoints, Units};
use dwarves_domain::work::{ChainTemplate, CoinbaseForm, FullExtraNonce};
use dwarves_ports::store::{
    CounterRow, FoundBlock, PageRequest, ShareRow, SharedStore, TemplateRow, WorkerRow, Write,
};
use sha2::{Digest, Sha256};

use crate::Error;

/// Miners, each with as many workers.
const MINERS: u32 = 100;
const WORKERS: u32 = 4 * MINERS;
/// The time over which the shares came, whatever their number, and up to now.
const OVER: Span = Span::from_secs(86_400);
/// What comes after them, with the rounds, does not come from the future.
const ROUNDS_OVER: Span = Span::from_secs(600);
/// Shares of a commit.
const COMMIT: u64 = 5_000;
/// Shares at the ledger's end that are not in the workers' saved counters.
const UNCOUNTED: u64 = 10_000;
/// Shares of a window, and what the window is.
const WINDOW_SHARES: u128 = 500_000;
const WINDOW: Units = Units::from_raw(2 * Units::ONE.raw());
const SHARE: Units = Units::from_raw(WINDOW.raw() / WINDOW_SHARES);
/// Shares between two rounds.
const ROUND_SHARES: u64 = 100;
/// How often it is said how far it is.
const SAID_EVERY: u64 = 5_000_000;
/// What blocks pay.
const REWARD: Amount = match Amount::from_sats(312_500_000) {
    Some(reward) => reward,
    None => Amount::ZERO,
};

/// A miner of such a ledger.
pub(crate) fn miner(number: u32) -> Hotkey {
    Hotkey::from_bytes(Sha256::digest(format!("miner {number}")).into())
}

/// The date, by the machine's clock.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp::from_millis(since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
}

/// A ledger that is being filled.
pub(crate) struct Filling {
    store: SharedStore,
    template: TemplateId,
    first_worker: u32,
    /// Of this filling.
    shares: u64,
    /// When its first share came.
    begin: Timestamp,
    /// How many there are to be.
    goal: u64,
    rounds: u64,
}

impl Filling {
    /// Begins on a ledger that has no shares.
    pub(crate) async fn begin(store: SharedStore, goal: u64) -> Result<Self, Error> {
        let begin = now().minus(OVER).minus(ROUNDS_OVER);
        let stored = store.start(begin).await?;
        let filling = Self {
            store,
            template: stored.next_template,
            first_worker: stored.next_worker.get(),
            shares: 0,
            begin,
            goal,
            rounds: 0,
        };
        let mut writes = vec![
            Write::SaveTemplate(Box::new(filling.template_row())),
            Write::NumberWorkers {
                next: WorkerId::new(filling.first_worker + WORKERS),
            },
        ];
        writes.extend((0..MINERS).map(|number| Write::RegisterMiner {
            hotkey: miner(number),
            payout_address: None,
            at: begin,
        }));
        for number in 0..WORKERS {
            writes.push(Write::AddWorker(WorkerRow {
                id: WorkerId::new(filling.first_worker + number),
                hotkey: miner(number % MINERS),
                name: format!("rig{}", number / MINERS).parse()?,
            }));
        }
        filling.store.commit(writes).await?;
        Ok(filling)
    }

    fn template_row(&self) -> TemplateRow {
        let time = u32::try_from(self.begin.secs()).unwrap_or_default();
        TemplateRow {
            id: self.template,
            received_at: self.begin,
            chain: ChainTemplate {
                height: 900_000,
                previous: HeaderHash::from_bytes([0; 32]),
                version: 0x2000_0000,
                version_mask: 0x1fff_e000,
                bits: CompactTarget::from_bits(0x1702_6c0b),
                time,
                time_min: time,
                time_max: u32::MAX,
                subsidy: REWARD,
                coinbase_value: REWARD,
                coinbase_form: CoinbaseForm::Bip54,
                witness_commitment: None,
                transactions: Vec::new(),
                trailer: Vec::new(),
            },
            payout_script: vec![0x51],
            tag: String::new(),
        }
    }

    /// The next share. All workers bring as many.
    fn next(&mut self) -> ShareRow {
        let number = self.shares;
        self.shares += 1;
        let passed = u128::from(OVER.millis()) * u128::from(number) / u128::from(self.goal);
        let received_at = self
            .begin
            .plus(Span::from_millis(u64::try_from(passed).unwrap_or(u64::MAX)));
        let mut extranonce = [0x20; 12];
        extranonce[4..].copy_from_slice(&number.to_be_bytes());
        let hash: [u8; 32] = Sha256::digest(number.to_le_bytes()).into();
        ShareRow {
            template: self.template,
            extranonce: FullExtraNonce::from_bytes(extranonce),
            worker: WorkerId::new(
                self.first_worker + u32::try_from(number % u64::from(WORKERS)).unwrap_or_default(),
            ),
            share_bits: CompactTarget::from_bits(0x1b00_ffff),
            units: SHARE,
            hash: HeaderHash::from_bytes(hash),
            version: 0x2000_0000,
            time: u32::try_from(received_at.secs()).unwrap_or_default(),
            nonce: u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]),
            received_at,
            block: None,
        }
    }

    fn some(&mut self, count: u64) -> Vec<ShareRow> {
        (0..count).map(|_| self.next()).collect()
    }

    /// Writes all of its shares, each commit durable before the next but one is made.
    pub(crate) async fn fill(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        let mut under_way = None;
        while self.shares < self.goal {
            let count = COMMIT.min(self.goal - self.shares);
            let mut writes = vec![Write::AppendShares(self.some(count))];
            let counted = self.goal.saturating_sub(UNCOUNTED);
            // Once, when they are reached.
            if (self.shares - count..self.shares).contains(&counted) {
                writes.push(self.counters());
            }
            let next = self.store.commit(writes);
            if let Some(before) = under_way.replace(next) {
                before.await?;
            }
            if self.shares.is_multiple_of(SAID_EVERY) {
                println!(
                    "{} shares after {:.0} s",
                    self.shares,
                    began.elapsed().as_secs_f64()
                );
            }
        }
        if let Some(last) = under_way {
            last.await?;
        }
        let rate = self.goal as f64 / began.elapsed().as_secs_f64();
        println!("{} shares were written, {rate:.0} a second", self.goal);
        Ok(())
    }

    /// What the workers' shares came to before the present commit.
    fn counters(&self) -> Write {
        let before = self.shares.saturating_sub(COMMIT) / u64::from(WORKERS) * u64::from(WORKERS);
        let each = before / u64::from(WORKERS);
        let counter = CounterRow {
            accepted: each,
            units: Units::from_raw(SHARE.raw() * u128::from(each)),
            last_share_at: Some(now()),
            ..CounterRow::default()
        };
        let workers = (0..WORKERS).map(|number| WorkerId::new(self.first_worker + number));
        Write::SaveCounters {
            at: now(),
            through: Sequence::new(before),
            counters: workers.map(|worker| (worker, counter.clone())).collect(),
        }
    }

    /// Some more shares, the last of them a block, and a round that pays it. How long it took from the first question to
    /// the round's commit, with all that a reward distributor asks.
    pub(crate) async fn round(&mut self) -> Result<Duration, Error> {
        let mut shares = self.some(ROUND_SHARES);
        let last = shares.last_mut().ok_or("a round without shares")?;
        last.block = Some(FoundBlock {
            height: 900_001 + u32::try_from(self.rounds)?,
            reward: REWARD,
            finder: Some(miner(0)),
            bytes: vec![0; 300],
        });
        let found = last.hash;
        self.store.commit(vec![Write::AppendShares(shares)]).await?;
        let state = Write::SetBlockState {
            hash: found,
            state: BlockState::Immature,
            confirmations: 1,
            at: now(),
            block: None,
        };
        self.store.commit(vec![state]).await?;
        self.rounds += 1;
        let begin = Instant::now();
        let closed_at = now();
        let end = self.store.position_at(Timestamp::from_millis(i64::MAX)).await?;
        self.store.position_at(closed_at.minus(OVER)).await?;
        self.store
            .position_before(end.total.saturating_sub(WINDOW))
            .await?;
        let newest = PageRequest {
            cursor: None,
            limit: 2,
        };
        self.store.blocks(newest).await?;
        let mut accepted = Vec::new();
        for block in self.store.blocks_to_account(1_000).await? {
            let window = pplns::Window::of_block(block.total_before, block.units, WINDOW)?;
            accepted.push(BlockReward {
                hash: block.hash,
                height: block.height,
                reward: block.reward,
                finder: block.finder,
                weights: self.store.weights_in_window(window, block.sequence).await?,
            });
        }
        if accepted.len() != 1 {
            return Err(format!("{} blocks are due, and not one", accepted.len()).into());
        }
        let round = close(&RoundInput {
            id: RoundId::new(self.rounds),
            closed_at,
            scheme: Scheme::Pplns,
            fee: BasisPoints::default(),
            source: Source::Blocks,
            accepted,
            matured: Vec::new(),
            orphaned: Vec::new(),
            returned: Vec::new(),
            shares: Vec::new(),
            carried: std::collections::BTreeMap::new(),
            emission: None,
        })?;
        if round.credits.len() != MINERS as usize {
            return Err(format!("a round credited {} miners", round.credits.len()).into());
        }
        let write = Write::CloseRound {
            round: Box::new(round),
            blocks: vec![(found, Booking::Credit.accounting())],
            through: end.sequence,
        };
        self.store.commit(vec![write]).await?;
        Ok(begin.elapsed())
    }

    /// Ends it: no share of its template counts any more, as of those of an hour ago.
    pub(crate) async fn end(self) -> Result<(), Error> {
        let before = self.template.next();
        let writes = vec![Write::RetireTemplates { before }, Write::DropTemplates { before }];
        self.store.commit(writes).await?;
        Ok(())
    }
}
