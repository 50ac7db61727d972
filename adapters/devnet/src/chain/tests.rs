use std::sync::Arc;
use std::task::Poll;

use bitcoin::consensus::encode::serialize;
use bitcoin::{ScriptBuf, Transaction};
use dwarves_domain::address::PayoutAddress;
use dwarves_domain::ids::ExtraNonce;
use dwarves_domain::target::CompactTarget;

use super::chain_state::tests::{EASY, NOW, SCRIPT, easy_params, solve};
use super::engine::tests::Still;
use super::*;

fn in_memory() -> Devnet {
    Devnet::in_memory(&easy_params(), Arc::new(Still(NOW))).unwrap()
}

fn on_disk(dir: &Path) -> Devnet {
    Devnet::open(dir, &easy_params(), Arc::new(Still(NOW))).unwrap()
}

/// Runs `check` on both kinds of devnet: the promises are the same.
async fn on_both(check: impl AsyncFn(Devnet)) {
    check(in_memory()).await;
    let dir = tempfile::tempdir().unwrap();
    let devnet = on_disk(dir.path());
    check(devnet.clone()).await;
    devnet.close().await;
}

/// Looks once at a future that is not ready, so that it waits where it will be woken.
async fn assert_waits<T: std::fmt::Debug>(future: &mut ChainFuture<T>) {
    std::future::poll_fn(|context| {
        let polled = future.as_mut().poll(context);
        assert!(polled.is_pending(), "{polled:?}");
        Poll::Ready(())
    })
    .await;
}

#[actix::test]
async fn a_pool_finds_a_block_and_sees_it_confirmed() {
    on_both(async |devnet| {
        let genesis = devnet.tip_after(None).await.unwrap();
        assert_eq!(genesis.height, 0);
        let mut waiting = devnet.tip_after(Some(genesis.hash));
        assert_waits(&mut waiting).await;

        let template = devnet.template().await.unwrap();
        assert_eq!((template.height, template.bits.bits()), (1, EASY));
        let (hash, bytes) = solve(template, SCRIPT, ExtraNonce::new(1));
        assert_eq!(devnet.status(hash).await, Ok(BlockStatus::Unknown));
        assert_eq!(devnet.submit(bytes.clone()).await, Ok(SubmitOutcome::Accepted));
        assert_eq!(waiting.await, Ok(Tip { hash, height: 1 }));
        assert_eq!(devnet.submit(bytes).await, Ok(SubmitOutcome::Duplicate));
        assert_eq!(
            devnet.status(hash).await,
            Ok(BlockStatus::MainChain { confirmations: 1 })
        );
        devnet.mine(9, SCRIPT).await.unwrap();
        assert_eq!(
            devnet.status(hash).await,
            Ok(BlockStatus::MainChain { confirmations: 10 })
        );
    })
    .await;
}

#[actix::test]
async fn a_reorg_replaces_the_topmost_blocks_in_one_step() {
    on_both(async |devnet| {
        let old = devnet.mine(5, SCRIPT).await.unwrap();
        let branch = devnet.reorg(3).await.unwrap();
        assert_eq!(branch.len(), 4);
        let tip = devnet.tip_after(None).await.unwrap();
        assert_eq!((tip.hash, tip.height), (branch[3], 6));
        assert_eq!(devnet.status(old[2]).await, Ok(BlockStatus::SideChain));
        assert_eq!(
            devnet.status(old[1]).await,
            Ok(BlockStatus::MainChain { confirmations: 5 })
        );
        let again = devnet.reorg(3).await.unwrap();
        assert_eq!(devnet.status(branch[1]).await, Ok(BlockStatus::SideChain));
        assert_eq!(
            devnet.status(again[0]).await,
            Ok(BlockStatus::MainChain { confirmations: 4 })
        );
        assert_eq!(devnet.reorg(99).await, Err(CommandError::TooDeep { height: 7 }));
    })
    .await;
}

#[actix::test]
async fn nobody_is_woken_before_a_reorg_is_complete() {
    let devnet = in_memory();
    let old = devnet.mine(5, SCRIPT).await.unwrap();
    let mut waiting = devnet.tip_after(Some(old[4]));
    assert_waits(&mut waiting).await;
    let branch = devnet.reorg(2).await.unwrap();
    assert_eq!(waiting.await.unwrap().hash, branch[2]);
}

#[actix::test]
async fn a_stalled_chain_answers_nothing_until_it_goes_on() {
    on_both(async |devnet| {
        let before = devnet.tip_after(None).await.unwrap();
        let (_, bytes) = solve(devnet.template().await.unwrap(), SCRIPT, ExtraNonce::new(1));
        let waiting = devnet.tip_after(Some(before.hash));
        devnet.stall(true).await.unwrap();
        let not_ready = |error| matches!(error, ChainError::NotReady(_));
        assert!(not_ready(waiting.await.unwrap_err()));
        assert!(not_ready(devnet.tip_after(None).await.unwrap_err()));
        assert!(not_ready(devnet.template().await.unwrap_err()));
        assert!(not_ready(devnet.status(before.hash).await.unwrap_err()));
        let refused = devnet.submit(bytes.clone()).await;
        assert!(matches!(refused, Err(ChainError::Unreachable(_))));
        let mined = devnet.mine(2, SCRIPT).await.unwrap();
        devnet.stall(false).await.unwrap();
        assert_eq!(devnet.tip_after(Some(before.hash)).await.unwrap().hash, mined[1]);
        assert_eq!(devnet.submit(bytes).await, Ok(SubmitOutcome::Inconclusive));
    })
    .await;
}

