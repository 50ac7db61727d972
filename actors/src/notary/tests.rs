use std::sync::Arc;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{Sequence, TemplateId, WorkerId};
use dwarves_domain::statements::{DOMAIN_LINE, EpochId};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::units::Units;
use dwarves_ports::clock::Clock;
use dwarves_ports::signer::Signer;
use dwarves_ports::store::{PageRequest, ShareRow, SharedStore, StatementRow, Store, WorkerRow};
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::build::{BEGIN, hotkey, template_row};
use dwarves_testkit::faulty_store::{Fault, FaultPlan, FaultyStore};
use dwarves_testkit::{ManualClock, RecordingHalt, settle};
use serde_json::Value;

use super::*;
use crate::ask::Outbox;

const POOL: Hotkey = Hotkey::from_bytes([9; 32]);

/// Signs with the first bytes of what it signs.
struct FirstBytes {
    /// The thread of the actors, which must not be kept.
    actors: std::thread::ThreadId,
}

impl FirstBytes {
    fn here() -> Self {
        Self {
            actors: std::thread::current().id(),
        }
    }

    fn of(message: &[u8]) -> [u8; 64] {
        std::array::from_fn(|n| message.get(n).copied().unwrap_or(0))
    }
}

impl Signer for FirstBytes {
    fn hotkey(&self) -> Hotkey {
        POOL
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        let here = std::thread::current().id();
        assert_ne!(
            here, self.actors,
            "a statement is signed beside those who judge shares"
        );
        Self::of(message)
    }
}

/// A notary, and all that it meets.
struct Bench {
    store: InlineStore,
    clock: ManualClock,
    notary: Addr<Notary>,
}

fn begin(
    store: SharedStore,
    clock: &ManualClock,
    epoch_secs: u32,
    restored: Option<&str>,
    last: Sequence,
) -> Addr<Notary> {
    let ledger = crate::testing::ledger(Arc::clone(&store), &RecordingHalt::default(), (last, Units::ZERO));
    Notary::new(NotaryParts {
        store,
        ledger: Port::new(&ledger),
        clock: Arc::new(clock.clone()),
        settings: NotarySettings {
            length: EpochLength::from_secs(epoch_secs),
            algorithm: Algorithm::Sha256d,
            signer: Arc::new(FirstBytes::here()),
        },
        restored: restored.map(str::to_owned),
    })
    .start()
}

impl Bench {
    /// With epochs of a minute, a miner with a worker, and a clock that is believed.
    async fn new() -> Self {
        tokio::time::pause();
        Self::on_paused_time().await
    }

    async fn on_paused_time() -> Self {
        let store = InlineStore::fresh();
        let writes = vec![
            Write::RegisterMiner {
                hotkey: hotkey(1),
                payout_address: None,
                at: BEGIN,
            },
            Write::AddWorker(WorkerRow {
                id: WorkerId::new(1),
                hotkey: hotkey(1),
                name: "rig1".parse().unwrap(),
            }),
            Write::SaveTemplate(Box::new(template_row(
                1,
                101,
                dwarves_domain::ids::HeaderHash::from_bytes([1; 32]),
            ))),
        ];
        store.commit(writes).await.unwrap();
        let clock = ManualClock::at(BEGIN);
        let notary = begin(Arc::new(store.clone()), &clock, 60, None, Sequence::default());
        let bench = Self { store, clock, notary };
        bench.believe(None).await;
        bench
    }

    async fn restart(&mut self, epoch_secs: u32, restored: Option<&str>) {
        let store: SharedStore = Arc::new(self.store.clone());
        self.restart_on(store, epoch_secs, restored).await;
    }

    async fn restart_on(&mut self, store: SharedStore, epoch_secs: u32, restored: Option<&str>) {
        self.notary = begin(store, &self.clock, epoch_secs, restored, Sequence::default());
        self.believe(None).await;
    }

    async fn believe(&self, refused: Option<&str>) {
        let news = ClockNews {
            refused: refused.map(str::to_owned),
            is_confirmed: refused.is_none(),
            steps: 0,
        };
        Outbox::new(&self.notary).tell(news).unwrap();
        settle().await;
    }

    async fn look(&self) {
        Outbox::new(&self.notary).tell(Poke).unwrap();
        settle().await;
    }

