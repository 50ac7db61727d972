//! What miners are told, and what becomes of it.

use super::*;

#[actix::test]
async fn a_block_is_told_to_its_finder_alone_once_also_after_another_life() {
    let mut bench = Bench::new().await;
    bench.subscribe(1, vec![webhook("a", URL)]).await.unwrap();
    bench.subscribe(2, vec![webhook("a", URL)]).await.unwrap();
    bench.write(vec![found(1, 1), found(2, 3)]).await;
    bench.seconds(3).await;
    let told = bench.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].1.text.starts_with("You found block 1: "),
        "{}",
        told[0].1.text
    );
    assert!(told[0].1.detail.contains(&hotkey(1).to_string()));
    assert!(told[0].1.id.starts_with("msg_7_"));
    bench.restart().await;
    bench.seconds(5).await;
    assert_eq!(bench.told(), []);
    assert_eq!(bench.store.miner_notices().await.unwrap(), []);
}

#[actix::test]
async fn what_does_not_arrive_is_told_again_under_the_same_id_by_a_later_life_too() {
    let mut bench = Bench::new().await;
    bench.subscribe(1, vec![webhook("a", URL)]).await.unwrap();
    bench.answers(Err(CourierError::Failed("away".to_owned())));
    bench.write(vec![found(1, 1)]).await;
    bench.seconds(2).await;
    let first = bench.told();
    assert_eq!(first.len(), 1);
    bench.restart().await;
    bench.seconds(3).await;
    assert_eq!(bench.told(), [], "five seconds are not over");
    bench.answers(Ok(()));
    bench.seconds(5).await;
    let second = bench.told();
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].1.id, first[0].1.id);
    assert_eq!(second[0].1.text, first[0].1.text);
    assert_eq!(bench.store.miner_notices().await.unwrap(), []);
}

#[actix::test]
async fn a_receiver_that_is_dead_is_given_up_and_its_miner_sees_why() {
    let mut bench = Bench::new().await;
    bench.subscribe(1, vec![webhook("a", URL)]).await.unwrap();
    bench.subscribe(2, vec![webhook("a", URL)]).await.unwrap();
    bench.answers(Err(CourierError::Unwanted("it answered 410".to_owned())));
    bench.write(vec![found(1, 1), found(2, 1)]).await;
    bench.seconds(2).await;
    assert_eq!(bench.told().len(), 1);
    let read = bench.ask(ReadSubscription { hotkey: hotkey(1) }).await.unwrap();
    let state = read.subscription.states.values().next().unwrap().clone();
    assert!(matches!(state, ChannelState::GivenUp { why, .. } if why == "it answered 410"));
    assert_eq!(read.waiting, 0);
    // Nothing more goes there, in this life and the next.
    bench.write(vec![found(3, 1)]).await;
    bench.seconds(2).await;
    bench.restart().await;
    bench.seconds(2).await;
    assert_eq!(bench.told(), []);
    // Once it is set again it is told, and told what it missed.
    bench.answers(Ok(()));
    bench.subscribe(1, vec![webhook("a", URL)]).await.unwrap();
    bench.write(vec![found(4, 1)]).await;
    bench.seconds(2).await;
    let texts = bench.texts();
    assert_eq!(texts.len(), 1);
    assert!(
        texts[0].contains("notices before this one were dropped"),
        "{texts:?}"
    );
    let view = bench.ask(ReadTold).await;
    let of = |fate| {
        view.counts
            .get(&(NoticeKind::BlockFound, "webhook", fate))
            .copied()
    };
    assert_eq!(
        (of(Fate::Arrived), of(Fate::Failed)),
        (Some(1), None),
        "a life counts its own"
    );
}

#[actix::test]
async fn of_whom_too_much_waits_the_oldest_is_dropped_in_the_ledger_too() {
    let mut bench = Bench::new().await;
    bench.subscribe(1, vec![webhook("a", URL)]).await.unwrap();
    bench.answers(Err(CourierError::Failed("away".to_owned())));
    for number in 1..=9 {
        bench.write(vec![found(number, 1)]).await;
        bench.seconds(1).await;
    }
    bench.seconds(2).await;
    let waiting = bench.store.miner_notices().await.unwrap();
    assert_eq!(waiting.len(), LIMITS.of_miner);
    let read = bench.ask(ReadSubscription { hotkey: hotkey(1) }).await.unwrap();
    assert_eq!((read.waiting, read.subscription.dropped), (LIMITS.of_miner, 4));
    bench.restart().await;
    let read = bench.ask(ReadSubscription { hotkey: hotkey(1) }).await.unwrap();
    assert_eq!((read.waiting, read.subscription.dropped), (LIMITS.of_miner, 4));
    let _tries = bench.told();
    bench.answers(Ok(()));
    bench.seconds(700).await;
    assert_eq!(bench.told().len(), LIMITS.of_miner);
}

