use super::*;
use crate::notices::wishes::Thresholds;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn name(text: &str) -> ChannelName {
    text.parse().unwrap()
}

fn webhook(to: &str) -> Channel {
    Channel {
        name: name("hook"),
        way: Way::Webhook {
            url: to.parse().unwrap(),
            made_at: Timestamp::EPOCH,
        },
    }
}

fn ntfy(token: Option<&str>) -> Channel {
    Channel {
        name: name("phone"),
        way: Way::Ntfy {
            url: "https://ntfy.example/topic".parse().unwrap(),
            token: token.map(|token| token.parse().unwrap()),
        },
    }
}

fn mail(address: &str) -> Channel {
    Channel {
        name: name("post"),
        way: Way::Mail {
            address: address.parse().unwrap(),
        },
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

fn change(before: Option<&Subscription>, channels: Vec<Channel>, secs: i64) -> Changed {
    Subscription::change(before, wishes(channels), &[], at(secs))
}

#[test]
fn a_channel_that_leads_where_it_led_keeps_its_secret_and_any_other_gets_a_new_one() {
    let first = change(
        None,
        vec![webhook("https://example.org/x"), ntfy(Some("tk_1"))],
        5,
    );
    assert_eq!(first.new_secrets, [name("hook")]);
    let before = &first.subscription;
    let same = change(
        Some(before),
        vec![webhook("https://example.org/x"), ntfy(None)],
        9,
    );
    assert_eq!(
        same.subscription, first.subscription,
        "a token that is not told is kept"
    );
    assert_eq!((same.new_secrets, same.gone), (vec![], vec![]));
    let other = change(
        Some(before),
        vec![webhook("https://example.org/y"), ntfy(Some("tk_2"))],
        9,
    );
    assert_eq!(other.new_secrets, [name("hook")]);
    assert_eq!(other.gone, [name("hook")]);
    let stored = serde_json::to_string(&other.subscription).unwrap();
    assert!(stored.contains("tk_2") && !stored.contains("tk_1"));
    let renewed = [name("hook")];
    let renewed = Subscription::change(
        Some(before),
        wishes(vec![webhook("https://example.org/x")]),
        &renewed,
        at(9),
    );
    assert_eq!(renewed.new_secrets, [name("hook")]);
    assert_eq!(renewed.gone, [name("phone")]);
    assert_ne!(renewed.subscription.wishes.channels, before.wishes.channels[..1]);
}

#[test]
fn a_mail_address_is_used_once_its_code_came_back_and_any_other_must_be_confirmed_anew() {
    let first = change(None, vec![mail("me@example.org")], 5);
    assert_eq!(first.to_confirm, [name("post")]);
    let mut subscription = first.subscription;
    assert_eq!(subscription.open_channels().count(), 0);
    let right = |asked: Timestamp| (asked == at(5)).then(|| "right".to_owned());
    let post = name("post");
    assert_eq!(
        subscription.confirm(&post, "wrong", right, at(6)),
        Confirmed::WrongCode
    );
    assert_eq!(
        subscription.confirm(&name("x"), "right", right, at(6)),
        Confirmed::NoChannel
    );
    // Saying the same again brings no other mail.
    let again = change(Some(&subscription), vec![mail("me@example.org")], 7);
    assert_eq!((again.to_confirm, &again.subscription), (vec![], &subscription));
    assert_eq!(subscription.confirm(&post, "right", right, at(8)), Confirmed::Now);
    assert_eq!(
        subscription.confirm(&post, "right", right, at(8)),
        Confirmed::Before
    );
    assert_eq!(subscription.open_channels().count(), 1);
    let kept = change(Some(&subscription), vec![mail("me@Example.org")], 9);
    assert_eq!(
        (kept.to_confirm, kept.subscription.open_channels().count()),
        (vec![], 1)
    );
    let other = change(Some(&subscription), vec![mail("you@example.org")], 9);
    assert_eq!(other.to_confirm, [name("post")]);
    assert_eq!(other.subscription.open_channels().count(), 0);
}

#[test]
fn codes_cannot_be_guessed_for_long_nor_kept_for_ever() {
    let right = |_| Some("right".to_owned());
    let post = name("post");
    let mut tried = change(None, vec![mail("me@example.org")], 5).subscription;
    let old = tried.clone();
    for _ in 0..TRIES_MAX {
        assert_eq!(tried.confirm(&post, "wrong", right, at(6)), Confirmed::WrongCode);
    }
    assert_eq!(tried.confirm(&post, "right", right, at(6)), Confirmed::NoCode);
    assert_eq!(
        change(Some(&tried), vec![mail("me@example.org")], 7).to_confirm,
        [name("post")]
    );
    let late = at(5).plus(CODE_HOLDS);
    assert_eq!(
        old.clone().confirm(&post, "right", right, late),
        Confirmed::NoCode
    );
    assert_eq!(
        old.clone().confirm(&post, "right", |_| None, at(6)),
        Confirmed::WrongCode,
        "no code is no right one"
    );
    let asked = Subscription::change(Some(&old), wishes(vec![mail("me@example.org")]), &[], late);
    assert_eq!(asked.to_confirm, [post]);
}

#[test]
fn what_was_given_up_is_open_again_once_its_miner_sets_it() {
    let mut subscription = change(None, vec![webhook("https://example.org/x")], 5).subscription;
    let given_up = ChannelState::GivenUp {
        at: at(6),
        why: "no answer".to_owned(),
    };
    subscription.states.insert(name("hook"), given_up);
    assert_eq!(subscription.open_channels().count(), 0);
    let again = change(Some(&subscription), vec![webhook("https://example.org/x")], 9);
    assert_eq!(again.subscription.open_channels().count(), 1);
    assert_eq!(again.new_secrets, []);
}

#[test]
fn a_day_names_some_incidents_and_counts_all() {
    let mut day = Day::default();
    for n in 0..30 {
        day.note(NoticeKind::WorkerOffline, at(n), &format!("rig-{n}"));
        day.note(NoticeKind::PayoutSent, at(n), "sent");
    }
    assert_eq!(day.incidents.len(), NAMED_MAX);
    assert_eq!(day.incidents[0], (at(0), "rig-0".to_owned()));
    assert_eq!(
        (day.incident_count(), day.counts[&NoticeKind::PayoutSent]),
        (30, 30)
    );
}
