//! A chain in memory: real proofs of work, blocks by others, reorganisations, stalls and lost answers.
//!
//! It checks of a submitted block what decides its fate: the proof of work and the block before it.

use std::collections::BTreeMap;

use bitcoin::consensus::encode::{Decodable, serialize};
use bitcoin::{Transaction, VarInt};
use dwarves_domain::ids::{ExtraNonce, HeaderHash};
use dwarves_domain::target::{CompactTarget, Target};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Amount;
use dwarves_domain::work::coinbase::{Coinbase, CoinbaseForm, CoinbaseSpec};
use dwarves_domain::work::header::HeaderFields;
use dwarves_domain::work::{ChainTemplate, Header};
use dwarves_ports::chain::{
    BlockStatus, Chain, ChainError, ChainFuture, MinedCoinbase, Standing, SubmitOutcome, SyncState, Tip,
};
use tokio::sync::watch;

use super::build;

mod levers;

/// What goes wrong with submissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Submissions {
    /// Blocks arrive as they should.
    #[default]
    Arrive,
    /// They get lost on the way.
    LostBefore,
    /// They arrive, and the answer gets lost.
    LostAfter,
}

#[derive(Clone, Debug)]
struct Block {
    height: u32,
    previous: HeaderHash,
    /// The time in its header.
    time: u32,
    /// Its coinbase. Blocks of others have one that pays nobody.
    coinbase: Vec<u8>,
}

#[derive(Clone, Debug)]
struct State {
    blocks: BTreeMap<HeaderHash, Block>,
    tip: Tip,
    bits: CompactTarget,
    is_down: bool,
    is_unsound: bool,
    /// Templates fail, though the chain moves on.
    is_templateless: bool,
    standing: Standing,
    is_synced: bool,
    header_time: Option<Timestamp>,
    submissions: Submissions,
    submitted: Vec<HeaderHash>,
    templates: u64,
    /// Makes the blocks of others differ.
    others: u32,
}

/// A chain in memory. Clones are the same chain.
#[derive(Clone, Debug)]
pub struct TestChain(watch::Sender<State>);

/// Where the chain begins.
const GENESIS: HeaderHash = HeaderHash::from_bytes([0; 32]);

impl TestChain {
    /// A chain of one block, on which a hash meets the target that `bits` stand for.
    pub fn new(bits: u32) -> Self {
        let genesis = Block {
            height: 100,
            previous: GENESIS,
            time: 0,
            coinbase: nobodys_coinbase(),
        };
        Self(watch::Sender::new(State {
            blocks: BTreeMap::from([(GENESIS, genesis)]),
            tip: Tip {
                hash: GENESIS,
                height: 100,
            },
            bits: CompactTarget::from_bits(bits),
            is_down: false,
            is_unsound: false,
            is_templateless: false,
            standing: Standing::trusted(),
            is_synced: true,
            header_time: None,
            submissions: Submissions::Arrive,
            submitted: Vec::new(),
            templates: 0,
            others: 0,
        }))
    }

    /// The end of the best chain.
    pub fn tip(&self) -> Tip {
        self.0.borrow().tip
    }

    /// Every block that reached the chain by submission, also again, oldest first.
    pub fn submitted(&self) -> Vec<HeaderHash> {
        self.0.borrow().submitted.clone()
    }

    /// How many templates were asked for, also in vain.
    pub fn templates(&self) -> u64 {
        self.0.borrow().templates
    }

    /// What became of a block, whether the chain is reachable or not.
    pub fn status_of(&self, hash: HeaderHash) -> BlockStatus {
        self.0.borrow().status(hash)
    }

    fn answer<T: 'static>(&self, answer: impl FnOnce(&mut State) -> T) -> ChainFuture<T> {
        let mut result = Err(ChainError::Unreachable("it is down".to_owned()));
        self.0.send_if_modified(|state| {
            if !state.is_down {
                result = Ok(answer(state));
            }
            true
        });
        Box::pin(std::future::ready(result))
    }
}

impl State {
    fn add(&mut self, hash: HeaderHash, block: Block) {
        if block.height > self.tip.height {
            self.tip = Tip {
                hash,
                height: block.height,
            };
        }
        self.blocks.insert(hash, block);
    }

    fn extend(&mut self, from: HeaderHash, blocks: u32) {
        let mut previous = from;
        for _ in 0..blocks {
            self.others += 1;
            let height = self.blocks[&previous].height + 1;
            let header = Header::new(&HeaderFields {
                version: 1,
                previous,
                merkle_root: [0xee; 32],
                time: height,
                bits: self.bits,
                nonce: self.others,
            });
            let hash = header.hash();
            let block = Block {
                height,
                previous,
                time: height,
                coinbase: nobodys_coinbase(),
            };
            self.add(hash, block);
            previous = hash;
        }
    }

    fn status(&self, hash: HeaderHash) -> BlockStatus {
        let Some(block) = self.blocks.get(&hash) else {
            return BlockStatus::Unknown;
        };
        let mut at = self.tip.hash;
        while self.blocks[&at].height > block.height {
            at = self.blocks[&at].previous;
        }
        if at == hash {
            let confirmations = self.tip.height - block.height + 1;
            BlockStatus::MainChain { confirmations }
        } else {
            BlockStatus::SideChain
        }
    }

