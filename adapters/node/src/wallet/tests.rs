//! The wallet against a node that answers as real ones do. Real nodes: `tests/payouts.rs`.

use dwarves_domain::address::AddressFormat;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::payouts::{FeePayer, FeeRate, FeeTerms, Part, PayoutBatch};
use dwarves_domain::units::BasisPoints;

use super::*;
use crate::rpc::scripted_node::{Act, Seen as Call, nobody, serve};

const ADDRESS: &str = "rltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kw8fqyc";
const TXID: &str = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b";

fn wallet(script: impl Fn(&Call) -> Act + Send + Sync + 'static) -> NodeWallet {
    let endpoint = Endpoint::new(&serve(script), None).unwrap();
    NodeWallet::start(endpoint, Some("pool")).unwrap()
}

fn address() -> String {
    AddressFormat::all_of(ADDRESS).first().map_or_else(
        || "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn".to_owned(),
        |_| ADDRESS.to_owned(),
    )
}

fn request(amount: u64) -> BuildRequest {
    let part = Part {
        hotkey: Hotkey::from_bytes([1; 32]),
        address: address(),
        amount: Amount::from_sats(amount).unwrap(),
        fee: Amount::ZERO,
        borne: Amount::ZERO,
    };
    let batch = PayoutBatch::new(vec![part], FeePayer::Pool, AddressFormat::LitecoinRegtest).unwrap();
    BuildRequest {
        fee_max: batch.total(),
        batch,
        terms: FeeTerms {
            rate: FeeRate::new(2).unwrap(),
            fee_max: BasisPoints::new(BasisPoints::WHOLE).unwrap(),
            vbytes_max: 100_000,
        },
    }
}

/// A node with one coin of 1.00000001, one that is not safe and one of MWEB, that answers the rest by `more`.
fn with_coin(more: impl Fn(&Call) -> Act + Send + Sync + 'static) -> NodeWallet {
    wallet(move |call| {
        assert_eq!(call.path, "/wallet/pool");
        match call.method.as_str() {
            "listunspent" => {
                let script = format!("0014{}", "ab".repeat(20));
                let coin = |amount: &str, safe: bool| {
                    format!(
                        "{{\"txid\":\"{TXID}\",\"vout\":1,\"amount\":{amount},\"scriptPubKey\":\"{script}\",\
                         \"spendable\":true,\"safe\":{safe}}}"
                    )
                };
                // One with the id of its peg-in, one with none.
                let mweb = format!(
                    "{{\"txid\":\"{TXID}\",\"address\":\"tmweb1x\",\"amount\":3.0,\"spendable\":true}},\
                     {{\"address\":\"ltcmweb1x\",\"amount\":2.0,\"spendable\":true}}"
                );
                Act::Result(format!(
                    "[{},{},{mweb}]",
                    coin("1.00000001", true),
                    coin("7.0", false)
                ))
            }
            "lockunspent" => Act::Result("true".to_owned()),
            "getrawchangeaddress" => Act::Result(format!("\"{}\"", address())),
            _ => more(call),
        }
    })
}

#[actix::test]
async fn amounts_go_out_as_exact_texts_and_every_sat_is_accounted_for() {
    let wallet = with_coin(|call| match call.method.as_str() {
        "createrawtransaction" => {
            assert_eq!(call.params[0][0]["sequence"], u32::MAX, "never replaced");
            assert_eq!(call.params[1][0][address()], "0.10000003");
            // 100,000,001 less 10,000,003 less the fee of 13 + 68 + 34 + 31 virtual bytes at 2.
            assert_eq!(call.params[1][1][address()], "0.89999706");
            Act::Result("\"00\"".to_owned())
        }
        "signrawtransactionwithwallet" => Act::Result("{\"hex\":\"00\",\"complete\":false}".to_owned()),
        other => panic!("{other} is not called"),
    });
    let funds = wallet.funds().await.unwrap();
    let coins: Vec<u64> = funds.coins.iter().map(|(_, value)| value.sats()).collect();
    assert_eq!(coins, [100_000_001], "nothing unsafe, nothing of MWEB");
    assert_eq!(funds.in_mweb.sats(), 500_000_000);
    let chosen = request(10_000_003).choose_from(&funds).unwrap();
    assert_eq!(chosen.fee.sats(), 292);
    let unsigned = wallet.build(request(10_000_003)).await.unwrap_err();
    assert_eq!(*unsigned.kind(), WalletErrorKind::Refused, "{unsigned}");
}

