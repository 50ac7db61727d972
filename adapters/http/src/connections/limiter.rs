//! Who has how many connections, and who gives way when there are too many.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

use dwarves_actors::meter;
use dwarves_domain::limits::SharedLimit;

use super::Connection;

/// The places of a worker.
#[derive(Debug)]
pub(super) struct Places {
    limit: SharedLimit,
    reserved: usize,
    clients: HashMap<IpAddr, Vec<Rc<Connection>>>,
    taken: usize,
    taken_reserved: usize,
    next_number: u64,
}

impl Places {
    pub(super) fn new(limit: SharedLimit, reserved: usize) -> Self {
        Self {
            limit,
            reserved,
            clients: HashMap::new(),
            taken: 0,
            taken_reserved: 0,
            next_number: 0,
        }
    }

    /// A place for one more connection of this client. What gives way for it is told to close and has lost its place.
    pub(super) fn take(&mut self, client: IpAddr, is_proxys: bool, now: u64) -> Option<Rc<Connection>> {
        // A proxy has as many as it needs: its clients are told apart with each request.
        let is_over_share = !is_proxys && self.of(client) >= self.limit.per_client;
        let gives_way = if is_over_share {
            self.quietest_of(client, false)
        } else if self.taken >= self.limit.total {
            self.quietest_of_the_greediest(client)
        } else {
            None
        };
        if let Some(other) = &gives_way {
            other.close();
            self.give_back(other);
        }
        let is_reserved = gives_way.is_none() && (is_over_share || self.taken >= self.limit.total);
        if is_reserved && self.taken_reserved >= self.reserved {
            // Whoever asks something there is answered at once, so a quiet one has had its turn.
            let other = self.quietest_reserved()?;
            other.close();
            self.give_back(&other);
        }
        let connection = Rc::new(Connection {
            number: self.next_number,
            client,
            is_proxys,
            is_reserved,
            is_closing: Cell::new(false),
            is_busy: Cell::new(false),
            is_awaited: Cell::new(false),
            is_unframed: Cell::new(false),
            body_left: Cell::new(0),
            quiet_since: Cell::new(now),
            unread_since: Cell::new(None),
            is_gone: Cell::new(false),
            waker: RefCell::new(None),
            has_more: Cell::new(false),
            session: RefCell::new(None),
            gone_waker: RefCell::new(None),
        });
        self.next_number += 1;
        *self.count(is_reserved) += 1;
        meter::CONNECTIONS_HTTP.rise();
        self.clients
            .entry(client)
            .or_default()
            .push(Rc::clone(&connection));
        Some(connection)
    }

    /// Gives a place back, if it was not taken away before.
    pub(super) fn give_back(&mut self, connection: &Connection) {
        let Some(own) = self.clients.get_mut(&connection.client) else {
            return;
        };
        let Some(at) = own.iter().position(|other| other.number == connection.number) else {
            return;
        };
        own.swap_remove(at);
        if own.is_empty() {
            self.clients.remove(&connection.client);
        }
        *self.count(connection.is_reserved) -= 1;
        meter::CONNECTIONS_HTTP.fall();
    }

    pub(super) fn each(&self, mut act: impl FnMut(&Connection)) {
        self.clients
            .values()
            .flatten()
            .for_each(|connection| act(connection));
    }

    fn count(&mut self, is_reserved: bool) -> &mut usize {
        if is_reserved {
            &mut self.taken_reserved
        } else {
            &mut self.taken
        }
    }

    /// How many connections that serve everything this client has.
    fn of(&self, client: IpAddr) -> usize {
        self.clients.get(&client).map_or(0, |own| full(own).count())
    }

    /// The connection of this client that has been quiet for longest.
    fn quietest_of(&self, client: IpAddr, is_reserved: bool) -> Option<Rc<Connection>> {
        let own = self.clients.get(&client)?;
        let quiet = own
            .iter()
            .filter(|c| c.is_reserved == is_reserved && !c.is_busy.get());
        quiet.min_by_key(|c| (c.quiet_since.get(), c.number)).cloned()
    }

