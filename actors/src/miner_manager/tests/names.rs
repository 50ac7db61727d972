//! Names of workers: they cost work, they come back, and nobody is refused for one.

use std::net::IpAddr;

use dwarves_domain::login::Identity;
use dwarves_domain::miners::Client;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::ShareVerdict;

use super::*;
use crate::miner_manager::messages::Assigned;
use crate::miner_manager::messages::Joined;

const DAY: Span = Span::from_secs(86_400);

/// The ways in which a name reaches the miner manager.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// A signed request, or a session that one opened.
    Signed,
    /// A user name over JSON-RPC, from this address.
    JsonRpc(u8),
    /// A user name over Stratum, from this address.
    Stratum(u8),
}

const WAYS: [Way; 3] = [Way::Signed, Way::JsonRpc(1), Way::Stratum(2)];

fn ip(n: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, n])
}

impl Bench {
    /// The number that miner 1's worker of this name gets.
    async fn number(&self, way: Way, name: &str) -> u32 {
        let client = match way {
            Way::Signed => Client::Owner(hotkey(1)),
            Way::JsonRpc(n) => Client::at(ip(n)),
            Way::Stratum(n) => {
                let join = JoinWorker {
                    identity: Identity::Hotkey(hotkey(1)),
                    worker: worker_name(name),
                    issued: None,
                    earned: None,
                    from: ip(n),
                };
                return match self.ask(join).await {
                    Ok(Joined { worker, .. }) => worker.get(),
                    refused => panic!("{way:?} {name}: {refused:?}"),
                };
            }
        };
        let assign = AssignWorker {
            hotkey: hotkey(1),
            worker: worker_name(name),
            client,
        };
        match self.ask(assign).await {
            Ok(Assigned { worker, .. }) => worker.get(),
            refused => panic!("{way:?} {name}: {refused:?}"),
        }
    }

    /// A share of a job that worker `number` of miner 1 got, at the bench's time.
    async fn share(&self, number: u32, nonce: u32) -> String {
        let job = build::job(&template(1), 1, hotkey(1), number);
        let mut one = judge_one(checked(&job, nonce * 1_000));
        one.sent_at = dwarves_ports::clock::Clock::now(&self.clock);
        words(&self.ask(one).await).remove(0)
    }

    /// The names of miner 1's workers that are shown, and how many shares each has.
    async fn shown(&self) -> Vec<(String, u64)> {
        let workers = self.miner(1).await.workers.into_iter();
        workers
            .map(|worker| (worker.name.to_string(), worker.shares))
            .collect()
    }

    async fn again(self, settings: MemorySettings) -> Self {
        let now = dwarves_ports::clock::Clock::now(&self.clock);
        let next = Self::on(self.memory, FaultPlan::default(), settings).await;
        next.clock.set(now);
        next.gate.open();
        next
    }
}

fn small() -> MemorySettings {
    let mut settings = memory_settings();
    settings.limits.workers_per_miner = 3;
    settings.limits.names_waiting = 4;
    settings
}

/// Whatever way a name comes, and however many names a stranger made up before.
#[actix::test]
async fn a_flood_of_names_leaves_nothing_behind_and_keeps_no_rig_out() {
    tokio::time::pause();
    for way in WAYS {
        for flood in [Way::JsonRpc(66), Way::Stratum(66)] {
            let bench = Bench::another(small()).await;
            for n in 0..999 {
                bench.number(flood, &format!("x{n}")).await;
            }
            assert_eq!(bench.shown().await, [("rig".to_owned(), 0)], "{way:?}");
            assert_eq!(bench.miners().await.names_waiting, 4);
            let rig = bench.number(way, "next").await;
            for n in 0..999 {
                bench.number(flood, &format!("y{n}")).await;
            }
            assert_eq!(bench.share(rig, 1).await, "accepted 1");
            let expected = [("next".to_owned(), 1), ("rig".to_owned(), 0)];
            assert_eq!(bench.shown().await, expected, "{way:?} after {flood:?}");
            let workers = bench.memory.start(BEGIN).await.unwrap().workers;
            assert_eq!(
                workers.len(),
                3,
                "the store has those with work, and the two that were there"
            );
        }
    }
}

