//! The pool's own wallet on the embedded chain: one key, whose coins it spends and signs for.
//!
//! The key follows from the pool's key, so nothing has to be kept beside it. Utxos are chosen by the domain's
//! rule; signatures are deterministic (RFC 6979), so the same payout of the same coins is the same transaction.

use std::collections::BTreeSet;

use bitcoin::absolute::LockTime;
use bitcoin::consensus::encode::serialize;
use bitcoin::hashes::Hash;
use bitcoin::key::{CompressedPublicKey, Secp256k1};
use bitcoin::secp256k1::{self, Message, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::transaction::Version;
use bitcoin::{Network, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness};
use dwarves_domain::payouts::{Chosen, Funds, OutPoint, Rival, Seen, Signed, Sizes, Spend, Txid};
use dwarves_domain::units::Amount;
use dwarves_ports::wallet::{
    BuildRequest, Built, SendOutcome, Sent, Spends, Wallet, WalletError, WalletErrorKind, WalletFuture,
    WalletState,
};
use tokio::sync::watch;

use crate::chain::{Coin, CommandError, Devnet, TransactionStatus};

/// Virtual bytes of a transaction that spends outputs to key hashes (BIP141), with its change to one.
const SIZES: Sizes = Sizes {
    base: 11,
    input: 68,
    change: 31,
};
/// Change below this, in sats, goes to the network.
const DUST_SATS: u64 = 546;
/// Blocks below the tip behind which what was sent is not asked for again.
const MARK_DEPTH: u32 = 100;
/// How the devnet says that it has a transaction already.
const KNOWN: [&str; 2] = ["txn-already-in-mempool", "txn-already-known"];

/// The wallet. Clones are handles of the same one.
#[derive(Clone)]
pub struct DevnetWallet {
    devnet: Devnet,
    secret: SecretKey,
    public: CompressedPublicKey,
    script: ScriptBuf,
    /// Utxos of payouts that are signed. A watch channel that nobody watches: a cell for several threads.
    locked: watch::Sender<BTreeSet<OutPoint>>,
}

/// Utxos to choose from, with what is known of them.
type Utxos = Vec<(bitcoin::OutPoint, Coin)>;

impl DevnetWallet {
    /// The wallet with this secret on this chain.
    ///
    /// # Errors
    /// If the bytes are no secret key, which of random ones one in 2^128 is not.
    pub fn new(devnet: Devnet, secret: &[u8; 32]) -> Result<Self, secp256k1::Error> {
        let secret = SecretKey::from_slice(secret)?;
        let public = CompressedPublicKey(secret.public_key(&Secp256k1::signing_only()));
        Ok(Self {
            devnet,
            secret,
            public,
            script: bitcoin::Address::p2wpkh(&public, Network::Regtest).script_pubkey(),
            locked: watch::Sender::new(BTreeSet::new()),
        })
    }

    /// The script of the wallet's one address.
    pub fn script(&self) -> &ScriptBuf {
        &self.script
    }

    async fn free_coins(&self) -> Result<Utxos, WalletError> {
        let coins = self.devnet.spendable_coins(self.script.clone()).await;
        let coins = coins.map_err(|error| failed(&error))?;
        let locked = self.locked.borrow().clone();
        Ok(coins
            .into_iter()
            .filter(|(place, _)| !locked.contains(&ours(place)))
            .collect())
    }

    async fn choose(&self, request: &BuildRequest) -> Result<(Chosen, Utxos), WalletError> {
        let coins = self.free_coins().await?;
        let chosen = request.choose_from(&funds_of(&coins))?;
        Ok((chosen, coins))
    }

    async fn build(&self, request: BuildRequest) -> Result<Built, WalletError> {
        let (chosen, coins) = self.choose(&request).await?;
        let outputs = request.batch.outputs_after(chosen.borne);
        let outputs = outputs.map_err(|error| refused(error.to_string()))?;
        let mut output: Vec<TxOut> = outputs
            .into_iter()
            .map(|output| TxOut {
                value: bitcoin::Amount::from_sat(output.amount.sats()),
                script_pubkey: ScriptBuf::from_bytes(output.script),
            })
            .collect();
        if chosen.change > Amount::ZERO {
            output.push(TxOut {
                value: bitcoin::Amount::from_sat(chosen.change.sats()),
                script_pubkey: self.script.clone(),
            });
        }
        let spent: Vec<(bitcoin::OutPoint, bitcoin::Amount)> = chosen
            .inputs
            .iter()
            .filter_map(|input| {
                let (place, coin) = coins.iter().find(|(place, _)| ours(place) == *input)?;
                Some((*place, coin.value))
            })
            .collect();
        let unsigned = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: spent.iter().map(|(place, _)| input_of(*place)).collect(),
            output,
        };
        let transaction = self.sign(unsigned, &spent)?;
        self.locked.send_modify(|locked| locked.extend(&chosen.inputs));
        Ok(Built {
            signed: Signed {
                txid: Txid::from_bytes(transaction.compute_txid().to_byte_array()),
                bytes: serialize(&transaction),
                inputs: chosen.inputs,
                fee: chosen.fee,
            },
            borne: chosen.borne,
        })
    }

    /// Signs every input, each of which spends an output to the wallet's key hash (BIP143).
    fn sign(
        &self,
        unsigned: Transaction,
        spent: &[(bitcoin::OutPoint, bitcoin::Amount)],
    ) -> Result<Transaction, WalletError> {
        let signer = Secp256k1::signing_only();
        let mut cache = SighashCache::new(unsigned);
        for (index, (_, value)) in spent.iter().enumerate() {
            let kind = EcdsaSighashType::All;
            let hash = cache.p2wpkh_signature_hash(index, &self.script, *value, kind);
            let hash = hash.map_err(|error| refused(error.to_string()))?;
            let message = Message::from_digest(hash.to_byte_array());
            let signature = bitcoin::ecdsa::Signature {
                signature: signer.sign_ecdsa(&message, &self.secret),
                sighash_type: kind,
            };
            if let Some(witness) = cache.witness_mut(index) {
                *witness = Witness::p2wpkh(&signature, &self.public.0);
            }
        }
        Ok(cache.into_transaction())
    }
}

