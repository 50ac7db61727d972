use std::net::IpAddr;
use std::time::Duration;

use super::*;
use crate::ask::{Outbox, Port};

const LIMITS: HeaderBookLimits = HeaderBookLimits {
    headers_max: 3,
    mailbox_capacity: 16,
};

fn job(n: u8) -> JobId {
    format!("{n:02x}").repeat(28).parse().unwrap()
}

fn root(n: u8) -> MerkleRoot {
    MerkleRoot([n; 32])
}

async fn found(book: &Addr<HeaderBook>, n: u8) -> Option<JobId> {
    let question = FindJob { root: root(n) };
    let answer = Port::new(book).ask(question, Duration::from_secs(5)).await;
    answer.unwrap()
}

fn give(book: &Addr<HeaderBook>, n: u8, client: u8) {
    let given = HeaderGiven {
        root: root(n),
        job: job(n),
        from: IpAddr::from([192, 0, 2, client]),
    };
    Outbox::new(book).tell(given).unwrap();
}

#[actix::test]
async fn a_header_is_found_until_newer_ones_need_its_room() {
    let book = HeaderBook::new(LIMITS).start();
    for n in [1, 2, 2, 3] {
        give(&book, n, 1);
    }
    assert_eq!(found(&book, 1).await, Some(job(1)));
    assert_eq!(found(&book, 9).await, None);
    give(&book, 4, 1);
    assert_eq!(found(&book, 1).await, None, "the oldest has made room");
    for n in [2, 3, 4] {
        assert_eq!(found(&book, n).await, Some(job(n)));
    }
}

/// Also if the flood is in the name of the very same miner.
#[actix::test]
async fn a_flood_of_one_client_leaves_the_headers_of_another() {
    let book = HeaderBook::new(LIMITS).start();
    give(&book, 1, 1);
    for n in 10..200 {
        give(&book, n, 2);
        assert_eq!(found(&book, 1).await, Some(job(1)));
    }
    assert_eq!(found(&book, 197).await, None);
    for n in [198, 199] {
        assert_eq!(found(&book, n).await, Some(job(n)));
    }
    // Who has the most makes room, not who came last.
    give(&book, 2, 3);
    assert_eq!(found(&book, 198).await, None);
    for n in [1, 2, 199] {
        assert_eq!(found(&book, n).await, Some(job(n)));
    }
}
