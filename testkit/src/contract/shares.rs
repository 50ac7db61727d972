//! Shares, all or nothing, and what they add to the workers' counters.

use dwarves_domain::ids::WorkerId;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;
use dwarves_domain::work::FullExtraNonce;

use super::Backend;
use super::fixtures::{
    NOW, append, at, block_share, commit, furnished, key, recent, refused, register, seq, share, start,
    template, worker,
};
use dwarves_ports::store::{AuditRow, CounterRow, RecentShare, ShareRow, StoreErrorKind, Write, Written};

/// Numbers go on from the last share, in one commit, over commits and over restarts.
pub async fn shares_are_numbered_on_across_commits_and_openings<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    let first = append(&store, vec![share(1, 1, 10), share(2, 2, 20)]).await;
    let total = Units::from_raw(30);
    assert_eq!(first, Written::Shares { first: seq(1), total });
    let both = commit(
        &store,
        vec![
            Write::AppendShares(vec![share(3, 1, 1)]),
            Write::AppendShares(vec![share(4, 1, 2), share(5, 1, 3)]),
            Write::AppendShares(Vec::new()),
        ],
    )
    .await;
    let [a, b, none] = both.try_into().unwrap();
    let shares = |first, total| Written::Shares {
        first: seq(first),
        total: Units::from_raw(total),
    };
    assert_eq!((a, b, none), (shares(3, 31), shares(4, 36), shares(6, 36)));
    drop(store);

    let store = backend.open();
    let state = start(&store).await;
    assert_eq!(
        (state.last_sequence, state.total_units),
        (seq(5), Units::from_raw(36))
    );
    assert_eq!(append(&store, vec![share(6, 2, 4)]).await, shares(6, 40));
    assert_eq!(store.totals().await.unwrap().shares, 6);
}

/// Whoever asked for them, the shares of one commit are found at one place in time.
pub async fn all_shares_of_a_commit_are_one_batch_with_an_exact_total<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    let large = 3 * u128::from(u64::MAX);
    let writes = vec![
        Write::AppendShares(vec![share(1, 1, large)]),
        Write::AppendShares(vec![share(9, 1, large), share(3, 2, 1)]),
    ];
    commit(&store, writes).await;
    let before = store.position_at(at(8)).await.unwrap();
    assert_eq!((before.sequence, before.total), (seq(0), Units::ZERO));
    let position = store.position_at(at(9)).await.unwrap();
    assert_eq!(
        (position.sequence, position.total),
        (seq(3), Units::from_raw(2 * large + 1))
    );
}

/// A share must have an owner and terms.
pub async fn a_share_of_an_unknown_worker_or_template_is_a_conflict<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    let of_nobody = Write::AppendShares(vec![share(1, 1, 1), share(2, 9, 1)]);
    assert_eq!(refused(&store, vec![of_nobody]).await, StoreErrorKind::Conflict);
    let on_nothing = ShareRow {
        template: template(2).id,
        ..share(1, 1, 1)
    };
    let on_nothing = Write::AppendShares(vec![on_nothing]);
    assert_eq!(refused(&store, vec![on_nothing]).await, StoreErrorKind::Conflict);
    assert_eq!(store.totals().await.unwrap().shares, 0);
    let first = append(&store, vec![share(1, 1, 1)]).await;
    assert!(matches!(first, Written::Shares { first, .. } if first == seq(1)));
}

/// If one write of a commit fails, none of them was there, neither on disk nor in the store's mind.
pub async fn a_failed_commit_leaves_nothing<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    append(&store, vec![share(1, 1, 5)]).await;
    let before = start(&store).await;
    let audit = AuditRow {
        id: 0,
        at: NOW,
        who: "token".into(),
        actor: "pool_manager".into(),
        message: "pause".into(),
        fields: "{}".into(),
        outcome: "{}".into(),
    };
    let doomed = vec![
        register(3),
        Write::AddWorker(worker(4, 3)),
        Write::SaveTemplate(Box::new(template(2))),
        Write::AppendShares(vec![share(2, 4, 7), block_share(3, 1, 7, 101)]),
        Write::RetireTemplates {
            before: template(2).id,
        },
        Write::SaveCounters {
            at: at(0),
            through: seq(1),
            counters: vec![(WorkerId::new(1), CounterRow::default())],
        },
        Write::SaveSetting {
            key: "fee_bps".into(),
            value: Some("50".into()),
        },
        Write::AppendAudit(audit),
        Write::UseNonce {
            hotkey: key(1),
            nonce_nanos: 1,
            expires_at: at(60),
            now: NOW,
        },
        Write::AddWorker(worker(1, 2)),
    ];
    assert_eq!(refused(&store, doomed).await, StoreErrorKind::Conflict);
    assert_eq!(store.totals().await.unwrap().blocks, 0);
    assert_eq!(
        store.audit(super::fixtures::page(None, 9)).await.unwrap().rows,
        []
    );
    let of_forgotten_worker = Write::AppendShares(vec![share(2, 4, 7)]);
    assert_eq!(
        refused(&store, vec![of_forgotten_worker]).await,
        StoreErrorKind::Conflict
    );
    drop(store);

    let store = backend.open();
    let mut after = start(&store).await;
    after.life = before.life;
    assert_eq!(after, before);
    let next = append(&store, vec![share(2, 1, 5)]).await;
    let total = Units::from_raw(10);
    assert_eq!(next, Written::Shares { first: seq(2), total });
}