/// An output's address, empty if it has none, and amount.
fn paid(output: &TxOut) -> (String, Amount) {
    let address = bitcoin::Address::from_script(&output.script_pubkey, Network::Regtest);
    let amount = Amount::from_sats(output.value.to_sat()).unwrap_or(Amount::MAX);
    (
        address.map(|address| address.to_string()).unwrap_or_default(),
        amount,
    )
}

fn funds_of(coins: &Utxos) -> Funds {
    let priced = coins
        .iter()
        .filter_map(|(place, coin)| Some((ours(place), Amount::from_sats(coin.value.to_sat())?)));
    Funds {
        coins: priced.collect(),
        sizes: SIZES,
        change_min: Amount::from_sats(DUST_SATS).unwrap_or(Amount::ZERO),
        in_mweb: Amount::ZERO,
    }
}

fn input_of(place: bitcoin::OutPoint) -> TxIn {
    TxIn {
        previous_output: place,
        script_sig: ScriptBuf::new(),
        // Final: the payout says of itself that it is never replaced (BIP125).
        sequence: Sequence::MAX,
        witness: Witness::new(),
    }
}

fn ours(place: &bitcoin::OutPoint) -> OutPoint {
    OutPoint {
        txid: Txid::from_bytes(place.txid.to_byte_array()),
        vout: place.vout,
    }
}

fn theirs(place: &OutPoint) -> bitcoin::OutPoint {
    bitcoin::OutPoint {
        txid: bitcoin::Txid::from_byte_array(*place.txid.as_bytes()),
        vout: place.vout,
    }
}

fn refused(detail: impl Into<String>) -> WalletError {
    WalletError::new(WalletErrorKind::Refused, detail)
}

fn failed(error: &CommandError) -> WalletError {
    WalletError::new(WalletErrorKind::Unreachable, error.to_string())
}

impl Wallet for DevnetWallet {
    fn state(&self) -> WalletFuture<WalletState> {
        // It is in the same process: either it answers, or the pool is stopping.
        let this = self.clone();
        Box::pin(async move { this.free_coins().await.map(|_| WalletState::Ready) })
    }

    fn funds(&self) -> WalletFuture<Funds> {
        let this = self.clone();
        Box::pin(async move { Ok(funds_of(&this.free_coins().await?)) })
    }

