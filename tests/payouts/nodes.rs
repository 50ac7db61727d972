//! Two litecoinds on regtest, past the activation of MWEB, with the pool's wallet and the miners' addresses.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dwarves_node::rpc::{CoinAmount, Endpoint, RpcClient};
use dwarves_testkit::free_port;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The program itself: `/usr/bin/litecoind` is a script that writes into the home directory.
const LITECOIND: &str = "/usr/lib/litecoin/litecoind";
/// The pool's wallet on the first node.
pub(crate) const WALLET: &str = "pool";

/// A node of the test, killed with it.
pub(crate) struct Node {
    process: Child,
    directory: tempfile::TempDir,
    rpc_port: u16,
    pub(crate) port: u16,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}

impl Node {
    pub(crate) fn start() -> Self {
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

    pub(crate) fn endpoint(&self) -> Endpoint {
        let cookie = self.directory.path().join("regtest/.cookie");
        Endpoint::new(&format!("http://127.0.0.1:{}", self.rpc_port), Some(&cookie)).unwrap()
    }

    fn client(&self) -> RpcClient {
        RpcClient::start(self.endpoint(), "test-node").unwrap()
    }

    /// Stops it in order, so that it keeps its blocks, and starts it again with these arguments more. Its wallets
    /// are not loaded then.
    pub(crate) async fn restart(&mut self, arguments: &[&str]) {
        let _: Value = call(&self.client(), "stop", json!([])).await;
        self.process.wait().unwrap();
        self.process = run(self.directory.path(), arguments);
        is_up(&self.client()).await;
    }

    pub(crate) async fn load_wallets(&self) {
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

pub(crate) async fn call<T: DeserializeOwned + Send + 'static>(
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
pub(crate) struct Chain {
    pub(crate) node: Node,
    pub(crate) peer: Node,
    pub(crate) client: RpcClient,
    pub(crate) pool: RpcClient,
    /// Where blocks of the test pay: not the pool.
    elsewhere: String,
    pub(crate) addresses: Vec<String>,
}

impl Chain {
    pub(crate) async fn start() -> Self {
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
            peer,
            client,
            pool,
            elsewhere,
            addresses,
        };
        chain.cross_mweb().await;
        chain
    }

    /// Mines past the activation of MWEB. The block of the activation needs a peg-in waiting, or litecoind
    /// cannot make it.
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

    pub(crate) async fn mine(&self, blocks: u32) {
        let _: Value = call(&self.client, "generatetoaddress", json!([blocks, self.elsewhere])).await;
    }

    /// Lets blocks pay another address from now on: the same block as one that was invalidated is not taken.
    pub(crate) async fn pay_others(&mut self) {
        let others = self.client.with_wallet("others");
        self.elsewhere = call(&others, "getnewaddress", json!(["", "bech32"])).await;
    }

    /// An address that is neither the pool's nor a miner's.
    pub(crate) async fn address_of_others(&self) -> String {
        let others = self.client.with_wallet("others");
        call(&others, "getnewaddress", json!(["", "bech32"])).await
    }

    /// The node as it usually is, again.
    pub(crate) async fn restart_broadcasting(&mut self) {
        self.node.restart(&[]).await;
        self.node.load_wallets().await;
        let to_peer = format!("127.0.0.1:{}", self.peer.port);
        let _: Value = call(&self.client, "addnode", json!([to_peer, "add"])).await;
    }

    /// What the best chain's blocks after `since` pay to each miner's address, and the network's part of the
    /// transactions that do.
    pub(crate) async fn paid_since(&self, since: u64) -> (Vec<u64>, u64) {
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
pub(crate) fn to_sats(coins: &Value) -> u64 {
    let text = format!("{:.8}", coins.as_f64().unwrap());
    u64::try_from(text.parse::<CoinAmount>().unwrap().sats()).unwrap()
}
