//! Workers of sessions that steer their own difficulty: who is let in, and what is remembered of them.

use std::net::{IpAddr, Ipv4Addr};

use bitcoin::hashes::Hash;
use dwarves_domain::address::{AddressFormat, PayoutAddress};
use dwarves_domain::login::Identity;
use dwarves_domain::miners::{Client, ForeignName, Suffix};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::target::Difficulty;

use super::*;
use crate::miner_manager::messages::Joined;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const ADDRESS: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

fn address() -> PayoutAddress {
    PayoutAddress::parse(ADDRESS, AddressFormat::BitcoinRegtest).unwrap()
}

fn difficulty(value: f64) -> Difficulty {
    Difficulty::from_f64(value).unwrap()
}

fn by_hotkey(n: u8, earned: Option<f64>) -> JoinWorker {
    JoinWorker {
        identity: Identity::Hotkey(hotkey(n)),
        worker: worker_name("rig"),
        issued: None,
        earned: earned.map(difficulty),
        from: HERE,
    }
}

fn by_address(worker: &str) -> JoinWorker {
    JoinWorker {
        identity: Identity::Address(address()),
        worker: worker_name(worker),
        issued: None,
        earned: None,
        from: HERE,
    }
}

/// What a worker was known to have earned before this question.
async fn earned_before(bench: &Bench, join: JoinWorker) -> Option<Difficulty> {
    match bench.ask(join).await {
        Ok(Joined { earned, .. }) => earned,
        refused => panic!("{refused:?}"),
    }
}

#[actix::test]
async fn an_address_is_registered_once_under_its_own_identity_and_paid_to_itself() {
    let bench = Bench::new().await;
    let Ok(Joined { miner, worker, .. }) = bench.ask(by_address("a")).await else {
        panic!("an address may mine")
    };
    assert_eq!(miner, address().identity());
    assert_eq!(worker, WorkerId::new(2));
    let Ok(Joined { worker, .. }) = bench.ask(by_address("b")).await else {
        panic!("with another worker, too")
    };
    assert_eq!(worker, WorkerId::new(3));
    // A share of it counts as anybody's.
    let job = job(&template(1), 1, miner, 2);
    let shares = CheckedShares {
        miner,
        received_at: CAME_AT,
        worker: None,
        shares: vec![checked(&job, 0)],
    };
    assert_eq!(words(&bench.ask(judge(vec![shares])).await), ["accepted 1"]);
    let bench = bench.restarted().await;
    let view = bench.ask(ReadMiner { hotkey: miner }).await.unwrap();
    assert_eq!(view.payout_address.as_deref(), Some(ADDRESS));
    assert_eq!(
        (view.accepted, view.workers.len()),
        (1, 1),
        "a name without work is not kept"
    );
    assert_eq!(bench.miners().await.miners, 3);
}

#[actix::test]
async fn a_hotkey_must_have_registered_and_nobody_banned_gets_in() {
    let bench = Bench::new().await;
    assert_eq!(bench.ask(by_hotkey(9, None)).await, Err(Refusal::MinerUnknown));
    bench.ask(by_address("a")).await.unwrap();
    for hotkey in [hotkey(1), address().identity()] {
        let ban = MinerControl::Ban {
            hotkey,
            reason: "spam".to_owned(),
            until: None,
        };
        assert!(bench.ask(ban).await.is_ok());
    }
    let banned = Err(Refusal::Banned {
        reason: "spam".to_owned(),
    });
    // A pause changes nothing: sessions that ask again are put out, and need not wait for its end.
    for paused in [false, true] {
        bench.ask(SetPaused(paused)).await;
        assert_eq!(bench.ask(by_hotkey(1, None)).await, banned);
        assert_eq!(bench.ask(by_address("b")).await, banned);
        let unknown = Err(Refusal::MinerUnknown);
        assert_eq!(bench.ask(by_hotkey(9, None)).await, unknown);
    }
}

