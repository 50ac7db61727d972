//! What people are to be told.

use dwarves_domain::ids::NoticeId;
use dwarves_domain::notices::NoticeKind;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::store::{NoticeRow, Write};

use super::Backend;
use super::fixtures::{NOW, commit};

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
