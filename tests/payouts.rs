//! Payouts through a real litecoind: what leaves the wallet is what is debited, whatever dies between two steps.
//!
//! Two nodes on regtest, made for the test: litecoind gives no templates to a node without a peer. The chain is
//! mined past the activation of MWEB, so that payouts are made as on today's Litecoin. Needs Debian's package
//! `litecoind`; run with `cargo test --test payouts -- --ignored`.
#![allow(clippy::unwrap_used, reason = "these are tests, and helpers of tests")]
#![allow(
    clippy::disallowed_methods,
    reason = "tests that wait for a program must give up some time"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::Actor;
use dwarves::rpc::{Coins, Endpoint, RpcClient, RpcError};
use dwarves::store::sqlite::{SqliteOptions, SqliteStore};
use dwarves::wallet::NodeWallet;
use dwarves_actors::ask::{Outbox, Port};
use dwarves_actors::ledger::{Acknowledge, Ledger, LedgerParts};
use dwarves_actors::paymaster::messages::{Poke, ReadPayouts};
use dwarves_actors::paymaster::{Paymaster, PaymasterParts, PaymasterSettings};
use dwarves_actors::store::{MinerBalances, SharedStore, Write};
use dwarves_actors::testing::build::{BEGIN, hotkey, payout_settings, sats};
use dwarves_actors::testing::{FaultyWallet, ManualClock, RecordingHalt, WalletFault};
use dwarves_actors::wallet::{SharedWallet, Wallet, WalletState};
use dwarves_domain::address::AddressFormat;
use dwarves_domain::ids::{PayoutId, RoundId, Sequence};
use dwarves_domain::payouts::{FeePayer, FeeRate, PayoutState};
use dwarves_domain::rewards::{RoundInput, Scheme, Source, Weights, close};
use dwarves_domain::time::Span;
use dwarves_domain::units::{Amount, BasisPoints};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The program itself: `/usr/bin/litecoind` is a script that writes into the home directory.
const LITECOIND: &str = "/usr/lib/litecoin/litecoind";
/// The pool's wallet on the first node.
const WALLET: &str = "pool";
const MINERS: u8 = 3;
/// A look has ended when the wallet was not asked for so many times 25 ms.
const QUIET_POLLS: u32 = 8;
/// Looks of one life.
const LOOKS: u32 = 8;

/// A node of the test, killed with it.
struct Node {
    process: Child,
    directory: tempfile::TempDir,
    rpc_port: u16,
    port: u16,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Node {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (rpc_port, port) = (free_port(), free_port());
        let conf = format!(
            "regtest=1\nserver=1\nfallbackfee=0.0002\n[regtest]\nlisten=1\nport={port}\nbind=127.0.0.1:{port}\n\
             dnsseed=0\ndiscover=0\nrpcbind=127.0.0.1\nrpcallowip=127.0.0.1\nrpcport={rpc_port}\n"
        );
        std::fs::write(directory.path().join("litecoin.conf"), conf).unwrap();
        let process = run(directory.path(), &[]);
        Self {
            process,
            directory,
            rpc_port,
            port,
        }
    }

    fn endpoint(&self) -> Endpoint {
        let cookie = self.directory.path().join("regtest/.cookie");
        Endpoint::new(&format!("http://127.0.0.1:{}", self.rpc_port), Some(&cookie)).unwrap()
    }

    fn client(&self) -> RpcClient {
        RpcClient::start(self.endpoint(), "test-node").unwrap()
    }

    /// Stops it in order, so that it keeps its blocks, and starts it again with these arguments more. Its wallets
    /// are not loaded then.
    async fn restart(&mut self, arguments: &[&str]) {
        let _: Value = call(&self.client(), "stop", json!([])).await;
        self.process.wait().unwrap();
        self.process = run(self.directory.path(), arguments);
        is_up(&self.client()).await;
    }

    async fn load_wallets(&self) {
        for name in [WALLET, "others"] {
            let _: Value = call(&self.client(), "loadwallet", json!([name])).await;
        }
    }
}

