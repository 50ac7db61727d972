//! Room for bodies that are on their way.
//!
//! A body is put together in memory before anybody can know whether its sender may send it. So one that did not come
//! whole takes room for all of its length first, or for the longest that there may be if it does not say it; without
//! room it is refused unread. Room once taken is enough, so no body waits for another one's.

use std::cell::RefCell;
use std::net::IpAddr;
use std::num::NonZeroUsize;

use dwarves_domain::limits::{SharedLimit, SharedPermits};

/// Room is given in pieces of this many bytes: as many as a connection is read at a time.
const PIECE: usize = 16_384;

/// The room of one HTTP worker, which is one thread.
#[derive(Debug)]
pub struct Bodies {
    pieces: RefCell<SharedPermits<IpAddr>>,
}

impl Bodies {
    /// Room for this many bytes, all of them free. Every client may send one body of `longest` bytes.
    pub fn new(bytes: SharedLimit, longest: usize) -> Self {
        let pieces = |bytes: usize| bytes.max(longest).div_ceil(PIECE);
        Self {
            pieces: RefCell::new(SharedPermits::new(SharedLimit {
                total: pieces(bytes.total),
                per_client: pieces(bytes.per_client),
            })),
        }
    }

    /// Takes room for a body of this many bytes, if there is enough for this client.
    pub fn take(&self, client: IpAddr, bytes: usize) -> Option<Room<'_>> {
        let pieces = NonZeroUsize::new(bytes.div_ceil(PIECE)).unwrap_or(NonZeroUsize::MIN);
        let is_taken = self.pieces.borrow_mut().take_several(client, pieces);
        is_taken.then(|| Room {
            bodies: self,
            client,
            pieces,
        })
    }
}

/// Room that a body has. It comes back when this is dropped.
#[derive(Debug)]
pub struct Room<'a> {
    bodies: &'a Bodies,
    client: IpAddr,
    pieces: NonZeroUsize,
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.bodies
            .pieces
            .borrow_mut()
            .give_back_several(self.client, self.pieces);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_shared_by_bytes_and_comes_back() {
        let limit = SharedLimit {
            total: 5 * PIECE,
            per_client: 3 * PIECE,
        };
        let bodies = Bodies::new(limit, PIECE);
        let [one, other] = [1, 2].map(|n| IpAddr::from([192, 0, 2, n]));
        let first = bodies.take(one, PIECE + 1).unwrap();
        assert!(bodies.take(one, 2 * PIECE).is_none(), "its share is three");
        let second = bodies.take(one, 0).unwrap();
        assert!(bodies.take(one, 1).is_none());
        let others = bodies.take(other, 2 * PIECE).unwrap();
        assert!(bodies.take(other, 1).is_none(), "that was all");
        drop((first, others));
        assert!(bodies.take(other, 3 * PIECE).is_some());
        drop(second);
        assert_eq!(bodies.pieces.borrow().taken(), 0);
    }

    #[test]
    fn the_longest_body_always_finds_room() {
        let bodies = Bodies::new(SharedLimit::shared(1, 25), 10 * PIECE);
        assert!(bodies.take(IpAddr::from([192, 0, 2, 1]), 10 * PIECE).is_some());
    }
}
