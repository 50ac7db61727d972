use std::sync::Arc;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::Sequence;
use dwarves_domain::time::Span;
use dwarves_domain::units::Units;
use dwarves_ports::store::{PageRequest, Store};
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::build::BEGIN;
use dwarves_testkit::{ManualClock, RecordingHalt, settle};

use super::*;

const SOON: Duration = Duration::from_secs(5);
const ALICE: Hotkey = Hotkey::from_bytes([0xa1; 32]);
const BANNED: Hotkey = Hotkey::from_bytes([0xba; 32]);
const NOBODY: Hotkey = Hotkey::from_bytes([0xee; 32]);

/// Says who is welcome.
struct Gate;

impl Actor for Gate {
    type Context = Context<Self>;
}

impl Handler<Ask<ReadStanding>> for Gate {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadStanding>, _: &mut Self::Context) {
        ask.reply.answer(match ask.payload.hotkey {
            BANNED => Err(Refusal::Banned {
                reason: "spam".to_owned(),
            }),
            NOBODY => Err(Refusal::MinerUnknown),
            _ => Ok(()),
        });
    }
}

struct Bench {
    store: InlineStore,
    clock: ManualClock,
    keeper: Addr<WatchKeeper>,
}

fn begin(store: &InlineStore, clock: &ManualClock, secret: u8, first: u8) -> Addr<WatchKeeper> {
    let ledger = crate::testing::ledger(
        Arc::new(store.clone()),
        &RecordingHalt::default(),
        (Sequence::default(), Units::ZERO),
    );
    let mut next = first;
    WatchKeeper::new(WatchKeeperParts {
        key: WatchKey::new(&[secret; 32]),
        draw: Box::new(move || {
            next += 1;
            (next != 0xff).then_some([next; 8])
        }),
        standing: Port::new(&Gate.start()),
        ledger: Port::new(&ledger),
        store: Arc::new(store.clone()),
        clock: Arc::new(clock.clone()),
    })
    .start()
}

async fn bench() -> Bench {
    let store = InlineStore::fresh();
    let clock = ManualClock::at(BEGIN);
    let registered = [ALICE, BANNED].map(|hotkey| Write::RegisterMiner {
        hotkey,
        payout_address: None,
        at: BEGIN,
    });
    store.commit(registered.to_vec()).await.unwrap();
    let keeper = begin(&store, &clock, 1, 0);
    settle().await;
    Bench { store, clock, keeper }
}

impl Bench {
    async fn hand_out(
        &self,
        hotkey: Hotkey,
        lasts: Option<u64>,
        by: OrderedBy,
    ) -> Result<HandedOut, WatchRefused> {
        let port: Port<HandOut> = Port::new(&self.keeper);
        let question = HandOut {
            hotkey,
            name: "wall".parse().unwrap(),
            lasts: lasts.map(Span::from_secs),
            by,
        };
        port.ask(question, SOON).await.unwrap()
    }

    async fn open_from(&self, n: u8, token: &str) -> Result<Hotkey, NotOpened> {
        let port: Port<OpenWatch> = Port::new(&self.keeper);
        let question = OpenWatch {
            from: IpAddr::from([192, 0, 2, n]),
            token: token.to_owned(),
        };
        let opened = port.ask(question, SOON).await.unwrap();
        opened.map(|row| row.hotkey)
    }

    async fn open(&self, token: &str) -> Result<Hotkey, NotOpened> {
        self.open_from(1, token).await
    }

    async fn take_back(&self, hotkey: Hotkey, id: WatchId, by: OrderedBy) -> Result<(), WatchRefused> {
        let port: Port<TakeBack> = Port::new(&self.keeper);
        port.ask(TakeBack { hotkey, id, by }, SOON).await.unwrap()
    }

    async fn trail(&self) -> Vec<(String, String)> {
        let page = PageRequest {
            cursor: None,
            limit: 100,
        };
        let rows = self.store.audit(page).await.unwrap().rows;
        rows.into_iter().rev().map(|row| (row.who, row.message)).collect()
    }
}

