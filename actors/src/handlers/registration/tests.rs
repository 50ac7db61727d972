use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use dwarves_domain::address::ParseAddressError;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::signature::KeyType;
use dwarves_domain::time::Timestamp;
use dwarves_testkit::build::{BEGIN, hotkey};
use dwarves_testkit::{ManualClock, settle};
use ed25519_dalek::Signer;
use schnorrkel::{ExpansionMode, MiniSecretKey};
use tokio::sync::oneshot;

use super::*;
use crate::ask::Request;
use crate::handlers::registration::messages::OpenedSession;
use crate::miner_manager::messages::ThresholdChoice;
use crate::testing::{Inbox, recorded_port};

mod calls;

const POOL: Hotkey = Hotkey::from_bytes([200; 32]);
const PER_SEC: SharedRate = SharedRate {
    total: 10,
    per_client: 5,
};
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

struct Bench {
    clock: ManualClock,
    handler: Addr<RegistrationHandler>,
    nonces: Inbox<Ask<UseNonce>>,
    register: Inbox<Ask<RegisterMiner>>,
    standing: Inbox<Ask<ReadStanding>>,
}

async fn bench() -> Bench {
    bench_with(PER_SEC).await
}

async fn bench_with(signatures_per_sec: SharedRate) -> Bench {
    tokio::time::pause();
    let (nonces, nonces_inbox) = recorded_port();
    let (register, register_inbox) = recorded_port();
    let (standing, standing_inbox) = recorded_port();
    let peers = RegistrationPeers {
        nonces,
        register,
        standing,
    };
    let settings = RegistrationSettings {
        pool: POOL,
        window: Window {
            back: Span::from_secs(10),
            ahead: Span::from_secs(1),
        },
        session: Span::from_secs(3_600),
        addresses: AddressFormat::BitcoinRegtest,
        threshold_least: Amount::from_sats(546).unwrap(),
        signatures_per_sec,
        mailbox_capacity: 128,
    };
    let clock = ManualClock::at(BEGIN);
    let key = SessionKey::new(&[8; 32]);
    let batches = BatchKey::new(&[9; 32]);
    let handler = RegistrationHandler::new(settings, peers, key, batches, Arc::new(clock.clone())).start();
    settle().await;
    Bench {
        clock,
        handler,
        nonces: nonces_inbox,
        register: register_inbox,
        standing: standing_inbox,
    }
}

impl Bench {
    fn post<R: Request>(&self, payload: R) -> oneshot::Receiver<R::Reply>
    where
        RegistrationHandler: Handler<Ask<R>>,
    {
        Port::new(&self.handler).post(payload).unwrap()
    }

    /// Judges a request; if it comes as far as its nonce, that is fresh.
    async fn authenticate(&mut self, request: Authenticate) -> Result<(), Refusal> {
        let answer = self.post(request);
        settle().await;
        if let Ok(nonce) = self.nonces.try_recv() {
            nonce.reply.answer(Ok(()));
        }
        answer.await.unwrap()
    }
}

fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.millis()).unwrap() * 1_000_000
}

/// A request of these fields, not signed yet.
fn unsigned(scheme: KeyType, sender: Hotkey, signed_at: Timestamp) -> Authenticate {
    Authenticate {
        from: CLIENT,
        scheme,
        method: "POST".to_owned(),
        path: "/v1/miners?x=1".to_owned(),
        body: b"{\"payout_address\":null}".to_vec(),
        nonce_nanos: nanos(signed_at),
        sender,
        receiver: POOL,
        signature: [0; 64],
    }
}

fn payload(request: &Authenticate) -> Vec<u8> {
    SignedRequest {
        scheme: request.scheme,
        method: &request.method,
        path: &request.path,
        body: &request.body,
        nonce_nanos: request.nonce_nanos,
        sender: request.sender,
        receiver: request.receiver,
    }
    .payload()
}

fn ed25519(signed_at: Timestamp) -> Authenticate {
    let key = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
    let sender = Hotkey::from_bytes(key.verifying_key().to_bytes());
    let mut request = unsigned(KeyType::Ed25519, sender, signed_at);
    request.signature = key.sign(&payload(&request)).to_bytes();
    request
}

fn sr25519(signed_at: Timestamp) -> Authenticate {
    let key = MiniSecretKey::from_bytes(&[3; 32]).unwrap();
    let key = key.expand_to_keypair(ExpansionMode::Ed25519);
    let mut request = unsigned(
        KeyType::Sr25519,
        Hotkey::from_bytes(key.public.to_bytes()),
        signed_at,
    );
    request.signature = key.sign_simple(b"substrate", &payload(&request)).to_bytes();
    request
}

