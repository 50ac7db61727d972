//! A pool in which there is something of everything, and everybody who may ask it.

use actix_web::test::TestRequest;
use actix_web::web;
use dwarves_actors::handlers::admin::messages::{AdminCaller, Authorize};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{PayoutId, RoundId};
use dwarves_domain::payouts::{FeePayer, FeeRate, Part, Payout, PayoutState, Signed, Txid};
use dwarves_domain::privacy::{Privacy, Visibility};
use dwarves_domain::rewards::{Scheme, Source};
use dwarves_domain::session::Session;
use dwarves_domain::time::Span;
use dwarves_domain::units::Amount;
use dwarves_ports::store::{
    CreditKind, CreditRow, Earned, MinerBalances, MinerPayoutRow, PayoutRow, RoundRow,
};
use serde_json::json;

use crate::HttpState;
use crate::tests::fake_ports::port;
use crate::tests::fakes::World;
use crate::tests::samples::{ADMIN_TOKEN, NOW, hotkey_of, keypair, sats, session_key};
use crate::tests::{Answer, NONCE, Signing, ask_state, details, get, miner, post, with_headers};

/// Seeds of keys: the miner that is looked at, another one, and an admin.
pub(super) const OWNER: u8 = 1;
pub(super) const OTHER: u8 = 2;
pub(super) const ADMIN: u8 = 9;

/// What nobody else is to see: each stands in no answer by chance.
pub(super) const ADDRESS: &str = "bcrt1example";
pub(super) const OWED: u64 = 7_770_001;
pub(super) const CREDITED: u64 = 5_000_000_000;
pub(super) const PAID: u64 = 7_770_003;
pub(super) const EARNED: u64 = 7_770_004;
pub(super) const OTHERS_PAID: u64 = 8_880_003;
pub(super) const NAME: &str = "rig1";

pub(super) fn other() -> Hotkey {
    hotkey_of(&keypair(OTHER))
}

pub(super) fn txid() -> Txid {
    Txid::from_bytes([9; 32])
}

pub(super) fn payout() -> Payout {
    let part = |hotkey, address: &str, amount| Part {
        hotkey,
        address: address.to_owned(),
        amount: sats(amount),
        fee: Amount::ZERO,
        borne: Amount::ZERO,
    };
    Payout {
        exported: None,
        id: PayoutId::new(5),
        state: PayoutState::Confirmed,
        reserved_at: NOW,
        sent_at: Some(NOW),
        changed_at: NOW,
        payer: FeePayer::Pool,
        fee_rate: FeeRate::new(7).unwrap(),
        parts: vec![
            part(miner(), ADDRESS, PAID),
            part(other(), "bcrt1other", OTHERS_PAID),
        ],
        signed: Some(Signed {
            txid: txid(),
            bytes: Vec::new(),
            inputs: Vec::new(),
            fee: sats(5),
        }),
        confirmations: 6,
        is_watched: true,
        note: String::new(),
    }
}

pub(super) fn credit(hotkey: Hotkey, amount: u64) -> CreditRow {
    CreditRow {
        round: RoundId::new(3),
        closed_at: NOW,
        hotkey,
        units: "1".parse().unwrap(),
        amount: sats(amount),
        kind: CreditKind::Credit,
        block: Some(details::HASH),
    }
}

