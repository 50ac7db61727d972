//! A queue in which sources take turns: first the clients, then the miners of each. However much one of them sends,
//! the others wait for one piece of it at most.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::limits::SharedLimit;
use dwarves_domain::source::Source;

/// A batch's number.
pub(super) type RequestId = u64;

/// A batch that waits, or its rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Waiting {
    id: RequestId,
    headers: usize,
}

/// What one miner of a client has waiting.
#[derive(Debug, Default)]
struct Miner {
    batches: VecDeque<Waiting>,
    headers: usize,
}

/// What one client has waiting.
#[derive(Debug, Default)]
struct Client {
    miners: HashMap<Hotkey, Miner>,
    turns: VecDeque<Hotkey>,
    headers: usize,
}

/// Batches that wait, in headers.
#[derive(Debug)]
pub(super) struct FairQueue {
    limit: SharedLimit,
    /// Headers that come out in one turn at most.
    turn: usize,
    /// Headers that came out in the turn that is not over yet, of the first batch of who is first.
    taken_in_turn: usize,
    clients: HashMap<IpAddr, Client>,
    turns: VecDeque<IpAddr>,
    headers: usize,
}

impl FairQueue {
    /// Nothing waits. `limit` counts headers, and so does `turn`: of each source so many come out before it is another's
    /// turn.
    pub(super) fn new(limit: SharedLimit, turn: usize) -> Self {
        Self {
            limit,
            turn,
            taken_in_turn: 0,
            clients: HashMap::new(),
            turns: VecDeque::new(),
            headers: 0,
        }
    }

    /// Takes a batch of at least one header in. Gives the batches that had to make room for it, which may be itself:
    /// those of whoever has the most waiting, the last that came first.
    ///
    /// A batch of a client that has nothing else waiting is taken however large it is: requests have a bound of their
    /// own.
    pub(super) fn push(&mut self, source: Source, id: RequestId, headers: usize) -> Vec<RequestId> {
        let client = self.clients.entry(source.client()).or_default();
        if client.headers == 0 {
            self.turns.push_back(source.client());
        }
        let miner = client.miners.entry(source.miner()).or_default();
        if miner.headers == 0 {
            client.turns.push_back(source.miner());
        }
        miner.batches.push_back(Waiting { id, headers });
        miner.headers += headers;
        client.headers += headers;
        self.headers += headers;
        let mut out = Vec::new();
        while self.clients.get(&source.client()).is_some_and(|client| {
            client.headers > self.limit.per_client && client.headers > headers.max(client.largest())
        }) {
            out.extend(self.drop_last(source.client()));
        }
        while self.headers > self.limit.total {
            let greediest = self
                .clients
                .iter()
                .max_by_key(|(ip, client)| (client.headers, **ip));
            let Some((ip, client)) = greediest else { break };
            if client.headers <= client.largest() {
                // Everybody has one batch: there are as many clients as that.
                break;
            }
            let ip = *ip;
            out.extend(self.drop_last(ip));
        }
        out
    }

    /// The last batch of the client's miner with the most waiting.
    fn drop_last(&mut self, ip: IpAddr) -> Option<RequestId> {
        let client = self.clients.get_mut(&ip)?;
        let greediest = client
            .miners
            .iter()
            .max_by_key(|(key, miner)| (miner.headers, **key));
        let key = *greediest?.0;
        let miner = client.miners.get_mut(&key)?;
        let last = miner.batches.pop_back()?;
        miner.headers -= last.headers;
        client.headers -= last.headers;
        self.headers -= last.headers;
        if miner.headers == 0 {
            if self.turns.front() == Some(&ip) && client.turns.front() == Some(&key) {
                // Whose turn it was is gone; the next has a whole one.
                self.taken_in_turn = 0;
            }
            client.miners.remove(&key);
            client.turns.retain(|other| *other != key);
        }
        if client.headers == 0 {
            self.clients.remove(&ip);
            self.turns.retain(|other| *other != ip);
        }
        Some(last.id)
    }

    /// At most `most` headers of the batch whose turn it is. If there is room for fewer than a turn has, the rest of the
    /// turn comes out next: to be cut short costs nobody their part.
    pub(super) fn pop(&mut self, most: usize) -> Option<(RequestId, usize)> {
        let ip = *self.turns.front()?;
        let client = self.clients.get_mut(&ip)?;
        let key = *client.turns.front()?;
        let miner = client.miners.get_mut(&key)?;
        let batch = miner.batches.front_mut()?;
        let of_turn = batch.headers.min(self.turn - self.taken_in_turn);
        let (id, taken) = (batch.id, of_turn.min(most));
        batch.headers -= taken;
        if batch.headers == 0 {
            miner.batches.pop_front();
        }
        miner.headers -= taken;
        client.headers -= taken;
        self.headers -= taken;
        if taken < of_turn {
            self.taken_in_turn += taken;
            return Some((id, taken));
        }
        self.taken_in_turn = 0;
        client.turns.pop_front();
        if miner.headers == 0 {
            client.miners.remove(&key);
        } else {
            client.turns.push_back(key);
        }
        self.turns.pop_front();
        if client.headers == 0 {
            self.clients.remove(&ip);
        } else {
            self.turns.push_back(ip);
        }
        Some((id, taken))
    }
}