    async fn view(&self) -> StatementsView {
        let port: Port<ReadStatements> = Port::new(&self.notary);
        port.ask(ReadStatements, Duration::from_secs(5)).await.unwrap()
    }

    /// This much time passes, and it looks.
    async fn seconds(&self, secs: u64) {
        self.clock.advance(Span::from_secs(secs));
        self.look().await;
    }

    /// A share is accepted now.
    async fn share(&self, number: u64) {
        let row = ShareRow {
            template: TemplateId::new(1),
            extranonce: dwarves_domain::ids::ExtraNonce::new(number).into(),
            worker: WorkerId::new(1),
            share_bits: CompactTarget::from_bits(0x1d00_ffff),
            units: Units::from_raw(7),
            hash: dwarves_domain::ids::HeaderHash::from_bytes([u8::try_from(number).unwrap(); 32]),
            version: 1,
            time: 1,
            nonce: 1,
            received_at: self.clock.now(),
            block: None,
        };
        self.store
            .commit(vec![Write::AppendShares(vec![row])])
            .await
            .unwrap();
    }

    /// The statements, oldest first.
    async fn stated(&self) -> Vec<StatementRow> {
        let page = PageRequest {
            cursor: None,
            limit: 100,
        };
        let mut rows = Vec::new();
        for head in self.store.statements(page).await.unwrap().rows {
            let row = self.store.statement(head.ended.epoch.start).await.unwrap();
            rows.insert(0, row.unwrap());
        }
        rows
    }

    /// Where each begins and how many shares it has.
    async fn sums(&self) -> Vec<(i64, u64)> {
        let rows = self.stated().await.into_iter();
        let sums = rows.map(|row| {
            let ended = row.head.ended;
            let after = ended.epoch.start.start().ahead_of(BEGIN) / 1_000;
            (after, ended.through.get() - ended.after.get())
        });
        sums.collect()
    }
}

/// 2023-11-14 22:13:20: the first minute is 40 s long.
#[actix::test]
async fn an_epoch_is_stated_once_it_is_over() {
    let bench = Bench::new().await;
    bench.share(1).await;
    bench.seconds(39).await;
    assert_eq!(bench.stated().await, []);
    bench.share(2).await;
    bench.seconds(1).await;
    bench.share(3).await;
    assert_eq!(bench.sums().await, [(0, 2)]);
    bench.look().await;
    bench.seconds(60).await;
    let rows = bench.stated().await;
    assert_eq!(bench.sums().await, [(0, 2), (40, 1)]);
    let (first, second) = (&rows[0], &rows[1]);
    assert_eq!(first.head.signer, POOL);
    assert_eq!(first.head.signature, FirstBytes::of(first.text.as_bytes()));
    assert_eq!(
        (first.head.previous, second.head.previous),
        (None, Some(first.head.digest))
    );
    let (line, json) = first.text.split_once('\n').unwrap();
    assert_eq!(line, DOMAIN_LINE);
    let json: Value = serde_json::from_str(json).unwrap();
    assert_eq!(json["start"], "1700000000");
    assert_eq!(json["end"], "1700000040");
    assert_eq!(json["miners"][0]["hotkey"], hotkey(1).to_string());
    let worker = &json["miners"][0]["workers"][0];
    assert_eq!(
        (
            &worker["worker"],
            &worker["shares"],
            &worker["hashes"],
            &worker["units"]
        ),
        (&"rig1".into(), &"2".into(), &"8590065666".into(), &"14".into())
    );
    assert_eq!(json["pool"], POOL.to_string());
}

#[actix::test]
async fn epochs_of_an_absence_are_stated_one_at_each_look() {
    let mut bench = Bench::new().await;
    bench.share(1).await;
    bench.clock.advance(Span::from_secs(300));
    bench.restart(60, None).await;
    for stated in 0..7 {
        let sums = bench.sums().await;
        assert_eq!(sums.len(), stated.min(5));
        bench.look().await;
    }
    let sums = [(0, 1), (40, 0), (100, 0), (160, 0), (220, 0)];
    assert_eq!(bench.sums().await, sums);
}

