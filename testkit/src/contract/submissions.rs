//! Evaluated work: stored before anything is said of it, and what came of it.

use dwarves_domain::evaluation::{
    Evaluation, Failure, Fault, Figure, Measure, Outcome, Reading, SubmissionId, WorkDigest,
};
use dwarves_domain::ids::RoundId;
use dwarves_domain::rewards::{Emission, Scheme, Source, Unearned, Weights, close};
use dwarves_ports::store::{BanRow, Evaluated, NewSubmission, SharedStore, SubmissionRow, Write, Written};

use super::Backend;
use super::fixtures::{at, close_round, commit, key, page, register, round_input, sats, start};

const KEEP: u32 = 2;

fn id(miner: u8, work: u64) -> SubmissionId {
    SubmissionId::of(&key(miner), &WorkDigest::of(&text(work)), at(work.cast_signed()))
}

fn text(work: u64) -> String {
    format!("{{\"work\": {work}}}")
}

/// Work number `work` of a miner, which came at that second; results since `counts_since` count.
fn queue(miner: u8, work: u64, counts_since: i64) -> Write {
    Write::QueueSubmission(Box::new(NewSubmission {
        id: id(miner, work),
        hotkey: key(miner),
        worker: "rig".parse().unwrap(),
        digest: WorkDigest::of(&text(work)),
        received_at: at(work.cast_signed()),
        work: text(work),
        counts_since: at(counts_since),
    }))
}

fn reading(steps: u128) -> Reading {
    Reading::from_steps(steps).unwrap()
}

fn of_loss(loss: u128) -> Outcome {
    Ok(Evaluation {
        loss: Some(reading(loss)),
        score: None,
        metadata: Some("{\"epochs\":3}".to_owned()),
    })
}

fn failed() -> Outcome {
    Err(Failure::new(Fault::Late, "no answer in 30 s"))
}

fn settle(miner: u8, work: u64, secs: i64, outcome: Outcome) -> Write {
    Write::SettleSubmission {
        id: id(miner, work),
        evaluated: Evaluated {
            at: at(secs),
            outcome,
        },
        keep: KEEP,
        counts_since: at(0),
    }
}

fn stored(miner: u8, work: u64, is_new: bool) -> Written {
    Written::Submission {
        id: id(miner, work),
        is_new,
    }
}