#[actix::test]
async fn a_closed_or_paused_pool_takes_no_new_address() {
    let bench = Bench::new().await;
    bench.ask(MinerControl::CloseRegistration).await.unwrap();
    assert_eq!(bench.ask(by_address("a")).await, Err(Refusal::RegistrationClosed));
    assert!(matches!(bench.ask(by_hotkey(1, None)).await, Ok(Joined { .. })));
    bench.ask(SetPaused(true)).await;
    assert_eq!(bench.ask(by_hotkey(1, None)).await, Err(Refusal::Paused));
    assert_eq!(bench.ask(by_address("a")).await, Err(Refusal::Paused));
}

#[actix::test]
async fn a_full_registry_takes_no_new_address() {
    let mut settings = memory_settings();
    settings.limits.miners = 2;
    let bench = Bench::with(settings).await;
    assert_eq!(bench.ask(by_address("a")).await, Err(Refusal::PoolFull));
}

/// Addresses that nobody knows yet, as many as there are numbers.
fn by_new_address(n: u8, worker: &str) -> JoinWorker {
    let text = bitcoin_address(n);
    JoinWorker {
        identity: Identity::Address(PayoutAddress::parse(&text, AddressFormat::BitcoinRegtest).unwrap()),
        ..by_address(worker)
    }
}

fn bitcoin_address(n: u8) -> String {
    let key = bitcoin::PubkeyHash::from_byte_array([n; 20]);
    bitcoin::Address::p2pkh(key, bitcoin::Network::Regtest).to_string()
}

fn is_joined(reply: &Result<Joined, Refusal>) -> bool {
    matches!(reply, Ok(Joined { .. }))
}

#[actix::test]
async fn so_many_new_addresses_come_from_one_place_and_known_ones_always() {
    let mut settings = memory_settings();
    settings.new_addresses_per_hour = 2;
    let bench = Bench::with(settings).await;
    for n in 1..=2 {
        assert!(is_joined(&bench.ask(by_new_address(n, "a")).await));
    }
    let refused = Err(Refusal::TooManyNew {
        try_again: Span::from_secs(1_800),
    });
    assert_eq!(bench.ask(by_new_address(3, "a")).await, refused);
    // The known ones come and go as they like, with as many machines as they like; hotkeys, too.
    for worker in ["a", "b", "c"] {
        assert!(is_joined(&bench.ask(by_new_address(1, worker)).await));
    }
    assert!(is_joined(&bench.ask(by_hotkey(1, None)).await));
    // From another place, and a while later.
    let elsewhere = JoinWorker {
        from: "192.0.2.2".parse().unwrap(),
        ..by_new_address(3, "a")
    };
    assert!(is_joined(&bench.ask(elsewhere).await));
    bench.clock.advance(Span::from_secs(1_800));
    assert!(is_joined(&bench.ask(by_new_address(4, "a")).await));
    let miners = bench.miners().await;
    assert_eq!((miners.miners, miners.address_miners), (6, 4));
    let refused = NewcomersRefused { rate: 1, no_room: 0 };
    assert_eq!(miners.addresses_refused, refused);
}

#[actix::test]
async fn all_machines_of_a_new_address_may_come_at_once() {
    tokio::time::pause();
    let mut settings = memory_settings();
    settings.new_addresses_per_hour = 1;
    settings.limits.address_miners = 1;
    let bench = Bench::on(prepared().await, FaultPlan::default(), settings).await;
    let answers = ["a", "b", "c"].map(|worker| bench.post(by_new_address(1, worker)));
    let other = bench.post(by_new_address(2, "a"));
    settle().await;
    bench.gate.open();
    for answer in answers {
        assert!(is_joined(&answer.await.unwrap()));
    }
    assert_eq!(other.await.unwrap(), Err(Refusal::AddressesFull));
}

