//! The real binary on two real litecoinds: 450 blocks across the activation of the extension blocks.
//!
//! Run with `cargo test --test node -- --ignored`; it needs `litecoind` (`apt-get install litecoind`).

#![allow(clippy::unwrap_used, reason = "a test ends with a panic")]

#[path = "node/litecoin.rs"]
mod litecoin;
#[path = "node/pool.rs"]
mod pool;

use std::fs;
use std::time::Duration;

use dwarves_api_types::work::ShareResult;
use dwarves_domain::share::Rejection;
use dwarves_domain::time::Span;
use dwarves_ports::clock::Clock;
use dwarves_system::clock::{Stopwatch, SystemClock};
use litecoin::{Network, wait_until};
use pool::{Miner, Pool, check};
use serde_json::{Value, json};

/// The first height at which Litecoin's regtest has extension blocks.
const EXTENSION_BLOCKS_AT: u32 = 432;
/// An address of nobody here.
const SOMEBODY: &str = "rltc1q5xp0ngq23y49v9nc49rn0z7rgs8fevh3c5ttlx";

/// Sends some of the wallet's coins, so that the next blocks have transactions.
fn send(network: &Network, count: u32) {
    for _ in 0..count {
        let to: String = network.first.call("getnewaddress", json!([]));
        let _txid: String = network.first.call("sendtoaddress", json!([to, "0.5"]));
    }
}

/// How many transactions beside the coinbase the block at this height has.
fn transactions(network: &Network, height: u32) -> usize {
    network.first.block_at(height)["tx"].as_array().unwrap().len() - 1
}

#[test]
#[ignore = "needs litecoind"]
fn a_pool_on_two_litecoinds_mines_across_the_activation_of_the_extension_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let mut network = Network::start(dir.path());
    let settings = pool::settings(dir.path(), &network);
    let (is_good, said) = check(&settings, &dir.path().join("data"));
    assert!(is_good, "{said}");
    for what in [
        "Litecoin regtest",
        "synced",
        "is loaded",
        "the wallet's own",
        "takes the pool's own block",
        "clock",
    ] {
        assert!(said.contains(what), "{what:?} is not in: {said}");
    }

    let mut pool = Pool::start(dir.path(), &network);
    assert_eq!(pool.get("/v1/pool").unwrap()["chain"], "litecoin");
    let _made: Value = network.second.call("createwallet", json!(["miners"]));
    let addresses: [String; 2] = [1, 2].map(|_| network.second.call("getnewaddress", json!([])));
    let mut miners = [
        Miner::new(&pool, 1, Some(&addresses[0])),
        Miner::new(&pool, 2, Some(&addresses[1])),
    ];
    let watch = Stopwatch::start();
    while miners[0].mine() < 110 {}
    println!("110 blocks in {:?}", watch.elapsed());

    // The wallet's first coinbases can be spent: blocks with transactions.
    send(&network, 12);
    let height = miners[1].mine().max(miners[1].mine());
    wait_until("the transactions are in blocks", || {
        let found = (height - 1..=network.first.height()).map(|height| transactions(&network, height));
        found.sum::<usize>() >= 12 || {
            miners[1].mine();
            false
        }
    });

    // The first node goes. The second takes over, and what is found goes to it.
    network.wait_for_agreement();
    let cookie = fs::read(network.first.cookie_file()).unwrap();
    network.first.stop();
    let height = miners[0].mine();
    wait_until("the second node has the block", || {
        network.second.height() >= height
    });
    miners[0].mine();
    pool.assert_alive();
    // It comes back with another cookie, and the pool logs in again.
    network.first.launch();
    assert_ne!(fs::read(network.first.cookie_file()).unwrap(), cookie);
    let _loaded: Value = network.first.call("loadwallet", json!(["pool"]));
    network.connect();
    network.wait_for_agreement();
    wait_until("the first node gives work again", || {
        pool.log().contains("gives work again")
    });

    // Nothing can be mined at the height before the activation until coins are sent to the extension block.
    while network.first.height() < EXTENSION_BLOCKS_AT - 1 {
        miners[0].mine();
        wait_until("the first node has the pool's block", || {
            network.first.height() >= miners[0].height().unwrap_or(0)
        });
    }
    wait_until("the node's refusal shows", || {
        pool.readiness().1.contains("bad-txns-vin-empty")
    });
    pool.assert_alive();
    let private: String = network.first.call("getnewaddress", json!(["m", "mweb"]));
    let _txid: String = network.first.call("sendtoaddress", json!([private, "10"]));
    while miners[1].mine() < 440 {}
    send(&network, 8);
    while miners[0].mine() < 455 {}
    println!("455 blocks in {:?}", watch.elapsed());
    network.wait_for_agreement();
    let info: Value = network.first.call("getblockchaininfo", json!([]));
    assert_eq!(info["softforks"]["mweb"]["active"], true);
    let with_transactions =
        (EXTENSION_BLOCKS_AT..=network.first.height()).filter(|height| transactions(&network, *height) > 1);
    assert!(
        with_transactions.count() > 0,
        "beside the one that carries the extension block's coins"
    );
    assert!(transactions(&network, 450) >= 1);

    every_block_is_known(&network, &pool);
    a_block_that_is_orphaned_and_comes_back(&network, &pool, &mut miners[0]);
    old_work_is_stale(&network, &mut miners[1]);
    payouts_are_on_the_chain_and_equal_the_books(&network, &pool, &mut miners, &addresses);
    let [miner, _] = miners;
    new_work_comes_at_once(&network, miner);
    pool.assert_alive();
}

