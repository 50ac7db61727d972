//! The wallet on a devnet in memory, with its real mining, mempool and reorganisations.

use std::sync::Arc;

use dwarves_domain::address::AddressFormat;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::payouts::{FeePayer, FeeRate, FeeTerms, Part, PayoutBatch, read_transaction};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::BasisPoints;
use dwarves_testkit::ManualClock;

use super::*;
use crate::chain::DevnetParams;

const ADDRESS: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
const COIN: u64 = 100_000_000;

fn sats(sats: u64) -> Amount {
    Amount::from_sats(sats).unwrap()
}

/// A devnet on which every second hash is a block, and a wallet with one coin of 50 that can be spent.
async fn world() -> (Devnet, DevnetWallet) {
    let params = DevnetParams {
        bits: CompactTarget::from_bits(0x207f_ffff),
        coinbase_maturity: 10,
        ..DevnetParams::default()
    };
    let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_800_000_000)));
    let devnet = Devnet::in_memory(&params, clock).unwrap();
    let wallet = DevnetWallet::new(devnet.clone(), &[7; 32]).unwrap();
    devnet.mine(1, wallet.script().as_bytes()).await.unwrap();
    devnet.mine(9, &[0x51]).await.unwrap();
    (devnet, wallet)
}

async fn spendable(wallet: &DevnetWallet) -> Amount {
    let coins = wallet.funds().await.unwrap().coins;
    Amount::checked_sum(coins.into_iter().map(|(_, value)| value)).unwrap()
}

fn request(amount: u64, payer: FeePayer) -> BuildRequest {
    let part = Part {
        hotkey: Hotkey::from_bytes([1; 32]),
        address: ADDRESS.to_owned(),
        amount: sats(amount),
        fee: Amount::ZERO,
        borne: Amount::ZERO,
    };
    let batch = PayoutBatch::new(vec![part], payer, AddressFormat::BitcoinRegtest).unwrap();
    BuildRequest {
        fee_max: batch.total(),
        batch,
        terms: FeeTerms {
            rate: FeeRate::new(3).unwrap(),
            fee_max: BasisPoints::new(BasisPoints::WHOLE).unwrap(),
            vbytes_max: 100_000,
        },
    }
}

#[actix::test]
async fn a_payout_is_signed_sent_mined_and_followed_through_a_reorganisation() {
    let (devnet, wallet) = world().await;
    assert_eq!(wallet.state().await.unwrap(), WalletState::Ready);
    assert_eq!(spendable(&wallet).await, sats(50 * COIN));
    let asked = request(10 * COIN, FeePayer::Pool);
    wallet.check(asked.clone()).await.unwrap();
    let built = wallet.build(asked.clone()).await.unwrap();
    let read = read_transaction(&built.signed.bytes).unwrap();
    assert_eq!(read.check_pays(&asked.batch.outputs()), Ok(()));
    let paid: u64 = read.outputs.iter().map(|(_, value)| value).sum();
    assert_eq!(paid + built.signed.fee.sats(), 50 * COIN);
    assert_eq!(spendable(&wallet).await, Amount::ZERO, "its coin is locked");
    let txid = built.signed.txid;
    assert_eq!(
        wallet.status(txid).await.unwrap(),
        Seen::Unknown,
        "signing sends nothing"
    );

    let send = || wallet.send(built.signed.bytes.clone());
    assert_eq!(send().await.unwrap(), SendOutcome::Accepted);
    assert_eq!(send().await.unwrap(), SendOutcome::Known);
    assert_eq!(wallet.status(txid).await.unwrap(), Seen::Mempool);
    devnet.mine(2, &[0x51]).await.unwrap();
    assert_eq!(wallet.status(txid).await.unwrap(), Seen::Confirmed(2));
    assert_eq!(send().await.unwrap(), SendOutcome::Known);
    assert_eq!(
        spendable(&wallet).await.sats(),
        40 * COIN - built.signed.fee.sats()
    );
    devnet.reorg(2).await.unwrap();
    assert_eq!(
        wallet.status(txid).await.unwrap(),
        Seen::Mempool,
        "it waits again"
    );
    assert_eq!(
        wallet.rival(txid, built.signed.inputs.clone()).await.unwrap(),
        Rival::None
    );
}

#[actix::test]
async fn the_signature_is_right_and_the_same_every_time() {
    let (_devnet, wallet) = world().await;
    let asked = request(10 * COIN, FeePayer::Miners);
    let first = wallet.build(asked.clone()).await.unwrap();
    wallet.hold(Vec::new()).await.unwrap();
    let second = wallet.build(asked).await.unwrap();
    assert_eq!(
        first, second,
        "a payout built again after a crash is the same transaction"
    );
    assert_eq!(first.borne, first.signed.fee, "the miners pay");
    let transaction: Transaction = bitcoin::consensus::deserialize(&first.signed.bytes).unwrap();
    let witness = transaction.input[0].witness.to_vec();
    let signature = bitcoin::ecdsa::Signature::from_slice(&witness[0]).unwrap();
    let mut cache = SighashCache::new(&transaction);
    let value = bitcoin::Amount::from_sat(50 * COIN);
    let hash = cache
        .p2wpkh_signature_hash(0, wallet.script(), value, EcdsaSighashType::All)
        .unwrap();
    let message = Message::from_digest(hash.to_byte_array());
    let checked =
        Secp256k1::verification_only().verify_ecdsa(&message, &signature.signature, &wallet.public.0);
    assert_eq!(checked, Ok(()));
}

#[actix::test]
async fn a_rival_is_found_with_its_depth() {
    let (devnet, wallet) = world().await;
    let payout = wallet
        .build(request(10 * COIN, FeePayer::Pool))
        .await
        .unwrap()
        .signed;
    wallet.hold(Vec::new()).await.unwrap();
    let rival = wallet
        .build(request(11 * COIN, FeePayer::Pool))
        .await
        .unwrap()
        .signed;
    assert_eq!(rival.inputs, payout.inputs);
    assert_eq!(wallet.send(rival.bytes).await.unwrap(), SendOutcome::Accepted);
    devnet.mine(3, &[0x51]).await.unwrap();
    let sent = wallet.send(payout.bytes).await.unwrap();
    assert!(matches!(sent, SendOutcome::Refused(_)), "{sent:?}");
    let found = wallet.rival(payout.txid, payout.inputs).await.unwrap();
    let expected = Rival::Spent {
        by: rival.txid,
        confirmations: 3,
    };
    assert_eq!(found, expected);
}

#[actix::test]
async fn too_little_money_too_high_a_fee_and_a_closed_chain_are_told_apart() {
    let (devnet, wallet) = world().await;
    let short = wallet
        .build(request(50 * COIN, FeePayer::Pool))
        .await
        .unwrap_err();
    assert_eq!(*short.kind(), WalletErrorKind::ShortOfFunds);
    let mut dear = request(10 * COIN, FeePayer::Pool);
    dear.fee_max = sats(10);
    let dear = wallet.build(dear).await.unwrap_err();
    assert!(matches!(dear.kind(), WalletErrorKind::FeeTooHigh { .. }));
    devnet.close().await;
    let gone = wallet.funds().await.unwrap_err();
    assert_eq!(*gone.kind(), WalletErrorKind::Unreachable);
}