#[actix::test]
async fn a_signed_request_is_authentic_with_either_kind_of_signature() {
    let mut bench = bench().await;
    assert_eq!(bench.authenticate(sr25519(BEGIN)).await, Ok(()));
    assert_eq!(bench.authenticate(ed25519(BEGIN)).await, Ok(()));
    // The kind is part of what is signed.
    let mut confused = ed25519(BEGIN);
    confused.scheme = KeyType::Sr25519;
    assert_eq!(bench.authenticate(confused).await, Err(Refusal::SignatureInvalid));
}

#[actix::test]
async fn a_request_with_anything_changed_is_not_the_signers() {
    let change: [fn(&mut Authenticate); 5] = [
        |request| request.method = "GET".to_owned(),
        |request| request.path = "/v1/miners?x=2".to_owned(),
        |request| request.body.push(b' '),
        |request| request.nonce_nanos += 1,
        |request| request.sender = hotkey(1),
    ];
    let mut bench = bench().await;
    for (client, change) in (10..).zip(change) {
        let mut request = ed25519(BEGIN);
        // Each from elsewhere: a signature that does not hold costs its client much of its allowance.
        request.from = IpAddr::from([192, 0, 2, client]);
        change(&mut request);
        assert_eq!(bench.authenticate(request).await, Err(Refusal::SignatureInvalid));
    }
    assert!(bench.nonces.try_recv().is_err(), "no nonce is used up for them");
}

#[actix::test]
async fn a_request_is_fresh_to_the_edges_of_its_window_and_not_beyond() {
    let mut bench = bench().await;
    let millis = Span::from_millis;
    for (signed_at, expected) in [
        (BEGIN.minus(Span::from_secs(10)), Ok(())),
        (
            BEGIN.minus(Span::from_secs(10)).minus(millis(1)),
            Err(Refusal::StaleRequest),
        ),
        (BEGIN.plus(Span::from_secs(1)), Ok(())),
        (
            BEGIN.plus(Span::from_secs(1)).plus(millis(1)),
            Err(Refusal::StaleRequest),
        ),
        (Timestamp::EPOCH, Err(Refusal::StaleRequest)),
    ] {
        let request = ed25519(signed_at);
        assert_eq!(bench.authenticate(request).await, expected, "{signed_at}");
    }
    let mut endless = ed25519(BEGIN);
    endless.nonce_nanos = u64::MAX;
    assert_eq!(bench.authenticate(endless).await, Err(Refusal::StaleRequest));
}

#[actix::test]
async fn a_nonce_stays_used_for_longer_than_its_request_is_fresh() {
    let mut bench = bench().await;
    let signed_at = BEGIN.plus(Span::from_secs(1));
    let _answer = bench.post(ed25519(signed_at));
    settle().await;
    let nonce = bench.nonces.try_recv().unwrap().payload;
    assert_eq!(nonce.nonce_nanos, nanos(signed_at));
    assert!(nonce.expires_at > signed_at.plus(Span::from_secs(10)));
}

#[actix::test]
async fn refusals_come_in_order_from_the_cheapest_to_the_dearest() {
    let mut bench = bench().await;
    let mut all_wrong = unsigned(KeyType::Ed25519, hotkey(1), Timestamp::EPOCH);
    all_wrong.receiver = hotkey(9);
    assert_eq!(
        bench.authenticate(all_wrong.clone()).await,
        Err(Refusal::WrongReceiver)
    );
    all_wrong.receiver = POOL;
    assert_eq!(
        bench.authenticate(all_wrong.clone()).await,
        Err(Refusal::StaleRequest)
    );
    // Neither has cost an allowance: there are all five left, and one that a signer has who was right before.
    for _ in 0..=PER_SEC.per_client {
        let good = bench.authenticate(ed25519(BEGIN)).await;
        assert_eq!(good, Ok(()));
    }
    let one_more = bench.authenticate(ed25519(BEGIN)).await;
    assert_eq!(one_more, Err(Refusal::Busy), "it is not even checked");
    bench.clock.advance(Span::from_millis(200));
    let good = bench.authenticate(ed25519(BEGIN)).await;
    assert_eq!(good, Ok(()));
}

#[actix::test]
async fn signatures_that_do_not_hold_cost_who_sent_them_and_nobody_else() {
    let mut bench = bench().await;
    let mut junk = ed25519(BEGIN);
    junk.signature = [1; 64];
    let first = bench.authenticate(junk.clone()).await;
    assert_eq!(first, Err(Refusal::SignatureInvalid));
    for _ in 0..100 {
        assert_eq!(bench.authenticate(junk.clone()).await, Err(Refusal::Busy));
    }
    let elsewhere = Authenticate {
        from: IpAddr::from([192, 0, 2, 2]),
        ..ed25519(BEGIN)
    };
    for _ in 0..PER_SEC.per_client {
        let answer = bench.authenticate(elsewhere.clone()).await;
        assert_eq!(answer, Ok(()), "100 junk requests took nothing");
    }
    bench.clock.advance(Span::from_millis(1_000));
    let early = bench.authenticate(ed25519(BEGIN)).await;
    assert_eq!(early, Err(Refusal::Busy), "the debt is a second's worth");
    bench.clock.advance(Span::from_millis(200));
    let good = bench.authenticate(ed25519(BEGIN)).await;
    assert_eq!(good, Ok(()));
}