/// In a full list, in one that is nearly full, and after a restart of each.
#[actix::test]
async fn a_full_list_falls_back_to_default_and_takes_the_name_once_there_is_room() {
    tokio::time::pause();
    for way in WAYS {
        for restarts in [false, true] {
            let bench = Bench::another(small()).await;
            for (n, name) in ["a", "b"].into_iter().enumerate() {
                let number = bench.number(Way::Stratum(9), name).await;
                assert_eq!(bench.share(number, n as u32).await, format!("accepted {}", n + 1));
            }
            let bench = if restarts {
                bench.again(small()).await
            } else {
                bench
            };
            // Three names are there, rig among them; it never had a share, so it is the one that goes.
            bench.clock.advance(Span::from_secs(60));
            let late = bench.number(way, "late").await;
            assert_eq!(bench.share(late, 10).await, "accepted 3", "{way:?}");
            settle().await;
            assert_eq!(bench.share(late, 11).await, "accepted 4");
            let names: Vec<_> = bench.shown().await;
            let expected = [("a", 1), ("b", 1), ("default", 1), ("late", 1)];
            assert_eq!(
                names,
                expected.map(|(name, n)| (name.to_owned(), n)),
                "{way:?} {restarts}"
            );
            // And now all have work: one more has to do with default, for ever so long.
            let more = bench.number(way, "more").await;
            for n in 0..3 {
                bench.clock.advance(Span::from_secs(60));
                assert_eq!(bench.share(more, 20 + n).await, format!("accepted {}", 5 + n));
                settle().await;
            }
            assert_eq!(bench.shown().await[2], ("default".to_owned(), 4), "{way:?}");
            // A month later the idle ones have given way. Nothing of what they did is lost.
            bench.clock.advance(Span::from_secs(31 * DAY.secs()));
            for n in 0..2 {
                assert_eq!(bench.share(more, 30 + n).await, format!("accepted {}", 8 + n));
                settle().await;
            }
            let view = bench.miner(1).await;
            assert_eq!((view.accepted, view.workers.len()), (9, 4), "{way:?}");
            assert!(view.workers.iter().any(|worker| worker.name.as_str() == "more"));
            let bench = bench.again(small()).await;
            let view = bench.miner(1).await;
            assert_eq!(
                (view.accepted, view.workers.len()),
                (9, 4),
                "{way:?} after a restart"
            );
            assert_eq!(bench.miners().await.accepted, 9);
            assert_eq!(view.record.expected, 9.0 * job_1().units().to_f64());
        }
    }
}

#[actix::test]
async fn an_owners_own_request_needs_little_patience_and_a_strangers_much() {
    tokio::time::pause();
    for (way, has_place) in [
        (Way::Signed, true),
        (Way::JsonRpc(1), false),
        (Way::Stratum(1), false),
    ] {
        let bench = Bench::another(small()).await;
        // A stranger did the work for all the names that there may be.
        for (n, name) in ["a", "b", "c"].into_iter().enumerate() {
            let number = bench.number(Way::Stratum(66), name).await;
            bench.share(number, n as u32).await;
            settle().await;
            bench.share(number, 50 + n as u32).await;
        }
        bench.clock.advance(Span::from_secs(2 * 3_600));
        let own = bench.number(way, "own").await;
        bench.share(own, 100).await;
        settle().await;
        bench.share(own, 101).await;
        let is_shown = bench.shown().await.iter().any(|(name, _)| name == "own");
        assert_eq!(is_shown, has_place, "{way:?}");
        assert_eq!(bench.miner(1).await.accepted, 8);
    }
}

/// A job bears a number before the store knows its worker. In this life and the next it is nobody else's.
#[actix::test]
async fn a_number_is_never_given_to_another_name() {
    let bench = Bench::with(small()).await;
    let first = bench.number(Way::Signed, "first").await;
    let pushed_out = bench.number(Way::Stratum(1), "x").await;
    for n in 0..20 {
        bench.number(Way::Stratum(1), &format!("x{n}")).await;
    }
    assert_eq!(bench.share(first, 1).await, "accepted 1");
    // The number of a name that was pushed out is nobody's, so its work is the miner's.
    assert_eq!(bench.share(pushed_out, 2).await, "accepted 2");
    let bench = bench.again(small()).await;
    let mut given = vec![first, pushed_out];
    for n in 0..1_500 {
        let number = bench.number(Way::Stratum(1), &format!("y{n}")).await;
        assert!(!given.contains(&number), "{number} was given before");
        given.push(number);
    }
    assert_eq!(bench.share(pushed_out, 3).await, "accepted 3");
    let expected = [("default", 2), ("first", 1), ("rig", 0)];
    assert_eq!(
        bench.shown().await,
        expected.map(|(name, n)| (name.to_owned(), n))
    );
}

