use std::collections::BTreeSet;
use std::sync::Arc;

use dwarves_domain::ids::{HeaderHash, Sequence};
use dwarves_domain::notices::subscription::ChannelState;
use dwarves_domain::notices::wishes::{Channel, Thresholds, Way, Wishes};
use dwarves_domain::units::Units;
use dwarves_ports::chain::Standing;
use dwarves_ports::clock::Clock;
use dwarves_ports::courier::{CourierError, CourierFuture, Message as Told, Receiver, StrangersCourier};
use dwarves_ports::store::{FoundBlock, Store};
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::build::{BEGIN, hotkey, sats};
use dwarves_testkit::{ManualClock, RecordingHalt, settle};
use tokio::sync::{mpsc, watch};

use super::messages::*;
use super::*;
use crate::ask::{Ask, Outbox, Request};
use crate::live_work::LiveWork;
use crate::miner_manager::messages::{MinerView, WorkerView};
use crate::notices;
use crate::paymaster::messages::PayoutsView;
use crate::work_evaluator::messages::EvaluatorView;
use crate::work_manager::messages::WorkView;

mod evaluated;
mod orders;
mod telling;

/// A courier whose answers are the test's.
struct Post {
    sent: mpsc::UnboundedSender<(Receiver, Told)>,
    answer: watch::Receiver<Result<(), CourierError>>,
}

impl StrangersCourier for Post {
    fn deliver(&self, to: Receiver, message: Told) -> CourierFuture {
        self.sent.send((to, message)).unwrap();
        let answer = self.answer.borrow().clone();
        Box::pin(async move { answer })
    }
}

/// How the miners are, as the miner manager tells it.
#[derive(Clone, Default)]
struct State {
    miners: BTreeMap<Hotkey, MinerView>,
    /// No work is evaluated.
    is_held: bool,
}

struct World(watch::Receiver<State>);

impl Actor for World {
    type Context = Context<Self>;
}

impl Handler<Ask<ReadMiner>> for World {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadMiner>, _: &mut Self::Context) {
        let view = self.0.borrow().miners.get(&ask.payload.hotkey).cloned();
        ask.reply.answer(view);
    }
}

impl Handler<Ask<ReadWork>> for World {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadWork>, _: &mut Self::Context) {
        let template = dwarves_testkit::build::template(1);
        ask.reply.answer(WorkView {
            work: Arc::new(LiveWork {
                current: Some(template.clone()),
                live: vec![template],
                ..LiveWork::none()
            }),
            trouble: None,
            standing: Arc::new(Standing::default()),
        });
    }
}

impl Handler<Ask<ReadEvaluator>> for World {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadEvaluator>, _: &mut Self::Context) {
        ask.reply.answer(EvaluatorView {
            is_held: self.0.borrow().is_held,
            ..EvaluatorView::default()
        });
    }
}

impl Handler<Ask<ReadPayouts>> for World {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadPayouts>, _: &mut Self::Context) {
        ask.reply.answer(PayoutsView::default());
    }
}

/// A miner notifier, and all that it meets.
struct Bench {
    store: InlineStore,
    clock: ManualClock,
    world: watch::Sender<State>,
    answer: watch::Sender<Result<(), CourierError>>,
    sent: mpsc::UnboundedReceiver<(Receiver, Told)>,
    settings: MinerNotifierSettings,
    notifier: Addr<MinerNotifier>,
}

const LIMITS: QueueLimits = QueueLimits {
    of_miner: 5,
    of_all: 50,
    places: 4,
    of_host: 4,
    of_failing: 2,
};

impl Bench {
    async fn new() -> Self {
        tokio::time::pause();
        let (sender, sent) = mpsc::unbounded_channel();
        let (answer, answers) = watch::channel(Ok(()));
        let settings = MinerNotifierSettings {
            courier: Arc::new(Post {
                sent: sender,
                answer: answers,
            }),
            key: NotificationKey::new(&[9; 32]),
            rules: WishRules {
                channels_max: 3,
                allow_http: false,
                ports: vec![443],
                has_mail: true,
                offline_after_least: Span::from_secs(60),
            },
            limits: LIMITS,
            subscriptions_max: 4,
            notices_per_hour: 20,
            tries_per_hour: 10_000,
            codes_per_day: 100,
            look_every: Span::from_secs(60),
            pool_name: "Test pool".to_owned(),
            unit: ("BTC".to_owned(), 8),
            takes_addresses: true,
        };
        let (world, _) = watch::channel(State::default());
        let store = InlineStore::fresh();
        let clock = ManualClock::at(BEGIN);
        let notifier = begin(&store, &clock, &world, &settings, false).await;
        let bench = Self {
            store,
            clock,
            world,
            answer,
            sent,
            settings,
            notifier,
        };
        for byte in 1..=6 {
            bench.register(byte).await;
        }
        bench
    }

    async fn register(&self, byte: u8) {
        self.store
            .commit(vec![Write::RegisterMiner {
                hotkey: hotkey(byte),
                payout_address: None,
                at: BEGIN,
            }])
            .await
            .unwrap();
        self.world.send_modify(|state| {
            state.miners.insert(hotkey(byte), view(byte, BEGIN));
        });
    }

