//! Lives, miners, workers, nonces, bans, settings and the audit trail.

use dwarves_domain::ids::{TemplateId, WorkerId};
use dwarves_domain::rewards::Weights;
use dwarves_domain::units::Units;

use super::Backend;
use super::fixtures::{
    NOW, append, at, close_round, commit, empty_round, furnished, key, page, recent, refused, register, sats,
    seq, share, start, worker,
};
use dwarves_ports::store::{AuditRow, BanRow, CounterRow, StoreErrorKind, WorkerRow, Write, Written};

/// The first start is life 1 and the pool's birthday.
pub async fn a_life_is_counted_at_every_start<B: Backend>(backend: B) {
    let store = backend.open();
    let state = store.start(at(5)).await.unwrap();
    assert_eq!((state.life, state.created_at), (1, at(5)));
    assert_eq!(state.next_template, TemplateId::new(1));
    assert_eq!(state.last_round, None);
    drop(store);
    for life in 2..4 {
        let state = backend.open().start(at(9)).await.unwrap();
        assert_eq!((state.life, state.created_at), (life, at(5)));
    }
}

/// Registering again tells what is known, and takes a new address if there is one.
pub async fn a_miner_is_registered_once_and_keeps_its_address<B: Backend>(backend: B) {
    let store = backend.open();
    let with = |address: Option<&str>, secs| Write::RegisterMiner {
        hotkey: key(7),
        payout_address: address.map(str::to_owned),
        at: at(secs),
    };
    let answer = |is_new, address: Option<&str>| Written::Miner {
        is_new,
        registered_at: at(1),
        payout_address: address.map(str::to_owned),
    };
    let writes = vec![
        with(None, 1),
        with(None, 2),
        with(Some("bcrt1a"), 3),
        with(None, 4),
    ];
    let expected = [
        answer(true, None),
        answer(false, None),
        answer(false, Some("bcrt1a")),
        answer(false, Some("bcrt1a")),
    ];
    assert_eq!(commit(&store, writes).await, expected);
    drop(store);
    let store = backend.open();
    let again = commit(&store, vec![with(Some("bcrt1b"), 5)]).await;
    assert_eq!(again, [answer(false, Some("bcrt1b"))]);
    let miners = start(&store).await.miners;
    assert_eq!(miners.len(), 1);
    assert_eq!((miners[0].hotkey, miners[0].registered_at), (key(7), at(1)));
    assert_eq!(miners[0].payout_address.as_deref(), Some("bcrt1b"));
}

/// The same row again is no news; anything else under its number or name contradicts it.
pub async fn a_worker_is_numbered_once<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    let again = commit(&store, vec![Write::AddWorker(worker(1, 1))]).await;
    assert_eq!(again, [Written::Done]);
    let mut same_name = worker(9, 1);
    same_name.name = worker(1, 1).name;
    let of_nobody = worker(9, 9);
    for wrong in [worker(1, 2), same_name.clone(), of_nobody] {
        let kind = refused(&store, vec![Write::AddWorker(wrong)]).await;
        assert_eq!(kind, StoreErrorKind::Conflict);
    }
    // Another miner's worker may have the name.
    same_name.hotkey = key(2);
    commit(&store, vec![Write::AddWorker(same_name.clone())]).await;
    let workers = start(&store).await.workers;
    let ids: Vec<WorkerId> = workers.iter().map(|(worker, _)| worker.id).collect();
    assert_eq!(ids, [1, 2, 3, 9].map(WorkerId::new));
    assert_eq!(workers[3].0, same_name);
}

/// Numbers that may be given are told at the next start, whether a worker ever had them or not.
pub async fn the_next_workers_number_is_kept<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    assert_eq!(start(&store).await.next_worker, WorkerId::new(0));
    for next in [1_000, 7, u32::MAX] {
        let next = WorkerId::new(next);
        commit(&store, vec![Write::NumberWorkers { next }; 2]).await;
        assert_eq!(start(&store).await.next_worker, next);
    }
    drop(store);
    assert_eq!(start(&backend.open()).await.next_worker.get(), u32::MAX);
}

fn came_to(shares: u64) -> CounterRow {
    CounterRow {
        accepted: shares,
        rejected: [1, 0, 0, 0, 0, shares],
        units: Units::from_raw(u128::from(shares) * 10),
        blocks: 1,
        last_share_at: Some(at(i64::try_from(shares).unwrap())),
    }
}

fn retire(workers: &[(u32, u64)]) -> Write {
    let workers = workers
        .iter()
        .map(|(id, shares)| (WorkerId::new(*id), came_to(*shares)));
    Write::RetireWorkers {
        workers: workers.collect(),
    }
}

