use std::sync::Arc;

use dwarves_domain::ids::{HeaderHash, PayoutId, Sequence};
use dwarves_domain::units::Units;
use dwarves_ports::chain::{NodeStanding, Standing, Surroundings};
use dwarves_ports::clock::Clock;
use dwarves_ports::courier::{Courier, CourierFuture};
use dwarves_ports::store::{FoundBlock, Store};
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::build::{BEGIN, sats};
use dwarves_testkit::{ManualClock, RecordingHalt, settle};
use tokio::sync::{mpsc, watch};

use super::*;
use crate::ask::{Ask, Outbox};
use crate::block_tracker::messages::{BlocksView, ReadBlocks};
use crate::live_work::LiveWork;
use crate::notices;
use crate::paymaster::messages::{PayoutsView, ReadPayouts};
use crate::work_manager::messages::{ReadWork, WorkView};

mod incidents;

/// A courier whose answers are the test's.
struct Post {
    sent: mpsc::UnboundedSender<(String, Told)>,
    answer: watch::Receiver<Result<(), CourierError>>,
}

impl Courier for Post {
    fn deliver(&self, channel: &str, message: Told) -> CourierFuture {
        self.sent.send((channel.to_owned(), message)).unwrap();
        let answer = self.answer.borrow().clone();
        Box::pin(async move { answer })
    }
}

/// What is wrong, as those tell it who are watched.
#[derive(Clone, Default)]
struct State {
    standing: Standing,
    payouts: PayoutsView,
    blocks: BlocksView,
}

struct World(watch::Receiver<State>);

impl Actor for World {
    type Context = Context<Self>;
}

impl Handler<Ask<ReadWork>> for World {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadWork>, _: &mut Self::Context) {
        ask.reply.answer(WorkView {
            work: Arc::new(LiveWork::none()),
            trouble: None,
            standing: Arc::new(self.0.borrow().standing.clone()),
        });
    }
}

impl Handler<Ask<ReadPayouts>> for World {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadPayouts>, _: &mut Self::Context) {
        ask.reply.answer(self.0.borrow().payouts.clone());
    }
}

impl Handler<Ask<ReadBlocks>> for World {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadBlocks>, _: &mut Self::Context) {
        ask.reply.answer(self.0.borrow().blocks.clone());
    }
}

/// A notifier, and all that it meets.
struct Bench {
    store: InlineStore,
    clock: ManualClock,
    world: watch::Sender<State>,
    answer: watch::Sender<Result<(), CourierError>>,
    sent: mpsc::UnboundedReceiver<(String, Told)>,
    settings: NotifierSettings,
    /// When its ledger began.
    created_at: Timestamp,
    notifier: Addr<Notifier>,
}

fn channel(name: &str, kinds: &[NoticeKind]) -> Channel {
    Channel {
        name: name.to_owned(),
        kinds: kinds.iter().copied().collect(),
        quiet: None,
    }
}

impl Bench {
    async fn new(channels: Vec<Channel>) -> Self {
        Self::with(channels, None).await
    }

    async fn with(channels: Vec<Channel>, digest_hour: Option<u8>) -> Self {
        tokio::time::pause();
        let (sender, sent) = mpsc::unbounded_channel();
        let (answer, answers) = watch::channel(Ok(()));
        let settings = NotifierSettings {
            courier: Arc::new(Post {
                sent: sender,
                answer: answers,
            }),
            channels,
            settle: Span::from_secs(60),
            digest_hour,
        };
        let (world, _) = watch::channel(State::default());
        let store = InlineStore::fresh();
        let clock = ManualClock::at(BEGIN);
        let created_at = BEGIN.minus(Span::from_secs(86_400));
        let notifier = begin(&store, &clock, &world, &settings, created_at).await;
        Self {
            store,
            clock,
            world,
            answer,
            sent,
            settings,
            created_at,
            notifier,
        }
    }

    /// Another life on the same ledger.
    async fn restart(&mut self) {
        self.notifier = begin(
            &self.store,
            &self.clock,
            &self.world,
            &self.settings,
            self.created_at,
        )
        .await;
    }

    /// A life on a ledger that begins now.
    async fn restart_fresh(&mut self) {
        self.store = InlineStore::fresh();
        self.restart().await;
    }

    /// This many seconds pass, with a look in each.
    async fn seconds(&self, secs: u64) {
        for _ in 0..secs {
            self.clock.advance(Span::from_secs(1));
            Outbox::new(&self.notifier).tell(Poke).unwrap();
            settle().await;
        }
    }

    async fn write(&self, writes: Vec<Write>) {
        self.store.commit(writes).await.unwrap();
    }

    /// What the courier answers from now on.
    fn answers(&self, answer: Result<(), CourierError>) {
        let _before = self.answer.send_replace(answer);
    }

    /// What was sent since the last time, with the channels.
    fn told(&mut self) -> Vec<(String, Told)> {
        std::iter::from_fn(|| self.sent.try_recv().ok()).collect()
    }

    fn texts(&mut self) -> Vec<String> {
        self.told().into_iter().map(|(_, message)| message.text).collect()
    }
}