#[test]
#[ignore = "needs litecoind"]
fn a_pool_waits_for_its_nodes_outlives_them_and_keeps_what_is_found_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let mut network = Network::start(dir.path());
    network.stop();
    let mut pool = Pool::launch(dir.path(), &network);
    wait_until("the pool says what it lacks", || {
        pool.assert_alive();
        let (is_ready, said) = pool.readiness();
        !is_ready && said.contains("cannot be reached")
    });
    network.launch();
    wait_until("the pool is ready", || pool.readiness().0);
    let mut miner = Miner::new(&pool, 1, None);
    let height = miner.mine().max(miner.mine());
    wait_until("the node has the blocks", || network.first.height() == height);

    let work = miner.next_work();
    network.stop();
    wait_until(
        "the pool says that the nodes are gone, and goes on with its last work",
        || {
            let (is_ready, said) = pool.readiness();
            is_ready && said.contains("cannot be reached")
        },
    );
    let verdict = miner.submit(Miner::solve(&work));
    assert!(
        matches!(verdict, ShareResult::Accepted { block: true, .. }),
        "{verdict:?}"
    );
    network.launch();
    wait_until("the block is on the chain", || network.first.height() > height);
    miner.mine();
    assert!(pool.readiness().0);
    pool.assert_alive();
}

#[test]
#[ignore = "needs litecoind"]
fn of_two_litecoinds_on_different_chains_the_pool_works_on_the_one_with_more_work_and_pays_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let network = Network::start(dir.path());
    let _made: Vec<String> = network.second.call("generatetoaddress", json!([20, SOMEBODY]));
    network.wait_for_agreement();
    let mut pool = Pool::start(dir.path(), &network);
    let mut miner = Miner::new(&pool, 1, None);
    miner.mine();
    network.wait_for_agreement();
    assert!(pool.readiness().0);
    let parted: String = network.first.call("getblockhash", json!([10]));

    // The first, which has the wallet, goes its own way from block 10 on: 9 blocks, while the second has 30 and more.
    let _none: Value = network.first.call("invalidateblock", json!([parted]));
    // To another address: the same block again would be the one that is refused.
    let elsewhere: String = network.first.call("getnewaddress", json!([]));
    let _made: Vec<String> = network.first.call("generatetoaddress", json!([9, elsewhere]));
    let _made: Vec<String> = network.second.call("generatetoaddress", json!([10, SOMEBODY]));
    wait_until("the pool says which chain the first node is on", || {
        pool.readiness().1.contains("is on another chain, with more work")
    });
    let (is_ready, said) = pool.readiness();
    assert!(is_ready, "the second gives work: {said}");
    assert!(said.contains("payouts are held by chain"), "{said}");
    let height = network.second.height();
    wait_until("the pool works on the second's chain", || {
        miner.start_over();
        miner.next_work().height == height + 1
    });
    miner.start_over();
    let found = miner.mine();
    wait_until("the second has the pool's block", || {
        network.second.height() >= found
    });
    assert!(network.first.height() < height, "the first is still elsewhere");
    let settings = pool::settings(dir.path(), &network);
    let (is_good, said) = check(&settings, &dir.path().join("another"));
    assert!(!is_good && said.contains("is minority"), "{said}");
    pool.assert_alive();
}