/// Its name is free, its shares stay, and what it came to is its miner's, once.
pub async fn a_worker_that_is_taken_out_leaves_its_work_to_its_miner<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    append(
        &store,
        vec![share(1, 1, 10), share(2, 2, 10), share(3, 1, 10), share(4, 3, 10)],
    )
    .await;
    let failing = vec![retire(&[(1, 2)]), Write::AddWorker(worker(9, 9))];
    assert_eq!(refused(&store, failing).await, StoreErrorKind::Conflict);
    append(&store, vec![share(5, 1, 10)]).await;
    commit(&store, vec![retire(&[(1, 3), (77, 5)])]).await;
    commit(&store, vec![retire(&[(1, 3)])]).await;
    let late = Write::AppendShares(vec![share(6, 1, 10)]);
    assert_eq!(refused(&store, vec![late]).await, StoreErrorKind::Conflict);
    assert_eq!(
        refused(&store, vec![Write::AddWorker(worker(1, 1))]).await,
        StoreErrorKind::Conflict
    );
    let again = WorkerRow {
        id: WorkerId::new(8),
        ..worker(1, 1)
    };
    commit(&store, vec![Write::AddWorker(again)]).await;
    drop(store);

    let store = backend.open();
    let state = start(&store).await;
    let ids: Vec<u32> = state.workers.iter().map(|(worker, _)| worker.id.get()).collect();
    assert_eq!(ids, [2, 3, 8]);
    assert_eq!(state.workers_gone, [(WorkerId::new(1), key(1))]);
    assert_eq!(state.miners[0].gone, came_to(3));
    assert_eq!(
        recent(&store)
            .await
            .iter()
            .filter(|s| s.worker.get() == 1)
            .count(),
        3
    );
    let weights = store.weights_between(seq(0), seq(5)).await.unwrap();
    assert_eq!(weights, Weights::sum([(key(1), 80), (key(2), 20)]).unwrap());
    // Another one of the same miner adds to it.
    commit(&store, vec![retire(&[(3, 4)])]).await;
    let gone = start(&store).await.miners.remove(0).gone;
    assert_eq!(Some(gone), came_to(3).plus(&came_to(4)));
    // With its last share its number goes, too.
    let count = Write::SaveCounters {
        at: at(0),
        through: seq(5),
        counters: Vec::new(),
    };
    let before = TemplateId::new(2);
    let through = seq(5);
    let round = close_round(empty_round(1), &[], 5);
    let writes = vec![
        Write::RetireTemplates { before },
        count,
        round,
        Write::PruneShares { through },
    ];
    commit(&store, writes).await;
    assert_eq!(start(&store).await.workers_gone, []);
}

/// Nobody who is owed something, or who may yet be, is removed.
pub async fn a_miner_is_removed_only_if_nothing_is_owed<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    let remove = |miner: u8| Write::RemoveMiner { hotkey: key(miner) };
    append(&store, vec![share(1, 1, 10), share(2, 2, 10)]).await;
    let threshold = Write::SetPayoutThreshold {
        hotkey: key(1),
        threshold: Some(sats(5)),
    };
    let ban = Write::Ban {
        hotkey: key(1),
        ban: BanRow {
            reason: "spam".to_owned(),
            until: None,
        },
    };
    commit(&store, vec![threshold, ban]).await;
    let written = commit(&store, vec![remove(1), remove(1), remove(77)]).await;
    assert_eq!(written, [Written::Done, Written::Done, Written::Done]);
    assert_eq!(store.payout_threshold(key(1)).await.unwrap(), None);
    drop(store);
    let store = backend.open();
    let state = start(&store).await;
    let hotkeys: Vec<_> = state.miners.iter().map(|miner| miner.hotkey).collect();
    assert!(!hotkeys.contains(&key(1)));
    let gone: Vec<_> = state
        .workers_gone
        .iter()
        .map(|(id, of)| (id.get(), *of))
        .collect();
    assert_eq!(gone, [(1, key(1)), (3, key(1))]);
    let weights = store.weights_between(seq(0), seq(2)).await.unwrap();
    assert_eq!(weights, Weights::sum([(key(1), 20), (key(2), 20)]).unwrap());
    // It may come again: as a new one, and the ban that it had holds.
    let again = commit(&store, vec![register(1)]).await;
    assert!(matches!(again[0], Written::Miner { is_new: true, .. }));
    let state = start(&store).await;
    assert!(
        state
            .miners
            .iter()
            .any(|miner| miner.hotkey == key(1) && miner.ban.is_some())
    );
    assert!(state.workers.iter().all(|(worker, _)| worker.hotkey != key(1)));
}

