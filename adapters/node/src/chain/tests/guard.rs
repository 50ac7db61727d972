//! Which chain scripted nodes are on: every piece of evidence, and what follows for work and blocks.

use dwarves_domain::chain_guard::{Pin, Verdict};
use dwarves_ports::chain::Standing;

use super::*;

const NOW_AND_THEN: u32 = 100_000;

fn pinned(height: u32, number: u32) -> GuardSettings {
    let hash = hash(number).parse().unwrap();
    GuardSettings {
        pins: vec![Pin { height, hash }],
        ..no_guard()
    }
}

fn forbidding(name: &str) -> GuardSettings {
    GuardSettings {
        forbidden: vec![name.to_owned()],
        ..no_guard()
    }
}

pub(super) async fn standing_of(chain: &NodeChain, wanted: Verdict) -> Standing {
    eventually(&format!("the verdict {wanted}"), async || {
        Some(chain.standing()).filter(|standing| standing.verdict == wanted)
    })
    .await
}

/// The age of a tip is told by its header where the node does not name it.
fn seconds_ago(secs: u32) -> u32 {
    use dwarves_ports::clock::Clock;
    u32::try_from(SystemClock.now().secs()).unwrap() - secs
}

#[actix::test]
async fn each_piece_of_evidence_of_one_node_gives_its_verdict() {
    let mut cases: Vec<(&str, GuardSettings, State, Verdict, &str)> = Vec::new();
    let mut case = |what, guard, change: &dyn Fn(&mut State), verdict, says| {
        let mut state = State::at(121);
        change(&mut state);
        cases.push((what, guard, state, verdict, says));
    };
    let nothing = |_: &mut State| {};
    case("nothing is known", no_guard(), &nothing, Verdict::Unknown, "");
    case(
        "the pinned block",
        pinned(120, 120),
        &nothing,
        Verdict::Majority,
        "",
    );
    case(
        "another block",
        pinned(120, 9),
        &nothing,
        Verdict::Minority,
        "block 120 is",
    );
    case(
        "a pin above the tip",
        pinned(500, 9),
        &nothing,
        Verdict::Unknown,
        "has not said",
    );
    let deployments = |active: bool| {
        move |state: &mut State| {
            state.deployments =
                Act::result(&json!({"deployments": {"odd": {"active": active}, "b": {"active": true}}}));
        }
    };
    case(
        "not active",
        forbidding("odd"),
        &deployments(false),
        Verdict::Majority,
        "",
    );
    case(
        "not known",
        forbidding("other"),
        &deployments(true),
        Verdict::Majority,
        "",
    );
    case(
        "active",
        forbidding("odd"),
        &deployments(true),
        Verdict::Minority,
        "odd is active",
    );
    let softforks = |active: bool| {
        move |state: &mut State| {
            state.info = json!({"softforks": {"odd": {"type": "bip9", "active": active}}})
        }
    };
    case(
        "softforks, not active",
        forbidding("odd"),
        &softforks(false),
        Verdict::Majority,
        "",
    );
    case(
        "softforks, active",
        forbidding("odd"),
        &softforks(true),
        Verdict::Minority,
        "odd is active",
    );
    case(
        "neither call",
        forbidding("odd"),
        &nothing,
        Verdict::Unknown,
        "no call",
    );
    let very_old =
        |state: &mut State| state.info = json!({"softforks": [{"id": "odd", "reject": {"status": true}}]});
    case(
        "the form of very old nodes",
        forbidding("odd"),
        &very_old,
        Verdict::Unknown,
        "no call",
    );
    for (warnings, warns) in [
        (
            json!("Warning: We do not appear to fully agree with our peers! You may need to upgrade"),
            true,
        ),
        (
            json!([
                "pre-release",
                "Warning: Found invalid chain at least ~6 blocks longer"
            ]),
            true,
        ),
        (
            json!("This is a pre-release test build - use at your own risk"),
            false,
        ),
        (json!(""), false),
        (json!([]), false),
    ] {
        let warn = move |state: &mut State| state.info = json!({ "warnings": warnings });
        let (verdict, says) = if warns {
            (Verdict::Unknown, "it warns")
        } else {
            (Verdict::Majority, "")
        };
        case("a warning", pinned(120, 120), &warn, verdict, says);
    }
    let aged = |guard| GuardSettings {
        tip_age_max: Span::from_secs(u64::from(NOW_AND_THEN)),
        ..guard
    };
    let old = |state: &mut State| state.info = json!({"time": seconds_ago(NOW_AND_THEN + 60)});
    let fresh = |state: &mut State| state.info = json!({"time": seconds_ago(60)});
    let by_header = |state: &mut State| {
        state.header = Act::result(&json!({"confirmations": 1, "time": seconds_ago(NOW_AND_THEN + 60)}));
    };
    case(
        "an old tip",
        aged(no_guard()),
        &old,
        Verdict::Stale,
        "older than 100000 s",
    );
    case(
        "an old tip, by its header",
        aged(pinned(120, 120)),
        &by_header,
        Verdict::Stale,
        "older than",
    );
    case(
        "a fresh tip",
        aged(pinned(120, 120)),
        &fresh,
        Verdict::Majority,
        "",
    );
    case(
        "a tip of unknown age",
        aged(pinned(120, 120)),
        &nothing,
        Verdict::Unknown,
        "",
    );
    case(
        "old and elsewhere",
        aged(pinned(120, 9)),
        &old,
        Verdict::Minority,
        "block 120 is",
    );

    for (what, guard, state, verdict, says) in cases {
        let node = Scripted::new(state);
        let chain = guarded(&[&node.url], AddressFormat::BitcoinRegtest, guard);
        let template = chain.template().await;
        let standing = standing_of(&chain, verdict).await;
        let why = standing.nodes[0].why.join("; ");
        assert!(why.contains(says), "{what}: {why}");
        let is_elsewhere = verdict == Verdict::Minority;
        assert_eq!(standing.holds_payouts.is_some(), is_elsewhere, "{what}");
        match template {
            Ok(template) => assert!(!is_elsewhere, "{what}: {template:?}"),
            Err(error) => {
                assert!(is_elsewhere, "{what}: {error}");
                assert!(matches!(error, ChainError::WrongChain(_)), "{what}: {error}");
                let error = chain.tip_after(None).await.unwrap_err();
                assert!(matches!(error, ChainError::WrongChain(_)), "{what}: {error}");
                assert!(standing.trouble.unwrap().contains(says), "{what}");
            }
        }
        // What is found always goes out.
        assert_eq!(
            chain.submit(vec![7; 100]).await,
            Ok(SubmitOutcome::Accepted),
            "{what}"
        );
    }
}

