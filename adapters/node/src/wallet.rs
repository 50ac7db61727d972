//! A node's own wallet over JSON-RPC: litecoind 0.21 and Bitcoin Core alike.
//!
//! The pool chooses the coins, all of them confirmed, so that no payout hangs on another that is not mined yet;
//! it says the outputs to the sat, as decimal texts; and the node signs with the wallet's keys. The node is asked
//! whether it would take the transaction before anything of it is stored. Nothing is sent but by
//! `sendrawtransaction` with the stored bytes.
//!
//! | module | its one job |
//! |---|---|
//! | `answers` | the node's answers as far as they are read |
//! | `errors` | what the node's errors mean for a payout |

use std::collections::BTreeSet;
use std::time::Duration;

use dwarves_domain::payouts::{Chosen, Funds, OutPoint, Output, Rival, Seen, Signed, Txid, read_transaction};
use dwarves_domain::units::Amount;
use dwarves_ports::wallet::{
    BuildRequest, Built, SendOutcome, Sent, Spends, Wallet, WalletError, WalletErrorKind, WalletFuture,
    WalletState,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::rpc::{CoinAmount, Endpoint, RpcClient, RpcError, WalletTrouble};

mod answers;
mod errors;
mod history;
#[cfg(test)]
mod tests;

use answers::{
    Accepted, ChainInfo, History, PlaceJson, SignedHex, TransactionInfo, Unspent, WalletInfo, WalletLine,
    sizes_of,
};
use errors::{failed, refused};

/// How long one call may take: signing thousands of inputs and outputs takes seconds.
const CALL_MAX: Duration = Duration::from_secs(60);
/// Blocks that a node may be behind its own headers and still be believed.
const BEHIND_MAX: u64 = 2;
/// Lines of the wallet's history that are searched for whoever spent a payout's inputs.
const HISTORY_MAX: u32 = 1_000;
/// How deep the block lies behind which what was sent is not asked for again.
const MARK_DEPTH: u32 = 100;
/// Change below this goes to the network, in sats: less is dust on Litecoin, and worth little on Bitcoin.
const CHANGE_MIN_SATS: u64 = 5_460;
/// The node does not know the transaction, or the address is none (`RPC_INVALID_ADDRESS_OR_KEY`).
const NOT_FOUND: i64 = -5;
/// An output cannot be locked, because it is spent or not the wallet's (`RPC_INVALID_PARAMETER`).
const INVALID_PARAMETER: i64 = -8;
/// A transaction that the node judged: missing inputs, refused, known (`RPC_VERIFY_*`).
const VERIFY_ERROR: i64 = -25;
const VERIFY_REJECTED: i64 = -26;
const VERIFY_KNOWN: i64 = -27;
/// How nodes say that they have a transaction already.
const KNOWN: [&str; 2] = ["txn-already-in-mempool", "txn-already-known"];

/// A node's wallet. Clones are handles of the same one.
#[derive(Clone, Debug)]
pub struct NodeWallet {
    wallet: RpcClient,
    name: Option<String>,
}

impl NodeWallet {
    /// The wallet of this name on the node at `endpoint`; without a name the node's only one.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn start(endpoint: Endpoint, name: Option<&str>) -> std::io::Result<Self> {
        let client = RpcClient::start(endpoint, "node-wallet")?.with_timeout(CALL_MAX);
        Ok(Self {
            wallet: match name {
                Some(name) => client.with_wallet(name),
                None => client,
            },
            name: name.map(str::to_owned),
        })
    }

    async fn call<T>(&self, method: &'static str, params: Value) -> Result<T, WalletError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.wallet
            .call(method, params)
            .await
            .map_err(|error| failed(method, &error))
    }

    async fn read_state(&self) -> Result<WalletState, WalletError> {
        let info: WalletInfo = match self.wallet.call("getwalletinfo", json!([])).await {
            Ok(info) => info,
            Err(RpcError::Wallet {
                trouble: WalletTrouble::NotLoaded | WalletTrouble::NotNamed,
                message,
            }) => {
                let name = self.name.as_deref().unwrap_or("(none named in chain.wallet)");
                return Ok(WalletState::NotLoaded(format!("wallet {name}: {message}")));
            }
            Err(error) => return Err(failed("getwalletinfo", &error)),
        };
        let chain: ChainInfo = self.call("getblockchaininfo", json!([])).await?;
        if chain.initialblockdownload || chain.headers.saturating_sub(chain.blocks) > BEHIND_MAX {
            let detail = format!("the node has {} of {} blocks", chain.blocks, chain.headers);
            return Ok(WalletState::Syncing(detail));
        }
        if info.is_scanning() {
            return Ok(WalletState::Syncing(
                "the wallet is reading the chain again".to_owned(),
            ));
        }
        Ok(match info.unlocked_until {
            Some(0) => WalletState::Locked,
            _ => WalletState::Ready,
        })
    }

    /// CoinAmount that are confirmed, mature, not locked and the wallet's to sign for; and what it has in MWEB.
    async fn read_funds(&self) -> Result<Funds, WalletError> {
        let unspent: Vec<Unspent> = self.call("listunspent", json!([1])).await?;
        let in_mweb = unspent.iter().filter(|coin| coin.is_in_mweb());
        let in_mweb = Amount::checked_sum(in_mweb.filter_map(|coin| coin.amount.amount()));
        let coins: Vec<Unspent> = unspent.into_iter().filter(Unspent::is_ours).collect();
        let priced = coins
            .iter()
            .filter_map(|coin| Some((coin.place()?, coin.amount.amount()?)));
        Ok(Funds {
            coins: priced.collect(),
            sizes: sizes_of(&coins),
            change_min: Amount::from_sats(CHANGE_MIN_SATS).expect("a small constant is an amount"),
            in_mweb: in_mweb.unwrap_or(Amount::MAX),
        })
    }

    async fn build_and_sign(&self, request: BuildRequest) -> Result<Built, WalletError> {
        let chosen = request.choose_from(&self.read_funds().await?)?;
        // Locked first: whoever else asks the wallet for coins from now on gets others.
        let places: Vec<PlaceJson> = chosen.inputs.iter().map(PlaceJson::of).collect();
        let _locked: bool = self.call("lockunspent", json!([false, places])).await?;
        let hex = self.sign(&request, &chosen).await?;
        let bytes = hex::decode(&hex).map_err(|_| refused("the signed transaction is not hex"))?;
        let transaction = read_transaction(&bytes).map_err(|error| refused(error.to_string()))?;
        Ok(Built {
            signed: Signed {
                txid: transaction.txid,
                inputs: transaction.inputs,
                bytes,
                fee: chosen.fee,
            },
            borne: chosen.borne,
        })
    }

    /// Whether the node would take the transaction of this request. Nothing of it is locked or kept.
    async fn try_out(&self, request: BuildRequest) -> Result<(), WalletError> {
        let chosen = request.choose_from(&self.read_funds().await?)?;
        self.sign(&request, &chosen).await.map(|_| ())
    }

    /// The signed transaction in hex, once the node said that it would take it.
    async fn sign(&self, request: &BuildRequest, chosen: &Chosen) -> Result<String, WalletError> {
        let outputs = request.batch.outputs_after(chosen.borne);
        let outputs = outputs.map_err(|error| refused(error.to_string()))?;
        let unsigned = self.write_transaction(chosen, &outputs).await?;
        let signed: SignedHex = self
            .call("signrawtransactionwithwallet", json!([unsigned]))
            .await?;
        if !signed.complete {
            return Err(refused("it cannot sign for all of its own coins"));
        }
        self.ask_acceptance(&signed.hex).await?;
        Ok(signed.hex)
    }

    /// The transaction in hex, without signatures.
    async fn write_transaction(&self, chosen: &Chosen, outputs: &[Output]) -> Result<String, WalletError> {
        let inputs: Vec<Value> = chosen
            .inputs
            .iter()
            .map(|input| {
                // Final: the payout says of itself that it is never replaced (BIP125).
                json!({ "txid": input.txid.to_string(), "vout": input.vout, "sequence": u32::MAX })
            })
            .collect();
        let mut paid: Vec<Value> = Vec::with_capacity(outputs.len() + 1);
        for output in outputs {
            paid.push(pays(&output.address, output.amount));
        }
        if chosen.change > Amount::ZERO {
            let own: String = self.call("getrawchangeaddress", json!(["bech32"])).await?;
            paid.push(pays(&own, chosen.change));
        }
        let written = self
            .wallet
            .call("createrawtransaction", json!([inputs, paid, 0, false]))
            .await;
        written.map_err(|error| match &error {
            RpcError::Refused {
                code: NOT_FOUND,
                message,
            } => {
                // The node names the address in its words.
                let bad = outputs.iter().find(|output| message.contains(&output.address));
                match bad {
                    Some(output) => WalletError::new(
                        WalletErrorKind::BadAddress(output.script.clone()),
                        message.clone(),
                    ),
                    None => failed("createrawtransaction", &error),
                }
            }
            _ => failed("createrawtransaction", &error),
        })
    }

    /// Whether the node would take the signed transaction. It is not sent.
    async fn ask_acceptance(&self, hex: &str) -> Result<(), WalletError> {
        let judged: Vec<Accepted> = self.call("testmempoolaccept", json!([[hex]])).await?;
        match judged.first() {
            Some(judged) if judged.allowed => Ok(()),
            Some(judged) => {
                let why = judged.reason.clone().unwrap_or_default();
                let kind = if why.contains("tx-size") {
                    WalletErrorKind::TooLarge
                } else {
                    WalletErrorKind::Refused
                };
                Err(WalletError::new(
                    kind,
                    format!("the node would not take the transaction: {why}"),
                ))
            }
            None => Err(refused("testmempoolaccept gave no answer")),
        }
    }

    /// Locks these coins and releases all others.
    async fn hold_exactly(&self, inputs: Vec<OutPoint>) -> Result<(), WalletError> {
        let wanted: BTreeSet<OutPoint> = inputs.into_iter().collect();
        let locked: Vec<PlaceJson> = self.call("listlockunspent", json!([])).await?;
        let locked: BTreeSet<OutPoint> = locked.iter().filter_map(PlaceJson::place).collect();
        let strays: Vec<PlaceJson> = locked.difference(&wanted).map(PlaceJson::of).collect();
        if !strays.is_empty() {
            let _released: bool = self.call("lockunspent", json!([true, strays])).await?;
        }
        for missing in wanted.difference(&locked) {
            let place = [PlaceJson::of(missing)];
            match self
                .wallet
                .call::<bool>("lockunspent", json!([false, place]))
                .await
            {
                // A coin that is spent already, by the payout itself as a rule, need not be locked.
                Ok(_)
                | Err(RpcError::Refused {
                    code: INVALID_PARAMETER,
                    ..
                }) => {}
                Err(error) => return Err(failed("lockunspent", &error)),
            }
        }
        Ok(())
    }

    async fn send_bytes(&self, bytes: Vec<u8>) -> Result<SendOutcome, WalletError> {
        let sent = self
            .wallet
            .call::<String>("sendrawtransaction", json!([hex::encode(bytes)]))
            .await;
        match sent {
            Ok(_) => Ok(SendOutcome::Accepted),
            Err(RpcError::Refused {
                code: VERIFY_KNOWN, ..
            }) => Ok(SendOutcome::Known),
            Err(RpcError::Refused {
                code: VERIFY_ERROR | VERIFY_REJECTED,
                message,
            }) => Ok(if KNOWN.iter().any(|word| message.contains(word)) {
                SendOutcome::Known
            } else {
                SendOutcome::Refused(message)
            }),
            Err(error) => Err(failed("sendrawtransaction", &error)),
        }
    }
}

