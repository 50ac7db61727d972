//! What is told through a link, and how it ends.

use crate::{LinkError, Linked};
use dwarves_actors::ask::AskError;
use dwarves_actors::live_work::{LackOfWork, LiveWork, NoWork, WorkChanged};
use dwarves_actors::miner_manager::messages::{MinerChanged, WatchMiners};
use dwarves_actors::testing::recorder::recorded_outbox;
use dwarves_actors::work_manager::messages::{LookForTip, Subscribe};
use dwarves_domain::ids::HeaderHash;
use dwarves_ports::clock::Moment;
use dwarves_testkit::build::{BEGIN, hotkey, template};
use std::sync::Arc;

use super::{Leader, PATIENCE, join, next, work_of};

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
