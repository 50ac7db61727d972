use std::sync::Arc;
use std::time::Duration;

use dwarves_domain::ids::Sequence;
use dwarves_domain::units::Units;
use tokio::sync::oneshot;

use super::*;
use crate::ask::Port;
use dwarves_domain::ids::{HeaderHash, WorkerId};
use dwarves_ports::store::{SharedStore, Store};
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::build::{BEGIN, hotkey, job, mine, template, template_row, worker_name};
use dwarves_testkit::faulty_store::{Fault, FaultPlan, FaultyStore};
use dwarves_testkit::{Gate, PacedStore, RecordingHalt, settle};

use dwarves_ports::store::{ShareRow, WorkerRow};

mod side_by_side;
mod stopping;
mod telling;

/// Questions that may wait in the mailbox of these tests' ledger.
const MAILBOX_CAPACITY: usize = 4_096;

/// A ledger on a store that can be slow and faulty.
struct Bench {
    commit: Port<Commit>,
    close: Port<CloseLedger>,
    read: Port<ReadLedger>,
    attach: Port<AttachNews>,
    store: PacedStore,
    memory: InlineStore,
    gate: Gate,
    halt: RecordingHalt,
}

async fn bench(plan: FaultPlan, acknowledge: Acknowledge) -> Bench {
    bench_of(plan, acknowledge, 1).await
}

/// One whose store takes so many commits of shares side by side.
async fn bench_of(plan: FaultPlan, acknowledge: Acknowledge, side_by_side: usize) -> Bench {
    tokio::time::pause();
    let memory = InlineStore::fresh();
    let worker = WorkerRow {
        id: WorkerId::new(0),
        hotkey: hotkey(1),
        name: worker_name("rig"),
    };
    let prepared = vec![
        Write::RegisterMiner {
            hotkey: hotkey(1),
            payout_address: None,
            at: BEGIN,
        },
        Write::AddWorker(worker),
        Write::SaveTemplate(Box::new(template_row(1, 101, HeaderHash::from_bytes([9; 32])))),
    ];
    memory.commit(prepared).await.unwrap();
    let gate = Gate::default();
    let faulty: SharedStore = Arc::new(FaultyStore::new(Arc::new(memory.clone()), plan));
    let store = PacedStore::new(faulty, Arc::new(gate.clone())).taking(side_by_side);
    let halt = RecordingHalt::default();
    let ledger = Ledger::new(LedgerParts {
        mailbox_capacity: MAILBOX_CAPACITY,
        store: Arc::new(store.clone()),
        halt: halt.shared(),
        acknowledge,
        position: (Sequence::new(0), Units::ZERO),
    })
    .start();
    settle().await;
    Bench {
        commit: Port::new(&ledger),
        close: Port::new(&ledger),
        read: Port::new(&ledger),
        attach: Port::new(&ledger),
        store,
        memory,
        gate,
        halt,
    }
}

type Answer = oneshot::Receiver<Result<Vec<Written>, StoreError>>;

impl Bench {
    fn post(&self, writes: Vec<Write>) -> Answer {
        self.commit.post(Commit { writes }).unwrap()
    }

    fn set(&self, key: &str) -> Answer {
        self.post(vec![setting(key)])
    }

    async fn settings(&self) -> Vec<String> {
        let stored = self.memory.start(BEGIN).await.unwrap();
        stored.settings.into_keys().collect()
    }
}

fn setting(key: &str) -> Write {
    Write::SaveSetting {
        key: key.to_owned(),
        value: Some("on".to_owned()),
    }
}

fn shares(first_nonce: u32, count: u32) -> Write {
    let job = job(&template(1), 1, hotkey(1), 0);
    let mut nonce = first_nonce;
    let rows = (0..count).map(|_| {
        let (found, proof) = mine(&job, nonce, false);
        nonce = found + 1;
        ShareRow {
            template: job.template().id(),
            extranonce: job.extranonce().into(),
            worker: job.worker(),
            share_bits: job.share_target().to_compact(),
            units: job.units(),
            hash: proof.hash,
            version: proof.header.version(),
            time: proof.header.time(),
            nonce: found,
            received_at: BEGIN,
            block: None,
        }
    });
    Write::AppendShares(rows.collect())
}

fn first_of(written: &[Written]) -> u64 {
    match written {
        [Written::Shares { first, .. }] => first.get(),
        other => panic!("expected shares, got {other:?}"),
    }
}