#[actix::test]
async fn addresses_leave_room_for_those_who_register_also_after_a_restart() {
    let mut settings = memory_settings();
    (settings.limits.miners, settings.limits.address_miners) = (5, 1);
    let bench = Bench::with(settings).await;
    assert!(is_joined(&bench.ask(by_address("a")).await));
    let job = job(&template(1), 1, address().identity(), 2);
    let shares = CheckedShares {
        miner: address().identity(),
        received_at: CAME_AT,
        worker: None,
        shares: vec![checked(&job, 0)],
    };
    bench.ask(judge(vec![shares])).await;
    // A hotkey that is paid to the same address is another account, and none of the addresses.
    let register = RegisterMiner {
        hotkey: hotkey(3),
        payout_address: Some(ADDRESS.to_owned()),
        payout_threshold: None,
        from: std::net::Ipv4Addr::LOCALHOST.into(),
    };
    bench.ask(register).await.unwrap();
    assert_eq!(
        bench.ask(by_new_address(1, "a")).await,
        Err(Refusal::AddressesFull)
    );
    assert!(is_joined(&bench.ask(by_address("b")).await));
    assert_eq!(bench.miners().await.addresses_refused.no_room, 1);
    let bench = bench.restarted().await;
    let miners = bench.miners().await;
    assert_eq!((miners.miners, miners.address_miners), (4, 1));
}

#[actix::test]
async fn an_address_that_could_not_be_stored_uses_up_no_allowance() {
    tokio::time::pause();
    let mut settings = memory_settings();
    settings.new_addresses_per_hour = 1;
    let plan = FaultPlan {
        at: vec![(1, Fault::Refuse)],
        disk_full: None,
    };
    let bench = Bench::on(prepared().await, plan, settings).await;
    bench.gate.open();
    assert_eq!(bench.ask(by_new_address(1, "a")).await, Err(Refusal::Unavailable));
    assert!(is_joined(&bench.ask(by_new_address(2, "a")).await));
    assert!(matches!(
        bench.ask(by_new_address(3, "a")).await,
        Err(Refusal::TooManyNew { .. })
    ));
}

#[actix::test]
async fn an_address_that_could_not_be_stored_is_not_let_in() {
    let bench = Bench::failing(&[(1, Fault::Refuse)]).await;
    assert_eq!(bench.ask(by_address("a")).await, Err(Refusal::Unavailable));
    assert_eq!(bench.miners().await.miners, 2);
    assert!(matches!(bench.ask(by_address("a")).await, Ok(Joined { .. })));
}

#[actix::test]
async fn an_operators_choice_reaches_sessions() {
    let bench = Bench::new().await;
    let fix = MinerControl::SetShareDifficulty {
        hotkey: hotkey(1),
        worker: None,
        difficulty: Some(difficulty(3e-9)),
    };
    assert!(bench.ask(fix).await.is_ok());
    let joined = bench.ask(by_hotkey(1, None)).await;
    assert!(matches!(joined, Ok(Joined { fixed: Some(d), .. }) if d == difficulty(3e-9)));
}

#[actix::test]
async fn what_a_session_asked_for_is_shown_and_remembered_for_nobody() {
    let bench = Bench::new().await;
    let asking = JoinWorker {
        issued: Some(difficulty(1e12)),
        ..by_hotkey(1, None)
    };
    assert_eq!(earned_before(&bench, asking).await, None);
    let shown = bench.miner(1).await.workers[0].share_difficulty;
    assert_eq!(shown, difficulty(1e12));
    assert_eq!(earned_before(&bench, by_hotkey(1, None)).await, None);
    tokio::time::sleep(SAVE_COUNTERS_EVERY.to_std()).await;
    settle().await;
    let bench = bench.restarted().await;
    assert_eq!(earned_before(&bench, by_hotkey(1, None)).await, None);
}

#[actix::test]
async fn who_has_a_miner_in_a_session_is_told_of_what_an_operator_decides_about_it() {
    let bench = Bench::new().await;
    let (watcher, mut told) = recorded_outbox();
    bench.ask(WatchMiners { watcher }).await;
    let ban = MinerControl::Ban {
        hotkey: hotkey(1),
        reason: "spam".to_owned(),
        until: None,
    };
    let fix = MinerControl::SetShareDifficulty {
        hotkey: hotkey(1),
        worker: None,
        difficulty: Some(difficulty(3e-9)),
    };
    for control in [ban, MinerControl::Unban { hotkey: hotkey(1) }, fix] {
        assert!(bench.ask(control).await.is_ok());
        settle().await;
        assert_eq!(told.try_recv(), Ok(MinerChanged(hotkey(1))));
    }
    // What was refused, or is about nobody, is told to nobody.
    let nobody = bench.ask(MinerControl::Unban { hotkey: hotkey(99) }).await;
    assert!(matches!(nobody, Err(Refusal::ControlRefused(_))), "{nobody:?}");
    bench.ask(MinerControl::CloseRegistration).await.unwrap();
    settle().await;
    assert!(told.try_recv().is_err());
}