impl Client {
    /// Headers of its largest batch.
    fn largest(&self) -> usize {
        let batches = self.miners.values().flat_map(|miner| &miner.batches);
        batches.map(|batch| batch.headers).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    fn source(client: u8, miner: u8) -> Source {
        Source::new(IpAddr::from([192, 0, 2, client]), Hotkey::from_bytes([miner; 32]))
    }

    const TURN: usize = 16;

    fn queue(total: usize, per_client: usize) -> FairQueue {
        FairQueue::new(SharedLimit { total, per_client }, TURN)
    }

    #[test]
    fn clients_take_turns_and_so_do_the_miners_of_each() {
        let limit = SharedLimit {
            total: 10_000,
            per_client: 10_000,
        };
        let mut queue = FairQueue::new(limit, 2);
        for (id, client, miner, headers) in [(1, 1, 1, 100), (2, 1, 1, 100), (3, 1, 2, 3), (4, 2, 3, 1)] {
            assert!(queue.push(source(client, miner), id, headers).is_empty());
        }
        let order: Vec<_> = (0..5).filter_map(|_| queue.pop(2)).collect();
        assert_eq!(order, [(1, 2), (4, 1), (3, 2), (1, 2), (3, 1)]);
    }

    /// Where there is room for less, the same comes out in the same order, in more pieces.
    #[test]
    fn a_turn_that_is_cut_short_goes_on() {
        let filled = || {
            let mut queue = queue(10_000, 10_000);
            for (id, client, miner, headers) in [(1, 1, 1, 50), (2, 1, 2, 3), (3, 2, 3, 1), (4, 3, 4, 40)] {
                assert!(queue.push(source(client, miner), id, headers).is_empty());
            }
            queue
        };
        let order = |rooms: &[usize]| {
            let mut queue = filled();
            let mut order: Vec<(RequestId, usize)> = Vec::new();
            let mut in_turn = 0;
            for room in rooms.iter().cycle() {
                let Some((id, taken)) = queue.pop(*room) else {
                    break;
                };
                match order.last_mut() {
                    Some((last, of_turn)) if *last == id && in_turn < TURN => *of_turn += taken,
                    _ => order.push((id, taken)),
                }
                in_turn = order.last().unwrap().1;
            }
            order
        };
        let whole = order(&[TURN]);
        assert_eq!(whole[..4], [(1, 16), (3, 1), (4, 16), (2, 3)]);
        for rooms in [&[1][..], &[5], &[7, 9], &[16, 2, 1], &[100]] {
            assert_eq!(order(rooms), whole, "{rooms:?}");
        }
    }

    #[test]
    fn whoever_comes_after_a_turn_that_lost_its_batch_has_a_whole_one() {
        let mut queue = queue(100, 10);
        assert!(queue.push(source(1, 1), 1, 30).is_empty(), "one batch alone");
        assert_eq!(queue.pop(10), Some((1, 10)));
        assert_eq!(queue.push(source(1, 2), 2, 18), [1], "twenty are left of it");
        assert_eq!(queue.pop(100), Some((2, 16)));
        assert_eq!(queue.pop(100), Some((2, 2)));
        assert_eq!(queue.pop(100), None);
    }

    #[test]
    fn a_full_queue_refuses_only_who_filled_it() {
        let mut queue = queue(30, 20);
        for id in 0..20 {
            assert!(queue.push(source(1, 1), id, 1).is_empty());
        }
        assert_eq!(
            queue.push(source(1, 1), 20, 1),
            [20],
            "the client's share is full"
        );
        assert_eq!(
            queue.push(source(1, 2), 21, 1),
            [19],
            "another miner behind the same address finds room"
        );
        for id in 30..40 {
            assert!(queue.push(source(2, 3), id, 1).is_empty());
        }
        assert_eq!(
            queue.push(source(3, 4), 50, 2),
            [18, 17],
            "all is full: the greediest makes room"
        );
        assert!(
            queue.push(source(4, 5), 60, 500).is_empty(),
            "one batch alone is always taken"
        );
        let mut left = Vec::new();
        while let Some((id, _)) = queue.pop(1_000) {
            left.push(id);
        }
        assert!(left.contains(&60) && left.contains(&50) && left.contains(&30) && left.contains(&21));
    }

    proptest! {
        #[test]
        fn every_header_comes_out_once_or_its_batch_made_room(
            pushes in proptest::collection::vec((0u8..4, 0u8..3, 1usize..40, any::<bool>()), 1..80),
        ) {
            let mut queue = queue(100, 40);
            let mut owed: BTreeMap<RequestId, usize> = BTreeMap::new();
            let mut refused = Vec::new();
            for (id, (client, miner, headers, pops)) in (0..).zip(pushes) {
                owed.insert(id, headers);
                refused.extend(queue.push(source(client, miner), id, headers));
                prop_assert!(queue.headers <= 100 + 4 * 40);
                if pops && let Some((id, taken)) = queue.pop(1 + headers % 20) {
                    prop_assert!((1..=TURN).contains(&taken));
                    prop_assert!(queue.taken_in_turn < TURN);
                    *owed.get_mut(&id).unwrap() -= taken;
                }
            }
            for id in refused {
                prop_assert!(owed.remove(&id).unwrap() > 0);
            }
            while let Some((id, taken)) = queue.pop(7) {
                *owed.get_mut(&id).unwrap() -= taken;
            }
            prop_assert!(owed.values().all(|left| *left == 0));
            prop_assert!(queue.clients.is_empty() && queue.turns.is_empty() && queue.headers == 0);
        }
    }
}