#[actix::test]
async fn a_bad_address_is_told_apart_and_named() {
    let wallet =
        with_coin(|_| Act::Error(-5, "Invalid Litecoin address: mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"));
    let mut asked = request(50_000);
    let part = Part {
        address: "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn".to_owned(),
        ..asked.batch.parts()[0].clone()
    };
    asked.batch = PayoutBatch::new(vec![part], FeePayer::Pool, AddressFormat::LitecoinRegtest).unwrap();
    let script = asked.batch.outputs()[0].script.clone();
    let refused = wallet.build(asked).await.unwrap_err();
    assert_eq!(*refused.kind(), WalletErrorKind::BadAddress(script));
}

#[actix::test]
async fn every_state_of_the_wallet_is_seen() {
    let chain = |blocks: u32| {
        Act::Result(format!(
            "{{\"blocks\":{blocks},\"headers\":100,\"initialblockdownload\":false}}"
        ))
    };
    let state = |info: &'static str, blocks: u32| async move {
        let wallet = wallet(move |call| match call.method.as_str() {
            "getwalletinfo" => Act::Result(info.to_owned()),
            _ => chain(blocks),
        });
        wallet.state().await.unwrap()
    };
    assert_eq!(state("{\"scanning\":false}", 100).await, WalletState::Ready);
    assert_eq!(
        state("{\"unlocked_until\":1900000000}", 100).await,
        WalletState::Ready
    );
    assert_eq!(state("{\"unlocked_until\":0}", 100).await, WalletState::Locked);
    assert!(matches!(state("{}", 90).await, WalletState::Syncing(_)));
    assert!(matches!(
        state("{\"scanning\":{\"progress\":0.5}}", 100).await,
        WalletState::Syncing(_)
    ));
    for code in [-18, -19] {
        let wallet = wallet(move |_| Act::Error(code, "Requested wallet does not exist or is not loaded"));
        assert!(matches!(wallet.state().await.unwrap(), WalletState::NotLoaded(_)));
    }
}

#[actix::test]
async fn errors_say_whether_to_wait_or_to_mend() {
    let kind = |code: i64, words: &'static str| async move {
        let wallet = wallet(move |_| Act::Error(code, words));
        wallet.funds().await.unwrap_err().kind().clone()
    };
    assert_eq!(
        kind(-13, "Please enter the wallet passphrase").await,
        WalletErrorKind::Locked
    );
    assert_eq!(
        kind(-6, "Insufficient funds").await,
        WalletErrorKind::ShortOfFunds
    );
    assert_eq!(kind(-4, "Transaction too large").await, WalletErrorKind::TooLarge);
    assert_eq!(kind(-28, "Loading wallet...").await, WalletErrorKind::Unreachable);
    let hung_up = wallet(|_| Act::HangUp);
    assert_eq!(
        *hung_up.send(vec![1]).await.unwrap_err().kind(),
        WalletErrorKind::TimedOut
    );
    let gone = NodeWallet::start(Endpoint::new(&nobody(), None).unwrap(), None).unwrap();
    assert_eq!(
        *gone.state().await.unwrap_err().kind(),
        WalletErrorKind::Unreachable
    );
}

#[actix::test]
async fn a_transaction_that_the_node_has_is_no_failure() {
    for (code, words) in [
        (-27, "Transaction already in block chain"),
        (-26, "txn-already-known"),
    ] {
        let wallet = wallet(move |_| Act::Error(code, words));
        assert_eq!(wallet.send(vec![1]).await.unwrap(), SendOutcome::Known);
    }
    let refusing = wallet(|_| Act::Error(-25, "bad-txns-inputs-missingorspent"));
    let refused = refusing.send(vec![1]).await.unwrap();
    assert_eq!(
        refused,
        SendOutcome::Refused("bad-txns-inputs-missingorspent".to_owned())
    );
}