#[actix::test]
async fn invalidate_and_set_bits_reach_the_chain() {
    on_both(async |devnet| {
        let mined = devnet.mine(4, SCRIPT).await.unwrap();
        devnet.invalidate(mined[2]).await.unwrap();
        let tip = devnet.tip_after(Some(mined[3])).await.unwrap();
        assert_eq!((tip.hash, tip.height), (mined[1], 2));
        let harder = CompactTarget::from_bits(0x2000_ffff);
        assert_eq!(
            devnet.set_bits(4, harder).await,
            Err(ChangeError::HeightTaken { tallest: 4 }.into())
        );
        devnet.set_bits(5, harder).await.unwrap();
        devnet.mine(2, SCRIPT).await.unwrap();
        assert_eq!(devnet.template().await.unwrap().bits, harder);
        devnet.mine(1, SCRIPT).await.unwrap();
        // The heavy block is undone by one as heavy and one more.
        assert_eq!(devnet.reorg(2).await.unwrap().len(), 3);
    })
    .await;
}

#[actix::test]
async fn a_payment_is_mined_and_its_coin_belongs_to_the_payee() {
    on_both(async |devnet| {
        let address =
            PayoutAddress::parse("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", ADDRESS_FORMAT).unwrap();
        let script = ScriptBuf::from_bytes(address.script());
        devnet.mine(1, script.as_bytes()).await.unwrap();
        devnet.mine(10, SCRIPT).await.unwrap();
        let coins = devnet.coins_of(script.clone()).await.unwrap();
        assert_eq!((coins.len(), coins[0].1.value.to_sat()), (1, 5_000_000_000));
        assert_eq!((coins[0].1.height, coins[0].1.is_coinbase), (1, true));
        let payment = Transaction {
            version: bitcoin::transaction::Version::TWO,
            lock_time: bitcoin::absolute::LockTime::ZERO,
            input: vec![bitcoin::TxIn {
                previous_output: coins[0].0,
                ..bitcoin::TxIn::default()
            }],
            output: vec![bitcoin::TxOut {
                value: bitcoin::Amount::from_sat(4_999_990_000),
                script_pubkey: ScriptBuf::from_bytes(vec![0x53]),
            }],
        };
        let before = devnet.coins_digest().await.unwrap();
        let txid = devnet.accept_transaction(serialize(&payment)).await.unwrap();
        assert_eq!(txid, payment.compute_txid());
        assert_eq!(devnet.coins_digest().await.unwrap(), before);
        devnet.mine(1, SCRIPT).await.unwrap();
        assert_ne!(devnet.coins_digest().await.unwrap(), before);
        assert_eq!(devnet.coins_of(script).await.unwrap(), []);
        assert_eq!(
            devnet
                .coins_of(ScriptBuf::from_bytes(vec![0x53]))
                .await
                .unwrap()
                .len(),
            1
        );
        let refused = devnet.accept_transaction(serialize(&payment)).await;
        assert_eq!(
            refused,
            Err(CommandError::Refused("txn-already-known".to_owned()))
        );
        let garbage = devnet.accept_transaction(vec![1, 2]).await;
        assert_eq!(garbage, Err(CommandError::Refused("TX decode failed".to_owned())));
    })
    .await;
}

#[actix::test]
async fn several_searches_at_once_all_come_to_their_end() {
    on_both(async |devnet| {
        let (a, b, branch) = tokio::join!(devnet.mine(6, SCRIPT), devnet.mine(6, SCRIPT), devnet.reorg(0));
        assert_eq!((a.unwrap().len(), b.unwrap().len()), (6, 6));
        let tip = devnet.tip_after(None).await.unwrap();
        assert!(tip.height >= 6, "{tip:?}");
        let last = *branch.unwrap().last().unwrap();
        assert_ne!(devnet.status(last).await, Ok(BlockStatus::Unknown));
    })
    .await;
}

#[actix::test]
async fn a_closed_chain_says_so_and_can_be_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let devnet = on_disk(dir.path());
    let other = devnet.clone();
    let mined = devnet.mine(3, SCRIPT).await.unwrap();
    let digest = devnet.coins_digest().await.unwrap();
    let in_use = Devnet::open(dir.path(), &easy_params(), Arc::new(Still(NOW)));
    assert!(matches!(in_use, Err(OpenError::InUse(_))));
    let waiting = other.tip_after(Some(mined[2]));
    devnet.close().await;
    devnet.close().await;
    assert_eq!(waiting.await, Err(closed()));
    assert_eq!(other.tip_after(None).await, Err(closed()));
    assert_eq!(other.template().await, Err(closed()));
    assert_eq!(other.mine(1, SCRIPT).await, Err(closed().into()));

    let again = on_disk(dir.path());
    assert_eq!(again.tip_after(None).await.unwrap().hash, mined[2]);
    assert_eq!(again.coins_digest().await.unwrap(), digest);
    again.close().await;
}

#[actix::test]
async fn too_many_calls_at_once_are_turned_away_and_the_others_are_served() {
    let devnet = in_memory();
    // The chain's task does not run before this one waits, so its queue fills.
    for _ in 0..CALLS_MAX {
        devnet.send(Call::Run(Box::new(|_| ()))).unwrap();
    }
    let refused = devnet.template().await.unwrap_err();
    assert_eq!(refused, ChainError::Unreachable("the devnet is busy".to_owned()));
    tokio::task::yield_now().await;
    devnet.template().await.unwrap();
}
