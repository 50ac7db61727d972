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

use super::build::sats;
use dwarves_ports::wallet::{
    BuildRequest, Built, SendOutcome, Sent, Spends, Wallet, WalletError, WalletErrorKind, WalletFuture,
    WalletState,
};

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

#[derive(Clone, Debug)]
struct Inner {
    state: WalletState,
    /// Coins that were given to the wallet, spent or not.
    given: BTreeMap<OutPoint, u64>,
    locked: BTreeSet<OutPoint>,
    mempool: Vec<Transaction>,
    blocks: Vec<Vec<Transaction>>,
    refuses: Option<String>,
    bad_scripts: BTreeSet<Vec<u8>>,
    refused_scripts: BTreeSet<Vec<u8>>,
    /// Why it signs nothing for anybody, if it does not.
    signs_nothing: Option<String>,
    in_mweb: u64,
    checks: u32,
    outputs_max: usize,
    made: u32,
    /// Of every transaction that was sent.
    bytes: BTreeMap<Txid, Vec<u8>>,
}

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

fn address_of(script: &[u8]) -> String {
    let address =
        bitcoin::Address::from_script(bitcoin::Script::from_bytes(script), bitcoin::Network::Regtest);
    address.map(|address| address.to_string()).unwrap_or_default()
}

fn varint(bytes: &mut Vec<u8>, number: usize) {
    match u8::try_from(number) {
        Ok(small) if small < 0xfd => bytes.push(small),
        _ => {
            let number = u16::try_from(number).expect("tests have fewer than 65,536 of anything");
            bytes.push(0xfd);
            bytes.extend_from_slice(&number.to_le_bytes());
        }
    }
}

/// A transaction in Bitcoin's form, without signatures.
fn serialize(inputs: &[OutPoint], outputs: &[(Vec<u8>, u64)], lock_time: u32) -> Vec<u8> {
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    varint(&mut bytes, inputs.len());
    for input in inputs {
        bytes.extend_from_slice(input.txid.as_bytes());
        bytes.extend_from_slice(&input.vout.to_le_bytes());
        bytes.push(0);
        bytes.extend_from_slice(&u32::MAX.to_le_bytes());
    }
    varint(&mut bytes, outputs.len());
    for (script, value) in outputs {
        bytes.extend_from_slice(&value.to_le_bytes());
        varint(&mut bytes, script.len());
        bytes.extend_from_slice(script);
    }
    bytes.extend_from_slice(&lock_time.to_le_bytes());
    bytes
}

fn read(bytes: &[u8]) -> Transaction {
    read_transaction(bytes).expect("transactions of the test wallet are right")
}

impl Inner {
    fn known(&self) -> impl Iterator<Item = &Transaction> {
        self.blocks.iter().flatten().chain(&self.mempool)
    }

    fn is_spent(&self, coin: &OutPoint) -> bool {
        self.known().any(|transaction| transaction.inputs.contains(coin))
    }

    /// All coins that there are, spent or not: those given, and change.
    fn value_of(&self, coin: &OutPoint) -> Option<u64> {
        self.given.get(coin).copied().or_else(|| {
            let parent = self.known().find(|transaction| transaction.txid == coin.txid)?;
            parent.outputs.get(coin.vout as usize).map(|(_, value)| *value)
        })
    }

    fn free_coins(&self) -> Vec<(OutPoint, Amount)> {
        let change = self.known().flat_map(|transaction| {
            let outputs = (0_u32..).zip(&transaction.outputs);
            let own = outputs.filter(|(_, (script, _))| script.as_slice() == CHANGE.as_slice());
            own.map(|(vout, (_, value))| {
                let txid = transaction.txid;
                (OutPoint { txid, vout }, *value)
            })
        });
        let all = self
            .given
            .iter()
            .map(|(coin, value)| (*coin, *value))
            .chain(change);
        all.filter(|(coin, _)| !self.is_spent(coin) && !self.locked.contains(coin))
            .map(|(coin, value)| (coin, sats(value)))
            .collect()
    }

    fn funds(&self) -> Funds {
        Funds {
            coins: self.free_coins(),
            sizes: SIZES,
            change_min: sats(DUST),
            in_mweb: sats(self.in_mweb),
        }
    }

    fn choose(&self, request: &BuildRequest) -> Result<Chosen, WalletError> {
        if self.state == WalletState::Locked {
            return Err(WalletError::new(WalletErrorKind::Locked, ""));
        }
        if let Some(why) = &self.signs_nothing {
            return Err(WalletError::new(WalletErrorKind::Refused, why.clone()));
        }
        let outputs = request.batch.outputs();
        if let Some(bad) = outputs
            .iter()
            .find(|output| self.bad_scripts.contains(&output.script))
        {
            let kind = WalletErrorKind::BadAddress(bad.script.clone());
            return Err(WalletError::new(kind, bad.address.clone()));
        }
        if outputs.len() > self.outputs_max {
            return Err(WalletError::new(WalletErrorKind::TooLarge, ""));
        }
        let chosen = request.choose_from(&self.funds())?;
        let refused = |output: &&Output| self.refused_scripts.contains(&output.script);
        match outputs.iter().find(refused) {
            Some(_) => Err(WalletError::new(
                WalletErrorKind::Refused,
                "pegin-count-mismatch, or whatever a node says that names no output",
            )),
            None => Ok(chosen),
        }
    }

