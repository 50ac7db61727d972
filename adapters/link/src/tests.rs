//! Both ends of a link on one machine: in the place of the owners of miners, work and blocks stands the test.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use dwarves_actors::ask::{Ask, AskError};
use dwarves_actors::block_tracker::messages::{CandidateReply, TakeCandidate};
use dwarves_actors::handlers::submission::SubmissionPeers;
use dwarves_actors::live_work::{LackOfWork, LiveWork, NoWork, WorkChanged};
use dwarves_actors::miner_manager::messages::{
    AssignWorker, CheckedShares, JoinWorker, Joined, JudgeShares, MinerChanged, WatchMiners,
};
use dwarves_actors::testing::recorder::{Inbox, recorded_outbox, recorded_port};
use dwarves_actors::work_manager::messages::{LookForTip, Subscribe};
use dwarves_domain::address::{AddressFormat, PayoutAddress};
use dwarves_domain::ids::{FrontNumber, HeaderHash, Sequence, WorkerId};
use dwarves_domain::login::Identity;
use dwarves_domain::miners::{Client, ForeignName};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::{AcceptedShare, ProvenShare, RejectedShare, Rejection};
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::Span;
use dwarves_domain::work::{FrontEnd, Template};
use dwarves_ports::clock::Moment;
use dwarves_testkit::ManualClock;
use dwarves_testkit::build::{BEGIN, hotkey, job, job_key, mine, template, worker_name};

use crate::{Dialing, Exchange, Exchanging, LinkError, LinkKey, Linked};

const PATIENCE: Duration = Duration::from_secs(20);

/// The front that leads, whose owners' questions the test answers.
struct Leader {
    exchange: Exchange,
    at: String,
    judges: Inbox<Ask<JudgeShares>>,
    joins: Inbox<Ask<JoinWorker>>,
    candidates: Inbox<Ask<TakeCandidate>>,
    subscribers: Inbox<Ask<Subscribe>>,
    watchers: Inbox<Ask<WatchMiners>>,
    tips: Inbox<LookForTip>,
    clock: Arc<ManualClock>,
}

impl Leader {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let clock = Arc::new(ManualClock::at(BEGIN));
        let (judge, judges) = recorded_port();
        let (join, joins) = recorded_port();
        let (blocks, candidates) = recorded_port();
        let (subscribe, subscribers) = recorded_port();
        let (watch, watchers) = recorded_port();
        let (look_for_tip, tips) = recorded_outbox();
        let exchange = Exchange::start(
            listener,
            Exchanging {
                key: LinkKey::new([3; 32]),
                job_key: job_key(),
                addresses: AddressFormat::BitcoinRegtest,
                front_end: FrontEnd::new(1).unwrap(),
                submission: SubmissionPeers {
                    assign: recorded_port().0,
                    judge,
                    issue: recorded_port().0,
                    subscribe,
                    watch: watch.clone(),
                    blocks,
                },
                join,
                watch_miners: watch,
                look_for_tip: Some(look_for_tip),
                clock: Arc::clone(&clock) as _,
            },
        );
        Self {
            exchange,
            at,
            judges,
            joins,
            candidates,
            subscribers,
            watchers,
            tips,
            clock,
        }
    }

    fn dialing(&self, front_end: u8) -> Dialing {
        Dialing {
            to: self.at.clone(),
            key: LinkKey::new([3; 32]),
            number: FrontNumber::new(u32::from(front_end)),
            name: format!("front-{front_end}"),
            front_end: FrontEnd::new(front_end).unwrap(),
            nodes: None,
        }
    }

    /// A front that stands by, with a link, and this work.
    async fn linked(&mut self, work: &Arc<LiveWork>) -> Linked {
        let dialing = self.dialing(2);
        let told = async {
            let ask = next(&mut self.subscribers).await;
            ask.payload
                .subscriber
                .tell(WorkChanged(Arc::clone(work)))
                .unwrap();
            ask.reply.answer(());
            ask.payload.subscriber
        };
        let (linked, _subscriber) = tokio::join!(Linked::dial(dialing), told);
        linked.unwrap()
    }
}