    async fn begin_again(&mut self, is_evaluated: bool) {
        let (store, settings) = (&self.store, &self.settings);
        self.notifier = begin(store, &self.clock, &self.world, settings, is_evaluated).await;
    }

    /// Another life on the same ledger.
    async fn restart(&mut self) {
        Outbox::new(&self.notifier).tell(End).unwrap();
        settle().await;
        self.begin_again(false).await;
        settle().await;
    }

    /// This many seconds pass, with a look in each.
    async fn seconds(&self, secs: u64) {
        for _ in 0..secs {
            self.clock.advance(Span::from_secs(1));
            Outbox::new(&self.notifier).tell(Poke).unwrap();
            settle().await;
        }
    }

    async fn ask<R: Request>(&self, payload: R) -> R::Reply
    where
        MinerNotifier: Handler<Ask<R>>,
        <MinerNotifier as Actor>::Context: actix::dev::ToEnvelope<MinerNotifier, Ask<R>>,
    {
        let port: Port<R> = Port::new(&self.notifier);
        let answer = port.post(payload).unwrap();
        settle().await;
        answer.await.unwrap()
    }

    async fn subscribe(&self, byte: u8, channels: Vec<Channel>) -> Result<Subscribed, NotGranted> {
        self.ask(Subscribe {
            hotkey: hotkey(byte),
            wishes: wishes(channels),
            renewed: Vec::new(),
        })
        .await
    }

    async fn record(&self, byte: u8) -> Option<Subscription> {
        let rows = self.store.subscriptions().await.unwrap();
        let row = rows.into_iter().find(|row| row.hotkey == hotkey(byte))?;
        Some(serde_json::from_str(&row.record).unwrap())
    }

    async fn write(&self, writes: Vec<Write>) {
        self.store.commit(writes).await.unwrap();
    }

    /// What the courier answers from now on.
    fn answers(&self, answer: Result<(), CourierError>) {
        let _before = self.answer.send_replace(answer);
    }

    /// What was sent since the last time, with where it went.
    fn told(&mut self) -> Vec<(Receiver, Told)> {
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
    settings: &MinerNotifierSettings,
    is_evaluated: bool,
) -> Addr<MinerNotifier> {
    let ledger = crate::testing::ledger(
        Arc::new(store.clone()),
        &RecordingHalt::default(),
        (Sequence::default(), Units::ZERO),
    );
    let world = World(world.subscribe()).start();
    let stored = store.settings().await.unwrap();
    let notifier = MinerNotifier::new(MinerNotifierParts {
        store: Arc::new(store.clone()),
        ledger: Port::new(&ledger),
        clock: Arc::new(clock.clone()),
        settings: settings.clone(),
        miners: Port::new(&world),
        work: Port::new(&world),
        evaluator: is_evaluated.then(|| Port::new(&world)),
        payouts: Port::new(&world),
        ledger_name: "7".to_owned(),
        read_through: stored.get(READ_AS).cloned(),
    })
    .start();
    settle().await;
    notifier
}

/// A miner with one worker whose last share came then.
fn view(byte: u8, last: Timestamp) -> MinerView {
    MinerView {
        hotkey: hotkey(byte),
        registered_at: BEGIN,
        payout_address: Some("address".to_owned()),
        hashrate: 5.0,
        accepted: 1,
        rejected: [0; 6],
        units: Units::ONE,
        window: Units::ONE,
        record: dwarves_domain::statistics::Record {
            found: 0,
            expected: 0.0,
        },
        workers: vec![WorkerView {
            name: "rig".parse().unwrap(),
            hashrate: 5.0,
            share_difficulty: dwarves_domain::target::Difficulty::MIN,
            last_share_at: Some(last),
            shares: 1,
            rejected: [0; 6],
        }],
    }
}

fn wishes(channels: Vec<Channel>) -> Wishes {
    Wishes {
        channels,
        kinds: NoticeKind::MINERS.into_iter().collect(),
        quiet: None,
        utc_offset: Default::default(),
        digest_hour: None,
        thresholds: Thresholds::default(),
    }
}

fn webhook(name: &str, url: &str) -> Channel {
    Channel {
        name: name.parse().unwrap(),
        way: Way::Webhook {
            url: url.parse().unwrap(),
            made_at: Timestamp::EPOCH,
        },
    }
}

fn mail(address: &str) -> Channel {
    Channel {
        name: "post".parse().unwrap(),
        way: Way::Mail {
            address: address.parse().unwrap(),
        },
    }
}

/// A block that this miner found.
fn found(number: u8, finder: u8) -> Write {
    let block = FoundBlock {
        height: u32::from(number),
        reward: sats(5),
        finder: Some(hotkey(finder)),
        bytes: Vec::new(),
    };
    notices::block_found(
        HeaderHash::from_bytes([number; 32]),
        &block,
        BEGIN.plus(Span::from_secs(1)),
    )
}

/// Ends a life.
#[derive(Message)]
#[rtype(result = "()")]
struct End;

impl Handler<End> for MinerNotifier {
    type Result = ();

    fn handle(&mut self, _: End, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

const URL: &str = "https://example.org/hook";
