//! Stratum V1: how the mining software that exists reaches the pool.
//!
//! | module | its one job |
//! |---|---|
//! | [`protocol`] | the text: lines, requests, answers; pure |
//! | [`conversation`] | the state of a session and what each line does; no sockets |
//! | [`session`] | one miner's connection |
//! | [`transport`] | a connection's bytes, plain or through TLS |
//! | [`dispatcher`] | owns the sessions of one I/O thread, an actor; it brings them new work |
//! | [`roster`] | in which order they hear of it; pure |
//! | [`thread`] | what the sessions of one thread share |
//! | [`acceptor`] | accepts connections; owns caps, bans and extranonces, an actor |
//! | [`messages`] | what acceptor, threads and sessions tell each other |
//! | [`connection_limiter`] | the gate's tables |
//! | [`penalties`] | who is kept out, and for how long |
//! | [`settings`] | how the server works |
//! | `fuzzing` | entry points for fuzzing, for tests and `fuzz/` alone |
//!
//! Shares go to the thread's own submission handler and from there the same way as those over HTTP: the same
//! duplicate sets, the same ledger, the same verdicts. A session derives its jobs by itself, from the template
//! that all sessions of a thread share; nobody is asked for a job.

pub mod acceptor;
pub mod connection_limiter;
pub mod conversation;
pub mod dispatcher;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod messages;
pub mod penalties;
pub mod protocol;
pub mod roster;
pub mod session;
pub mod settings;
pub mod thread;
pub mod transport;
