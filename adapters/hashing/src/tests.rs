//! Threads and keeper, with every kind of lanes.

use std::net::IpAddr;

use dwarves_domain::hotkey::Hotkey;

use super::*;

const LIMIT: SharedLimit = SharedLimit {
    total: 8_192,
    per_client: 2_048,
};

fn headers(count: usize) -> Vec<Header> {
    let byte = |n: usize| u8::try_from(n % 251).unwrap();
    (0..count).map(|n| Header::from_bytes([byte(n); 80])).collect()
}

fn source(client: u8) -> Source {
    Source::new(IpAddr::from([192, 0, 2, client]), Hotkey::from_bytes([1; 32]))
}

#[actix::test]
async fn hashes_come_in_the_order_of_their_headers_and_are_the_algorithms() {
    for (algorithm, lanes) in [Algorithm::Scrypt, Algorithm::Sha256d]
        .into_iter()
        .flat_map(|algorithm| Lanes::every().into_iter().map(move |lanes| (algorithm, lanes)))
    {
        let threads = HashThreads::start(algorithm, lanes, 2, LIMIT).unwrap();
        assert_eq!(threads.algorithm(), algorithm);
        let both = (
            threads.hash(source(1), headers(3 * PIECE + 5)),
            threads.hash(source(2), headers(3)),
        );
        let right = |count| {
            headers(count)
                .iter()
                .map(|header| algorithm.pow_hash(header))
                .collect::<Vec<_>>()
        };
        assert_eq!(both.0.await.unwrap(), right(3 * PIECE + 5));
        assert_eq!(both.1.await.unwrap(), right(3));
        assert_eq!(threads.hash(source(1), Vec::new()).await, Ok(Vec::new()));
    }
}

/// Single shares, and requests of every small size, of as many clients: they share loads.
#[actix::test]
async fn what_is_hashed_together_comes_back_to_whom_it_is_of() {
    let all = headers(200);
    let hashes: Vec<_> = all
        .iter()
        .map(|header| Algorithm::Scrypt.pow_hash(header))
        .collect();
    for lanes in Lanes::every() {
        let threads = HashThreads::start(Algorithm::Scrypt, lanes, 1, LIMIT).unwrap();
        let mut begin = 0;
        let mut asked = Vec::new();
        for (client, count) in (1..).zip([1, 1, 1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 1, 17]) {
            let batch = all[begin..begin + count].to_vec();
            asked.push((begin, count, threads.hash(source(client), batch)));
            begin += count;
        }
        for (begin, count, answer) in asked {
            assert_eq!(answer.await.unwrap(), hashes[begin..begin + count], "{lanes:?}");
        }
    }
}

/// What is handed out, for requests of these sizes, each of a client of its own.
fn loads(width: usize, requests: &[usize]) -> Vec<Vec<(RequestId, usize)>> {
    let mut keeper = Keeper::new(width, Vec::new(), LIMIT);
    let mut answers = Vec::new();
    for (client, count) in (1..).zip(requests) {
        let (reply, answer) = oneshot::channel();
        answers.push(answer);
        keeper.take_in(source(client), headers(*count), reply);
    }
    let mut loads = Vec::new();
    while let Some(load) = keeper.next_load() {
        let counts = load.pieces.iter().map(|piece| piece.count);
        assert_eq!(counts.sum::<usize>(), load.headers.len());
        loads.push(
            load.pieces
                .iter()
                .map(|piece| (piece.batch, piece.count))
                .collect(),
        );
    }
    loads
}

#[test]
fn only_lanes_that_would_be_empty_are_filled_with_what_comes_after() {
    assert_eq!(
        loads(1, &[1, 1, 20]),
        [vec![(0, 1)], vec![(1, 1)], vec![(2, 16)], vec![(2, 4)],],
        "one after another joins nothing"
    );
    assert_eq!(loads(6, &[1]), [vec![(0, 1)]], "nobody waits for others");
    assert_eq!(
        loads(6, &[1; 8]),
        [(0..6).map(|id| (id, 1)).collect::<Vec<_>>(), vec![(6, 1), (7, 1)]]
    );
    assert_eq!(
        loads(6, &[40, 1, 40]),
        [
            vec![(0, 18)],
            vec![(1, 1), (2, 5)],
            vec![(2, 13), (0, 5)],
            vec![(0, 13), (2, 5)],
            vec![(2, 13), (0, 4), (2, 1)],
            vec![(2, 3)],
        ],
        "a turn has eighteen, however it is cut"
    );
}

#[test]
fn requests_that_nobody_waits_for_take_no_lanes() {
    let mut keeper = Keeper::new(4, Vec::new(), LIMIT);
    let (reply, answer) = oneshot::channel();
    keeper.take_in(source(1), headers(30), reply);
    drop(answer);
    let (reply, _answer) = oneshot::channel();
    keeper.take_in(source(2), headers(2), reply);
    let load = keeper.next_load().unwrap();
    assert_eq!(
        load.pieces,
        [Piece {
            batch: 1,
            begin: 0,
            count: 2
        }]
    );
    assert!(keeper.next_load().is_none() && keeper.batches.len() == 1);
}

/// By the order in which answers come, not by a clock.
#[actix::test]
async fn a_share_of_another_client_overtakes_thousands_that_came_before_it() {
    let threads = HashThreads::start(Algorithm::Scrypt, Lanes::PLAIN, 1, LIMIT).unwrap();
    let flood: Vec<_> = (0..20).map(|_| threads.hash(source(1), headers(100))).collect();
    let honest = threads.hash(source(2), headers(1));
    assert_eq!(honest.await.unwrap().len(), 1);
    let unfinished = flood.into_iter().rev().take(15);
    let waiting = unfinished
        .map(futures_of_rest)
        .filter(|is_waiting| *is_waiting)
        .count();
    assert_eq!(waiting, 15, "most of the flood still waits");
}

/// Whether its answer is not there yet.
fn futures_of_rest(mut future: HashesFuture) -> bool {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    future.as_mut().poll(&mut context).is_pending()
}

#[actix::test]
async fn more_than_a_clients_share_is_refused_and_taken_again_later() {
    let threads = HashThreads::start(Algorithm::Scrypt, Lanes::PLAIN, 1, LIMIT).unwrap();
    let mut taken: Vec<_> = (0..6).map(|_| threads.hash(source(1), headers(500))).collect();
    assert_eq!(taken.pop().unwrap().await, Err(NotHashed::TooMany));
    assert_eq!(threads.hash(source(2), headers(1)).await.map(|h| h.len()), Ok(1));
    drop(taken);
    assert_eq!(threads.hash(source(1), headers(3)).await.map(|h| h.len()), Ok(3));
}
