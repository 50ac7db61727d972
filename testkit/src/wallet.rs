//! A wallet with a little chain behind it: coins, a mempool, blocks, reorganisations, and others who spend.
//!
//! Its transactions are in Bitcoin's own form, unsigned: nobody here looks at signatures. It answers at once and
//! never by itself fails; a [`FaultyWallet`](super::FaultyWallet) before it does that. Clones are the same wallet.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;

use dwarves_domain::payouts::{
    Chosen, Funds, OutPoint, Output, Rival, Seen, Signed, Sizes, Spend, Transaction, Txid, read_transaction,
};
use dwarves_domain::units::Amount;
use tokio::sync::watch;

use crate::build::sats;
use dwarves_ports::wallet::{
    BuildRequest, Built, SendOutcome, Sent, Spends, Wallet, WalletError, WalletErrorKind, WalletFuture,
    WalletState,
};

mod mock_chain;

use mock_chain::{Inner, read, serialize};

/// The script that change goes to.
const CHANGE: [u8; 2] = [0x51, 0x51];
/// An address of its own on regtest.
const OWN_ADDRESS: &str = "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry";
/// Change below this goes to the network.
const DUST: u64 = 546;
/// How deep the mark of what it sent lies.
const MARK_DEPTH: usize = 10;
const SIZES: Sizes = Sizes {
    base: 11,
    input: 68,
    change: 34,
};

/// A wallet for tests.
#[derive(Clone, Debug)]
pub struct TestWallet(watch::Sender<Inner>);

impl Default for TestWallet {
    fn default() -> Self {
        Self(watch::Sender::new(Inner {
            state: WalletState::Ready,
            given: BTreeMap::new(),
            locked: BTreeSet::new(),
            mempool: Vec::new(),
            blocks: Vec::new(),
            refuses: None,
            bad_scripts: BTreeSet::new(),
            refused_scripts: BTreeSet::new(),
            signs_nothing: None,
            in_mweb: 0,
            checks: 0,
            outputs_max: usize::MAX,
            made: 0,
            bytes: BTreeMap::new(),
        }))
    }
}

impl TestWallet {
    /// A wallet with these coins.
    pub fn with_coins(coins: &[u64]) -> Self {
        let wallet = Self::default();
        for &value in coins {
            wallet.give(value);
        }
        wallet
    }

    fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let mut answer = None;
        self.0.send_modify(|inner| answer = Some(change(inner)));
        answer.expect("send_modify calls its closure")
    }

    /// Gives the wallet one more coin of this many sats.
    pub fn give(&self, value: u64) {
        self.change(|inner| {
            let number = u32::try_from(inner.given.len()).expect("tests give few coins");
            let mut txid = [0xc0; 32];
            txid[..4].copy_from_slice(&number.to_be_bytes());
            let txid = Txid::from_bytes(txid);
            inner.given.insert(OutPoint { txid, vout: 0 }, value);
        });
    }

    /// Mines this many blocks; the first takes all that waits.
    pub fn mine(&self, blocks: u32) {
        self.change(|inner| {
            for _ in 0..blocks {
                let block = std::mem::take(&mut inner.mempool);
                inner.blocks.push(block);
            }
        });
    }

    /// Takes the topmost blocks out of the chain, as far as there are. Their transactions wait again, unless
    /// `lost`.
    pub fn reorganise(&self, depth: usize, lost: bool) {
        self.change(|inner| {
            let keep = inner.blocks.len().saturating_sub(depth);
            let undone: Vec<Transaction> = inner.blocks.drain(keep..).flatten().collect();
            if !lost {
                inner.mempool.splice(0..0, undone);
            }
            inner.evict_orphans();
        });
    }

    /// What the first waiting transaction spends.
    pub fn inputs_waiting(&self) -> Option<Vec<OutPoint>> {
        let inner = self.0.borrow();
        inner
            .mempool
            .first()
            .map(|transaction| transaction.inputs.clone())
    }

    /// How many blocks the chain has.
    pub fn height(&self) -> usize {
        self.0.borrow().blocks.len()
    }

    /// Forgets the transactions that wait.
    pub fn lose_mempool(&self) {
        self.change(|inner| inner.mempool.clear());
    }

    /// Somebody else with the wallet's key spends an input of this transaction, in the next block; what
    /// spends it otherwise is thrown out of the mempool.
    pub fn spend_elsewhere(&self, inputs: &[OutPoint]) {
        self.change(|inner| {
            let bytes = serialize(&inputs[..1], &[(vec![0x6a], 1)], u32::MAX - inner.made);
            inner.mempool.retain(|known| !known.inputs.contains(&inputs[0]));
            inner.blocks.push(vec![read(&bytes)]);
            inner.evict_orphans();
        });
    }

    /// A block takes this transaction, as a miner may who got it from somewhere.
    pub fn revive(&self, bytes: &[u8]) {
        self.change(|inner| {
            let transaction = read(bytes);
            let taken = |known: &Transaction| {
                known
                    .inputs
                    .iter()
                    .any(|input| transaction.inputs.contains(input))
            };
            inner.mempool.retain(|known| !taken(known));
            inner.blocks.push(vec![transaction]);
            inner.evict_orphans();
        });
    }

    /// Another life of the pool, whose ledger this one does not know, pays these scripts; it waits for a block.
    pub fn pay_elsewhere(&self, outputs: &[(Vec<u8>, u64)]) -> Txid {
        self.change(|inner| {
            let coins = inner.free_coins();
            let mut outputs = outputs.to_vec();
            let paid: u64 = outputs.iter().map(|(_, value)| value).sum();
            let has: u64 = coins.iter().map(|(_, value)| value.sats()).sum();
            outputs.push((CHANGE.to_vec(), has - paid - 1_000));
            inner.made += 1;
            let inputs: Vec<OutPoint> = coins.into_iter().map(|(coin, _)| coin).collect();
            let bytes = serialize(&inputs, &outputs, inner.made);
            let sent = inner.send(&bytes);
            assert_eq!(sent, SendOutcome::Accepted);
            read(&bytes).txid
        })
    }

    /// How it says that it is from now on.
    pub fn set_state(&self, state: WalletState) {
        self.change(|inner| inner.state = state);
    }

    /// Refuses transactions for this reason from now on.
    pub fn refuse(&self, why: Option<&str>) {
        self.change(|inner| inner.refuses = why.map(str::to_owned));
    }

    /// Cannot pay this script.
    pub fn refuse_script(&self, script: Vec<u8>) {
        self.change(|inner| inner.bad_scripts.insert(script));
    }

    /// Refuses whatever pays this script from now on, and does not say which output is the wrong one.
    pub fn refuse_in_silence(&self, script: Vec<u8>) {
        self.change(|inner| inner.refused_scripts.insert(script));
    }

    /// Refuses to sign anything, for this reason.
    pub fn refuse_to_sign(&self, why: Option<&str>) {
        self.change(|inner| inner.signs_nothing = why.map(str::to_owned));
    }

    /// Pays every script again.
    pub fn forgive(&self) {
        self.change(|inner| {
            inner.refused_scripts.clear();
            inner.bad_scripts.clear();
        });
    }

    /// How often it was asked whether the network would take a transaction.
    pub fn checks(&self) -> u32 {
        self.0.borrow().checks
    }

    /// Has this many sats in an extension block.
    pub fn keep_in_mweb(&self, sats: u64) {
        self.change(|inner| inner.in_mweb = sats);
    }

    /// Makes no transaction with more outputs than this.
    pub fn limit_outputs(&self, outputs_max: usize) {
        self.change(|inner| inner.outputs_max = outputs_max);
    }

    /// What the best chain pays to each script but the wallet's own.
    pub fn paid(&self) -> BTreeMap<Vec<u8>, u64> {
        let mut paid = BTreeMap::new();
        for (script, value) in self.0.borrow().blocks.iter().flatten().flat_map(|t| &t.outputs) {
            if script.as_slice() != CHANGE.as_slice() && script.as_slice() != [0x6a] {
                *paid.entry(script.clone()).or_insert(0) += value;
            }
        }
        paid
    }

    /// What the network took for the chain's transactions that pay others.
    pub fn fees(&self) -> u64 {
        let inner = self.0.borrow();
        let transactions = inner.blocks.iter().flatten();
        let payouts =
            transactions.filter(|t| t.outputs.iter().all(|(script, _)| script.as_slice() != [0x6a]));
        payouts
            .map(|t| {
                let spent: u64 = t.inputs.iter().filter_map(|input| inner.value_of(input)).sum();
                spent - t.outputs.iter().map(|(_, value)| value).sum::<u64>()
            })
            .sum()
    }

    /// Every transaction that ever left, whatever became of it.
    pub fn ever_sent(&self) -> BTreeSet<Txid> {
        self.0.borrow().bytes.keys().copied().collect()
    }

    /// Ids of the transactions that wait.
    pub fn waiting(&self) -> Vec<Txid> {
        self.0
            .borrow()
            .mempool
            .iter()
            .map(|transaction| transaction.txid)
            .collect()
    }

    /// Coins that are locked.
    pub fn locked(&self) -> BTreeSet<OutPoint> {
        self.0.borrow().locked.clone()
    }
}

fn answer<T: 'static>(answer: Result<T, WalletError>) -> WalletFuture<T> {
    Box::pin(ready(answer))
}

impl Wallet for TestWallet {
    fn state(&self) -> WalletFuture<WalletState> {
        answer(Ok(self.0.borrow().state.clone()))
    }

    fn funds(&self) -> WalletFuture<Funds> {
        answer(Ok(self.0.borrow().funds()))
    }

    fn own_address(&self) -> WalletFuture<String> {
        answer(Ok(OWN_ADDRESS.to_owned()))
    }

    fn hold(&self, inputs: Vec<OutPoint>) -> WalletFuture<()> {
        self.change(|inner| inner.locked = inputs.into_iter().collect());
        answer(Ok(()))
    }

    fn check(&self, request: BuildRequest) -> WalletFuture<()> {
        answer(self.change(|inner| {
            inner.checks += 1;
            inner.choose(&request).map(|_| ())
        }))
    }

    fn build(&self, request: BuildRequest) -> WalletFuture<Built> {
        answer(self.change(|inner| inner.build(&request)))
    }

    fn send(&self, bytes: Vec<u8>) -> WalletFuture<SendOutcome> {
        answer(Ok(self.change(|inner| inner.send(&bytes))))
    }

    fn status(&self, txid: Txid) -> WalletFuture<Seen> {
        answer(Ok(self.0.borrow().status(txid)))
    }

    fn rival(&self, txid: Txid, inputs: Vec<OutPoint>) -> WalletFuture<Rival> {
        answer(Ok(self.0.borrow().rival(txid, &inputs)))
    }

    fn spends(&self, mark: Option<String>) -> WalletFuture<Spends> {
        answer(Ok(self.0.borrow().spends(mark)))
    }

    fn sent(&self, txid: Txid) -> WalletFuture<Option<Sent>> {
        answer(Ok(self.0.borrow().sent(txid)))
    }
}