/// An output of `createrawtransaction`: an exact amount to an address.
fn pays(address: &str, amount: Amount) -> Value {
    let mut output = Map::new();
    output.insert(
        address.to_owned(),
        Value::String(CoinAmount::from(amount).to_string()),
    );
    Value::Object(output)
}

impl Wallet for NodeWallet {
    fn state(&self) -> WalletFuture<WalletState> {
        let this = self.clone();
        Box::pin(async move { this.read_state().await })
    }

    fn funds(&self) -> WalletFuture<Funds> {
        let this = self.clone();
        Box::pin(async move { this.read_funds().await })
    }

    fn own_address(&self) -> WalletFuture<String> {
        let this = self.clone();
        Box::pin(async move { this.call("getrawchangeaddress", json!(["bech32"])).await })
    }

    fn hold(&self, inputs: Vec<OutPoint>) -> WalletFuture<()> {
        let this = self.clone();
        Box::pin(async move { this.hold_exactly(inputs).await })
    }

    fn check(&self, request: BuildRequest) -> WalletFuture<()> {
        let this = self.clone();
        Box::pin(async move { this.try_out(request).await })
    }

    fn build(&self, request: BuildRequest) -> WalletFuture<Built> {
        let this = self.clone();
        Box::pin(async move { this.build_and_sign(request).await })
    }

    fn send(&self, bytes: Vec<u8>) -> WalletFuture<SendOutcome> {
        let this = self.clone();
        Box::pin(async move { this.send_bytes(bytes).await })
    }

    fn status(&self, txid: Txid) -> WalletFuture<Seen> {
        let this = self.clone();
        Box::pin(async move { this.read_status(txid).await })
    }

    fn rival(&self, txid: Txid, inputs: Vec<OutPoint>) -> WalletFuture<Rival> {
        let this = self.clone();
        Box::pin(async move { this.find_rival(txid, inputs).await })
    }

    fn spends(&self, mark: Option<String>) -> WalletFuture<Spends> {
        let this = self.clone();
        Box::pin(async move { this.read_spends(mark).await })
    }

    fn sent(&self, txid: Txid) -> WalletFuture<Option<Sent>> {
        let this = self.clone();
        Box::pin(async move {
            let info = this.transaction_with_inputs(txid).await?;
            Ok(info.and_then(|info| info.sent()))
        })
    }
}