#[actix::test]
async fn what_the_miner_manager_says_of_a_nonce_is_told() {
    let mut bench = bench().await;
    for (said, told) in [
        (Err(Refusal::Replayed), Err(Refusal::Replayed)),
        (Err(Refusal::Busy), Err(Refusal::Busy)),
        (Err(Refusal::Unavailable), Err(Refusal::Unavailable)),
    ] {
        let answer = bench.post(ed25519(BEGIN));
        settle().await;
        bench.nonces.try_recv().unwrap().reply.answer(said);
        assert_eq!(answer.await.unwrap(), told);
    }
    // No answer in time is no permission.
    let answer = bench.post(ed25519(BEGIN));
    settle().await;
    let unanswered = bench.nonces.try_recv().unwrap();
    tokio::time::sleep(ASK_DEADLINE * 2).await;
    assert_eq!(answer.await.unwrap(), Err(Refusal::Unavailable));
    drop(unanswered);
    let answer = bench.post(ed25519(BEGIN));
    settle().await;
    drop(bench.nonces.try_recv().unwrap());
    assert_eq!(answer.await.unwrap(), Err(Refusal::Unavailable));
}

#[actix::test]
async fn an_address_of_another_chain_is_refused_before_anybody_is_asked() {
    let mut bench = bench().await;
    let main = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq";
    for (text, is_wrong_network) in [(main, true), ("nonsense", false)] {
        let reply = bench.post(Register {
            hotkey: hotkey(1),
            payout_address: Some(text.to_owned()),
            payout_threshold: None,
            from: std::net::Ipv4Addr::LOCALHOST.into(),
        });
        let Err(Refusal::PayoutAddressInvalid(error)) = reply.await.unwrap() else {
            panic!("it is not an address of this chain")
        };
        assert_eq!(
            matches!(error, ParseAddressError::WrongNetwork { .. }),
            is_wrong_network
        );
    }
    let low = bench.post(Register {
        hotkey: hotkey(1),
        payout_address: None,
        payout_threshold: Some(ThresholdChoice::Own(Amount::from_sats(545).unwrap())),
        from: std::net::Ipv4Addr::LOCALHOST.into(),
    });
    let least = Amount::from_sats(546).unwrap();
    assert_eq!(low.await.unwrap(), Err(Refusal::PayoutThresholdInvalid { least }));
    assert!(bench.register.try_recv().is_err());
    let answer = bench.post(Register {
        hotkey: hotkey(1),
        payout_address: None,
        payout_threshold: None,
        from: std::net::Ipv4Addr::LOCALHOST.into(),
    });
    settle().await;
    let register = bench.register.try_recv().unwrap();
    assert_eq!(register.payload.hotkey, hotkey(1));
    register.reply.answer(Err(Refusal::PoolFull));
    assert_eq!(answer.await.unwrap(), Err(Refusal::PoolFull));
    let answer = bench.post(Register {
        hotkey: hotkey(1),
        payout_address: None,
        payout_threshold: None,
        from: std::net::Ipv4Addr::LOCALHOST.into(),
    });
    settle().await;
    drop(bench.register.try_recv().unwrap());
    assert_eq!(answer.await.unwrap(), Err(Refusal::Unavailable));
}

#[actix::test]
async fn sessions_open_for_those_in_good_standing_and_last_as_long_as_they_say() {
    let mut bench = bench().await;
    let banned = Refusal::Banned {
        reason: "spam".to_owned(),
    };
    for refusal in [Refusal::MinerUnknown, banned] {
        let answer = bench.post(OpenSession { hotkey: hotkey(1) });
        settle().await;
        bench
            .standing
            .try_recv()
            .unwrap()
            .reply
            .answer(Err(refusal.clone()));
        assert_eq!(answer.await.unwrap(), Err(refusal));
    }
    let answer = bench.post(OpenSession { hotkey: hotkey(1) });
    settle().await;
    bench.standing.try_recv().unwrap().reply.answer(Ok(()));
    let Ok(OpenedSession { token, expires_at }) = answer.await.unwrap() else {
        panic!("a miner in good standing gets a session")
    };
    assert_eq!(expires_at, BEGIN.plus(Span::from_secs(3_600)));
    let session = SessionKey::new(&[8; 32]).open(&token, BEGIN).unwrap();
    assert_eq!(session.hotkey, hotkey(1));
    assert_eq!(session.expires_at, expires_at);
}