/// Every coinbase on the chain that pays the pool is a block of the pool, and the other way round.
fn every_block_is_known(network: &Network, pool: &Pool) {
    let script: Value = network.first.call("validateaddress", json!([network.address]));
    let height = network.first.height();
    // The first block was the node's own.
    let on_chain: Vec<String> = (2..=height)
        .map(|height| network.first.block_at(height))
        .filter(|block| block["tx"][0]["vout"][0]["scriptPubKey"]["hex"] == script["scriptPubKey"])
        .map(|block| block["hash"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(on_chain.len() as u32, height - 1, "every block is the pool's");
    // Each is in BIP54's form, which the node's rules allow before and after extension blocks.
    for height in (2..=height).rev().step_by(50) {
        let coinbase = network.first.block_at(height)["tx"][0].clone();
        assert_eq!(coinbase["locktime"], height - 1);
        assert_eq!(coinbase["vin"][0]["sequence"], 0xffff_fffe_u32);
    }
    wait_until("every block is immature or mature", || {
        let blocks = pool.blocks();
        let of_state = |state: &str| blocks.iter().filter(|block| block["state"] == state).count();
        of_state("immature") + of_state("mature") == on_chain.len()
    });
    let known: Vec<Value> = pool.blocks();
    assert!(
        on_chain
            .iter()
            .all(|hash| known.iter().any(|block| block["hash"] == hash.as_str()))
    );
}

/// A block of the pool is replaced by two of somebody else, which are replaced by it and what comes on it.
fn a_block_that_is_orphaned_and_comes_back(network: &Network, pool: &Pool, miner: &mut Miner) {
    miner.mine();
    network.wait_for_agreement();
    let ours: String = network.first.call("getbestblockhash", json!([]));
    wait_until("the block is immature", || {
        pool.state_of(&ours).as_deref() == Some("immature")
    });
    let both = |method: &'static str, hash: &str| {
        for node in [&network.first, &network.second] {
            let _done: Value = node.call(method, json!([hash]));
        }
    };
    both("invalidateblock", &ours);
    let theirs: Vec<String> = network.second.call("generatetoaddress", json!([2, SOMEBODY]));
    network.wait_for_agreement();
    wait_until("the block is orphaned", || {
        pool.state_of(&ours).as_deref() == Some("orphaned")
    });
    // The pool goes on upon the others' blocks.
    assert_eq!(miner.next_work().height, network.first.height() + 1);

    both("invalidateblock", &theirs[0]);
    both("reconsiderblock", &ours);
    network.wait_for_agreement();
    assert_eq!(network.first.call::<String>("getbestblockhash", json!([])), ours);
    wait_until("the block is back", || {
        pool.state_of(&ours).as_deref() == Some("immature")
    });
    wait_until("the pool's work is upon it", || {
        miner.start_over();
        miner.next_work().height == network.first.height() + 1
    });
}

/// What the miners' addresses received is what the books say was paid, to the last unit.
fn payouts_are_on_the_chain_and_equal_the_books(
    network: &Network,
    pool: &Pool,
    miners: &mut [Miner; 2],
    addresses: &[String; 2],
) {
    pool.admin("paymaster", "set_threshold", &["threshold_sats=100000"]);
    pool.admin("paymaster", "pay_now", &[]);
    let names = [0, 1].map(|at: usize| miners[at].hotkey().to_owned());
    let payouts = |name: &str| {
        let page = pool.get(&format!("/v1/miners/{name}/payouts")).unwrap();
        page["payouts"].as_array().unwrap().clone()
    };
    let all_are = |state: &str| {
        names.iter().all(|name| {
            let payouts = payouts(name);
            !payouts.is_empty() && payouts.iter().all(|payout| payout["state"] == state)
        })
    };
    wait_until("every miner has a payout on the network", || all_are("broadcast"));
    wait_until("the payouts are deep", || {
        miners[0].mine();
        all_are("confirmed")
    });
    network.wait_for_agreement();
    for (name, address) in names.iter().zip(addresses) {
        let payouts = payouts(name);
        let sum = |field: &str| -> u64 { payouts.iter().map(|payout| payout[field].as_u64().unwrap()).sum() };
        let received: f64 = network.second.call("getreceivedbyaddress", json!([address]));
        // Below 2^53 units a float holds eight decimals exactly once it is rounded to them.
        assert_eq!((received * 1e8).round() as u64, sum("amount_sats"), "{payouts:?}");
        let miner = pool.get(&format!("/v1/miners/{name}")).unwrap();
        assert_eq!(
            miner["balance_sats"]["paid"].as_u64().unwrap(),
            sum("debited_sats")
        );
        assert_eq!(miner["balance_sats"]["in_flight"], 0);
        assert!(sum("amount_sats") > 0);
    }
    assert_eq!(pool.get("/v1/pool").unwrap()["ledger_sum_sats"], 0);
}

/// Work on a tip that is over is refused as stale.
fn old_work_is_stale(network: &Network, miner: &mut Miner) {
    let old = miner.next_work();
    let _mined: Value = network.first.call("generatetoaddress", json!([1, SOMEBODY]));
    let _new = miner.next_work();
    let verdict = miner.submit(Miner::solve(&old));
    let ShareResult::Rejected { reason, .. } = &verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(*reason, Rejection::Stale.into());
}

/// A block of somebody else, and work upon it: the node's long poll tells it, the pool's own hands it on.
fn new_work_comes_at_once(network: &Network, mut miner: Miner) {
    let _settled = miner.next_work();
    let waiting = std::thread::spawn(move || {
        let work = miner.next_work();
        (work, SystemClock.now())
    });
    // Nothing tells that the long poll has arrived; it takes milliseconds.
    std::thread::sleep(Duration::from_millis(300));
    let _mined: Value = network.first.call("generatetoaddress", json!([1, SOMEBODY]));
    let mined = SystemClock.now();
    let (work, came) = waiting.join().unwrap();
    assert_eq!(work.height, network.first.height() + 1);
    println!(
        "work on a block of others came after {} ms",
        came.since(mined).millis()
    );
    // The look at the node comes every two seconds only: this is the long poll's doing.
    assert!(came.since(mined) < Span::from_secs(1));
}
