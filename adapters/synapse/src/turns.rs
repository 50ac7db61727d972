//! Whose turn it is: how many calls are answered at once and how many wait, and who is refused first when that is full.
//!
//! Who has the greater stake goes first, and among equals who came first. When no more may wait, the last in that order is
//! refused, be it the one that comes or one that waits. No client takes more than its share of the places, whatever stakes
//! it shows.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::IpAddr;
use std::rc::Rc;
use std::task::{Poll, Waker};

use dwarves_domain::limits::{SharedLimit, SharedPermits};
use dwarves_domain::metagraph::Rao;

/// How many calls one worker has at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurnLimits {
    /// Calls that are answered at once.
    pub at_once: usize,
    /// Calls that wait for their turn.
    pub waiting: usize,
    /// Of both together, how many one client may have.
    pub per_client: usize,
}

/// Why a call has no turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTurn {
    /// Its client has as many under way as it may.
    ClientFull,
    /// There are as many as there may be, and those that wait have more stake, or came before.
    Full,
}

/// Where one that waits stands: the greatest stake first, then who came first.
type Place = (Reverse<Rao>, u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waits,
    HasTurn,
    GaveWay,
}

#[derive(Debug)]
struct Waiting {
    state: Cell<State>,
    waker: RefCell<Option<Waker>>,
}