#[actix::test]
async fn a_worker_that_is_away_is_told_once_over_lives_and_its_return_too() {
    let mut bench = Bench::new().await;
    bench.subscribe(1, vec![webhook("a", URL)]).await.unwrap();
    bench.seconds(1_100).await;
    assert_eq!(bench.texts(), ["Worker rig brings no shares any more"]);
    bench.restart().await;
    bench.seconds(200).await;
    assert_eq!(bench.told(), []);
    let now = bench.clock.now();
    bench.world.send_modify(|state| {
        state.miners.insert(hotkey(1), view(1, now));
    });
    bench.seconds(100).await;
    assert_eq!(bench.texts(), ["Worker rig brings shares again"]);
}

#[actix::test]
async fn a_miner_that_is_not_registered_any_more_is_forgotten() {
    let mut bench = Bench::new().await;
    bench.subscribe(1, vec![webhook("a", URL)]).await.unwrap();
    bench.seconds(1).await;
    bench.write(vec![Write::RemoveMiner { hotkey: hotkey(1) }]).await;
    bench.world.send_modify(|state| {
        state.miners.remove(&hotkey(1));
    });
    bench.seconds(70).await;
    let read = bench.ask(ReadSubscription { hotkey: hotkey(1) }).await;
    assert_eq!(read, Err(NotGranted::NothingWanted));
    bench.write(vec![found(1, 1)]).await;
    bench.seconds(3).await;
    assert_eq!(bench.told(), []);
}

#[actix::test]
async fn a_digest_is_told_each_day_at_its_hour_and_names_what_went_wrong() {
    let mut bench = Bench::new().await;
    let hour = u8::try_from(BEGIN.secs().rem_euclid(86_400) / 3_600).unwrap();
    let wishes = Wishes {
        digest_hour: Some((hour + 1) % 24),
        utc_offset: Default::default(),
        ..wishes(vec![webhook("a", URL)])
    };
    bench
        .ask(Subscribe {
            hotkey: hotkey(1),
            wishes,
            renewed: Vec::new(),
        })
        .await
        .unwrap();
    bench.write(vec![found(1, 1)]).await;
    bench.seconds(1_100).await;
    let before: BTreeSet<_> = bench.told().into_iter().map(|(_, told)| told.kind).collect();
    assert_eq!(
        before,
        BTreeSet::from([NoticeKind::BlockFound, NoticeKind::WorkerOffline])
    );
    bench.clock.advance(Span::from_secs(90_000));
    bench.seconds(2).await;
    bench.restart().await;
    bench.seconds(2).await;
    let told = bench.told();
    let digests: Vec<_> = told
        .iter()
        .filter(|(_, message)| message.kind == NoticeKind::Digest)
        .collect();
    assert_eq!(digests.len(), 1, "{told:?}");
    let text = &digests[0].1.text;
    assert!(
        text.starts_with("Since the last digest: 1 blocks found, 0 payouts sent, 1 incidents:"),
        "{text}"
    );
    assert!(text.contains("Worker rig brings no shares any more"), "{text}");
}

#[actix::test]
async fn one_miner_is_told_so_much_in_an_hour_and_no_more() {
    let mut bench = Bench::new().await;
    bench.subscribe(1, vec![webhook("a", URL)]).await.unwrap();
    bench.subscribe(2, vec![webhook("a", URL)]).await.unwrap();
    for number in 1..=30 {
        bench.write(vec![found(number, 1)]).await;
        bench.seconds(1).await;
    }
    bench.write(vec![found(31, 2)]).await;
    bench.seconds(3).await;
    let to_second = hotkey(2).to_string();
    let (second, first): (Vec<_>, Vec<_>) = bench
        .told()
        .into_iter()
        .partition(|(_, message)| message.detail.contains(&to_second));
    assert_eq!((first.len(), second.len()), (20, 1));
    let read = bench.ask(ReadSubscription { hotkey: hotkey(1) }).await.unwrap();
    assert_eq!(read.subscription.dropped, 10);
}
