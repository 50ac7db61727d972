//! What people are to be told.

use dwarves_domain::ids::NoticeId;
use dwarves_domain::notices::NoticeKind;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::store::{MinerNoticeRow, NoticeRow, SubscriptionRow, ToMiner, Write};

use super::Backend;
use super::fixtures::{NOW, commit, key as hotkey};

fn notice(id: u64, key: &str) -> NoticeRow {
    NoticeRow {
        id: NoticeId::new(id),
        key: key.to_owned(),
        kind: NoticeKind::BlockFound,
        at: NOW.plus(Span::from_secs(id)),
        text: format!("text of {key}"),
        detail: "{\"height\":7}".to_owned(),
    }
}

fn post(id: u64, key: &str) -> Write {
    Write::PostNotice(Box::new(notice(id, key)))
}

fn settle(notice: u64, channel: &str, again: Option<(u32, Timestamp)>) -> Write {
    Write::SettleDelivery {
        notice: NoticeId::new(notice),
        channel: channel.to_owned(),
        again,
    }
}

/// Posted once, planned once, on its way until it is settled, also after opening again.
pub async fn a_notice_is_told_once_by_each_channel_until_it_has_arrived<B: Backend>(backend: B) {
    let store = backend.open();
    commit(&store, vec![post(1, "a"), post(2, "b"), post(9, "a")]).await;
    assert_eq!(
        store.unplanned_notices(9).await.unwrap(),
        [notice(1, "a"), notice(2, "b")]
    );
    assert_eq!(store.unplanned_notices(1).await.unwrap(), [notice(1, "a")]);
    let at = |secs| NOW.plus(Span::from_secs(secs));
    let plan = |channels: &[(&str, u64)]| Write::PlanNotice {
        notice: NoticeId::new(1),
        channels: channels
            .iter()
            .map(|(name, secs)| ((*name).to_owned(), at(*secs)))
            .collect(),
    };
    commit(&store, vec![plan(&[("x", 5), ("y", 3)]), plan(&[("z", 1)])]).await;
    drop(store);

    let store = backend.open();
    assert_eq!(store.unplanned_notices(9).await.unwrap(), [notice(2, "b")]);
    let on_their_way = store.deliveries(9).await.unwrap();
    let seen: Vec<_> = on_their_way
        .iter()
        .map(|row| {
            (
                row.notice.id.get(),
                row.channel.as_str(),
                row.failures,
                row.next_at,
            )
        })
        .collect();
    assert_eq!(seen, [(1, "y", 0, at(3)), (1, "x", 0, at(5))]);
    assert_eq!(on_their_way[0].notice, notice(1, "a"));
    commit(
        &store,
        vec![
            settle(1, "y", Some((1, at(8)))),
            settle(1, "z", None),
            settle(7, "x", None),
        ],
    )
    .await;
    let first = store.deliveries(1).await.unwrap();
    let first: Vec<_> = first.iter().map(|row| row.channel.as_str()).collect();
    assert_eq!(first, ["x", "y"]);
    commit(
        &store,
        vec![settle(1, "x", None), settle(1, "x", Some((3, at(9))))],
    )
    .await;
    let left = store.deliveries(9).await.unwrap();
    assert_eq!((left.len(), left[0].failures, left[0].next_at), (1, 1, at(8)));
    assert_eq!(store.notices_since(at(2), 9).await.unwrap(), [notice(2, "b")]);
    assert_eq!(store.notices_since(at(0), 1).await.unwrap(), [notice(1, "a")]);
}

/// However much waits for one channel, what waits for another is seen.
pub async fn what_waits_for_one_channel_hides_nothing_of_another<B: Backend>(backend: B) {
    let store = backend.open();
    let mut writes = Vec::new();
    for id in 1..=9 {
        let channels = match id {
            9 => vec!["away", "here"],
            _ => vec!["away"],
        };
        let at = NOW.plus(Span::from_secs(id));
        writes.extend([
            post(id, &id.to_string()),
            Write::PlanNotice {
                notice: NoticeId::new(id),
                channels: channels.into_iter().map(|name| (name.to_owned(), at)).collect(),
            },
        ]);
    }
    commit(&store, writes).await;
    for (limit, expected) in [
        (1, &[(1, "away"), (9, "here")][..]),
        (2, &[(1, "away"), (2, "away"), (9, "here")]),
    ] {
        let rows = store.deliveries(limit).await.unwrap();
        let seen: Vec<_> = rows
            .iter()
            .map(|row| (row.notice.id.get(), row.channel.as_str()))
            .collect();
        assert_eq!(seen, expected);
    }
}

