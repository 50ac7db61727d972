//! The little chain behind the wallet: its coins, its mempool, its blocks.

use super::*;

#[derive(Clone, Debug)]
pub(super) struct Inner {
    pub(super) state: WalletState,
    /// Coins that were given to the wallet, spent or not.
    pub(super) given: BTreeMap<OutPoint, u64>,
    pub(super) locked: BTreeSet<OutPoint>,
    pub(super) mempool: Vec<Transaction>,
    pub(super) blocks: Vec<Vec<Transaction>>,
    pub(super) refuses: Option<String>,
    pub(super) bad_scripts: BTreeSet<Vec<u8>>,
    pub(super) refused_scripts: BTreeSet<Vec<u8>>,
    /// Why it signs nothing for anybody, if it does not.
    pub(super) signs_nothing: Option<String>,
    pub(super) in_mweb: u64,
    pub(super) checks: u32,
    pub(super) outputs_max: usize,
    pub(super) made: u32,
    /// Of every transaction that was sent.
    pub(super) bytes: BTreeMap<Txid, Vec<u8>>,
}

pub(super) fn address_of(script: &[u8]) -> String {
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
pub(super) fn serialize(inputs: &[OutPoint], outputs: &[(Vec<u8>, u64)], lock_time: u32) -> Vec<u8> {
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

pub(super) fn read(bytes: &[u8]) -> Transaction {
    read_transaction(bytes).expect("transactions of the test wallet are right")
}

impl Inner {
    pub(super) fn known(&self) -> impl Iterator<Item = &Transaction> {
        self.blocks.iter().flatten().chain(&self.mempool)
    }

    pub(super) fn is_spent(&self, coin: &OutPoint) -> bool {
        self.known().any(|transaction| transaction.inputs.contains(coin))
    }

    /// All coins that there are, spent or not: those given, and change.
    pub(super) fn value_of(&self, coin: &OutPoint) -> Option<u64> {
        self.given.get(coin).copied().or_else(|| {
            let parent = self.known().find(|transaction| transaction.txid == coin.txid)?;
            parent.outputs.get(coin.vout as usize).map(|(_, value)| *value)
        })
    }

    /// Throws out of the mempool what spends coins that are not there any more, as a node does: whoever spends the change
    /// of a transaction goes with it.
    pub(super) fn evict_orphans(&mut self) {
        loop {
            let waiting = self.mempool.len();
            let can_stay =
                |known: &Transaction| known.inputs.iter().all(|input| self.value_of(input).is_some());
            self.mempool = self
                .mempool
                .iter()
                .filter(|known| can_stay(known))
                .cloned()
                .collect();
            if self.mempool.len() == waiting {
                return;
            }
        }
    }

    pub(super) fn free_coins(&self) -> Vec<(OutPoint, Amount)> {
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

    pub(super) fn funds(&self) -> Funds {
        Funds {
            coins: self.free_coins(),
            sizes: SIZES,
            change_min: sats(DUST),
            in_mweb: sats(self.in_mweb),
        }
    }

    pub(super) fn choose(&self, request: &BuildRequest) -> Result<Chosen, WalletError> {
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

    pub(super) fn build(&mut self, request: &BuildRequest) -> Result<Built, WalletError> {
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

    pub(super) fn send(&mut self, bytes: &[u8]) -> SendOutcome {
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

    pub(super) fn depth_of(&self, block: usize) -> u32 {
        u32::try_from(self.blocks.len() - block).expect("tests mine few blocks")
    }

    pub(super) fn status(&self, txid: Txid) -> Seen {
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
    pub(super) fn spends(&self, mark: Option<String>) -> Spends {
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

    pub(super) fn sent(&self, txid: Txid) -> Option<Sent> {
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

    pub(super) fn rival(&self, txid: Txid, inputs: &[OutPoint]) -> Rival {
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
