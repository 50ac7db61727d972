//! The connections of one HTTP worker: who has how many, who gives way, and what may be asked on them.
//!
//! A client may have its share of the connections. One more makes its own longest quiet one give way; if the worker has
//! as many as it may, that of the client with the most. If nobody is quiet, a few reserved places are left, on which
//! only operators are served: health, readiness, metrics and control messages can be reached whatever miners do.
//!
//! A connection is quiet while no request of it is being handled. One that is quiet for longer than the keep-alive
//! time, whatever it trickles, or that does not read its answers, is closed.
//!
//! | module | its one job |
//! |---|---|
//! | `limiter` | who has how many, and who gives way |
//! | [`stream`] | a connection's bytes: read no faster than they are answered |
//! | `head` | where a request's head ends, and how long its body is |
//! | [`handshake`] | the PROXY header and the place, before the first request |
//! | [`mod@line`] | a request and its connection: who is being served, and what reserved places serve |

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::task::Waker;

use dwarves_domain::limits::{SharedLimit, SharedPermits};
use dwarves_domain::network::{Subnet, host};
use dwarves_domain::session::Session;

pub mod handshake;
mod head;
mod limiter;
pub mod line;
pub mod stream;

use limiter::Places;

/// How many connections one worker has, and how long they may be of no use. Times are in looks: see
/// [`Connections::look`].
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// Connections that serve everything: in all, and of one client.
    pub places: SharedLimit,
    /// More connections, that serve operators alone.
    pub reserved: usize,
    /// Looks for which a connection may be quiet.
    pub quiet_looks: u64,
    /// Looks for which an answer may wait for a client that does not read on.
    pub unread_looks: u64,
    /// Proxies that name their clients, in a PROXY header or with each request.
    pub proxies: Vec<Subnet>,
}

/// What a connection is doing.
#[derive(Debug)]
pub struct Connection {
    number: u64,
    client: IpAddr,
    /// Its clients are named with each request.
    is_proxys: bool,
    /// It serves operators alone.
    is_reserved: bool,
    is_closing: Cell<bool>,
    /// A request of it is being handled.
    is_busy: Cell<bool>,
    /// The server has a request's head, and its handling has not begun.
    is_awaited: Cell<bool>,
    /// It is not known where its requests end, and so where others begin.
    is_unframed: Cell<bool>,
    /// Bytes of the present request's body that are still to be read.
    body_left: Cell<u64>,
    /// The look at which it became quiet.
    quiet_since: Cell<u64>,
    /// The look at which it was found that its client does not read on.
    unread_since: Cell<Option<u64>>,
    /// Its client will send nothing more.
    is_gone: Cell<bool>,
    /// Wakes it to read on.
    waker: RefCell<Option<Waker>>,
    /// Reading was put off while there was something to read: nobody else will say so.
    has_more: Cell<bool>,
    /// The header by which a session was last opened here, and the session.
    session: RefCell<Option<(Box<[u8]>, Session)>>,
    /// Wakes who waits for the client to go.
    gone_waker: RefCell<Option<Waker>>,
}

impl Connection {
    fn close(&self) {
        self.is_closing.set(true);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Lets it read on what there is. Of what comes later it hears by itself.
    fn read_on(&self) {
        if self.has_more.take() {
            self.wake();
        }
    }

    fn note_gone(&self) {
        self.is_gone.set(true);
        if let Some(waker) = self.gone_waker.borrow_mut().take() {
            waker.wake();
        }
    }

    fn on_read(&self, bytes: usize) {
        let left = self.body_left.get();
        if left != BODY_OF_UNKNOWN_LENGTH {
            self.body_left.set(left.saturating_sub(bytes as u64));
        }
    }

    /// The session that this very header opened on this connection before, which may have expired since.
    fn session_of(&self, header: &[u8]) -> Option<Session> {
        let remembered = self.session.borrow();
        let (known, session) = remembered.as_ref()?;
        is_same(known, header).then_some(*session)
    }

    fn remember_session(&self, header: &[u8], session: Session) {
        if header.len() <= SESSION_HEADER_MAX {
            *self.session.borrow_mut() = Some((header.into(), session));
        }
    }

    /// The body of the present request has been read, as far as anybody wants it.
    pub fn body_is_read(&self) {
        self.body_left.set(0);
    }
}

/// The longest header that is remembered with its session: a token has 112 digits.
const SESSION_HEADER_MAX: usize = 128;

/// Stands for what is left of a body whose end is not known.
const BODY_OF_UNKNOWN_LENGTH: u64 = u64::MAX;

/// Whether two secrets are one. A proxy may bring a stranger's guess on a connection that knows another's: how long this
/// takes tells how long the secret is, and nothing else of it.
fn is_same(known: &[u8], presented: &[u8]) -> bool {
    let differences = known.iter().zip(presented).fold(0, |all, (a, b)| all | (a ^ b));
    known.len() == presented.len() && std::hint::black_box(differences) == 0
}

/// All connections of a worker. An HTTP worker is one thread.
#[derive(Debug)]
pub struct Connections {
    limits: ConnectionLimits,
    places: RefCell<Places>,
    /// Requests that are being handled for the clients of proxies.
    through_proxies: RefCell<SharedPermits<IpAddr>>,
    looks: Cell<u64>,
}

impl Connections {
    /// No connection is open yet.
    pub fn new(limits: ConnectionLimits) -> Rc<Self> {
        Rc::new(Self {
            places: RefCell::new(Places::new(limits.places, limits.reserved)),
            // All of them are limited by their connections; here it is about one client's share.
            through_proxies: RefCell::new(SharedPermits::new(limits.places)),
            looks: Cell::new(0),
            limits,
        })
    }

    fn is_proxy(&self, ip: IpAddr) -> bool {
        self.limits.proxies.iter().any(|subnet| subnet.contains(ip))
    }

    /// Takes a new connection in, if there is a place. Others may have to give way for it.
    fn admit(&self, ip: IpAddr) -> Option<Rc<Connection>> {
        let is_proxys = self.is_proxy(ip);
        let now = self.looks.get();
        self.places.borrow_mut().take(host(ip), is_proxys, now)
    }

    fn leave(&self, connection: &Connection) {
        self.places.borrow_mut().give_back(connection);
    }

    /// Closes what is of no use any more. To be called every second: time that passes is counted in such looks, so no
    /// clock that jumps closes a connection.
    pub fn look(&self) {
        let now = self.looks.get() + 1;
        self.looks.set(now);
        let limits = &self.limits;
        self.places.borrow().each(|connection| {
            let is_quiet = !connection.is_busy.get()
                && now.saturating_sub(connection.quiet_since.get()) > limits.quiet_looks;
            let is_unread = connection
                .unread_since
                .get()
                .is_some_and(|since| now.saturating_sub(since) > limits.unread_looks);
            if is_quiet || is_unread {
                connection.close();
            }
        });
    }
}