#[actix::test]
async fn a_request_may_name_a_worker_whose_job_bears_the_number_of_a_name_that_was_pushed_out() {
    let bench = Bench::with(small()).await;
    let rig = bench.number(Way::Signed, "named").await;
    bench.share(rig, 1).await;
    let shares = |named: &str, number, nonce| {
        let job = build::job(&template(1), 1, hotkey(1), number);
        judge(vec![CheckedShares {
            miner: hotkey(1),
            received_at: CAME_AT,
            worker: Some(worker_name(named)),
            shares: vec![checked(&job, nonce)],
        }])
    };
    let verdict = |judgements: Vec<Result<Vec<ShareVerdict>, Refusal>>| words(&judgements).remove(0);
    assert_eq!(
        verdict(bench.ask(shares("named", 900, 50_000)).await),
        "accepted 2"
    );
    assert_eq!(
        verdict(bench.ask(shares("unheard-of", 900, 60_000)).await),
        "accepted 3"
    );
    assert_eq!(
        verdict(bench.ask(shares("other", rig, 70_000)).await),
        "other_worker"
    );
    let expected = [("default", 1), ("named", 2), ("rig", 0)];
    assert_eq!(
        bench.shown().await,
        expected.map(|(name, n)| (name.to_owned(), n))
    );
}

#[actix::test]
async fn an_admin_removes_a_worker_and_its_work_stays_its_miners() {
    let bench = Bench::new().await;
    let number = bench.number(Way::Stratum(1), "old").await;
    bench.share(number, 1).await;
    let remove = |n: u8, name: &str| MinerControl::RemoveWorker {
        hotkey: hotkey(n),
        worker: worker_name(name),
    };
    for (n, name, word) in [
        (9, "old", "no miner"),
        (1, "unheard-of", "no miner"),
        (1, "default", "default"),
    ] {
        bench.number(Way::Stratum(1), "default").await;
        let refused = bench.ask(remove(n, name)).await;
        assert!(
            matches!(&refused, Err(Refusal::ControlRefused(why)) if why.contains(word)),
            "{refused:?}"
        );
    }
    assert!(bench.ask(remove(1, "old")).await.is_ok());
    bench.number(Way::Stratum(1), "never-worked").await;
    assert!(bench.ask(remove(1, "never-worked")).await.is_ok());
    let view = bench.miner(1).await;
    assert_eq!((view.accepted, view.workers.len()), (1, 1));
    // Its session has the old number until it asks again.
    assert_eq!(bench.share(number, 2).await, "accepted 2");
    let again = bench.number(Way::Stratum(1), "old").await;
    assert_ne!(again, number);
    assert_eq!(bench.share(again, 3).await, "accepted 3");
    let bench = bench.restarted().await;
    let expected = [("default", 1), ("old", 1), ("rig", 0)];
    assert_eq!(
        bench.shown().await,
        expected.map(|(name, n)| (name.to_owned(), n))
    );
    assert_eq!(bench.miner(1).await.accepted, 3);
}

#[actix::test]
async fn a_worker_that_could_not_be_taken_out_stays_as_it_was() {
    let bench = Bench::failing(&[(1, Fault::Refuse)]).await;
    let remove = || MinerControl::RemoveWorker {
        hotkey: hotkey(1),
        worker: worker_name("rig"),
    };
    assert_eq!(bench.ask(remove()).await, Err(Refusal::Unavailable));
    assert_eq!(bench.share(0, 1).await, "accepted 1");
    assert_eq!(bench.shown().await, [("rig".to_owned(), 1)]);
    assert!(bench.ask(remove()).await.is_ok());
    assert_eq!(bench.miner(1).await.accepted, 1);
}
