use std::time::Duration;

use super::*;
use crate::ask::{Outbox, Port};
use dwarves_testkit::build::{hotkey, worker_name};

const LIMITS: LastJobLimits = LastJobLimits {
    workers_max: 3,
    workers_of_one_max: 2,
    mailbox_capacity: 32,
};

fn job(n: u8) -> JobId {
    format!("{n:02x}").repeat(28).parse().unwrap()
}

struct Bench(Addr<LastJobs>);

impl Bench {
    fn give(&self, owner: u8, worker: &str, n: u8) {
        let given = JobGiven {
            owner: hotkey(owner),
            worker: worker_name(worker),
            job: job(n),
        };
        Outbox::new(&self.0).tell(given).unwrap();
    }

    async fn last(&self, owner: u8, worker: &str) -> Option<JobId> {
        let question = ReadLastJob {
            owner: hotkey(owner),
            worker: worker_name(worker),
        };
        let answer = Port::new(&self.0).ask(question, Duration::from_secs(5)).await;
        answer.unwrap()
    }
}

#[actix::test]
async fn the_last_job_of_each_worker_is_known_within_the_limits() {
    let bench = Bench(LastJobs::new(LIMITS).start());
    assert_eq!(bench.last(1, "a").await, None);
    bench.give(1, "a", 1);
    bench.give(1, "a", 2);
    bench.give(1, "b", 3);
    assert_eq!(bench.last(1, "a").await, Some(job(2)));
    assert_eq!(bench.last(1, "b").await, Some(job(3)));
    assert_eq!(bench.last(2, "a").await, None, "it is another's");
    // One miner's names cannot push others out.
    bench.give(1, "c", 4);
    assert_eq!(bench.last(1, "c").await, None);
    assert_eq!(bench.last(1, "a").await, Some(job(2)));
    bench.give(2, "a", 5);
    bench.give(3, "a", 6);
    assert_eq!(bench.last(1, "a").await, None, "the oldest has made room");
    for (owner, worker, n) in [(1, "b", 3), (2, "a", 5), (3, "a", 6)] {
        assert_eq!(bench.last(owner, worker).await, Some(job(n)));
    }
    // The room that it left is its owner's again.
    bench.give(1, "c", 7);
    assert_eq!(bench.last(1, "c").await, Some(job(7)));
}