    fn own_address(&self) -> WalletFuture<String> {
        let address = bitcoin::Address::p2wpkh(&self.public, Network::Regtest);
        Box::pin(std::future::ready(Ok(address.to_string())))
    }

    fn hold(&self, inputs: Vec<OutPoint>) -> WalletFuture<()> {
        self.locked.send_replace(inputs.into_iter().collect());
        Box::pin(std::future::ready(Ok(())))
    }

    fn check(&self, request: BuildRequest) -> WalletFuture<()> {
        // The devnet pays every address that the pool takes.
        let this = self.clone();
        Box::pin(async move { this.choose(&request).await.map(|_| ()) })
    }

    fn build(&self, request: BuildRequest) -> WalletFuture<Built> {
        let this = self.clone();
        Box::pin(async move { Self::build(&this, request).await })
    }

    fn send(&self, bytes: Vec<u8>) -> WalletFuture<SendOutcome> {
        let devnet = self.devnet.clone();
        Box::pin(async move {
            match devnet.accept_transaction(bytes).await {
                Ok(_) => Ok(SendOutcome::Accepted),
                Err(CommandError::Refused(word)) if KNOWN.contains(&word.as_str()) => Ok(SendOutcome::Known),
                Err(CommandError::Refused(word)) => Ok(SendOutcome::Refused(word)),
                Err(error) => Err(failed(&error)),
            }
        })
    }

    fn status(&self, txid: Txid) -> WalletFuture<Seen> {
        let devnet = self.devnet.clone();
        Box::pin(async move {
            let txid = bitcoin::Txid::from_byte_array(*txid.as_bytes());
            match devnet.transaction_status(txid).await {
                Ok(TransactionStatus::Unknown) => Ok(Seen::Unknown),
                Ok(TransactionStatus::Waiting) => Ok(Seen::Mempool),
                Ok(TransactionStatus::Confirmed(confirmations)) => Ok(Seen::Confirmed(confirmations)),
                Err(error) => Err(failed(&error)),
            }
        })
    }

    fn rival(&self, txid: Txid, inputs: Vec<OutPoint>) -> WalletFuture<Rival> {
        let devnet = self.devnet.clone();
        Box::pin(async move {
            let txid = bitcoin::Txid::from_byte_array(*txid.as_bytes());
            let inputs = inputs.iter().map(theirs).collect();
            match devnet.spender_of(inputs, txid).await {
                Ok(Some((by, confirmations))) => Ok(Rival::Spent {
                    by: Txid::from_bytes(by.to_byte_array()),
                    confirmations,
                }),
                Ok(None) => Ok(Rival::None),
                Err(error) => Err(failed(&error)),
            }
        })
    }

    fn spends(&self, mark: Option<String>) -> WalletFuture<Spends> {
        let this = self.clone();
        Box::pin(async move {
            // A mark above the tip is of another chain: then all is told.
            let above = mark.and_then(|mark| mark.parse().ok()).unwrap_or(0);
            let key = this.public.to_bytes().to_vec();
            let signed = this.devnet.signed_by(key, above, MARK_DEPTH).await;
            let (signed, mark) = signed.map_err(|error| failed(&error))?;
            let spend = |(transaction, confirmations): &(Transaction, u32)| {
                let others = transaction
                    .output
                    .iter()
                    .filter(|output| output.script_pubkey != this.script);
                Spend {
                    txid: Txid::from_bytes(transaction.compute_txid().to_byte_array()),
                    outputs: others.map(paid).collect(),
                    confirmations: *confirmations,
                }
            };
            Ok(Spends {
                spends: signed.iter().map(spend).collect(),
                mark: Some(mark.to_string()),
            })
        })
    }

    fn sent(&self, txid: Txid) -> WalletFuture<Option<Sent>> {
        let devnet = self.devnet.clone();
        Box::pin(async move {
            let txid = bitcoin::Txid::from_byte_array(*txid.as_bytes());
            let sent = devnet.transaction(txid).await.map_err(|error| failed(&error))?;
            Ok(sent.and_then(|(transaction, fee)| {
                Some(Sent {
                    bytes: serialize(&transaction),
                    inputs: transaction
                        .input
                        .iter()
                        .map(|input| ours(&input.previous_output))
                        .collect(),
                    fee: Amount::from_sats(fee)?,
                })
            }))
        })
    }
}

#[cfg(test)]
mod tests;
