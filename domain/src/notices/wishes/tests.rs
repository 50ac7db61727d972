use proptest::prelude::*;

use super::*;

fn webhook(name: &str, url: &str) -> Channel {
    Channel {
        name: name.parse().unwrap(),
        way: Way::Webhook {
            url: url.parse().unwrap(),
            made_at: Timestamp::EPOCH,
        },
    }
}

fn wishes(channels: Vec<Channel>) -> Wishes {
    Wishes {
        channels,
        kinds: NoticeKind::MINERS.into_iter().collect(),
        quiet: QuietHours::new(22, 7),
        utc_offset: UtcOffset::of_minutes(330).unwrap(),
        digest_hour: Some(8),
        thresholds: Thresholds::default(),
    }
}

fn rules() -> WishRules {
    WishRules {
        channels_max: 2,
        allow_http: false,
        ports: vec![443, 8_443],
        has_mail: false,
        offline_after_least: Span::from_secs(60),
    }
}

#[test]
fn only_what_the_pool_allows_is_granted_and_the_field_that_is_not_is_named() {
    let good = webhook("a", "https://example.org/x");
    let mail = Channel {
        name: "m".parse().unwrap(),
        way: Way::Mail {
            address: "me@example.org".parse().unwrap(),
        },
    };
    let other = webhook("b", "https://example.org:8443/x");
    assert_eq!(rules().check(&wishes(vec![good.clone(), other.clone()])), Ok(()));
    for (channels, field) in [
        (vec![], "channels"),
        (
            vec![good.clone(), other.clone(), webhook("c", "https://x.org")],
            "channels",
        ),
        (vec![good.clone(), good.clone()], "channels[1].name"),
        (vec![webhook("a", "http://example.org")], "channels[0].url"),
        (
            vec![good.clone(), webhook("b", "https://example.org:22")],
            "channels[1].url",
        ),
        (vec![mail.clone()], "channels[0].kind"),
    ] {
        let refused = rules().check(&wishes(channels)).unwrap_err();
        assert_eq!(refused.field, field, "{refused}");
    }
    let mut hasty = wishes(vec![good.clone()]);
    hasty.thresholds.offline_after = Span::from_secs(59);
    assert_eq!(rules().check(&hasty).unwrap_err().field, "offline_after_secs");
    let lax = WishRules {
        allow_http: true,
        ports: Vec::new(),
        has_mail: true,
        ..rules()
    };
    assert_eq!(
        lax.check(&wishes(vec![mail, webhook("b", "http://example.org:22")])),
        Ok(())
    );
}

#[test]
fn a_mail_address_is_plain_and_counts_once_however_it_is_written() {
    for (good, mailbox) in [
        ("me@example.org", "me@example.org"),
        ("A.b+c@Sub.Example.ORG", "a.b@sub.example.org"),
        ("x_y-z=1@a-b.co", "x_y-z=1@a-b.co"),
    ] {
        let address: MailAddress = good.parse().unwrap();
        assert_eq!(address.mailbox(), mailbox);
    }
    let (long_local, long) = ("x".repeat(65), "x.".repeat(130));
    for bad in [
        "",
        "me",
        "@example.org",
        "me@",
        "me@localhost",
        "me@127.0.0.1",
        "me@[127.0.0.1]",
        "me@example..org",
        "me@-a.org",
        "a@b@c.org",
        ".me@example.org",
        "m e@example.org",
        "me@exämple.org",
        "me@example.org\r\nBcc: x@y.org",
        "\"me\"@example.org",
        "Me <me@example.org>",
        &format!("{long_local}@example.org"),
        &format!("me@{long}org"),
    ] {
        assert_eq!(
            bad.parse::<MailAddress>().err(),
            Some(TextError::Address),
            "{bad}"
        );
    }
}

#[test]
fn names_and_tokens_have_their_forms_and_a_token_is_not_shown() {
    assert!("my-phone_1.x".parse::<ChannelName>().is_ok());
    for bad in ["", "a b", "ä", "a/b", &"x".repeat(33)] {
        assert_eq!(bad.parse::<ChannelName>().err(), Some(TextError::Name), "{bad}");
    }
    let token: AccessToken = "tk_secret".parse().unwrap();
    assert!(!format!("{token:?}").contains("secret"));
    for bad in ["", "a b", "a\nb", &"x".repeat(257)] {
        assert_eq!(bad.parse::<AccessToken>().err(), Some(TextError::Token), "{bad}");
    }
}

#[test]
fn wishes_are_stored_and_read_again_and_what_is_no_wish_is_not_read() {
    let wishes = wishes(vec![webhook("a", "https://example.org/x")]);
    let stored = serde_json::to_string(&wishes).unwrap();
    assert_eq!(serde_json::from_str::<Wishes>(&stored).unwrap(), wishes);
    let broken = stored.replace("https://", "ftp://");
    assert!(serde_json::from_str::<Wishes>(&broken).is_err());
}

#[test]
fn quiet_hours_are_of_the_miners_own_clock() {
    // At 22:00 in Delhi it is 16:30 by UTC; its quiet hours end at 01:30.
    let at = |hour: i64, minute: i64| Timestamp::from_secs(86_400 * 20_000 + hour * 3_600 + minute * 60);
    let wishes = wishes(vec![]);
    for (came, told) in [
        (at(16, 29), at(16, 29)),
        (at(16, 30), at(25, 30)),
        (at(25, 29), at(25, 30)),
        (at(1, 30), at(1, 30)),
    ] {
        assert_eq!(wishes.earliest(came), told, "{came}");
    }
    assert_eq!(UtcOffset::of_minutes(841), None);
    assert_eq!(UtcOffset::of_minutes(-841), None);
    assert!(UtcOffset::of_minutes(-840).is_some());
}

proptest! {
    /// Whatever the clock: nothing is told early, nothing waits a day, and what waits ends when quiet ends.
    #[test]
    fn quiet_hours_put_off_by_less_than_a_day(
        secs in 0i64..10_000_000,
        minutes in -840i16..=840,
        from in 0u8..24,
        until in 0u8..24,
    ) {
        prop_assume!(from != until);
        let wishes = Wishes {
            quiet: QuietHours::new(from, until),
            utc_offset: UtcOffset::of_minutes(minutes).unwrap(),
            ..wishes(vec![])
        };
        let at = Timestamp::from_secs(secs);
        let told = wishes.earliest(at);
        prop_assert!(told >= at && told.since(at) < Span::from_secs(86_400));
        prop_assert_eq!(wishes.earliest(told), told);
        let local = wishes.utc_offset.local(told);
        prop_assert!(told == at || local.secs().rem_euclid(86_400) == i64::from(until) * 3_600);
    }
}