    fn build(&mut self, request: &BuildRequest) -> Result<Built, WalletError> {
        let chosen = self.choose(request)?;
        let outputs = request.batch.outputs_after(chosen.borne);
        let outputs = outputs.map_err(|e| WalletError::new(WalletErrorKind::Refused, e.to_string()))?;
        let mut outputs: Vec<(Vec<u8>, u64)> = outputs
            .into_iter()
            .map(|output| (output.script, output.amount.sats()))
            .collect();
        if chosen.change > Amount::ZERO {
            outputs.push((CHANGE.to_vec(), chosen.change.sats()));
        }
        // Another transaction every time, as with real signatures.
        self.made += 1;
        let bytes = serialize(&chosen.inputs, &outputs, self.made);
        self.locked.extend(&chosen.inputs);
        Ok(Built {
            signed: Signed {
                txid: read(&bytes).txid,
                bytes,
                inputs: chosen.inputs,
                fee: chosen.fee,
            },
            borne: chosen.borne,
        })
    }

    fn send(&mut self, bytes: &[u8]) -> SendOutcome {
        if let Some(why) = &self.refuses {
            return SendOutcome::Refused(why.clone());
        }
        let transaction = read(bytes);
        if self.known().any(|known| known.txid == transaction.txid) {
            return SendOutcome::Known;
        }
        for input in &transaction.inputs {
            if self.value_of(input).is_none() || self.is_spent(input) {
                return SendOutcome::Refused("bad-txns-inputs-missingorspent".to_owned());
            }
        }
        self.bytes.insert(transaction.txid, bytes.to_vec());
        self.mempool.push(transaction);
        SendOutcome::Accepted
    }

    fn depth_of(&self, block: usize) -> u32 {
        u32::try_from(self.blocks.len() - block).expect("tests mine few blocks")
    }

    fn status(&self, txid: Txid) -> Seen {
        let is_it = |transaction: &Transaction| transaction.txid == txid;
        if let Some(block) = self.blocks.iter().position(|block| block.iter().any(is_it)) {
            return Seen::Confirmed(self.depth_of(block));
        }
        if self.mempool.iter().any(is_it) {
            Seen::Mempool
        } else {
            Seen::Unknown
        }
    }

    /// What it sent in blocks above the marked height and what waits. What a stranger spends with the wallet's key
    /// ([`TestWallet::spend_elsewhere`]) is told by [`Wallet::rival`] alone.
    fn spends(&self, mark: Option<String>) -> Spends {
        let above: usize = mark.and_then(|mark| mark.parse().ok()).unwrap_or(0);
        let of_block = |(index, block): (usize, &Vec<Transaction>)| {
            let depth = self.depth_of(index);
            block
                .iter()
                .map(move |transaction| (transaction.clone(), depth))
                .collect::<Vec<_>>()
        };
        let blocks = self.blocks.iter().enumerate().skip(above).flat_map(of_block);
        let all = blocks.chain(self.mempool.iter().map(|transaction| (transaction.clone(), 0)));
        let spends = all.filter_map(|(transaction, confirmations)| {
            let others = transaction
                .outputs
                .iter()
                .filter(|(script, _)| script.as_slice() != CHANGE.as_slice());
            let others: Vec<&(Vec<u8>, u64)> = others.collect();
            let is_rival = others.iter().all(|(script, _)| script.as_slice() == [0x6a]);
            (!is_rival).then(|| Spend {
                txid: transaction.txid,
                outputs: others
                    .iter()
                    .map(|(script, value)| (address_of(script), sats(*value)))
                    .collect(),
                confirmations,
            })
        });
        Spends {
            spends: spends.collect(),
            mark: Some(self.blocks.len().saturating_sub(MARK_DEPTH).to_string()),
        }
    }

    fn sent(&self, txid: Txid) -> Option<Sent> {
        let transaction = self.known().find(|transaction| transaction.txid == txid)?;
        let spent: u64 = transaction
            .inputs
            .iter()
            .filter_map(|input| self.value_of(input))
            .sum();
        let paid: u64 = transaction.outputs.iter().map(|(_, value)| value).sum();
        Some(Sent {
            bytes: self.bytes.get(&txid)?.clone(),
            inputs: transaction.inputs.clone(),
            fee: sats(spent - paid),
        })
    }

    fn rival(&self, txid: Txid, inputs: &[OutPoint]) -> Rival {
        let spends = |transaction: &&Transaction| {
            transaction.txid != txid && transaction.inputs.iter().any(|input| inputs.contains(input))
        };
        let found = self.blocks.iter().enumerate().find_map(|(index, block)| {
            let rival = block.iter().find(spends)?;
            Some((rival.txid, self.depth_of(index)))
        });
        match found {
            Some((by, confirmations)) => Rival::Spent { by, confirmations },
            None => Rival::None,
        }
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