async fn next<T>(inbox: &mut Inbox<T>) -> T {
    let came = tokio::time::timeout(PATIENCE, inbox.recv()).await;
    came.expect("in time").expect("somebody is there")
}

fn work_of(templates: &[Arc<Template>]) -> Arc<LiveWork> {
    let current = templates.last().cloned();
    Arc::new(LiveWork {
        next: current.as_ref().unwrap().id().next(),
        current,
        live: templates.to_vec(),
        since: BEGIN,
        lack: None,
        kept: templates
            .iter()
            .map(|template| Arc::new(template.bare()))
            .collect(),
    })
}

fn join() -> JoinWorker {
    let address = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
    JoinWorker {
        identity: Identity::Address(PayoutAddress::parse(address, AddressFormat::BitcoinRegtest).unwrap()),
        worker: worker_name("rig"),
        issued: Difficulty::from_f64(2.0),
        earned: None,
        from: "2001:db8::7".parse().unwrap(),
    }
}

#[actix::test]
async fn shares_are_judged_by_the_front_that_leads() {
    let mut leader = Leader::start();
    let template = template(5);
    let linked = leader.linked(&work_of(&[Arc::clone(&template)])).await;
    let miner = hotkey(9);
    let job = job(&template, 77, miner, 4);
    let (_, proof) = mine(&job, 0, false);
    let rejected = RejectedShare {
        reason: Rejection::LowDifficulty,
        worker: Some(WorkerId::new(4)),
    };
    let proven = ProvenShare {
        job: Arc::clone(&job),
        proof,
    };
    let request = |age: u64| CheckedShares {
        miner,
        received_at: BEGIN.minus(Span::from_millis(age)),
        worker: Some(worker_name("rig")),
        shares: vec![Ok(proven.clone()), Err(rejected)],
    };
    // A job of a template that the front that leads has never told of is over; one that nobody sealed is nobody's.
    let strange = dwarves_testkit::build::job(&dwarves_testkit::build::template(6), 1, miner, 4);
    let other = CheckedShares {
        miner: hotkey(8),
        ..request(0)
    };
    let of_strange = CheckedShares {
        shares: vec![Ok(ProvenShare { job: strange, proof })],
        ..request(0)
    };
    leader.clock.set(BEGIN.plus(Span::from_secs(1_000)));
    let judge = JudgeShares {
        sent_at: BEGIN,
        requests: vec![request(250), other, of_strange],
    };
    let answer = linked.submission.judge.post(judge).unwrap();
    let asked = next(&mut leader.judges).await;
    let here = BEGIN.plus(Span::from_secs(1_000));
    assert_eq!(asked.payload.sent_at, here, "by the clock of whoever judges");
    let [first, second, third] = &asked.payload.requests[..] else {
        panic!("three requests");
    };
    assert_eq!(first.received_at, here.minus(Span::from_millis(250)));
    assert_eq!((first.miner, &first.worker), (miner, &Some(worker_name("rig"))));
    assert_eq!(first.shares, [Ok(proven.clone()), Err(rejected)]);
    let reasons = |request: &CheckedShares| request.shares[0].as_ref().map(|_| ()).unwrap_err().reason;
    assert_eq!(
        (reasons(second), reasons(third)),
        (Rejection::UnknownJob, Rejection::Stale)
    );
    let verdicts = vec![
        Ok(vec![
            Ok(AcceptedShare {
                hash: proof.hash,
                share_difficulty: job.share_difficulty(),
                sequence: Sequence::new(12),
                is_block: false,
            }),
            Err(Rejection::Duplicate(Sequence::new(3))),
        ]),
        Err(Refusal::Banned {
            reason: "by chance".to_owned(),
        }),
        Err(Refusal::MinerFull),
    ];
    asked.reply.answer(verdicts.clone());
    assert_eq!(answer.await.unwrap(), verdicts);
    linked.close();
}