    /// The same of the client that has the most, and more than the one that comes.
    fn quietest_of_the_greediest(&self, newcomer: IpAddr) -> Option<Rc<Connection>> {
        let least = self.of(newcomer);
        let mut greedy: Vec<_> = self
            .clients
            .iter()
            .map(|(client, own)| (full(own).count(), *client))
            .filter(|(count, client)| *count > least || *client == newcomer)
            .collect();
        greedy.sort_unstable_by(|one, other| other.cmp(one));
        greedy
            .into_iter()
            .find_map(|(_, client)| self.quietest_of(client, false))
    }

    fn quietest_reserved(&self) -> Option<Rc<Connection>> {
        let reserved = self
            .clients
            .values()
            .flatten()
            .filter(|c| c.is_reserved && !c.is_busy.get());
        reserved.min_by_key(|c| (c.quiet_since.get(), c.number)).cloned()
    }
}

/// Those that serve everything.
fn full(own: &[Rc<Connection>]) -> impl Iterator<Item = &Rc<Connection>> {
    own.iter().filter(|connection| !connection.is_reserved)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    fn places() -> Places {
        let limit = SharedLimit {
            total: 6,
            per_client: 3,
        };
        Places::new(limit, 2)
    }

    fn take(places: &mut Places, client: u8, now: u64) -> Rc<Connection> {
        places.take(ip(client), false, now).unwrap()
    }

    /// Every state that a client's own connections can be in.
    #[test]
    fn one_more_than_its_share_makes_a_clients_own_quietest_give_way() {
        let mut places = places();
        let own: Vec<_> = (0..3).map(|now| take(&mut places, 1, now)).collect();
        own[0].is_busy.set(true);
        let next = take(&mut places, 1, 3);
        assert!(!next.is_reserved);
        assert_eq!([0, 1, 2].map(|n| own[n].is_closing.get()), [false, true, false]);
        assert_eq!((places.taken, places.of(ip(1))), (3, 3));
        // With all of them busy it is served as an operator alone would be, and the others are left alone.
        for connection in [&own[2], &next] {
            connection.is_busy.set(true);
        }
        let reserved = take(&mut places, 1, 4);
        assert!(reserved.is_reserved && !own[0].is_closing.get() && !next.is_closing.get());
        places.give_back(&own[1]);
        assert_eq!(
            places.taken, 3,
            "a place that was taken away is not given back twice"
        );
    }

    #[test]
    fn when_all_places_are_taken_the_greediest_gives_way_to_who_has_fewer() {
        let mut places = places();
        let greedy: Vec<_> = (0..3).map(|now| take(&mut places, 1, now)).collect();
        let others: Vec<_> = [2, 3, 4].map(|client| take(&mut places, client, 5)).into();
        assert!(!take(&mut places, 5, 6).is_reserved);
        assert!(greedy[0].is_closing.get());
        greedy.iter().for_each(|connection| connection.is_busy.set(true));
        // Nobody else has more than the newcomer brings: they are as good as it is.
        others.iter().for_each(|connection| connection.is_busy.set(true));
        assert!(take(&mut places, 6, 7).is_reserved || places.taken == 6);
        assert!(others.iter().all(|connection| !connection.is_closing.get()));
    }

    #[test]
    fn reserved_places_are_reached_whatever_all_the_others_do() {
        let mut places = places();
        for client in 1..=6 {
            take(&mut places, client, 0).is_busy.set(true);
        }
        let first = take(&mut places, 7, 1);
        let second = take(&mut places, 7, 2);
        assert!(first.is_reserved && second.is_reserved);
        let third = take(&mut places, 8, 3);
        assert!(
            third.is_reserved && first.is_closing.get(),
            "who has had its turn gives way"
        );
        for connection in [&second, &third] {
            connection.is_busy.set(true);
        }
        assert!(
            places.take(ip(9), false, 4).is_none(),
            "all of them are being answered"
        );
    }

    #[test]
    fn a_proxy_has_no_share_but_counts_among_all() {
        let mut places = places();
        let own: Vec<_> = (0..6).map(|_| places.take(ip(1), true, 0).unwrap()).collect();
        assert!(
            own.iter()
                .all(|connection| !connection.is_reserved && !connection.is_closing.get())
        );
        let other = take(&mut places, 2, 1);
        assert!(!other.is_reserved && own[0].is_closing.get());
    }
}
