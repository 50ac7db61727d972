//! What miners ask for.

use super::*;

#[actix::test]
async fn what_a_miner_wants_holds_once_it_is_durable_and_another_life_knows_it() {
    let mut bench = Bench::new().await;
    let subscribed = bench.subscribe(1, vec![webhook("hook", URL)]).await.unwrap();
    assert_eq!(subscribed.secrets.len(), 1);
    let stored = bench.record(1).await.unwrap();
    assert_eq!(stored, subscribed.view.subscription);
    let text = serde_json::to_string(&stored).unwrap();
    let secret = hex_of(subscribed.secrets.values().next().unwrap());
    assert!(!text.contains(&secret), "no secret is stored");
    bench.restart().await;
    let read = bench.ask(ReadSubscription { hotkey: hotkey(1) }).await.unwrap();
    assert_eq!(read.subscription, stored);
    let again = bench.subscribe(1, vec![webhook("hook", URL)]).await.unwrap();
    assert!(again.secrets.is_empty(), "it is shown once");
    let other = bench.ask(ReadSubscription { hotkey: hotkey(2) }).await;
    assert_eq!(other, Err(NotGranted::NothingWanted));
    assert_eq!(bench.ask(Unsubscribe { hotkey: hotkey(1) }).await, Ok(()));
    assert_eq!(bench.record(1).await, None);
    let gone = bench.ask(Unsubscribe { hotkey: hotkey(1) }).await;
    assert_eq!(gone, Err(NotGranted::NothingWanted));
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[actix::test]
async fn what_the_pool_does_not_grant_changes_nothing() {
    let bench = Bench::new().await;
    bench.subscribe(1, vec![webhook("hook", URL)]).await.unwrap();
    let before = bench.record(1).await;
    for channels in [
        vec![],
        vec![webhook("a", "http://example.org")],
        vec![webhook("a", "https://example.org:22")],
        vec![webhook("a", URL), webhook("a", URL)],
    ] {
        let refused = bench.subscribe(1, channels).await;
        assert!(matches!(refused, Err(NotGranted::Wish(_))), "{refused:?}");
    }
    assert_eq!(bench.record(1).await, before);
    for byte in 2..=4 {
        bench.subscribe(byte, vec![webhook("a", URL)]).await.unwrap();
    }
    assert_eq!(
        bench.subscribe(5, vec![webhook("a", URL)]).await,
        Err(NotGranted::Full)
    );
    assert!(
        bench.subscribe(4, vec![webhook("b", URL)]).await.is_ok(),
        "a known one changes its mind"
    );
}

#[actix::test]
async fn a_mail_address_gets_a_code_and_nothing_else_before_the_code_came_back() {
    let mut bench = Bench::new().await;
    bench.subscribe(1, vec![mail("me@example.org")]).await.unwrap();
    bench.seconds(1).await;
    bench.write(vec![found(1, 1)]).await;
    bench.seconds(3).await;
    let told = bench.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].1.kind, NoticeKind::ConfirmAddress);
    let text = &told[0].1.text;
    let code = text
        .split("code: ")
        .nth(1)
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .to_owned();
    let confirm = |code: &str| ConfirmAddress {
        hotkey: hotkey(1),
        channel: "post".parse().unwrap(),
        code: code.to_owned(),
    };
    let test = SendTest {
        hotkey: hotkey(1),
        channel: None,
    };
    assert_eq!(bench.ask(test.clone()).await, Err(NotGranted::NoOpenChannel));
    assert_eq!(bench.ask(confirm("guess")).await, Err(NotGranted::WrongCode));
    bench.restart().await;
    assert_eq!(bench.ask(confirm(&code)).await, Ok(()));
    assert_eq!(bench.ask(test).await.unwrap().len(), 1);
    bench.seconds(1).await;
    let told = bench.told();
    assert_eq!(told[0].1.kind, NoticeKind::Test);
}

#[actix::test]
async fn nobody_is_mailed_many_codes_whoever_asks() {
    let mut bench = Bench::new().await;
    let address = |n: u32| mail(&format!("me+{n}@example.org"));
    for n in 0..3 {
        // By another miner each time, to another spelling of one mailbox.
        let byte = u8::try_from(n).unwrap() + 1;
        assert!(bench.subscribe(byte, vec![address(n)]).await.is_ok());
    }
    let refused = bench.subscribe(4, vec![address(9)]).await;
    assert!(matches!(refused, Err(NotGranted::TooMany { .. })), "{refused:?}");
    assert_eq!(bench.record(4).await, None);
    bench.seconds(1).await;
    assert_eq!(bench.told().len(), 3);
    // Nor does one miner have many mailed to others.
    for n in 0..2 {
        let to = mail(&format!("person{n}@example.com"));
        assert!(bench.subscribe(1, vec![to]).await.is_ok());
    }
    let refused = bench.subscribe(1, vec![mail("person9@example.com")]).await;
    assert!(matches!(refused, Err(NotGranted::TooMany { .. })), "{refused:?}");
}

#[actix::test]
async fn tests_are_told_at_once_by_the_channel_that_is_named_and_not_without_end() {
    let mut bench = Bench::new().await;
    let test = |channel: Option<&str>| SendTest {
        hotkey: hotkey(1),
        channel: channel.map(|name| name.parse().unwrap()),
    };
    assert_eq!(bench.ask(test(None)).await, Err(NotGranted::NothingWanted));
    let channels = vec![webhook("a", URL), webhook("b", "https://example.org/b")];
    bench.subscribe(1, channels).await.unwrap();
    assert_eq!(bench.ask(test(Some("c"))).await, Err(NotGranted::NoChannel));
    assert_eq!(bench.ask(test(Some("b"))).await.unwrap(), ["b".parse().unwrap()]);
    bench.seconds(1).await;
    let told = bench.told();
    let [(Receiver::Webhook { url, .. }, message)] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!(
        (url.as_str(), message.kind),
        ("https://example.org/b", NoticeKind::Test)
    );
    for _ in 0..9 {
        bench.seconds(1).await;
        assert!(bench.ask(test(None)).await.is_ok());
    }
    assert!(matches!(
        bench.ask(test(None)).await,
        Err(NotGranted::TooMany { .. })
    ));
}
