use super::*;

fn hotkey(n: u8) -> Hotkey {
    Hotkey::from_bytes([n; 32])
}

fn all() -> Wanted {
    Wanted {
        topics: Topics::ALL,
        miner: None,
        hidden: Topics::NONE,
    }
}

fn told(number: u64) -> Tidings {
    told_of(number, Topic::Block, None)
}

fn told_of(number: u64, topic: Topic, miners: Option<&[Hotkey]>) -> Tidings {
    Tidings::Told(Arc::new(Told {
        number,
        topic,
        text: Bytes::from(number.to_string()),
        miners: miners.map(Box::from),
    }))
}

fn missed(last: u64) -> Bytes {
    Bytes::from(format!("missed up to {last}"))
}

fn texts(texts: impl IntoIterator<Item = Bytes>) -> Vec<String> {
    let texts = texts.into_iter();
    texts
        .map(|text| String::from_utf8(text.to_vec()).unwrap())
        .collect()
}

fn read(kept: &Kept, place: &mut u64, wanted: &Wanted) -> Vec<String> {
    texts(
        std::iter::from_fn(|| match kept.next(place, wanted) {
            Next::Text(text) => Some(text),
            Next::Nothing => None,
            Next::TooLate => Some(Bytes::from_static(b"too late")),
        })
        .take(1_000),
    )
}

/// Every last id that a client can come back with.
#[test]
fn who_comes_back_gets_all_that_was_missed_or_is_told_that_it_is_not_known() {
    let mut kept = Kept::after(3);
    assert_eq!(kept.since(3, &all()), Some(Vec::new()), "nothing was missed");
    for last in [0, 2, 4, u64::MAX] {
        assert_eq!(kept.since(last, &all()), None, "{last}");
    }
    let count = PAST_MAX as u64 + 10;
    for number in 4..4 + count {
        kept.hear(told(number), missed);
    }
    let latest = 3 + count;
    let oldest = latest - PAST_MAX as u64;
    for last in 0..latest + 3 {
        let expected = (oldest..=latest)
            .contains(&last)
            .then(|| (last + 1..=latest).map(|n| n.to_string()).collect::<Vec<_>>());
        assert_eq!(kept.since(last, &all()).map(texts), expected, "{last}");
    }
}

#[test]
fn a_gap_is_told_before_what_came_after_it_and_nothing_is_told_twice() {
    let mut kept = Kept::after(0);
    let mut place = kept.end();
    for tidings in [told(1), told(1), told(4), Tidings::Missed(5), told(6), told(2)] {
        kept.hear(tidings, missed);
    }
    assert_eq!(
        read(&kept, &mut place, &all()),
        ["1", "missed up to 3", "4", "missed up to 5", "6"]
    );
    assert_eq!(kept.since(4, &all()), None);
    assert_eq!(kept.since(5, &all()).map(texts), Some(vec!["6".to_owned()]));
}

#[test]
fn a_stream_gets_its_topics_and_its_miners_news_alone() {
    let mut kept = Kept::after(0);
    let (one, other) = ([hotkey(1)], [hotkey(1), hotkey(2)]);
    let start = kept.end();
    kept.hear(told_of(1, Topic::Block, Some(&one)), missed);
    kept.hear(told_of(2, Topic::Payout, Some(&other)), missed);
    kept.hear(told_of(3, Topic::Round, None), missed);
    kept.hear(told_of(4, Topic::Block, Some(&[])), missed);
    kept.add(Piece::Now(Topic::Pool, Bytes::from_static(b"pool")));
    kept.add(Piece::All(Bytes::from_static(b"comment")));
    for (topics, miner, expected) in [
        (
            "block,payout,round,pool,chain",
            None,
            vec!["1", "2", "3", "4", "pool", "comment"],
        ),
        ("block", None, vec!["1", "4", "comment"]),
        ("block,payout", Some(2), vec!["2", "comment"]),
        ("block,round", Some(1), vec!["1", "3", "comment"]),
        ("pool,payout", Some(3), vec!["pool", "comment"]),
    ] {
        let wanted = Wanted {
            topics: topics.parse().unwrap(),
            miner: miner.map(hotkey),
            hidden: Topics::NONE,
        };
        assert_eq!(
            read(&kept, &mut start.clone(), &wanted),
            expected,
            "{topics} {miner:?}"
        );
    }
}

#[test]
fn who_does_not_read_is_cut_off_and_what_is_kept_stays_bounded() {
    let mut kept = Kept::after(0);
    let (mut slow, mut quick) = (kept.end(), kept.end());
    for number in 1..=10 * BEHIND_MAX as u64 {
        kept.hear(told(number), missed);
        assert_eq!(read(&kept, &mut quick, &all()), [number.to_string()]);
        assert!(kept.live.len() <= BEHIND_MAX && kept.past.len() <= PAST_MAX);
    }
    assert_eq!(kept.next(&mut slow, &all()), Next::TooLate);
    kept.forget_pieces();
    assert_eq!((kept.live.len(), kept.end()), (0, quick));
    assert_eq!(kept.next(&mut quick, &all()), Next::Nothing);
}