async fn begin(
    store: &InlineStore,
    clock: &ManualClock,
    world: &watch::Sender<State>,
    settings: &NotifierSettings,
    created_at: Timestamp,
) -> Addr<Notifier> {
    let ledger = crate::testing::ledger(
        Arc::new(store.clone()),
        &RecordingHalt::default(),
        (Sequence::default(), Units::ZERO),
    );
    let watched = World(world.subscribe()).start();
    let stored = store.settings().await.unwrap();
    Notifier::new(NotifierParts {
        store: Arc::new(store.clone()),
        ledger: Port::new(&ledger),
        clock: Arc::new(clock.clone()),
        settings: settings.clone(),
        watched: Watched {
            work: Port::new(&watched),
            payouts: Port::new(&watched),
            blocks: Port::new(&watched),
        },
        has_chain: true,
        ledger_name: "7".to_owned(),
        created_at,
        open_incidents: stored.get(INCIDENTS_STORED_AS).cloned(),
    })
    .start()
}

fn found(number: u8) -> Write {
    let block = FoundBlock {
        height: u32::from(number),
        reward: sats(5),
        finder: None,
        bytes: Vec::new(),
    };
    notices::block_found(HeaderHash::from_bytes([number; 32]), &block, BEGIN)
}

fn lost(world: &mut State, is_lost: bool) {
    world.standing.nodes = vec![NodeStanding {
        name: "http://127.0.0.1:8332".to_owned(),
        verdict: dwarves_domain::chain_guard::Verdict::Unknown,
        why: Vec::new(),
        height: (!is_lost).then_some(7),
        tip_age_secs: None,
        is_used: true,
        surroundings: Surroundings::default(),
    }];
}

const ALL: [NoticeKind; 10] = NoticeKind::OPERATORS;

#[actix::test]
async fn each_channel_is_told_what_it_wants_once_and_in_order() {
    let channels = vec![
        channel("all", &ALL),
        channel("payouts", &[NoticeKind::PayoutSent]),
    ];
    let mut bench = Bench::new(channels).await;
    let sent = dwarves_domain::payouts::Transition::Send;
    let sent = notices::payout_step(PayoutId::new(3), &sent, BEGIN).unwrap();
    // The block's share and its candidate tell of it, each in its own transaction.
    bench.write(vec![found(1), sent]).await;
    bench.write(vec![found(1)]).await;
    bench.seconds(5).await;
    let told = bench.told();
    let seen: Vec<_> = told
        .iter()
        .map(|(channel, message)| (channel.as_str(), message.id.as_str()))
        .collect();
    assert_eq!(
        seen,
        [("all", "msg_7_1"), ("payouts", "msg_7_2"), ("all", "msg_7_2")]
    );
    assert_eq!(told[0].1.kind, NoticeKind::BlockFound);
    bench.restart().await;
    bench.seconds(5).await;
    assert_eq!(bench.told(), []);
    assert_eq!(bench.store.deliveries(9).await.unwrap(), []);
}

#[actix::test]
async fn what_does_not_arrive_is_told_again_less_and_less_often_and_given_up_in_the_end() {
    let mut bench = Bench::new(vec![channel("ops", &ALL)]).await;
    bench.answers(Err(CourierError::Failed("away".to_owned())));
    bench.write(vec![found(1)]).await;
    bench.seconds(2).await;
    let first = bench.told();
    assert_eq!(first.len(), 1);
    bench.seconds(4).await;
    assert_eq!(bench.told().len(), 0, "five seconds are not over");
    // A life that ends in between tries no sooner, and under the same id.
    bench.restart().await;
    bench.seconds(2).await;
    let second = bench.told();
    assert_eq!((second.len(), &second[0].1.id), (1, &first[0].1.id));
    assert!(second[0].1.told_at > first[0].1.told_at);
    let mut tries = 2;
    for _ in 0..200 {
        bench.clock.advance(Span::from_secs(3_600));
        bench.seconds(2).await;
        tries += bench.told().len();
    }
    assert_eq!(tries, 13, "twelve waits");
    assert_eq!(bench.store.deliveries(9).await.unwrap(), []);
    // What comes then is told as ever.
    bench.answers(Ok(()));
    bench
        .write(vec![notices::post(
            "later".to_owned(),
            NoticeKind::BlockFound,
            bench.clock.now(),
            "later".to_owned(),
            &serde_json::json!({}),
        )])
        .await;
    bench.seconds(2).await;
    assert_eq!(bench.texts(), ["later"]);
}

#[actix::test]
async fn a_receiver_that_wants_nothing_more_is_left_alone() {
    let mut bench = Bench::new(vec![channel("ops", &ALL)]).await;
    bench.answers(Err(CourierError::Unwanted("410".to_owned())));
    bench.write(vec![found(1)]).await;
    bench.seconds(60).await;
    assert_eq!(bench.told().len(), 1);
}

#[actix::test]
async fn what_is_old_when_the_first_channel_opens_is_not_told() {
    let mut bench = Bench::new(vec![channel("ops", &ALL)]).await;
    bench.clock.advance(Span::from_secs(86_401));
    bench.write(vec![found(1)]).await;
    bench.seconds(5).await;
    assert_eq!(bench.told(), []);
    assert_eq!(bench.store.unplanned_notices(9).await.unwrap(), []);
}

#[actix::test]
async fn a_channel_that_is_no_more_holds_nothing_up() {
    let mut bench = Bench::new(vec![channel("old", &ALL)]).await;
    bench.answers(Err(CourierError::Failed("away".to_owned())));
    bench.write(vec![found(1)]).await;
    bench.seconds(3).await;
    assert_eq!(bench.told().len(), 1);
    bench.settings.channels = vec![channel("new", &ALL)];
    bench.restart().await;
    bench.seconds(30).await;
    assert_eq!(bench.told(), []);
    assert_eq!(bench.store.deliveries(9).await.unwrap(), []);
}