#[actix::test]
async fn workers_are_let_in_and_kept_out_by_the_front_that_leads() {
    let mut leader = Leader::start();
    let linked = leader.linked(&work_of(&[template(1)])).await;
    let refusals = [
        Refusal::MinerUnknown,
        Refusal::RegistrationClosed,
        Refusal::PoolFull,
        Refusal::AddressesFull,
        Refusal::TooManyNew {
            try_again: Span::from_secs(9),
        },
        Refusal::WorkerForeign(ForeignName::NotBound),
        Refusal::WorkerForeign(ForeignName::Shared),
        Refusal::Paused,
        Refusal::NoWork,
        Refusal::NoExtranonce,
        Refusal::Busy,
        Refusal::Unavailable,
    ];
    let joined = Joined {
        miner: hotkey(4),
        worker: WorkerId::new(6),
        fixed: Difficulty::from_f64(8.0),
        earned: None,
    };
    for said in refusals.into_iter().map(Err).chain([Ok(joined)]) {
        let answer = linked.join.post(join()).unwrap();
        let asked = next(&mut leader.joins).await;
        assert_eq!(asked.payload, join());
        asked.reply.answer(said.clone());
        assert_eq!(answer.await.unwrap(), said);
    }
    // Jobs over HTTP are given out by the front that leads alone.
    let assign = AssignWorker {
        hotkey: hotkey(1),
        worker: worker_name("rig"),
        client: Client::Owner(hotkey(1)),
    };
    assert_eq!(
        linked.submission.assign.ask(assign, PATIENCE).await,
        Ok(Err(Refusal::NoWork))
    );
    linked.close();
}

#[actix::test]
async fn a_block_is_made_whole_where_it_is_stored() {
    let mut leader = Leader::start();
    let template = template(5);
    let linked = leader.linked(&work_of(&[Arc::clone(&template)])).await;
    let job = job(&template, 77, hotkey(9), 4);
    let (_, proof) = mine(&job, 0, true);
    let take = TakeCandidate {
        hash: proof.hash,
        header: proof.header,
        extranonce: proof.extranonce,
        template: template.id(),
        bytes: Some(template.block(&proof.header, proof.extranonce)),
        height: template.chain().height,
        reward: template.chain().coinbase_value,
        finder: Some(hotkey(9)),
        is_doubtful: false,
        at: BEGIN,
    };
    let answer = linked.submission.blocks.post(take.clone()).unwrap();
    let asked = next(&mut leader.candidates).await;
    assert_eq!(asked.payload, take);
    asked.reply.answer(CandidateReply::Crowded);
    assert_eq!(answer.await.unwrap(), CandidateReply::Crowded);
    linked.close();
}