#[actix::test]
async fn what_arrives_during_a_commit_joins_the_next_as_one_batch() {
    let bench = bench(FaultPlan::default(), Acknowledge::Durable).await;
    let first = bench.post(vec![shares(0, 2)]);
    settle().await;
    let second = bench.post(vec![shares(1_000, 3)]);
    let empty = bench.post(Vec::new());
    let third = bench.post(vec![shares(2_000, 1)]);
    settle().await;
    assert_eq!(
        bench.store.commits().len(),
        1,
        "the first does not wait for others"
    );
    bench.gate.open_for(1);
    settle().await;
    assert_eq!(first_of(&first.await.unwrap().unwrap()), 1);
    let commits = bench.store.commits();
    assert_eq!(commits.len(), 2);
    assert_eq!(commits[1].len(), 2, "both later commits are one transaction");
    bench.gate.open_for(1);
    assert_eq!(first_of(&second.await.unwrap().unwrap()), 3);
    assert_eq!(empty.await.unwrap(), Ok(Vec::new()));
    assert_eq!(first_of(&third.await.unwrap().unwrap()), 6);
}

#[actix::test]
async fn a_batch_is_bounded_in_shares() {
    let bench = bench(FaultPlan::default(), Acknowledge::Durable).await;
    let large = BATCH_SHARES_MAX - 1;
    let one = bench.set("under way");
    settle().await;
    let many: Vec<Write> = (0..large).map(|_| setting("many")).collect();
    let answers = [bench.post(many), bench.set("fits"), bench.set("waits")];
    settle().await;
    bench.gate.open();
    for answer in [one].into_iter().chain(answers) {
        assert!(answer.await.unwrap().is_ok());
    }
    let sizes: Vec<usize> = bench.store.commits().iter().map(Vec::len).collect();
    assert_eq!(sizes, [1, BATCH_SHARES_MAX, 1]);
}

#[actix::test]
async fn a_commit_larger_than_a_batch_goes_alone() {
    let bench = bench(FaultPlan::default(), Acknowledge::Durable).await;
    let one = bench.set("under way");
    settle().await;
    let large: Vec<Write> = (0..=BATCH_SHARES_MAX).map(|_| setting("many")).collect();
    let answers = [bench.post(large), bench.set("after")];
    bench.gate.open();
    for answer in [one].into_iter().chain(answers) {
        assert!(answer.await.unwrap().is_ok());
    }
    let sizes: Vec<usize> = bench.store.commits().iter().map(Vec::len).collect();
    assert_eq!(sizes, [1, BATCH_SHARES_MAX + 1, 1]);
}

#[actix::test]
async fn a_failed_commit_answers_everybody_in_it_and_the_ledger_goes_on() {
    let plan = FaultPlan {
        at: vec![(2, Fault::Refuse)],
        disk_full: None,
    };
    let bench = bench(plan, Acknowledge::Durable).await;
    let before = bench.set("before");
    settle().await;
    let failing = [bench.set("a"), bench.set("b")];
    settle().await;
    bench.gate.open_for(2);
    assert!(before.await.unwrap().is_ok());
    for answer in failing {
        let error = answer.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    }
    let view = bench
        .read
        .ask(ReadLedger, std::time::Duration::from_secs(1))
        .await
        .unwrap();
    assert!(view.trouble.is_some());
    assert_eq!(view.commits, 1);

    let after = bench.set("after");
    bench.gate.open();
    assert!(after.await.unwrap().is_ok());
    let view = bench
        .read
        .ask(ReadLedger, std::time::Duration::from_secs(1))
        .await
        .unwrap();
    assert_eq!((view.trouble, view.commits), (None, 2));
    assert_eq!(bench.settings().await, ["after", "before"]);
    assert!(bench.halt.reasons().is_empty());
}

#[actix::test]
async fn a_full_queue_is_refused_and_stays_bounded() {
    let bench = bench(FaultPlan::default(), Acknowledge::Durable).await;
    let under_way = bench.set("under way");
    settle().await;
    let mut taken = Vec::new();
    let mut refused = 0;
    for _ in 0..4 {
        // In portions that fit the mailbox, which has its own bound.
        for _ in 0..WAITING_MAX / 3 {
            taken.push(bench.set("waits"));
        }
        settle().await;
        taken.retain_mut(|answer| match answer.try_recv() {
            Ok(Err(error)) => {
                assert_eq!(error.kind(), StoreErrorKind::Unavailable);
                refused += 1;
                false
            }
            _ => true,
        });
    }
    assert_eq!(taken.len(), WAITING_MAX);
    assert_eq!(refused, WAITING_MAX / 3 * 4 - WAITING_MAX);
    bench.gate.open();
    for answer in taken.into_iter().chain([under_way]) {
        assert!(answer.await.unwrap().is_ok());
    }
    assert!(bench.set("after").await.unwrap().is_ok());
}

