//! Real litecoinds on regtest. One alone gives no work: it wants a peer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use dwarves_node::rpc::{Endpoint, RpcClient, RpcError};
use dwarves_system::clock::Stopwatch;
use dwarves_testkit::free_port;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// How long a node may take to start or stop, or to hear of a block.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The program itself: Debian's `/usr/bin/litecoind` is a script that writes into the home directory.
fn program() -> PathBuf {
    let named = std::env::var_os("LITECOIND").map(PathBuf::from);
    let known = [
        PathBuf::from("/usr/lib/litecoin/litecoind"),
        PathBuf::from("/usr/local/bin/litecoind"),
    ];
    named
        .into_iter()
        .chain(known)
        .find(|path| path.exists())
        .expect("litecoind is not installed (apt-get install litecoind), or name it in LITECOIND")
}

/// Waits until `done`, and panics if that takes too long.
pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let watch = Stopwatch::start();
    while !done() {
        assert!(watch.elapsed() < PATIENCE, "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// One litecoind with its own directory.
pub(crate) struct Litecoin {
    dir: PathBuf,
    rpc_port: u16,
    process: Option<Child>,
}

impl Litecoin {
    /// Starts one. It listens for peers on `port`, if there is one.
    pub(crate) fn start(dir: &Path, port: Option<u16>) -> Self {
        let rpc_port = free_port();
        fs::create_dir_all(dir).unwrap();
        // An address to listen on is an error for a node that does not listen.
        let peers = port.map_or("listen=0".to_owned(), |port| {
            format!("listen=1\nport={port}\nbind=127.0.0.1:{port}")
        });
        let settings = format!(
            "regtest=1\nserver=1\n[regtest]\n{peers}\ndnsseed=0\ndiscover=0\nrpcbind=127.0.0.1\n\
             rpcallowip=127.0.0.1\nrpcport={rpc_port}\nfallbackfee=0.0002\nrpcthreads=8\n"
        );
        fs::write(dir.join("litecoin.conf"), settings).unwrap();
        let mut node = Self {
            dir: dir.to_owned(),
            rpc_port,
            process: None,
        };
        node.launch();
        node
    }

    /// Starts the process, which may have been stopped, and waits until it answers.
    pub(crate) fn launch(&mut self) {
        let process = Command::new(program())
            .arg(format!("-datadir={}", self.dir.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.process = Some(process);
        wait_until("litecoind answers", || {
            self.try_call::<u32>("getblockcount", json!([])).is_ok()
        });
    }

    /// Stops the process in order.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _stopping: Result<String, _> = self.try_call("stop", json!([]));
            wait_until("litecoind stops", || process.try_wait().unwrap().is_some());
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.rpc_port)
    }

    pub(crate) fn cookie_file(&self) -> PathBuf {
        self.dir.join("regtest/.cookie")
    }

    pub(crate) fn try_call<T>(&self, method: &'static str, params: Value) -> Result<T, RpcError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let endpoint = Endpoint::new(&self.url(), Some(&self.cookie_file())).unwrap();
        let client = RpcClient::start(endpoint, "test").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(client.call(method, params))
    }

    pub(crate) fn call<T>(&self, method: &'static str, params: Value) -> T
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.try_call(method, params.clone())
            .unwrap_or_else(|error| panic!("{method} {params}: {error}"))
    }

    pub(crate) fn height(&self) -> u32 {
        self.call("getblockcount", json!([]))
    }

    /// The block of the best chain at this height, with its transactions decoded.
    pub(crate) fn block_at(&self, height: u32) -> Value {
        let hash: String = self.call("getblockhash", json!([height]));
        self.call("getblock", json!([hash, 2]))
    }
}

impl Drop for Litecoin {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // Nothing of it is needed any more.
            let _killed = process.kill();
            let _ended = process.wait();
        }
    }
}

/// Two nodes that are peers of each other, and a third, so that neither is alone while the other is down. The
/// first has a wallet.
pub(crate) struct Network {
    pub(crate) first: Litecoin,
    pub(crate) second: Litecoin,
    third: Litecoin,
    /// An address of the first node's wallet.
    pub(crate) address: String,
    pub(crate) peer: String,
}

impl Network {
    /// Starts both and lets them out of their initial download.
    pub(crate) fn start(dir: &Path) -> Self {
        let port = free_port();
        let second = Litecoin::start(&dir.join("second"), Some(port));
        let third = Litecoin::start(&dir.join("third"), None);
        let first = Litecoin::start(&dir.join("first"), None);
        let peer = format!("127.0.0.1:{port}");
        let _made: Value = first.call("createwallet", json!(["pool"]));
        let address: String = first.call("getnewaddress", json!([]));
        let network = Self {
            first,
            second,
            third,
            address,
            peer,
        };
        network.connect();
        let _added: Value = network.third.call("addnode", json!([network.peer, "add"]));
        let _mined: Value = network
            .first
            .call("generatetoaddress", json!([1, network.address]));
        network.wait_for_agreement();
        network
    }

    /// Makes the nodes peers. They stay so: a peer that was dropped is connected to again.
    pub(crate) fn connect(&self) {
        let _added: Value = self.first.call("addnode", json!([self.peer, "add"]));
        wait_until("the nodes are peers", || {
            self.first.call::<u32>("getconnectioncount", json!([])) > 0
        });
    }

    /// Stops the pool's nodes.
    pub(crate) fn stop(&mut self) {
        self.first.stop();
        self.second.stop();
    }

    /// Starts the pool's nodes again.
    pub(crate) fn launch(&mut self) {
        self.second.launch();
        self.first.launch();
        let _loaded: Value = self.first.call("loadwallet", json!(["pool"]));
        self.connect();
    }

    pub(crate) fn wait_for_agreement(&self) {
        wait_until("both nodes have the same tip", || {
            let tip = |node: &Litecoin| node.call::<String>("getbestblockhash", json!([]));
            tip(&self.first) == tip(&self.second)
        });
    }
}