#[actix::test]
async fn a_node_that_is_found_elsewhere_later_gives_no_more_work_and_may_come_back() {
    let node = Scripted::new(State::at(121));
    let chain = guarded(&[&node.url], AddressFormat::BitcoinRegtest, forbidding("odd"));
    assert_eq!(chain.tip_after(None).await, Ok(tip(121)));
    let active = |active: bool| Act::result(&json!({"deployments": {"odd": {"active": active}}}));
    let next = chain.tip_after(Some(tip(121).hash));
    node.set(|state| state.deployments = active(true));
    assert!(matches!(next.await, Err(ChainError::WrongChain(_))));
    // It goes away, and is what it was when it comes back, until it says otherwise.
    node.set(|state| state.all = Some(Act::HangUp));
    actix_rt::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(chain.standing().verdict, Verdict::Minority);
    node.set(|state| {
        state.all = None;
        state.deployments = active(false);
    });
    standing_of(&chain, Verdict::Majority).await;
    eventually("work", async || chain.template().await.ok()).await;
    assert_eq!(chain.standing().trouble, None);
}

#[actix::test]
async fn of_two_nodes_on_different_chains_the_one_with_more_work_is_used() {
    let (first, second) = (Scripted::new(State::at(121)), Scripted::new(State::at(130)));
    // They part at block 100, and the first has less work.
    first.set(|state| state.branch = (1, 100));
    let chain = chain_of(&[&first.url, &second.url]);
    let template = chain.template().await.unwrap();
    assert_eq!(template.height, 131);
    let standing = standing_of(&chain, Verdict::Majority).await;
    let verdicts: Vec<_> = standing.nodes.iter().map(|node| node.verdict).collect();
    assert_eq!(verdicts, [Verdict::Minority, Verdict::Majority]);
    // The first has the wallet.
    assert!(standing.holds_payouts.unwrap().contains("more work"));
    assert!(standing.trouble.is_some());
    // The other's word on blocks counts, though it comes second.
    let _asked_before = (first.count("getblockheader"), second.count("getblockheader"));
    assert!(chain.status(tip(1).hash).await.is_ok());
    assert_eq!(
        (first.count("getblockheader"), second.count("getblockheader")),
        (0, 1)
    );
    // While the second is away nothing is taken back.
    second.set(|state| state.all = Some(Act::HangUp));
    actix_rt::time::sleep(Duration::from_millis(300)).await;
    assert!(chain.template().await.is_err());
    assert_eq!(chain.standing().nodes[0].verdict, Verdict::Minority);
    // The first joins it, and is used again.
    second.set(|state| state.all = None);
    first.set(|state| {
        state.branch = (0, 0);
        state.height = 130;
    });
    eventually("the first to be used", async || {
        let standing = chain.standing();
        let is_over = standing.trouble.is_none() && standing.holds_payouts.is_none();
        is_over.then_some(())
    })
    .await;
}