/// A pool in which there is something of everything.
pub(super) fn state(privacy: Privacy) -> web::Data<HttpState> {
    let mut world = World::new();
    world.privacy = privacy;
    world.ports.authorize = port(|question: Authorize| match question.caller {
        AdminCaller::Token => true,
        AdminCaller::Hotkey(hotkey) => hotkey == hotkey_of(&keypair(ADMIN)),
    });
    let store = &mut world.store;
    store.balances = MinerBalances {
        payable: sats(OWED),
        ..MinerBalances::default()
    };
    store.threshold = Some(sats(OWED));
    store.credits = vec![credit(miner(), CREDITED)];
    store.rounds = vec![RoundRow {
        id: RoundId::new(3),
        closed_at: NOW,
        scheme: Scheme::Pplns,
        source: Source::Blocks,
        reward: sats(CREDITED + 700),
        fee: sats(700),
        kept: sats(0),
        credited: sats(CREDITED),
        blocks: vec![details::HASH],
        emitted: None,
        digest: [0; 32],
    }];
    store.block_details = vec![details::details()];
    store.shares = vec![details::share(true)];
    store.payouts = vec![MinerPayoutRow {
        payout: PayoutId::new(5),
        state: PayoutState::Confirmed,
        txid: Some(txid()),
        exported: None,
        confirmations: 6,
        address: ADDRESS.to_owned(),
        amount: sats(PAID),
        fee: Amount::ZERO,
        reserved_at: NOW,
        sent_at: Some(NOW),
        note: String::new(),
    }];
    store.all_payouts = vec![PayoutRow {
        payout: payout(),
        parts: 2,
        total: sats(PAID + OTHERS_PAID),
    }];
    let yesterday = NOW.minus(Span::from_secs(86_400));
    let earned = i64::try_from(EARNED).unwrap();
    store.earned = Earned {
        days: [(dwarves_domain::history::Step::Day.begin(yesterday), earned)].into(),
        cut_at: None,
    };
    world.state()
}

pub(super) const HIDES_ALL: Privacy = Privacy {
    balances: Visibility::Owner,
    worker_names: Visibility::Owner,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Nobody,
    /// A proxy's own authorization, which is nobody's here.
    Proxy,
    OtherSigned,
    OtherSession,
    OwnerSigned,
    OwnerSession,
    Watcher,
    OtherWatcher,
    AdminToken,
    AdminCookie,
    AdminSigned,
}

impl Who {
    pub(super) const ALL: [Self; 11] = [
        Self::Nobody,
        Self::Proxy,
        Self::OtherSigned,
        Self::OtherSession,
        Self::OwnerSigned,
        Self::OwnerSession,
        Self::Watcher,
        Self::OtherWatcher,
        Self::AdminToken,
        Self::AdminCookie,
        Self::AdminSigned,
    ];

    pub(super) fn is_operator(self) -> bool {
        [Self::AdminToken, Self::AdminCookie, Self::AdminSigned].contains(&self)
    }

    pub(super) fn sees(self) -> bool {
        self.is_operator() || [Self::OwnerSigned, Self::OwnerSession, Self::Watcher].contains(&self)
    }

    pub(super) async fn ask(self, state: &web::Data<HttpState>, path: &str) -> Answer {
        let bearer = |token: &str| get(path).insert_header(("Authorization", format!("Bearer {token}")));
        let session = |seed| {
            let session = Session {
                hotkey: hotkey_of(&keypair(seed)),
                expires_at: NOW.plus(Span::from_secs(60)),
            };
            bearer(&session_key().seal(&session))
        };
        let request = match self {
            Self::Nobody => get(path),
            Self::Proxy => get(path).insert_header(("Authorization", "Basic YTpi")),
            Self::OtherSigned => signed(OTHER, path),
            Self::OtherSession => session(OTHER),
            Self::OwnerSigned => signed(OWNER, path),
            Self::OwnerSession => session(OWNER),
            Self::Watcher => get(path).insert_header(("Authorization", "Watch of-owner")),
            Self::OtherWatcher => get(path).insert_header(("Authorization", "watch of-other")),
            Self::AdminToken => bearer(ADMIN_TOKEN),
            Self::AdminCookie => get(path).insert_header(("Cookie", cookie(state).await)),
            Self::AdminSigned => signed(ADMIN, path),
        };
        ask_state(state.clone(), request).await
    }
}

pub(super) fn signed(seed: u8, path: &str) -> TestRequest {
    let signing = Signing {
        method: "GET",
        path,
        body: b"",
        nonce: NONCE,
    };
    with_headers(get(path), signing.headers_of(seed))
}

pub(super) async fn cookie(state: &web::Data<HttpState>) -> String {
    let body = json!({ "token": ADMIN_TOKEN }).to_string();
    let answer = ask_state(state.clone(), post("/v1/admin/session", &body)).await;
    let cookie = answer.header("set-cookie").unwrap();
    cookie.split(';').next().unwrap().to_owned()
}