/// Numbers never wrap.
pub async fn a_total_of_units_that_does_not_fit_is_refused_and_leaves_nothing<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    append(&store, vec![share(1, 1, u128::MAX - 5)]).await;
    let too_much = Write::AppendShares(vec![share(2, 1, 5), share(3, 1, 1)]);
    assert_eq!(refused(&store, vec![too_much]).await, StoreErrorKind::Corrupt);
    let exactly = append(&store, vec![share(2, 1, 5)]).await;
    let total = Units::from_raw(u128::MAX);
    assert_eq!(exactly, Written::Shares { first: seq(2), total });
}

/// What was saved, and what later shares add.
pub async fn counters_are_exact_after_opening_again<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    append(&store, vec![share(1, 1, 10), share(2, 2, 10), share(3, 1, 10)]).await;
    let saved = |accepted, stale, last: i64| CounterRow {
        accepted,
        rejected: [6, stale, 4, 3, 2, 1],
        units: Units::from_raw(u128::from(accepted) * 10),
        blocks: accepted / 3,
        last_share_at: Some(at(last)),
    };
    // As of share 2, worker 1 has one share; worker 2 did not change since it was saved last.
    let counters = vec![
        (WorkerId::new(1), saved(1, 5, 1)),
        (WorkerId::new(2), saved(1, 0, 2)),
    ];
    let save = Write::SaveCounters {
        at: at(0),
        through: seq(2),
        counters,
    };
    commit(&store, vec![save]).await;
    append(
        &store,
        vec![share(4, 1, 10), block_share(5, 1, 10, 101), share(6, 3, 7)],
    )
    .await;
    drop(store);

    let state = start(&backend.open()).await;
    let of_third = CounterRow {
        accepted: 1,
        rejected: [0; 6],
        units: Units::from_raw(7),
        blocks: 0,
        last_share_at: Some(at(6)),
    };
    let expected = vec![
        // Share 3 counts 10 steps like the others, and share 5 is a block.
        (worker(1, 1), saved(4, 5, 5)),
        (worker(2, 2), saved(1, 0, 2)),
        (worker(3, 1), of_third),
    ];
    assert_eq!(state.workers, expected);
}

/// Counters that come late, or twice, do not count anything twice.
pub async fn older_counters_change_nothing<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    append(&store, vec![share(1, 1, 1), share(2, 1, 1)]).await;
    // Shares are counted again from the ledger, rejections are nowhere else: they show what was overwritten.
    let save = |through, accepted, stale| Write::SaveCounters {
        at: at(0),
        through: seq(through),
        counters: vec![(
            WorkerId::new(1),
            CounterRow {
                accepted,
                rejected: [0, stale, 0, 0, 0, 0],
                last_share_at: Some(at(1)),
                ..CounterRow::default()
            },
        )],
    };
    commit(&store, vec![save(2, 2, 7), save(2, 2, 7)]).await;
    commit(&store, vec![save(1, 1, 4)]).await;
    let counter = start(&store).await.workers.remove(0).1;
    assert_eq!((counter.accepted, counter.rejected[1]), (2, 7));
    let of_nobody = Write::SaveCounters {
        at: at(0),
        through: seq(2),
        counters: vec![(WorkerId::new(77), CounterRow::default())],
    };
    assert_eq!(refused(&store, vec![of_nobody]).await, StoreErrorKind::Conflict);
}

/// The largest numbers that the types hold.
pub async fn extreme_numbers_survive_storing<B: Backend>(backend: B) {
    let store = backend.open();
    let far = Timestamp::from_millis(i64::MAX);
    let largest = WorkerId::new(u32::MAX);
    let mut owner = worker(u32::MAX, 0xff);
    owner.id = largest;
    let mut last_template = template(1);
    last_template.id = dwarves_domain::ids::TemplateId::new(u32::MAX - 1);
    last_template.chain.version = u32::MAX;
    last_template.chain.coinbase_value = dwarves_domain::units::Amount::MAX;
    let extreme = ShareRow {
        template: last_template.id,
        extranonce: FullExtraNonce::from_bytes([0xff; 12]),
        worker: largest,
        version: u32::MAX,
        nonce: u32::MAX,
        time: u32::MAX,
        received_at: far,
        ..share(1, 1, u128::MAX)
    };
    let nonce = Write::UseNonce {
        hotkey: key(0xff),
        nonce_nanos: u64::MAX,
        expires_at: far,
        now: NOW,
    };
    let writes = vec![
        register(0xff),
        Write::AddWorker(owner.clone()),
        Write::SaveTemplate(Box::new(last_template.clone())),
        Write::AppendShares(vec![extreme.clone()]),
        nonce,
    ];
    commit(&store, writes).await;
    drop(store);
    let store = backend.open();
    let state = start(&store).await;
    assert_eq!(state.templates, vec![last_template.clone()]);
    assert_eq!(
        recent(&store).await,
        vec![RecentShare {
            template: last_template.id,
            hash: extreme.hash,
            sequence: seq(1),
            worker: owner.id,
        }]
    );
    assert_eq!(state.nonces, vec![(key(0xff), u64::MAX, far)]);
    assert_eq!(state.total_units, Units::from_raw(u128::MAX));
    assert_eq!(state.workers[0].0, owner);
    assert_eq!(state.workers[0].1.last_share_at, Some(far));
    assert_eq!(state.next_template.get(), u32::MAX);
    assert_eq!(backend.share(seq(1)), extreme);
}