fn run(directory: &Path, arguments: &[&str]) -> Child {
    let named = std::env::var_os("LITECOIND").unwrap_or_else(|| LITECOIND.into());
    let mut command = Command::new(named);
    command
        .arg(format!("-datadir={}", directory.display()))
        .args(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
        .spawn()
        .expect("litecoind is installed: apt-get install litecoind")
}

async fn call<T: DeserializeOwned + Send + 'static>(
    client: &RpcClient,
    method: &'static str,
    params: Value,
) -> T {
    match client.call(method, params).await {
        Ok(answer) => answer,
        Err(error) => panic!("{method}: {error}"),
    }
}

/// Waits until the node answers.
async fn is_up(client: &RpcClient) {
    let begin = Instant::now();
    while client
        .call::<Value>("getblockchaininfo", json!([]))
        .await
        .is_err()
    {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "the node does not come up"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The two nodes, the pool's wallet and the miners' addresses.
struct Chain {
    node: Node,
    _peer: Node,
    client: RpcClient,
    pool: RpcClient,
    /// Where blocks of the test pay: not the pool.
    elsewhere: String,
    addresses: Vec<String>,
}

impl Chain {
    async fn start() -> Self {
        let (node, peer) = (Node::start(), Node::start());
        let client = node.client();
        is_up(&client).await;
        is_up(&peer.client()).await;
        let to_peer = format!("127.0.0.1:{}", peer.port);
        let _: Value = call(&client, "addnode", json!([to_peer, "add"])).await;
        for wallet in [WALLET, "others"] {
            let _: Value = call(&client, "createwallet", json!([wallet])).await;
        }
        let (pool, others) = (client.with_wallet(WALLET), client.with_wallet("others"));
        let elsewhere = call(&others, "getnewaddress", json!(["", "bech32"])).await;
        let mut addresses = Vec::new();
        for kind in ["bech32", "legacy", "p2sh-segwit"] {
            addresses.push(call(&others, "getnewaddress", json!(["", kind])).await);
        }
        let chain = Self {
            node,
            _peer: peer,
            client,
            pool,
            elsewhere,
            addresses,
        };
        chain.cross_mweb().await;
        chain
    }

    /// Mines past the activation of MWEB. The block of the activation needs a peg-in waiting, or litecoind can
    /// not make it.
    async fn cross_mweb(&self) {
        let own: String = call(&self.pool, "getnewaddress", json!(["", "bech32"])).await;
        // A few coins of the pool, whose blocks are deep by then; the rest is others'.
        let _: Value = call(&self.client, "generatetoaddress", json!([12, own])).await;
        self.mine(419).await;
        let others = self.client.with_wallet("others");
        let mweb: String = call(&others, "getnewaddress", json!(["", "mweb"])).await;
        let _: Value = call(&others, "sendtoaddress", json!([mweb, "10"])).await;
        self.mine(5).await;
        let info: Value = call(&self.client, "getblockchaininfo", json!([])).await;
        assert_eq!(info["softforks"]["mweb"]["active"], true, "{info}");
    }

    async fn mine(&self, blocks: u32) {
        let _: Value = call(&self.client, "generatetoaddress", json!([blocks, self.elsewhere])).await;
    }

    /// Lets blocks pay another address from now on: the same block as one that was invalidated is not taken.
    async fn pay_others(&mut self) {
        let others = self.client.with_wallet("others");
        self.elsewhere = call(&others, "getnewaddress", json!(["", "bech32"])).await;
    }

    /// What the best chain's blocks after `since` pay to each miner's address, and the network's part of the
    /// transactions that do.
    async fn paid_since(&self, since: u64) -> (Vec<u64>, u64) {
        let height: u64 = call(&self.client, "getblockcount", json!([])).await;
        let mut paid: BTreeMap<String, u64> = BTreeMap::new();
        let mut fees = 0;
        for height in since + 1..=height {
            let hash: String = call(&self.client, "getblockhash", json!([height])).await;
            let hex: String = call(&self.client, "getblock", json!([hash, 0])).await;
            let block: Value = call(&self.client, "getblock", json!([hash, 2])).await;
            assert!(!hex.is_empty());
            for transaction in block["tx"].as_array().unwrap() {
                let mut is_ours = false;
                for output in transaction["vout"].as_array().unwrap() {
                    let Some(address) = output["scriptPubKey"]["addresses"][0].as_str() else {
                        continue;
                    };
                    if self.addresses.iter().any(|known| known == address) {
                        is_ours = true;
                        *paid.entry(address.to_owned()).or_insert(0) += to_sats(&output["value"]);
                    }
                }
                if is_ours {
                    fees += self.fee_of(transaction["txid"].as_str().unwrap()).await;
                }
            }
        }
        let of = |address: &String| paid.get(address).copied().unwrap_or(0);
        (self.addresses.iter().map(of).collect(), fees)
    }

    async fn fee_of(&self, txid: &str) -> u64 {
        let known: Value = call(&self.pool, "gettransaction", json!([txid])).await;
        to_sats(&json!(
            known["fee"]
                .to_string()
                .trim_start_matches('-')
                .parse::<f64>()
                .unwrap()
        ))
    }
}

/// Amounts of blocks in JSON values are floats; eight places of a regtest's coins are exact all the same.
fn to_sats(coins: &Value) -> u64 {
    let text = format!("{:.8}", coins.as_f64().unwrap());
    u64::try_from(text.parse::<Coins>().unwrap().sats()).unwrap()
}

/// What outlives a life of the pool.
struct World {
    chain: Chain,
    _directory: tempfile::TempDir,
    store: SharedStore,
    clock: ManualClock,
    settings: PaymasterSettings,
    since: u64,
    rounds: u64,
    credited: [u64; MINERS as usize],
}

impl World {
    async fn new() -> Self {
        let chain = Chain::start().await;
        let directory = tempfile::tempdir().unwrap();
        let store =
            SqliteStore::open(&directory.path().join("dwarves.db"), SqliteOptions::default()).unwrap();
        let store: SharedStore = Arc::new(store);
        store.start(BEGIN).await.unwrap();
        for (miner, address) in (1..).zip(&chain.addresses) {
            let write = Write::RegisterMiner {
                hotkey: hotkey(miner),
                payout_address: Some(address.clone()),
                at: BEGIN,
            };
            store.commit(vec![write]).await.unwrap();
        }
        let since = call(&chain.client, "getblockcount", json!([])).await;
        Self {
            chain,
            _directory: directory,
            store,
            clock: ManualClock::at(BEGIN.plus(Span::from_secs(1_000))),
            settings: PaymasterSettings {
                addresses: AddressFormat::LitecoinRegtest,
                dust: sats(5_460),
                fee_rate: FeeRate::new(10).unwrap(),
                // A look every hour of real time: the test alone says when.
                look_every: Span::from_secs(3_600),
                ..payout_settings()
            },
            since,
            rounds: 0,
            credited: [0; MINERS as usize],
        }
    }

    /// Makes so many sats of each miner payable.
    async fn credit(&mut self, amounts: [u64; MINERS as usize]) {
        self.rounds += 1;
        let work = (1..)
            .zip(amounts)
            .map(|(miner, amount)| (hotkey(miner), amount.into()));
        let weights = Weights::sum(work).unwrap();
        let input = RoundInput {
            id: RoundId::new(self.rounds),
            closed_at: BEGIN,
            scheme: Scheme::Pplns,
            fee: BasisPoints::default(),
            source: Source::Emission,
            accepted: Vec::new(),
            matured: Vec::new(),
            orphaned: Vec::new(),
            returned: Vec::new(),
            shares: Vec::new(),
            carried: BTreeMap::new(),
            emission: Some((sats(amounts.iter().sum()), weights)),
        };
        let closed = close(&input).unwrap();
        for (sum, amount) in self.credited.iter_mut().zip(amounts) {
            *sum += amount;
        }
        let write = Write::CloseRound {
            round: Box::new(closed),
            blocks: Vec::new(),
            through: Sequence::new(0),
        };
        self.store.commit(vec![write]).await.unwrap();
    }

    fn wallet(&self) -> NodeWallet {
        NodeWallet::start(self.chain.node.endpoint(), Some(WALLET)).unwrap()
    }

    /// One life of the paymaster, with a block between every two looks. A fault may end it. It has a system of
    /// its own, which is dropped with every actor and every future in it, as a crash does.
    fn live(&self, plan: &[(u64, WalletFault)], looks: u32) -> u64 {
        let life = || actix_rt::System::new().block_on(self.live_inside(plan, looks));
        std::thread::scope(|scope| scope.spawn(life).join().unwrap())
    }

    async fn live_inside(&self, plan: &[(u64, WalletFault)], looks: u32) -> u64 {
        let wallet = FaultyWallet::new(Arc::new(self.wallet()), plan.iter().copied());
        let shared: SharedWallet = Arc::new(wallet.clone());
        let halt = RecordingHalt::default();
        let stored = self.store.start(BEGIN).await.unwrap();
        let ledger = Ledger::new(LedgerParts {
            mailbox_capacity: 64,
            store: self.store.clone(),
            halt: halt.shared(),
            acknowledge: Acknowledge::Durable,
            position: (stored.last_sequence, stored.total_units),
        })
        .start();
        let paymaster = Paymaster::new(PaymasterParts {
            wallet: shared,
            ledger: Port::new(&ledger),
            store: self.store.clone(),
            clock: Arc::new(self.clock.clone()),
            halt: halt.shared(),
            settings: self.settings.clone(),
            last_payout: stored.last_payout,
            paused: false,
        })
        .start();
        for _ in 0..looks {
            if !self.is_quiet(&paymaster, &wallet).await {
                break;
            }
            self.chain.mine(1).await;
            self.clock.advance(Span::from_secs(61));
            Outbox::new(&paymaster).tell(Poke).unwrap();
        }
        self.is_quiet(&paymaster, &wallet).await;
        assert_eq!(halt.reasons(), [""; 0]);
        wallet.calls()
    }

    /// Waits until a look has ended: until the wallet was not asked for a while. False if the process died in it.
    async fn is_quiet(&self, paymaster: &actix::Addr<Paymaster>, wallet: &FaultyWallet) -> bool {
        let (mut calls, mut quiet) = (wallet.calls(), 0);
        for _ in 0..1_200 {
            tokio::time::sleep(Duration::from_millis(25)).await;
            if wallet.is_dead() {
                return false;
            }
            let _view = Port::new(paymaster)
                .ask(ReadPayouts, Duration::from_secs(5))
                .await
                .unwrap();
            quiet = if wallet.calls() == calls { quiet + 1 } else { 0 };
            if quiet == QUIET_POLLS {
                return true;
            }
            calls = wallet.calls();
        }
        panic!("a look does not end");
    }

    async fn balances(&self) -> Vec<MinerBalances> {
        let mut all = Vec::new();
        for miner in 1..=MINERS {
            all.push(self.store.miner_balances(hotkey(miner)).await.unwrap());
        }
        all
    }

    /// Looks until everything is paid and deep, then compares chain and books to the last unit.
    async fn settle_and_check(&self, what: &str) {
        self.live(&[], LOOKS);
        let (paid, fees) = self.chain.paid_since(self.since).await;
        let books: Vec<u64> = self.balances().await.iter().map(|b| b.paid.sats()).collect();
        assert_eq!(paid, books, "{what}: the chain pays what the books say");
        let totals = self.store.totals().await.unwrap();
        assert_eq!(totals.ledger_sum, 0, "{what}");
        for balances in self.balances().await {
            let left = [balances.payable, balances.in_flight, balances.immature];
            assert_eq!(left, [Amount::ZERO; 3], "{what}: everything is paid");
        }
        let (paid, credited): (u64, u64) = (paid.iter().sum(), self.credited.iter().sum());
        match self.settings.payer {
            FeePayer::Pool => assert_eq!(paid, credited, "{what}"),
            FeePayer::Miners => assert_eq!(paid + fees, credited, "{what}: what left the wallet was debited"),
        }
    }

    async fn last_payout(&self) -> dwarves_domain::payouts::Payout {
        let (id, _) = self.store.start(BEGIN).await.unwrap().last_payout.unwrap();
        self.store.payout(id).await.unwrap().unwrap()
    }
}

fn in_system(test: impl Future<Output = ()>) {
    actix_rt::System::new().block_on(test);
}

#[test]
#[ignore = "needs litecoind"]
fn a_crash_at_every_call_of_a_real_wallet_pays_everybody_once() {
    in_system(async {
        let mut world = World::new().await;
        world.credit([300_000, 200_000, 100_001]).await;
        let calls = world.live(&[], LOOKS);
        world.settle_and_check("nothing fails").await;
        assert!(calls > 10, "{calls} calls prove nothing");
        for call in 1..=calls.min(16) {
            let survived = [WalletFault::After, WalletFault::Twice][usize::from(call % 2 == 0)];
            for fault in WalletFault::DEADLY.into_iter().chain([survived]) {
                world.settings.payer = if call % 2 == 0 {
                    FeePayer::Pool
                } else {
                    FeePayer::Miners
                };
                world.credit([50_000 + call, 40_000, 30_000]).await;
                world.live(&[(call, fault)], 3);
            }
        }
        world.compare_books_with_chain().await;
    });
}

impl World {
    /// After payouts of both kinds: what left the wallet is what was debited, of every miner.
    async fn compare_books_with_chain(&self) {
        self.live(&[], LOOKS);
        let (paid, _) = self.chain.paid_since(self.since).await;
        let mut fees = [0; MINERS as usize];
        let mut id = PayoutId::new(1);
        while let Some(payout) = self.store.payout(id).await.unwrap() {
            let confirmed = payout.state == PayoutState::Confirmed;
            for part in payout.parts.iter().filter(|_| confirmed) {
                fees[usize::from(part.hotkey.as_bytes()[0]) - 1] += part.fee.sats();
            }
            id = id.next();
        }
        for (miner, balances) in self.balances().await.iter().enumerate() {
            assert_eq!(
                balances.paid.sats(),
                paid[miner],
                "the chain pays what the books say"
            );
            assert_eq!(
                (balances.payable, balances.in_flight),
                (Amount::ZERO, Amount::ZERO)
            );
            let debited = paid[miner] + fees[miner];
            assert_eq!(
                debited, self.credited[miner],
                "debited is paid and fee, and nothing else"
            );
        }
        assert_eq!(self.store.totals().await.unwrap().ledger_sum, 0);
    }
}

#[test]
#[ignore = "needs litecoind"]
fn a_wallet_that_is_not_there_locked_or_short_is_seen_and_paid_from_once_it_is_mended() {
    in_system(async {
        let mut world = World::new().await;
        let wallet = world.wallet();
        assert_eq!(wallet.state().await.unwrap(), WalletState::Ready);
        // Not loaded: a restart of the node unloads it.
        world.chain.node.restart(&[]).await;
        assert!(matches!(wallet.state().await.unwrap(), WalletState::NotLoaded(_)));
        world.chain.node.load_wallets().await;
        // Locked. A wallet that was just encrypted is.
        let _: Value = call(&world.chain.pool, "encryptwallet", json!(["pass"])).await;
        let begin = Instant::now();
        while wallet.state().await.ok() != Some(WalletState::Locked) {
            assert!(
                begin.elapsed() < Duration::from_secs(30),
                "{:?}",
                wallet.state().await
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // The restart took the peer's connection with it for a moment; `addnode` is not kept.
        let to_peer = format!("127.0.0.1:{}", world.chain._peer.port);
        let added: Result<Value, RpcError> =
            world.chain.client.call("addnode", json!([to_peer, "add"])).await;
        assert!(added.is_ok(), "{added:?}");
        world.credit([50_000, 60_000, 70_000]).await;
        world.live(&[], 2);
        assert_eq!(
            world.balances().await[0].payable,
            sats(50_000),
            "nothing was set aside"
        );
        let _: Value = call(&world.chain.pool, "walletpassphrase", json!(["pass", 10_000])).await;
        world.settle_and_check("unlocked").await;
        // Short of funds: more than all of the pool's coins.
        let rich = 100_000_000_000_000;
        world.credit([rich, 0, 0]).await;
        world.live(&[], 2);
        assert_eq!(world.balances().await[0].payable, sats(rich));
    });
}

#[test]
#[ignore = "needs litecoind"]
fn a_reorganisation_deeper_than_a_payout_and_a_rival_are_followed_on_a_real_chain() {
    in_system(async {
        let mut world = World::new().await;
        world.credit([500_000, 0, 0]).await;
        world.live(&[], LOOKS);
        let payout = world.last_payout().await;
        assert_eq!(payout.state, PayoutState::Confirmed);
        // Everything since is undone, deeper than the payout had to be, and the node forgets the transaction.
        let first: String = call(&world.chain.client, "getblockhash", json!([world.since + 1])).await;
        let _: Value = call(&world.chain.client, "invalidateblock", json!([first])).await;
        world.chain.pay_others().await;
        world.live(&[], 1);
        let reorged = world.last_payout().await;
        assert_eq!(reorged.state, PayoutState::Broadcast, "{reorged:?}");
        assert_eq!(world.balances().await[0].in_flight, sats(500_000));
        assert_eq!(reorged.signed, payout.signed, "the same transaction");
        world.settle_and_check("after the reorganisation").await;

        // Somebody else with the wallet's keys spends what a payout spends, before the payout is mined: the chain
        // without the payout goes on with the rival in it.
        world.credit([0, 400_000, 0]).await;
        world.live(&[], 1);
        let payout = world.last_payout().await;
        let signed = payout.signed.clone().unwrap();
        let height: u64 = call(&world.chain.client, "getblockcount", json!([])).await;
        let mined: String = call(&world.chain.client, "getblockhash", json!([height])).await;
        let inputs: Vec<Value> = signed
            .inputs
            .iter()
            .map(|input| json!({ "txid": input.txid.to_string(), "vout": input.vout }))
            .collect();
        let mut worth = 0;
        for input in &signed.inputs {
            let parent: Value = call(
                &world.chain.pool,
                "gettransaction",
                json!([input.txid.to_string(), true, true]),
            )
            .await;
            worth += to_sats(&parent["decoded"]["vout"][input.vout as usize]["value"]);
        }
        let back: String = call(&world.chain.pool, "getnewaddress", json!(["", "bech32"])).await;
        let amount = Coins::from(sats(worth - 20_000)).to_string();
        let rival: String = call(
            &world.chain.pool,
            "createrawtransaction",
            json!([inputs, [{ back: amount }]]),
        )
        .await;
        let _: Value = call(&world.chain.client, "invalidateblock", json!([mined])).await;
        world.chain.pay_others().await;
        // A node that forgot what waited takes the rival: as another miner's node would.
        world
            .chain
            .node
            .restart(&["-persistmempool=0", "-walletbroadcast=0"])
            .await;
        world.chain.node.load_wallets().await;
        let rival: Value = call(&world.chain.pool, "signrawtransactionwithwallet", json!([rival])).await;
        assert_eq!(rival["complete"], true, "{rival}");
        let _: String = call(&world.chain.client, "sendrawtransaction", json!([rival["hex"]])).await;
        world.chain.mine(1).await;
        world.live(&[], LOOKS);
        let returned = world.store.payout(payout.id).await.unwrap().unwrap();
        assert_eq!(returned.state, PayoutState::Returned, "{returned:?}");
        world.settle_and_check("after the rival").await;
    });
}