#[actix::test]
async fn what_a_worker_earned_is_known_to_its_next_session_also_after_a_restart() {
    let bench = Bench::new().await;
    assert_eq!(earned_before(&bench, by_hotkey(1, Some(0.5))).await, None);
    assert_eq!(
        earned_before(&bench, by_hotkey(1, None)).await,
        Some(difficulty(0.5))
    );
    tokio::time::sleep(SAVE_COUNTERS_EVERY.to_std()).await;
    settle().await;
    let bench = bench.restarted().await;
    assert_eq!(
        earned_before(&bench, by_hotkey(1, None)).await,
        Some(difficulty(0.5))
    );
    assert_eq!(earned_before(&bench, by_hotkey(2, None)).await, None);
}

#[actix::test]
async fn earned_difficulties_that_could_not_be_saved_are_saved_the_next_time() {
    let bench = Bench::failing(&[(1, Fault::Refuse), (2, Fault::Refuse)]).await;
    earned_before(&bench, by_hotkey(1, Some(0.25))).await;
    for _ in 0..2 {
        tokio::time::sleep(SAVE_COUNTERS_EVERY.to_std()).await;
        settle().await;
    }
    let bench = bench.restarted().await;
    assert_eq!(
        earned_before(&bench, by_hotkey(1, None)).await,
        Some(difficulty(0.25))
    );
}

/// Names that stand for a hotkey are its own, and that of the address to which its registration is bound: on every way to
/// work, of accounts that are known and of those that are not.
#[actix::test]
async fn a_name_that_stands_for_anothers_hotkey_is_refused_on_every_way_in() {
    let bench = Bench::new().await;
    let suffix = Suffix::of(&hotkey(1)).to_string();
    let assign = |n: u8, worker: &str| AssignWorker {
        hotkey: hotkey(n),
        worker: worker_name(worker),
        client: Client::at(HERE),
    };
    let join = |n: u8, worker: &str| JoinWorker {
        worker: worker_name(worker),
        ..by_hotkey(n, None)
    };
    let foreign = Refusal::WorkerForeign(ForeignName::NotBound);
    for name in [suffix.clone(), format!("{suffix}.rig"), hotkey(1).to_string()] {
        bench.ask(assign(1, &name)).await.unwrap();
        bench.ask(join(1, &name)).await.unwrap();
        assert_eq!(bench.ask(assign(2, &name)).await, Err(foreign.clone()));
        assert_eq!(bench.ask(join(2, &name)).await, Err(foreign.clone()));
        assert_eq!(bench.ask(by_address(&name)).await, Err(foreign.clone()));
    }
    assert_eq!(bench.miners().await.miners, 2, "the address did not come in");
    let bind = |payout_address: &str| RegisterMiner {
        hotkey: hotkey(1),
        payout_address: Some(payout_address.to_owned()),
        payout_threshold: None,
        from: HERE,
    };
    bench.ask(bind(ADDRESS)).await.unwrap();
    bench.ask(by_address(&suffix)).await.unwrap();
    let of_address = AssignWorker {
        hotkey: address().identity(),
        ..assign(1, &suffix)
    };
    bench.ask(of_address.clone()).await.unwrap();
    let bench = bench.restarted().await;
    bench.ask(of_address.clone()).await.unwrap();
    bench.ask(bind("another")).await.unwrap();
    assert_eq!(bench.ask(of_address).await, Err(foreign.clone()));
    assert_eq!(bench.ask(by_address(&suffix)).await, Err(foreign));
    // Who is not welcome is told that first.
    assert_eq!(bench.ask(join(9, &suffix)).await, Err(Refusal::MinerUnknown));
}