#[actix::test]
async fn a_race_is_no_split_and_a_split_that_nothing_decides_holds_money_alone() {
    let (first, second) = (Scripted::new(State::at(121)), Scripted::new(State::at(121)));
    // Two blocks are not the same: who wins is open.
    first.set(|state| state.branch = (1, 119));
    let chain = chain_of(&[&first.url, &second.url]);
    standing_of(&chain, Verdict::Majority).await;
    // A hundred are not, and both chains have the same work.
    first.set(|state| state.branch = (1, 20));
    let standing = standing_of(&chain, Verdict::Unknown).await;
    assert!(standing.trouble.is_some() && standing.holds_payouts.is_some());
    assert!(chain.template().await.is_ok());
}

#[actix::test]
async fn pins_decide_between_two_chains_whatever_their_work() {
    let (first, second) = (Scripted::new(State::at(200)), Scripted::new(State::at(121)));
    first.set(|state| state.branch = (1, 100));
    let guard = pinned(110, 110);
    let chain = guarded(&[&first.url, &second.url], AddressFormat::BitcoinRegtest, guard);
    assert_eq!(chain.template().await.unwrap().height, 122);
    let standing = chain.standing();
    assert_eq!(standing.nodes[0].verdict, Verdict::Minority);
    assert!(standing.holds_payouts.is_some());
}

#[actix::test]
async fn a_node_that_is_elsewhere_by_its_pin_casts_no_doubt_on_the_other_and_one_that_is_away_does() {
    for is_first_right in [true, false] {
        let (right, wrong) = (Scripted::new(State::at(121)), Scripted::new(State::at(200)));
        wrong.set(|state| state.branch = (1, 100));
        let urls = if is_first_right {
            [&*right.url, &*wrong.url]
        } else {
            [&*wrong.url, &*right.url]
        };
        let place = usize::from(!is_first_right);
        let chain = guarded(&urls, AddressFormat::BitcoinRegtest, pinned(110, 110));
        let standing = standing_of(&chain, Verdict::Majority).await;
        assert_eq!(standing.nodes[place].verdict, Verdict::Majority);
        assert_eq!(standing.nodes[place].why, Vec::<String>::new());
        assert_eq!(standing.nodes[1 - place].verdict, Verdict::Minority);
        assert_eq!(
            standing.holds_payouts.is_some(),
            !is_first_right,
            "the first pays"
        );
    }
    let (here, away) = (Scripted::new(State::at(121)), Scripted::new(State::at(121)));
    away.set(|state| state.all = Some(Act::HangUp));
    let chain = guarded(
        &[&here.url, &away.url],
        AddressFormat::BitcoinRegtest,
        pinned(110, 110),
    );
    chain.template().await.unwrap();
    let standing = standing_of(&chain, Verdict::Unknown).await;
    assert_eq!(standing.nodes[0].why, ["no other node can be compared with it"]);
}

#[actix::test]
async fn a_tip_that_a_node_names_without_work_on_it_is_told_once() {
    let node = Scripted::new(State::at(121));
    let chain = chain_of(&[&node.url]);
    assert_eq!(chain.tip_after(None).await, Ok(tip(121)));
    chain.template().await.unwrap();
    let failed = Act::Error(-1, "CreateNewBlock: TestBlockValidity failed: bad-txns-vin-empty");
    node.set(|state| state.work = Some(failed));
    node.set(|state| state.height = 123);
    // The long poll brings no template, and the node says where it is.
    let told = eventually("the tip", async || {
        chain.tip_after(Some(tip(121).hash)).await.ok()
    })
    .await;
    assert_eq!(told, tip(123));
    eventually("the node's reason", async || {
        let again = chain.tip_after(Some(tip(123).hash)).await.unwrap_err();
        again.to_string().contains("bad-txns-vin-empty").then_some(())
    })
    .await;
    assert!(chain.template().await.is_err());
    node.set(|state| state.work = None);
    eventually("work", async || chain.template().await.ok()).await;
}

#[actix::test]
async fn a_node_with_work_on_a_tip_that_another_says_is_over_does_not_stand_in() {
    let (first, second) = (Scripted::new(State::at(121)), Scripted::new(State::at(121)));
    let chain = chain_of(&[&first.url, &second.url]);
    chain.template().await.unwrap();
    first.set(|state| {
        state.work = Some(Act::Error(-1, "bad-txns-vin-empty"));
        state.height = 124;
    });
    let error = eventually("no work", async || chain.template().await.err()).await;
    assert!(!matches!(error, ChainError::Unsound(_)), "{error}");
    eventually("the tip", async || {
        chain.tip_after(Some(tip(121).hash)).await.ok()
    })
    .await;
    second.set(|state| state.height = 124);
    let template = eventually("work", async || chain.template().await.ok()).await;
    assert_eq!(template.height, 125);
}
