//! Registrations cost something and come back: by hotkey and by address, in a full pool, at once, after a restart.

use std::net::IpAddr;

use bitcoin::hashes::Hash;
use dwarves_domain::address::{AddressFormat, PayoutAddress};
use dwarves_domain::login::Identity;
use dwarves_domain::refusal::Refusal;

use super::*;
use crate::miner_manager::messages::Joined;
use crate::miner_manager::messages::Registered;

/// The ways in which somebody new comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Hotkey,
    Address,
}

const WAYS: [Way; 2] = [Way::Hotkey, Way::Address];

fn address(n: u8) -> PayoutAddress {
    let key = bitcoin::PubkeyHash::from_byte_array([n; 20]);
    let text = bitcoin::Address::p2pkh(key, bitcoin::Network::Regtest).to_string();
    PayoutAddress::parse(&text, AddressFormat::BitcoinRegtest).unwrap()
}

fn identity(way: Way, n: u8) -> Hotkey {
    match way {
        Way::Hotkey => hotkey(n),
        Way::Address => address(n).identity(),
    }
}

/// What came of it, in a word.
async fn come(bench: &Bench, way: Way, n: u8, from: IpAddr) -> String {
    match way {
        Way::Hotkey => {
            let register = RegisterMiner {
                hotkey: hotkey(n),
                payout_address: None,
                payout_threshold: None,
                from,
            };
            match bench.ask(register).await {
                Ok(Registered { is_new: true, .. }) => "new".to_owned(),
                Ok(Registered { is_new: false, .. }) => "known".to_owned(),
                Err(Refusal::PoolFull) => "full".to_owned(),
                Err(Refusal::TooManyNew { .. }) => "too many".to_owned(),
                other => format!("{other:?}"),
            }
        }
        Way::Address => {
            let join = JoinWorker {
                identity: Identity::Address(address(n)),
                worker: worker_name("rig"),
                issued: None,
                earned: None,
                from,
            };
            let is_known = bench
                .ask(ReadMiner {
                    hotkey: identity(way, n),
                })
                .await
                .is_some();
            match bench.ask(join).await {
                Ok(Joined { .. }) if is_known => "known".to_owned(),
                Ok(Joined { .. }) => "new".to_owned(),
                Err(Refusal::PoolFull) | Err(Refusal::AddressesFull) => "full".to_owned(),
                Err(Refusal::TooManyNew { .. }) => "too many".to_owned(),
                other => format!("{other:?}"),
            }
        }
    }
}

fn ip(n: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, n])
}

/// An accepted share of somebody, whoever its worker is.
async fn works(bench: &Bench, miner: Hotkey) {
    let job = build::job(&template(1), u64::from(miner.as_bytes()[0]), miner, 999_999);
    let shares = CheckedShares {
        miner,
        received_at: CAME_AT,
        worker: None,
        shares: vec![checked(&job, 0)],
    };
    let said = words(&bench.ask(judge(vec![shares])).await);
    assert!(said[0].starts_with("accepted"), "{said:?}");
}

async fn is_known(bench: &Bench, way: Way, n: u8) -> bool {
    let hotkey = identity(way, n);
    bench.ask(ReadStanding { hotkey }).await == Ok(())
}

#[actix::test]
async fn one_place_brings_so_many_in_an_hour_and_others_and_known_ones_are_not_kept_out() {
    tokio::time::pause();
    for way in WAYS {
        let mut settings = memory_settings();
        (settings.new_miners_per_hour, settings.new_addresses_per_hour) = (3, 3);
        let bench = Bench::another(settings).await;
        let flood: Vec<_> = futures_of(&bench, way, 10..20, ip(66)).await;
        assert_eq!(flood[..3], ["new", "new", "new"], "{way:?}");
        assert!(
            flood[3..].iter().all(|said| said == "too many"),
            "{way:?} {flood:?}"
        );
        assert_eq!(come(&bench, way, 10, ip(66)).await, "known", "{way:?}");
        assert_eq!(come(&bench, way, 30, ip(1)).await, "new", "{way:?}");
        let part = |n: u8| IpAddr::from([0x2001, 0xdb8, 0, u16::from(n), 0, 0, 0, 1]);
        let mut admitted = 0;
        for n in 100..130 {
            admitted += u32::from(come(&bench, way, n, part(n)).await == "new");
        }
        assert_eq!(
            admitted, 12,
            "{way:?}: the parts of a /48 are no strangers to each other"
        );
        bench.clock.advance(Span::from_secs(1_200));
        assert_eq!(come(&bench, way, 19, ip(66)).await, "new", "{way:?}");
        let miners = bench.miners().await;
        let (refused, other) = match way {
            Way::Hotkey => (miners.registrations_refused, miners.addresses_refused),
            Way::Address => (miners.addresses_refused, miners.registrations_refused),
        };
        assert_eq!((refused.rate, other.rate), (25, 0), "{way:?}");
    }
}

async fn futures_of(bench: &Bench, way: Way, who: std::ops::Range<u8>, from: IpAddr) -> Vec<String> {
    let mut said = Vec::new();
    for n in who {
        said.push(come(bench, way, n, from).await);
    }
    said
}