#[actix::test]
async fn nothing_ends_while_the_clock_is_not_believed() {
    let bench = Bench::new().await;
    bench.believe(Some("clock_refused")).await;
    bench.seconds(100).await;
    assert_eq!(bench.stated().await, []);
    bench.believe(None).await;
    assert_eq!(bench.sums().await, [(0, 0)]);
}

#[actix::test]
async fn how_it_goes_is_told() {
    let mut bench = Bench::new().await;
    let begun = bench.view().await;
    assert_eq!(
        (begun.length.map(EpochLength::secs), begun.stated),
        (Some(60), None)
    );
    assert_eq!(begun.open, Some(EpochId::new(1_700_000_000)));
    assert_eq!((begun.overdue, begun.hindrance()), (None, None));
    // Nothing is stated while the store does not write.
    let plan = FaultPlan {
        disk_full: Some(1..9),
        ..FaultPlan::default()
    };
    let faulty = FaultyStore::new(Arc::new(bench.store.clone()), plan);
    bench.restart_on(Arc::new(faulty), 60, None).await;
    bench.seconds(45).await;
    let waits = bench.view().await;
    assert_eq!(waits.overdue, Some(Span::from_secs(5)));
    let hindrance = waits.hindrance().unwrap();
    assert!(
        hindrance.starts_with("statements_wait: the store: "),
        "{hindrance}"
    );
    assert_eq!(waits.to_json()["overdue_secs"], 5);
    for _ in 0..9 {
        bench.look().await;
    }
    let stated = bench.view().await;
    assert_eq!((stated.overdue, stated.hindrance()), (None, None));
    assert_eq!(stated.stated.unwrap().end, stated.open.unwrap());
    bench.restart(0, None).await;
    assert_eq!(bench.view().await.to_json()["epoch_secs"], 0);
}

#[actix::test]
async fn epochs_cease_when_they_are_switched_off_and_begin_anew() {
    let mut bench = Bench::new().await;
    bench.share(1).await;
    bench.seconds(40).await;
    bench.share(2).await;
    bench.seconds(5).await;
    bench.restart(0, None).await;
    assert_eq!(bench.store.epochs().await.unwrap().open, None);
    bench.share(3).await;
    bench.seconds(100).await;
    bench.restart(60, None).await;
    bench.share(4).await;
    bench.seconds(20).await;
    // The time between is left out.
    assert_eq!(bench.sums().await, [(0, 1), (145, 1)]);
}

/// What was stated after the backup was made is not in it: no name of that time may be given again.
#[actix::test]
async fn a_restored_ledger_begins_anew_once() {
    let mut bench = Bench::new().await;
    bench.seconds(45).await;
    bench.seconds(30).await;
    bench.restart(60, Some("restored at noon")).await;
    let begun = bench.store.epochs().await.unwrap().open.unwrap();
    assert_eq!(begun.start, EpochId::new(1_700_000_075));
    bench.seconds(10).await;
    bench.restart(60, Some("restored at noon")).await;
    assert_eq!(bench.store.epochs().await.unwrap().open, Some(begun));
    bench.restart(60, Some("restored in the evening")).await;
    let begun = bench.store.epochs().await.unwrap().open.unwrap();
    assert_eq!(begun.start, EpochId::new(1_700_000_085));
}

/// Whichever step fails, or is done without an answer, the next life goes on, and there is one statement of each epoch.
#[actix::test]
async fn whatever_step_is_lost_the_next_life_goes_on() {
    tokio::time::pause();
    let mut seen = 0;
    for fault in [Fault::Refuse, Fault::LoseBefore, Fault::LoseAfter] {
        for at in 1..=3 {
            let mut bench = Bench::on_paused_time().await;
            bench.share(1).await;
            bench.clock.advance(Span::from_secs(40));
            let plan = FaultPlan {
                at: vec![(at, fault)],
                ..FaultPlan::default()
            };
            let faulty = FaultyStore::new(Arc::new(bench.store.clone()), plan);
            bench.restart_on(Arc::new(faulty), 60, None).await;
            bench.look().await;
            bench.look().await;
            seen += bench.sums().await.len();
            bench.restart(60, None).await;
            bench.look().await;
            bench.share(2).await;
            bench.seconds(60).await;
            assert_eq!(bench.sums().await, [(0, 1), (40, 1)], "{fault:?} at {at}");
        }
    }
    assert!(seen < 9, "some steps were lost");
}