/// A signed request works once, also when the pool restarts in between; what is too old is forgotten.
pub async fn a_nonce_is_used_once_also_after_opening_again<B: Backend>(backend: B) {
    let store = backend.open();
    let nonce = |miner, nonce_nanos, expires, now| Write::UseNonce {
        hotkey: key(miner),
        nonce_nanos,
        expires_at: at(expires),
        now: at(now),
    };
    let writes = vec![nonce(1, 5, 60, 0), nonce(1, 5, 60, 0), nonce(2, 5, 30, 0)];
    let expected = [Written::Done, Written::NonceUsed, Written::Done];
    assert_eq!(commit(&store, writes).await, expected);
    drop(store);

    let store = backend.open();
    let state = store.start(at(30)).await.unwrap();
    assert_eq!(state.nonces, [(key(1), 5, at(60)), (key(2), 5, at(30))]);
    let state = store.start(at(31)).await.unwrap();
    assert_eq!(state.nonces, [(key(1), 5, at(60))]);
    // A used nonce refuses itself only, not the commit that it is part of.
    let writes = vec![nonce(1, 5, 90, 60), register(1), nonce(1, 5, 90, 61)];
    let written = commit(&store, writes).await;
    assert_eq!(written[0], Written::NonceUsed);
    assert!(matches!(written[1], Written::Miner { is_new: true, .. }));
    assert_eq!(written[2], Written::Done, "it expired, so it is free");
}

/// A ban changes, ends when lifted, and waits for a miner that is not registered yet.
pub async fn bans_are_kept_until_they_are_lifted<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    let ban = |reason: &str, until| BanRow {
        reason: reason.to_owned(),
        until,
    };
    let on = |miner, ban: &BanRow| Write::Ban {
        hotkey: key(miner),
        ban: ban.clone(),
    };
    let forever = ban("withholds blocks", None);
    let for_now = ban("floods", Some(at(60)));
    let writes = vec![
        on(1, &ban("floods", None)),
        on(1, &for_now),
        on(2, &forever),
        on(3, &forever),
    ];
    commit(&store, writes).await;
    commit(&store, vec![Write::Unban { hotkey: key(2) }, register(3)]).await;
    drop(store);
    let miners = start(&backend.open()).await.miners;
    let bans: Vec<_> = miners.into_iter().map(|miner| miner.ban).collect();
    assert_eq!(bans, [Some(for_now), None, Some(forever)]);
}

/// The last value counts.
pub async fn settings_are_kept_until_they_are_forgotten<B: Backend>(backend: B) {
    let store = backend.open();
    let set = |key: &str, value: Option<&str>| Write::SaveSetting {
        key: key.to_owned(),
        value: value.map(str::to_owned),
    };
    let writes = vec![
        set("fee_bps", Some("100")),
        set("run_interval_secs", Some("60")),
        set("fee_bps", Some("50")),
        set("never_set", None),
        set("run_interval_secs", None),
    ];
    commit(&store, writes).await;
    drop(store);
    let settings = start(&backend.open()).await.settings;
    let settings: Vec<_> = settings.into_iter().collect();
    assert_eq!(settings, [("fee_bps".to_owned(), "50".to_owned())]);
}

/// Pages join without gaps or repeats.
pub async fn the_audit_trail_is_read_newest_first_page_by_page<B: Backend>(backend: B) {
    let store = backend.open();
    let row = |n: u64| AuditRow {
        id: n,
        at: NOW,
        who: "token".into(),
        actor: "miner_manager".into(),
        message: format!("message {n}"),
        fields: r#"{"hotkey":"5…"}"#.into(),
        outcome: "{}".into(),
    };
    let append = |n: u64| Write::AppendAudit(AuditRow { id: 0, ..row(n) });
    commit(&store, (1..=5).map(append).collect()).await;
    let first = store.audit(page(None, 2)).await.unwrap();
    assert_eq!((first.rows, first.next), (vec![row(5), row(4)], Some(4)));
    commit(&store, vec![append(6)]).await;
    let second = store.audit(page(first.next, 2)).await.unwrap();
    assert_eq!((second.rows, second.next), (vec![row(3), row(2)], Some(2)));
    let last = store.audit(page(second.next, 2)).await.unwrap();
    assert_eq!((last.rows, last.next), (vec![row(1)], None));
    let exact = store.audit(page(Some(3), 2)).await.unwrap();
    assert_eq!((exact.rows.len(), exact.next), (2, None));
    let beyond = store.audit(page(Some(u64::MAX), 9)).await.unwrap();
    assert_eq!((beyond.rows.len(), beyond.next), (6, None));
    let before_all = store.audit(page(Some(1), 9)).await.unwrap();
    assert_eq!((before_all.rows, before_all.next), (Vec::new(), None));
}