fn to_miner(byte: u8, channel: &str, key: &str) -> MinerNoticeRow {
    MinerNoticeRow {
        hotkey: hotkey(byte),
        channel: channel.to_owned(),
        key: key.to_owned(),
        kind: NoticeKind::PayoutSent,
        at: NOW,
        text: format!("text of {key}"),
        detail: "{\"payout\":7}".to_owned(),
        failures: 0,
        next_at: NOW,
    }
}

/// A registered miner's alone, once for each channel and key, until it is settled, its subscription ends, or the miner is
/// removed; also after opening again.
pub async fn a_notice_waits_for_a_miner_until_it_has_arrived_and_goes_with_its_subscription<B: Backend>(
    backend: B,
) {
    let store = backend.open();
    let register = |byte| Write::RegisterMiner {
        hotkey: hotkey(byte),
        payout_address: None,
        at: NOW,
    };
    let subscribe = |byte, record: Option<&str>| {
        Write::ToMiner(ToMiner::Subscribe {
            hotkey: hotkey(byte),
            record: record.map(str::to_owned),
        })
    };
    let post = |byte, channel, key| Write::ToMiner(ToMiner::Post(Box::new(to_miner(byte, channel, key))));
    let settle = |key: &str, again| {
        Write::ToMiner(ToMiner::Settle {
            hotkey: hotkey(1),
            channel: "x".to_owned(),
            key: key.to_owned(),
            again,
        })
    };
    let writes = vec![
        register(1),
        register(2),
        subscribe(1, Some("one")),
        subscribe(1, Some("two")),
        subscribe(3, Some("of nobody who is registered")),
        post(1, "x", "a"),
        post(1, "x", "a"),
        post(1, "y", "a"),
        post(1, "x", "b"),
        post(2, "x", "of a miner that wants nothing"),
    ];
    commit(&store, writes).await;
    drop(store);

    let store = backend.open();
    let kept = SubscriptionRow {
        hotkey: hotkey(1),
        record: "two".to_owned(),
    };
    assert_eq!(store.subscriptions().await.unwrap(), [kept]);
    let all = [
        to_miner(1, "x", "a"),
        to_miner(1, "x", "b"),
        to_miner(1, "y", "a"),
    ];
    assert_eq!(store.miner_notices().await.unwrap(), all);
    let later = NOW.plus(Span::from_secs(9));
    let writes = vec![
        settle("a", Some((3, later))),
        settle("b", None),
        settle("b", Some((1, later))),
        settle("c", None),
        // It waits as it does.
        post(1, "x", "a"),
    ];
    commit(&store, writes).await;
    let put_off = MinerNoticeRow {
        failures: 3,
        next_at: later,
        ..to_miner(1, "x", "a")
    };
    let left = [put_off, to_miner(1, "y", "a")];
    assert_eq!(store.miner_notices().await.unwrap(), left);
    commit(
        &store,
        vec![subscribe(1, None), subscribe(2, Some("three")), post(2, "x", "a")],
    )
    .await;
    assert_eq!(store.miner_notices().await.unwrap(), [to_miner(2, "x", "a")]);
    commit(&store, vec![Write::RemoveMiner { hotkey: hotkey(2) }]).await;
    assert_eq!(store.subscriptions().await.unwrap(), []);
    assert_eq!(store.miner_notices().await.unwrap(), []);
    commit(&store, vec![post_plain(1), post_plain(2), post_plain(3)]).await;
    let after = store.notices_after(NoticeId::new(1), 1).await.unwrap();
    assert_eq!(after, [notice(2, "2")]);
    assert_eq!(store.notices_after(NoticeId::new(3), 9).await.unwrap(), []);
}

fn post_plain(id: u64) -> Write {
    post(id, &id.to_string())
}