async fn waiting(store: &SharedStore) -> Vec<SubmissionId> {
    let rows = store.waiting_submissions(9).await.unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

/// The numbers of the works of a miner that are stored, newest first, and page by page.
async fn listed(store: &SharedStore, miner: u8) -> Vec<u64> {
    let mut rows: Vec<SubmissionRow> = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.submissions(key(miner), page(cursor, 1)).await.unwrap();
        rows.extend(page.rows);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let all = 0..100;
    rows.iter()
        .map(|row| all.clone().find(|work| id(miner, *work) == row.id).unwrap())
        .collect()
}

/// Also across a restart; a second evaluation changes nothing.
pub async fn a_submission_waits_until_it_is_evaluated_once<B: Backend>(backend: B) {
    let store = backend.open();
    let written = commit(
        &store,
        vec![register(1), queue(1, 1, 0), queue(9, 2, 0), queue(1, 3, 0)],
    )
    .await;
    assert_eq!(
        written[1..],
        [stored(1, 1, true), Written::NoMiner, stored(1, 3, true)]
    );
    drop(store);

    let store = backend.open();
    assert_eq!(waiting(&store).await, [id(1, 1), id(1, 3)]);
    assert_eq!(store.submitted_work(id(1, 1)).await.unwrap(), Some(text(1)));
    let row = store.submission(id(1, 1)).await.unwrap().unwrap();
    assert_eq!((row.received_at, &row.evaluated), (at(1), &None));
    assert_eq!(row.worker.as_str(), "rig");
    commit(
        &store,
        vec![
            settle(1, 1, 5, of_loss(7)),
            settle(1, 1, 6, failed()),
            settle(1, 3, 7, failed()),
            settle(2, 3, 7, of_loss(1)),
        ],
    )
    .await;
    drop(store);

    let store = backend.open();
    assert_eq!(waiting(&store).await, []);
    assert_eq!(store.submitted_work(id(1, 1)).await.unwrap(), None);
    let row = store.submission(id(1, 1)).await.unwrap().unwrap();
    assert_eq!(row.evaluation(), of_loss(7).ok().as_ref());
    let evaluated = row.evaluated.unwrap();
    assert_eq!((evaluated.at, evaluated.outcome), (at(5), of_loss(7)));
    let results = store.miner_results(key(1), Measure::Loss, at(0)).await.unwrap();
    assert_eq!(results.best.unwrap().id, id(1, 1));
    let latest = results.latest.unwrap();
    assert_eq!(
        (latest.id, latest.evaluated.unwrap().outcome),
        (id(1, 3), failed())
    );
    assert_eq!(results.waiting, 0);
    let of_score = store.miner_results(key(1), Measure::Score, at(0)).await.unwrap();
    assert_eq!(of_score.best, None);
    commit(&store, vec![Write::RemoveSubmission { id: id(1, 1) }]).await;
    assert_eq!(store.submission(id(1, 1)).await.unwrap(), None);
    commit(
        &store,
        vec![
            Write::RemoveSubmission { id: id(1, 1) },
            settle(1, 1, 9, of_loss(1)),
        ],
    )
    .await;
    assert_eq!(store.submission(id(1, 1)).await.unwrap(), None);
}

/// A lost answer is asked for again; a result that is too old or failed is made anew.
pub async fn the_same_work_is_one_submission_while_its_result_counts<B: Backend>(backend: B) {
    let store = backend.open();
    commit(&store, vec![register(1), register(2)]).await;
    let again = |counts_since, came_at| {
        let Write::QueueSubmission(mut row) = queue(1, 1, counts_since) else {
            unreachable!("it is one")
        };
        row.received_at = at(came_at);
        row.id = SubmissionId::of(&row.hotkey, &row.digest, row.received_at);
        (row.id, Write::QueueSubmission(row))
    };
    let written = commit(&store, vec![queue(1, 1, 0), again(0, 4).1, queue(2, 1, 0)]).await;
    assert_eq!(
        written,
        [stored(1, 1, true), stored(1, 1, false), stored(2, 1, true)]
    );
    commit(&store, vec![settle(1, 1, 5, of_loss(7))]).await;
    let written = commit(&store, vec![again(5, 6).1]).await;
    assert_eq!(written, [stored(1, 1, false)]);
    let (anew, write) = again(6, 7);
    let written = commit(&store, vec![write]).await;
    assert_eq!(
        written,
        [Written::Submission {
            id: anew,
            is_new: true
        }]
    );
    commit(&store, vec![settle(2, 1, 5, failed())]).await;
    let (anew, write) = again(0, 8);
    let Write::QueueSubmission(mut of_other) = write else {
        unreachable!("it is one")
    };
    of_other.hotkey = key(2);
    let written = commit(&store, vec![Write::QueueSubmission(of_other)]).await;
    assert_eq!(
        written,
        [Written::Submission {
            id: anew,
            is_new: true
        }]
    );
}

/// By time, by miner, the first of equals; nobody who is banned, failed or gone.
pub async fn the_best_results_are_those_that_count<B: Backend>(backend: B) {
    let store = backend.open();
    let mut writes: Vec<_> = (1..=4).map(register).collect();
    for (miner, work, secs, loss) in [(1, 1, 10, 5), (1, 2, 20, 5), (2, 3, 20, 9), (3, 5, 20, 1)] {
        writes.extend([queue(miner, work, 0), settle(miner, work, secs, of_loss(loss))]);
    }
    writes.extend([queue(4, 6, 0), settle(4, 6, 20, failed()), queue(4, 7, 0)]);
    writes.push(Write::Ban {
        hotkey: key(3),
        ban: BanRow {
            reason: "copies".to_owned(),
            until: Some(at(50)),
        },
    });
    commit(&store, writes).await;
    let best = async |after, until| {
        let best = store.best_results(Measure::Loss, at(after), at(until)).await;
        let seen = best.unwrap().into_iter().map(|best| {
            assert_eq!(best.figure.measure(), Measure::Loss);
            (best.hotkey, best.figure.reading().steps(), best.received_at)
        });
        seen.collect::<Vec<_>>()
    };
    assert_eq!(best(0, 20).await, [(key(1), 5, at(1)), (key(2), 9, at(3))]);
    assert_eq!(best(10, 20).await, [(key(1), 5, at(2)), (key(2), 9, at(3))]);
    assert_eq!(best(0, 19).await, [(key(1), 5, at(1))]);
    assert_eq!(best(20, 40).await, []);
    // Since the ban is over it counts again.
    assert_eq!(best(0, 50).await.last(), Some(&(key(3), 1, at(5))));
    let by_score = store.best_results(Measure::Score, at(0), at(99)).await.unwrap();
    assert_eq!(by_score, []);
    let scored = Ok(Evaluation {
        loss: Some(reading(3)),
        score: Some(reading(8)),
        metadata: None,
    });
    commit(&store, vec![settle(4, 7, 30, scored)]).await;
    let by_score = store.best_results(Measure::Score, at(0), at(99)).await.unwrap();
    assert_eq!(
        (by_score.len(), by_score[0].figure),
        (1, Figure::Score(reading(8)))
    );
}

/// The newest, and of older ones what no later one has surpassed, as many again.
pub async fn a_history_keeps_what_may_still_be_paid<B: Backend>(backend: B) {
    let store = backend.open();
    commit(&store, vec![register(1)]).await;
    for (work, loss) in [(1_u64, 9), (2, 4), (3, 7), (4, 8), (5, 8)] {
        let secs = work.cast_signed() + 10;
        commit(
            &store,
            vec![queue(1, work, 0), settle(1, work, secs, of_loss(loss))],
        )
        .await;
    }
    // The first was surpassed by the second; the second and third may still be the best one day.
    assert_eq!(listed(&store, 1).await, [5, 4, 3, 2]);
    commit(&store, vec![queue(1, 6, 0), settle(1, 6, 20, failed())]).await;
    // Twice as many as are kept, and no more.
    assert_eq!(listed(&store, 1).await, [6, 5, 4, 3]);
    let late = Write::SettleSubmission {
        id: id(1, 7),
        evaluated: Evaluated {
            at: at(30),
            outcome: of_loss(9),
        },
        keep: KEEP,
        counts_since: at(15),
    };
    commit(&store, vec![queue(1, 8, 0), queue(1, 7, 0), late]).await;
    // What counts no more goes; what waits stays.
    assert_eq!(listed(&store, 1).await, [7, 8, 6, 5]);
}

/// Whoever is removed leaves nothing behind that could be paid.
pub async fn submissions_go_with_their_miner<B: Backend>(backend: B) {
    let store = backend.open();
    commit(
        &store,
        vec![
            register(1),
            register(2),
            queue(1, 1, 0),
            queue(2, 2, 0),
            queue(1, 3, 0),
            settle(1, 3, 9, of_loss(1)),
            Write::RemoveMiner { hotkey: key(1) },
            settle(1, 1, 9, of_loss(1)),
            register(1),
        ],
    )
    .await;
    assert_eq!(waiting(&store).await, [id(2, 2)]);
    assert_eq!(listed(&store, 1).await, [0; 0]);
    let best = store.best_results(Measure::Loss, at(0), at(99)).await.unwrap();
    assert_eq!(best, []);
}

/// Carried to the next round across restarts, burnt, and issued with what was brought.
pub async fn what_becomes_of_an_emission_is_kept_with_its_round<B: Backend>(backend: B) {
    let store = backend.open();
    let emit = |id, brought, works: bool, unearned| {
        let mut input = round_input(id, Scheme::InverseLoss);
        input.source = Source::Emission;
        input.emission = Some(Emission {
            amount: sats(100),
            brought: sats(brought),
            weights: Weights::sum(works.then_some((key(1), 1))).unwrap(),
            unearned,
        });
        close_round(close(&input).unwrap(), &[], 0)
    };
    commit(&store, vec![emit(1, 0, false, Unearned::Carry)]).await;
    drop(store);
    let store = backend.open();
    let last = start(&store).await.last_round.unwrap();
    assert_eq!(last.emission_carried, sats(100));
    let issued = emit(2, 100, true, Unearned::Carry);
    commit(
        &store,
        vec![issued.clone(), issued, emit(3, 0, false, Unearned::Burn)],
    )
    .await;
    let last = start(&store).await.last_round.unwrap();
    assert_eq!(last.emission_carried, sats(0));
    let mut seen = Vec::new();
    for round in store.rounds(page(None, 9)).await.unwrap().rows {
        let emitted = round.emitted.unwrap();
        let same = store.round(round.id).await.unwrap().unwrap().0;
        assert_eq!((same.emitted, emitted.issued), (Some(emitted), round.reward));
        let parts = [emitted.brought, emitted.issued, emitted.carried, emitted.burnt];
        seen.push((round.id, parts.map(|part| part.sats())));
    }
    let id = RoundId::new;
    assert_eq!(
        seen,
        [
            (id(3), [0, 0, 0, 100]),
            (id(2), [100, 200, 0, 0]),
            (id(1), [0, 0, 100, 0])
        ]
    );
}