    fn coinbase_at(&self, height: u32) -> Option<MinedCoinbase> {
        let mut hash = self.tip.hash;
        while self.blocks[&hash].height > height && hash != GENESIS {
            hash = self.blocks[&hash].previous;
        }
        let block = &self.blocks[&hash];
        (block.height == height).then(|| MinedCoinbase {
            block: hash,
            time: block.time,
            transaction: block.coinbase.clone(),
        })
    }

    fn submit(&mut self, bytes: &[u8]) -> SubmitOutcome {
        let Some(header) = bytes.first_chunk::<{ Header::LEN }>() else {
            return SubmitOutcome::Refused("bad-blk-length".to_owned());
        };
        let hash = Header::from_bytes(*header).hash();
        let mut previous = [0; 32];
        previous.copy_from_slice(&header[4..36]);
        let previous = HeaderHash::from_bytes(previous);
        self.submitted.push(hash);
        if self.blocks.contains_key(&hash) {
            return SubmitOutcome::Duplicate;
        }
        if !Target::from_compact(self.bits).is_ok_and(|target| target.is_met_by(&hash)) {
            return SubmitOutcome::Refused("high-hash".to_owned());
        }
        let time = Header::from_bytes(*header).time();
        if time < build::chain_template(0, previous).time_min {
            return SubmitOutcome::Refused("time-too-old".to_owned());
        }
        let Some(parent) = self.blocks.get(&previous) else {
            return SubmitOutcome::from_bip22(Some("prev-blk-not-found"));
        };
        let Some(coinbase) = coinbase_of(bytes) else {
            return SubmitOutcome::Refused("Block decode failed".to_owned());
        };
        let block = Block {
            height: parent.height + 1,
            previous,
            time,
            coinbase,
        };
        self.add(hash, block);
        if self.tip.hash == hash {
            SubmitOutcome::Accepted
        } else {
            SubmitOutcome::Inconclusive
        }
    }
}

impl Chain for TestChain {
    fn template(&self) -> ChainFuture<ChainTemplate> {
        self.0.send_modify(|state| state.templates += 1);
        if self.0.borrow().is_unsound {
            let refused = ChainError::Unsound("bad-cb-amount".to_owned());
            return Box::pin(std::future::ready(Err(refused)));
        }
        if self.0.borrow().is_templateless {
            let failed = ChainError::NotReady("bad-txns-vin-empty".to_owned());
            return Box::pin(std::future::ready(Err(failed)));
        }
        self.answer(|state| {
            let mut template = build::chain_template(state.tip.height + 1, state.tip.hash);
            template.bits = state.bits;
            template
        })
    }

    fn tip_after(&self, known: Option<HeaderHash>) -> ChainFuture<Tip> {
        let mut state = self.0.subscribe();
        Box::pin(async move {
            let changed = state
                .wait_for(|state| state.is_down || Some(state.tip.hash) != known)
                .await;
            match changed {
                Ok(state) if !state.is_down => Ok(state.tip),
                Ok(_) | Err(_) => Err(ChainError::Unreachable("it is down".to_owned())),
            }
        })
    }

    fn submit(&self, block: Vec<u8>) -> ChainFuture<SubmitOutcome> {
        let lost = ChainError::Unreachable("the answer got lost".to_owned());
        let submissions = self.0.borrow().submissions;
        match submissions {
            Submissions::Arrive => self.answer(|state| state.submit(&block)),
            Submissions::LostBefore => Box::pin(std::future::ready(Err(lost))),
            Submissions::LostAfter => {
                let arrived = self.answer(|state| state.submit(&block));
                Box::pin(async move { arrived.await.and(Err(lost)) })
            }
        }
    }

    fn standing(&self) -> Standing {
        self.0.borrow().standing.clone()
    }

    fn status(&self, hash: HeaderHash) -> ChainFuture<BlockStatus> {
        self.answer(|state| state.status(hash))
    }

    fn sync_state(&self) -> ChainFuture<SyncState> {
        self.answer(|state| SyncState {
            tip: state.tip,
            is_synced: state.is_synced,
        })
    }

    fn hash_at(&self, height: u32) -> ChainFuture<Option<HeaderHash>> {
        self.answer(move |state| match height {
            0 => Some(GENESIS),
            _ => state.coinbase_at(height).map(|coinbase| coinbase.block),
        })
    }

    fn best_header_time(&self) -> ChainFuture<Option<Timestamp>> {
        self.answer(|state| state.header_time)
    }

    fn coinbase_at(&self, height: u32) -> ChainFuture<Option<MinedCoinbase>> {
        self.answer(move |state| state.coinbase_at(height))
    }
}

/// The first transaction of a serialized block. What comes after it is not looked at.
fn coinbase_of(block: &[u8]) -> Option<Vec<u8>> {
    let mut rest = block.get(Header::LEN..)?;
    let _count = VarInt::consensus_decode(&mut rest).ok()?;
    let coinbase = Transaction::consensus_decode(&mut rest).ok()?;
    Some(serialize(&coinbase))
}

/// The coinbase of a block of others: it pays nobody and carries nobody's tag.
fn nobodys_coinbase() -> Vec<u8> {
    let coinbase = Coinbase::new(&CoinbaseSpec {
        height: 1,
        form: CoinbaseForm::Bip54,
        tag: "",
        payout_script: &[],
        value: Amount::ZERO,
        witness_commitment: None,
    });
    coinbase
        .expect("an empty tag is short enough")
        .transaction(ExtraNonce::new(0))
}