#[actix::test]
async fn a_full_mailbox_is_refused() {
    let bench = bench(FaultPlan::default(), Acknowledge::Durable).await;
    let commits = || {
        bench.commit.post(Commit {
            writes: vec![setting("x")],
        })
    };
    let taken: Vec<_> = (0..MAILBOX_CAPACITY * 3).filter_map(|_| commits().ok()).collect();
    assert!(taken.len() <= MAILBOX_CAPACITY + 8, "{} were taken", taken.len());
    assert_eq!(commits().err(), Some(crate::ask::AskError::Busy));
}

#[actix::test]
async fn queued_acknowledging_answers_shares_at_once_and_everything_else_when_durable() {
    let bench = bench(FaultPlan::default(), Acknowledge::Queued).await;
    let first = bench.post(vec![shares(0, 2)]);
    let second = bench.post(vec![shares(1_000, 1)]);
    let worker = WorkerRow {
        id: WorkerId::new(7),
        hotkey: hotkey(1),
        name: worker_name("new"),
    };
    let with_worker = bench.post(vec![Write::AddWorker(worker), shares(2_000, 1)]);
    let mut other = bench.set("durable");
    settle().await;
    assert_eq!(first_of(&first.await.unwrap().unwrap()), 1);
    assert_eq!(first_of(&second.await.unwrap().unwrap()), 3);
    let with_worker = with_worker.await.unwrap().unwrap();
    assert_eq!(
        (&with_worker[0], first_of(&with_worker[1..])),
        (&Written::Done, 4)
    );
    assert!(other.try_recv().is_err());
    bench.gate.open();
    assert!(other.await.unwrap().is_ok());
    let stored = bench.memory.start(BEGIN).await.unwrap();
    assert_eq!(stored.last_sequence, Sequence::new(4));
}

/// A ban, a pause and their rows of the audit trail hold on a full disk, are said to be unsaved, and are stored together,
/// before anything else, once the disk takes them. Whatever else is refused as ever.
#[actix::test]
async fn orders_of_operators_are_kept_while_the_disk_is_full_and_stored_together_when_it_is_not() {
    use dwarves_ports::store::{AuditRow, BanRow};

    tokio::time::pause();
    let memory = InlineStore::fresh();
    memory.start(BEGIN).await.unwrap();
    let plan = FaultPlan {
        at: (1..=4).map(|commit| (commit, Fault::Refuse)).collect(),
        disk_full: None,
    };
    let ledger = Ledger::new(LedgerParts {
        store: Arc::new(FaultyStore::new(Arc::new(memory.clone()), plan)),
        halt: RecordingHalt::default().shared(),
        acknowledge: Acknowledge::Durable,
        position: (Sequence::new(0), Units::ZERO),
        mailbox_capacity: 16,
    })
    .start();
    let commit: Port<Commit> = Port::new(&ledger);
    let set = |key: &str, value: &str| Write::SaveSetting {
        key: key.to_owned(),
        value: Some(value.to_owned()),
    };
    let ban = Write::Ban {
        hotkey: hotkey(1),
        ban: BanRow {
            reason: "floods".to_owned(),
            until: None,
        },
    };
    let row = Write::AppendAudit(AuditRow {
        id: 0,
        at: BEGIN,
        who: "token".to_owned(),
        actor: "miner_manager".to_owned(),
        message: "ban".to_owned(),
        fields: "{}".to_owned(),
        outcome: "{}".to_owned(),
    });
    let write = async |write: Write| commit.ask_punctual(Commit { writes: vec![write] }).await.unwrap();
    assert_eq!(write(ban).await, Ok(vec![Written::Kept]));
    assert_eq!(write(row).await, Ok(vec![Written::Kept]));
    assert_eq!(write(set("pool.paused", "true")).await, Ok(vec![Written::Kept]));
    for refused in [set("rewards.fee_bps", "5")] {
        assert_eq!(
            write(refused).await.unwrap_err().kind(),
            StoreErrorKind::Unavailable
        );
    }
    assert!(memory.settings().await.unwrap().is_empty());
    // Nobody else writes, and still they are stored, all three in one transaction.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(memory.settings().await.unwrap()["pool.paused"], "true");
    let audit = memory
        .audit(dwarves_ports::store::PageRequest {
            cursor: None,
            limit: 9,
        })
        .await
        .unwrap();
    assert_eq!(audit.rows.len(), 1);
    // What comes later is stored after them and once: they are not written again over it.
    assert_eq!(write(set("pool.paused", "false")).await, Ok(vec![Written::Done]));
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(memory.settings().await.unwrap()["pool.paused"], "false");
}