impl Waiting {
    fn become_(&self, state: State) {
        self.state.set(state);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

/// The turns of one worker, which is one thread.
#[derive(Debug)]
pub struct Turns {
    limits: TurnLimits,
    clients: RefCell<SharedPermits<IpAddr>>,
    answered: Cell<usize>,
    waiting: RefCell<BTreeMap<Place, Rc<Waiting>>>,
    came: Cell<u64>,
}

impl Turns {
    /// Nobody has a turn yet.
    pub fn new(limits: TurnLimits) -> Self {
        // How many there are in all is decided by stake.
        let of_clients = SharedLimit {
            total: usize::MAX,
            per_client: limits.per_client,
        };
        Self {
            limits,
            clients: RefCell::new(SharedPermits::new(of_clients)),
            answered: Cell::new(0),
            waiting: RefCell::default(),
            came: Cell::new(0),
        }
    }

    /// Waits for a turn, which lasts until it is dropped.
    ///
    /// # Errors
    /// If there is no place to wait, at once or when another one takes it.
    pub async fn take(&self, client: IpAddr, stake: Rao) -> Result<Turn<'_>, NoTurn> {
        if !self.clients.borrow_mut().take(client) {
            return Err(NoTurn::ClientFull);
        }
        let mut turn = Turn {
            turns: self,
            client,
            place: None,
        };
        if self.answered.get() < self.limits.at_once {
            self.answered.set(self.answered.get() + 1);
            return Ok(turn);
        }
        let place = (Reverse(stake), self.came.get());
        self.came.set(place.1 + 1);
        let waits = Rc::new(Waiting {
            state: Cell::new(State::Waits),
            waker: RefCell::new(None),
        });
        turn.place = Some((place, Rc::clone(&waits)));
        self.waiting.borrow_mut().insert(place, Rc::clone(&waits));
        if self.waiting.borrow().len() > self.limits.waiting {
            let last = self.waiting.borrow_mut().pop_last();
            if let Some((_, last)) = last {
                last.become_(State::GaveWay);
            }
        }
        let state = poll_fn(|cx| match waits.state.get() {
            State::Waits => {
                *waits.waker.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }
            state => Poll::Ready(state),
        });
        match state.await {
            State::HasTurn => Ok(turn),
            State::Waits | State::GaveWay => Err(NoTurn::Full),
        }
    }

    /// A turn is over: the next one has it.
    fn pass_on(&self) {
        let next = self.waiting.borrow_mut().pop_first();
        match next {
            Some((_, next)) => next.become_(State::HasTurn),
            None => self.answered.set(self.answered.get() - 1),
        }
    }
}

/// A turn, or the waiting for it. When it is dropped the next one has it.
#[derive(Debug)]
pub struct Turn<'a> {
    turns: &'a Turns,
    client: IpAddr,
    /// Where it waited, if it did.
    place: Option<(Place, Rc<Waiting>)>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.clients.borrow_mut().give_back(self.client);
        match &self.place {
            Some((place, waits)) if waits.state.get() == State::Waits => {
                self.turns.waiting.borrow_mut().remove(place);
            }
            Some((_, waits)) if waits.state.get() == State::GaveWay => {}
            _ => self.turns.pass_on(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::Context;

    use super::*;

    fn ip(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    fn stake(rao: u64) -> Rao {
        Rao::new(rao)
    }

    fn turns() -> Turns {
        Turns::new(TurnLimits {
            at_once: 1,
            waiting: 2,
            per_client: 3,
        })
    }

    /// Polls once.
    macro_rules! poll {
        ($future:expr) => {
            $future
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
        };
    }

    #[test]
    fn when_it_is_full_who_has_least_stake_is_refused_be_it_new_or_waiting() {
        let turns = turns();
        let mut first = pin!(turns.take(ip(1), Rao::default()));
        let Poll::Ready(Ok(first)) = poll!(first) else {
            panic!("there was a place")
        };
        let mut poor = pin!(turns.take(ip(2), stake(1)));
        let mut rich = pin!(turns.take(ip(3), stake(9)));
        assert!(poll!(poor).is_pending() && poll!(rich).is_pending());
        // The newcomer has least.
        let mut none = pin!(turns.take(ip(4), Rao::default()));
        assert!(matches!(poll!(none), Poll::Ready(Err(NoTurn::Full))));
        let mut equal = pin!(turns.take(ip(4), stake(1)));
        assert!(
            matches!(poll!(equal), Poll::Ready(Err(NoTurn::Full))),
            "it came later"
        );
        // One that waits has less than the newcomer.
        let mut richer = pin!(turns.take(ip(5), stake(10)));
        assert!(poll!(richer).is_pending());
        assert!(matches!(poll!(poor), Poll::Ready(Err(NoTurn::Full))));
        drop(first);
        let Poll::Ready(Ok(turn)) = poll!(richer) else {
            panic!("the greatest stake goes first")
        };
        assert!(poll!(rich).is_pending());
        drop(turn);
        let Poll::Ready(Ok(turn)) = poll!(rich) else {
            panic!("it is the last")
        };
        drop(turn);
        assert_eq!(turns.answered.get(), 0);
        assert!(turns.waiting.borrow().is_empty());
    }

    #[test]
    fn a_client_has_its_share_whatever_stake_it_shows() {
        let turns = Turns::new(TurnLimits {
            at_once: 4,
            waiting: 4,
            per_client: 1,
        });
        let mut one = pin!(turns.take(ip(1), stake(9)));
        let Poll::Ready(Ok(turn)) = poll!(one) else {
            panic!("there was a place")
        };
        let mut more = pin!(turns.take(ip(1), stake(9)));
        assert!(matches!(poll!(more), Poll::Ready(Err(NoTurn::ClientFull))));
        drop(turn);
        let mut again = pin!(turns.take(ip(1), stake(9)));
        assert!(matches!(poll!(again), Poll::Ready(Ok(_))));
    }

    #[test]
    fn who_leaves_while_waiting_takes_nothing_along() {
        let turns = turns();
        let mut first = pin!(turns.take(ip(1), Rao::default()));
        let Poll::Ready(Ok(first)) = poll!(first) else {
            panic!("there was a place")
        };
        {
            // One leaves while it waits, another when it has the turn and does not know it yet.
            let mut leaves = pin!(turns.take(ip(2), stake(1)));
            let mut has_it = pin!(turns.take(ip(2), stake(2)));
            assert!(poll!(leaves).is_pending() && poll!(has_it).is_pending());
            drop(first);
        }
        assert_eq!((turns.answered.get(), turns.waiting.borrow().len()), (0, 0));
        for _ in 0..3 {
            let mut next = pin!(turns.take(ip(2), Rao::default()));
            assert!(matches!(poll!(next), Poll::Ready(Ok(_))));
        }
    }
}
