//! Both ends of a link on one machine: in the place of the owners of miners, work and blocks stands the test.

mod asking;
mod telling;

use crate::{Dialing, Exchange, Exchanging, LinkKey, Linked};
use dwarves_actors::ask::Ask;
use dwarves_actors::block_tracker::messages::TakeCandidate;
use dwarves_actors::handlers::submission::SubmissionPeers;
use dwarves_actors::live_work::{LiveWork, WorkChanged};
use dwarves_actors::miner_manager::messages::{JoinWorker, JudgeShares, WatchMiners};
use dwarves_actors::testing::recorder::{Inbox, recorded_outbox, recorded_port};
use dwarves_actors::work_manager::messages::{LookForTip, Subscribe};
use dwarves_domain::address::{AddressFormat, PayoutAddress};
use dwarves_domain::ids::FrontNumber;
use dwarves_domain::login::Identity;
use dwarves_domain::target::Difficulty;
use dwarves_domain::work::{FrontEnd, Template};
use dwarves_testkit::ManualClock;
use dwarves_testkit::build::{BEGIN, job_key, worker_name};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

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