/// Whoever fills the pool without work makes room for those who come later; those with work never do.
#[actix::test]
async fn places_without_work_come_back_also_after_a_restart() {
    tokio::time::pause();
    for way in WAYS {
        for restarts in [false, true] {
            let mut settings = memory_settings();
            (settings.limits.miners, settings.limits.address_miners) = (12, 5);
            let places = match way {
                Way::Hotkey => 12 - 2,
                Way::Address => 5,
            };
            let bench = Bench::another(settings.clone()).await;
            // Miners 1 and 2 are there already.
            works(&bench, hotkey(1)).await;
            works(&bench, hotkey(2)).await;
            assert_eq!(come(&bench, way, 10, ip(1)).await, "new");
            works(&bench, identity(way, 10)).await;
            let flood = futures_of(&bench, way, 20..60, ip(66)).await;
            assert!(flood.iter().all(|said| said == "new"), "{way:?} {flood:?}");
            let count = bench.miners().await.miners;
            assert_eq!(count, 2 + places, "{way:?}");
            let bench = if restarts {
                let next = Bench::on(bench.memory, FaultPlan::default(), settings).await;
                next.gate.open();
                next
            } else {
                bench
            };
            assert_eq!(bench.miners().await.miners, count, "{way:?} {restarts}");
            assert_eq!(come(&bench, way, 11, ip(2)).await, "new", "{way:?} {restarts}");
            // In this life the flood makes room for itself, and not the newcomer for it.
            futures_of(&bench, way, 70..100, ip(66)).await;
            if !restarts {
                assert!(is_known(&bench, way, 11).await, "{way:?}");
            }
            for n in [1, 2] {
                assert!(is_known(&bench, Way::Hotkey, n).await, "{way:?} {restarts}");
            }
            assert!(is_known(&bench, way, 10).await, "{way:?} {restarts}: it works");
            assert!(!is_known(&bench, way, 20).await, "{way:?} {restarts}");
            assert!(bench.miners().await.gave_way.miners > 0);
        }
    }
}

#[actix::test]
async fn where_all_have_work_nobody_gives_way() {
    tokio::time::pause();
    for way in WAYS {
        let mut settings = memory_settings();
        (settings.limits.miners, settings.limits.address_miners) = (4, 2);
        let bench = Bench::another(settings).await;
        works(&bench, hotkey(1)).await;
        works(&bench, hotkey(2)).await;
        for n in [10, 11] {
            assert_eq!(come(&bench, way, n, ip(1)).await, "new");
            works(&bench, identity(way, n)).await;
        }
        assert_eq!(come(&bench, way, 12, ip(1)).await, "full", "{way:?}");
        assert_eq!(come(&bench, way, 10, ip(1)).await, "known", "{way:?}");
        assert_eq!(bench.miners().await.miners, 4);
    }
}

/// Many at once, while none of them is stored yet.
#[actix::test]
async fn what_is_under_way_counts() {
    tokio::time::pause();
    for way in WAYS {
        let mut settings = memory_settings();
        (settings.limits.miners, settings.limits.address_miners) = (10, 8);
        let bench = Bench::on(prepared().await, FaultPlan::default(), settings.clone()).await;
        bench.gate.open();
        for n in 1..=2 {
            works(&bench, hotkey(n)).await;
        }
        let bench = Bench::on(bench.memory, FaultPlan::default(), settings).await;
        let asked: Vec<_> = (10..50u8)
            .map(|n| match way {
                Way::Hotkey => {
                    let register = RegisterMiner {
                        hotkey: hotkey(n),
                        payout_address: None,
                        payout_threshold: None,
                        from: ip(n),
                    };
                    drop(bench.post(register));
                }
                Way::Address => {
                    let join = JoinWorker {
                        identity: Identity::Address(address(n)),
                        worker: worker_name("rig"),
                        issued: None,
                        earned: None,
                        from: ip(n),
                    };
                    drop(bench.post(join));
                }
            })
            .collect();
        assert_eq!(asked.len(), 40);
        settle().await;
        bench.gate.open();
        settle().await;
        settle().await;
        assert_eq!(bench.miners().await.miners, 10, "{way:?}");
    }
}

#[actix::test]
async fn an_admin_removes_a_miner_that_is_owed_nothing() {
    let bench = Bench::new().await;
    let remove = |n: u8| MinerControl::RemoveMiner { hotkey: hotkey(n) };
    works(&bench, hotkey(1)).await;
    let ban = MinerControl::Ban {
        hotkey: hotkey(2),
        reason: "spam".to_owned(),
        until: None,
    };
    bench.ask(ban).await.unwrap();
    for (n, word) in [(1, "window"), (2, "banned"), (9, "no miner")] {
        let refused = bench.ask(remove(n)).await;
        assert!(
            matches!(&refused, Err(Refusal::ControlRefused(why)) if why.contains(word)),
            "{n}: {refused:?}"
        );
    }
    bench
        .ask(MinerControl::Unban { hotkey: hotkey(2) })
        .await
        .unwrap();
    assert!(bench.ask(remove(2)).await.is_ok());
    assert!(!is_known(&bench, Way::Hotkey, 2).await);
    assert_eq!(bench.miners().await.miners, 1);
    assert_eq!(come(&bench, Way::Hotkey, 2, ip(1)).await, "new");
    let bench = bench.restarted().await;
    assert!(bench.miner(2).await.workers.is_empty());
}