#[actix::test]
async fn work_and_bans_are_told_on_as_they_come() {
    let mut leader = Leader::start();
    let (old, new) = (template(5), template(6));
    let first = work_of(&[Arc::clone(&old)]);
    let dialing = leader.dialing(2);
    let dialed = actix_rt::spawn(Linked::dial(dialing));
    let subscribed = next(&mut leader.subscribers).await;
    let watching = next(&mut leader.watchers).await;
    subscribed
        .payload
        .subscriber
        .tell(WorkChanged(Arc::clone(&first)))
        .unwrap();
    let linked = dialed.await.unwrap().unwrap();
    let (reader, mut told) = recorded_outbox::<WorkChanged>();
    linked
        .submission
        .subscribe
        .ask(Subscribe { subscriber: reader }, PATIENCE)
        .await
        .unwrap();
    assert_eq!(next(&mut told).await.0, first);

    let second = work_of(&[old, Arc::clone(&new)]);
    subscribed
        .payload
        .subscriber
        .tell(WorkChanged(Arc::clone(&second)))
        .unwrap();
    assert_eq!(next(&mut told).await.0, second);
    let lack = NoWork {
        why: LackOfWork::Paused,
        since: BEGIN,
        began: Moment::now(),
        lets_go: true,
    };
    let none = Arc::new(LiveWork {
        lack: Some(lack.clone()),
        ..LiveWork::clone(&work_of(&[new]))
    });
    subscribed.payload.subscriber.tell(WorkChanged(none)).unwrap();
    let heard = next(&mut told).await.0;
    let heard_lack = heard.lack.clone().unwrap();
    assert_eq!(
        (heard_lack.why, heard_lack.lets_go, heard_lack.since),
        (lack.why, true, BEGIN)
    );
    assert_eq!((heard.live.len(), heard.kept.len(), heard.given()), (1, 1, None));

    let (watcher, mut changed) = recorded_outbox::<MinerChanged>();
    linked
        .watch_miners
        .ask(WatchMiners { watcher }, PATIENCE)
        .await
        .unwrap();
    watching.payload.watcher.tell(MinerChanged(hotkey(3))).unwrap();
    assert_eq!(next(&mut changed).await.0, hotkey(3));
    linked.close();
}

#[actix::test]
async fn whoever_waits_hears_that_nobody_is_there_when_the_link_ends() {
    let mut leader = Leader::start();
    let linked = leader.linked(&work_of(&[template(1)])).await;
    let fronts = leader.exchange.fronts();
    assert_eq!(
        fronts
            .borrow()
            .iter()
            .map(|front| front.get())
            .collect::<Vec<_>>(),
        [2]
    );
    let answer = linked.join.post(join()).unwrap();
    let _never_answered = next(&mut leader.joins).await;
    drop(leader.exchange);
    assert!(answer.await.is_err());
    let mut over = linked.over.clone();
    let why = over.wait_for(Option::is_some).await.unwrap().clone();
    assert!(why.is_some_and(|why| !why.is_empty()));
    assert_eq!(linked.join.ask(join(), PATIENCE).await, Err(AskError::Gone));
    linked.close();
    assert!(fronts.borrow().is_empty());
}

#[actix::test]
async fn no_two_fronts_give_out_the_same_work() {
    let mut leader = Leader::start();
    let of_leader = Linked::dial(leader.dialing(1)).await;
    assert!(matches!(of_leader.map(|_| ()), Err(LinkError::Refused(why)) if why.contains("number 1")));
    let linked = leader.linked(&work_of(&[template(1)])).await;
    let again = Linked::dial(leader.dialing(2)).await;
    assert!(matches!(again.map(|_| ()), Err(LinkError::Refused(why)) if why.contains("number 2")));
    linked.close();
    // Its place is free once it is over.
    let mut fronts = leader.exchange.fronts();
    fronts.wait_for(|fronts| fronts.is_empty()).await.unwrap();
    leader.linked(&work_of(&[template(1)])).await.close();
}

#[actix::test]
async fn a_tip_of_its_nodes_is_told() {
    let mut leader = Leader::start();
    let chain = dwarves_testkit::TestChain::new(dwarves_testkit::build::EASY_BITS);
    let mut dialing = leader.dialing(2);
    dialing.nodes = Some(Arc::new(chain.clone()));
    let dialed = actix_rt::spawn(Linked::dial(dialing));
    let subscribed = next(&mut leader.subscribers).await;
    subscribed
        .payload
        .subscriber
        .tell(WorkChanged(work_of(&[template(1)])))
        .unwrap();
    let linked = dialed.await.unwrap().unwrap();
    assert_eq!(next(&mut leader.tips).await, LookForTip(chain.tip().hash));
    chain.others_find(1);
    let told: HeaderHash = next(&mut leader.tips).await.0;
    assert_eq!(told, chain.tip().hash);
    linked.close();
}