#[actix::test]
async fn a_status_is_read_from_the_wallet_and_else_from_the_chain() {
    let txid: Txid = TXID.parse().unwrap();
    let status = |confirmations: &'static str, waits: bool| async move {
        let wallet = wallet(move |call| match call.method.as_str() {
            "gettransaction" if confirmations.is_empty() => {
                Act::Error(-5, "Invalid or non-wallet transaction id")
            }
            "gettransaction" => Act::Result(format!(
                "{{\"confirmations\":{confirmations},\"walletconflicts\":[]}}"
            )),
            "getmempoolentry" if waits => Act::Result("{}".to_owned()),
            "getmempoolentry" => Act::Error(-5, "Transaction not in mempool"),
            "gettxout" if waits => Act::Result("{\"confirmations\":9}".to_owned()),
            "gettxout" => Act::Result("null".to_owned()),
            other => panic!("{other} is not called"),
        });
        wallet.status(txid).await.unwrap()
    };
    assert_eq!(status("7", false).await, Seen::Confirmed(7));
    assert_eq!(status("-3", false).await, Seen::Conflicted);
    assert_eq!(status("0", true).await, Seen::Mempool);
    assert_eq!(status("0", false).await, Seen::Unknown);
    assert_eq!(
        status("", true).await,
        Seen::Confirmed(9),
        "of a wallet that forgot it"
    );
    assert_eq!(status("", false).await, Seen::Unknown);
}

/// A rival of MWEB has a form that only its node reads: what it spends is asked of the node, not read from its bytes.
#[actix::test]
async fn a_rival_is_known_by_the_inputs_that_the_node_names() {
    let by = "ab".repeat(32);
    let spent = |place: u32| {
        let by = "ab".repeat(32);
        let wallet = wallet(move |call| match (call.method.as_str(), &call.params[0]) {
            ("gettxout", _) => Act::Result("null".to_owned()),
            ("gettransaction", id) if *id == TXID => Act::Result(format!(
                "{{\"confirmations\":-8,\"walletconflicts\":[\"{by}\"],\"hex\":\"00\"}}"
            )),
            ("gettransaction", _) => {
                assert_eq!(call.params[2], true, "with what it is made of");
                let inputs = format!(
                    "{{\"ismweb\":true,\"output_id\":\"00\"}},{{\"ismweb\":false,\"txid\":\"{}\",\"vout\":{place}}}",
                    "cd".repeat(32)
                );
                Act::Result(format!(
                    "{{\"confirmations\":8,\"walletconflicts\":[],\"hex\":\"0200000000090101\",\
                     \"decoded\":{{\"vin\":[{inputs}]}}}}"
                ))
            }
            ("listtransactions", _) => Act::Result("[]".to_owned()),
            (other, _) => panic!("{other} is not called"),
        });
        async move {
            let input = OutPoint {
                txid: "cd".repeat(32).parse().unwrap(),
                vout: 3,
            };
            wallet.rival(TXID.parse().unwrap(), vec![input]).await.unwrap()
        }
    };
    let rival = Rival::Spent {
        by: by.parse().unwrap(),
        confirmations: 8,
    };
    assert_eq!(spent(3).await, rival);
    assert_eq!(spent(4).await, Rival::None);
}

/// What a hand sent out of MWEB can be booked like any payout, though its bytes have a form that only its node reads.
#[actix::test]
async fn what_the_wallet_sent_is_read_by_the_node_whatever_its_form() {
    let plain = format!("{{\"txid\":\"{}\",\"vout\":3}}", "cd".repeat(32));
    let in_mweb = "{\"ismweb\":true,\"output_id\":\"00\"}".to_owned();
    let place = OutPoint {
        txid: "cd".repeat(32).parse().unwrap(),
        vout: 3,
    };
    for (form, vin, inputs) in [
        ("0200000000010100", plain.clone(), vec![place]),
        ("0200000000080000", in_mweb.clone(), vec![]),
        ("0200000000090101", format!("{in_mweb},{plain}"), vec![place]),
    ] {
        let wallet = wallet(move |call| match call.method.as_str() {
            "gettransaction" => Act::Result(format!(
                "{{\"confirmations\":2,\"fee\":-0.00002820,\"hex\":\"{form}\",\"decoded\":{{\"vin\":[{vin}]}}}}"
            )),
            other => panic!("{other} is not called"),
        });
        let sent = wallet.sent(TXID.parse().unwrap()).await.unwrap().unwrap();
        assert_eq!((sent.inputs, sent.fee.sats()), (inputs, 2_820), "{form}");
        assert_eq!(hex::encode(sent.bytes), form);
    }
}