#[actix::test]
async fn a_token_shows_its_miner_until_it_is_taken_back_also_in_another_life() {
    let mut bench = bench().await;
    let kept = bench.hand_out(ALICE, None, OrderedBy::Owner).await.unwrap();
    let gone = bench.hand_out(ALICE, None, OrderedBy::Owner).await.unwrap();
    assert_ne!(kept.token, gone.token);
    assert_eq!(bench.open(&gone.token).await, Ok(ALICE));
    // Only its own miner takes it back.
    let others = bench.take_back(BANNED, gone.row.id, OrderedBy::Owner).await;
    assert_eq!(others, Err(WatchRefused::Unknown));
    assert_eq!(bench.open(&gone.token).await, Ok(ALICE));
    assert_eq!(
        bench.take_back(ALICE, gone.row.id, OrderedBy::Owner).await,
        Ok(())
    );
    assert_eq!(bench.open(&gone.token).await, Err(NotOpened::Over));
    let again = bench.take_back(ALICE, gone.row.id, OrderedBy::Owner).await;
    assert_eq!(again, Err(WatchRefused::Unknown));

    bench.keeper = begin(&bench.store, &bench.clock, 1, 100);
    assert_eq!(bench.open(&kept.token).await, Ok(ALICE));
    assert_eq!(bench.open(&gone.token).await, Err(NotOpened::Over));
    bench.keeper = begin(&bench.store, &bench.clock, 2, 100);
    assert_eq!(
        bench.open(&kept.token).await,
        Err(NotOpened::Wrong),
        "another pool's secret"
    );
}

#[actix::test]
async fn a_token_that_was_given_a_time_is_over_by_itself_and_its_room_free() {
    let bench = bench().await;
    let short = bench.hand_out(ALICE, Some(60), OrderedBy::Owner).await.unwrap();
    for _ in 1..WATCHES_PER_MINER {
        bench.hand_out(ALICE, None, OrderedBy::Owner).await.unwrap();
    }
    bench.clock.advance(Span::from_secs(59));
    assert_eq!(bench.open(&short.token).await, Ok(ALICE));
    let more = bench.hand_out(ALICE, None, OrderedBy::Owner).await;
    assert_eq!(more, Err(WatchRefused::Full));
    bench.clock.advance(Span::from_secs(1));
    assert_eq!(bench.open(&short.token).await, Err(NotOpened::Over));
    assert!(bench.hand_out(ALICE, None, OrderedBy::Owner).await.is_ok());
}

#[actix::test]
async fn who_is_not_welcome_hands_out_nothing_and_an_operator_may_for_the_banned() {
    let bench = bench().await;
    let by = |who: &str| OrderedBy::Operator(who.to_owned());
    let banned = bench.hand_out(BANNED, None, OrderedBy::Owner).await;
    assert!(matches!(banned, Err(WatchRefused::Other(Refusal::Banned { .. }))));
    for who in [OrderedBy::Owner, by("token")] {
        let unknown = bench.hand_out(NOBODY, None, who).await;
        assert_eq!(unknown, Err(WatchRefused::Other(Refusal::MinerUnknown)));
    }
    assert_eq!(bench.trail().await, [], "what was not done is not in the trail");
    let shown = bench.hand_out(BANNED, None, by("token")).await.unwrap();
    assert_eq!(bench.open(&shown.token).await, Ok(BANNED));
    bench.take_back(BANNED, shown.row.id, by("5admin")).await.unwrap();
    let again = bench.take_back(BANNED, shown.row.id, by("5admin")).await;
    assert_eq!(again, Err(WatchRefused::Unknown));
    let ordered = [("token", "hand_out"), ("5admin", "take_back")];
    let ordered = ordered.map(|(who, message)| (who.to_owned(), message.to_owned()));
    assert_eq!(bench.trail().await, ordered);
}

#[actix::test]
async fn who_guesses_is_told_to_stop_and_keeps_nobody_out() {
    let bench = bench().await;
    let right = bench.hand_out(ALICE, None, OrderedBy::Owner).await.unwrap();
    let over = bench.hand_out(ALICE, None, OrderedBy::Owner).await.unwrap();
    bench
        .take_back(ALICE, over.row.id, OrderedBy::Owner)
        .await
        .unwrap();
    let junk = ["", "0", &right.token[1..], &"f".repeat(48), &"f".repeat(100_000)];
    for n in 0..30 {
        // A link that was taken back is no guess: a page may go on asking with it.
        assert_eq!(bench.open(&over.token).await, Err(NotOpened::Over));
        assert_eq!(bench.open(junk[n % junk.len()]).await, Err(NotOpened::Wrong));
    }
    let Err(NotOpened::TooMany { try_again }) = bench.open("guess").await else {
        panic!("a guess more");
    };
    assert_eq!(bench.open(&right.token).await, Ok(ALICE), "who has one is served");
    assert_eq!(bench.open(&over.token).await, Err(NotOpened::Over));
    assert_eq!(bench.open_from(2, "guess").await, Err(NotOpened::Wrong));
    bench.clock.advance(try_again);
    assert_eq!(bench.open("guess").await, Err(NotOpened::Wrong));
}

#[actix::test]
async fn without_chance_nothing_is_handed_out() {
    let mut bench = bench().await;
    bench.keeper = begin(&bench.store, &bench.clock, 1, 0xfe);
    let refused = bench.hand_out(ALICE, None, OrderedBy::Owner).await;
    assert_eq!(refused, Err(WatchRefused::Other(Refusal::Unavailable)));
}
