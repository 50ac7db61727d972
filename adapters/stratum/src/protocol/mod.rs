//! Stratum V1 as text: lines, requests, answers. Pure: no sockets, no state, no clock.
//!
//! | module | its one job |
//! |---|---|
//! | [`mod@line`] | where one line ends and the next begins |
//! | [`request`] | a line becomes a call with its id |
//! | [`plain`] | the JSON that nearly every line is, read quickly |
//! | [`params`] | each method's params become values |
//! | [`fault`] | the errors, with the codes and texts that mining software matches |
//! | [`reply`] | answers and the pool's own messages become lines |
//! | [`notify`] | the parts of `mining.notify` that all sessions share |
//! | [`scale`] | difficulties as miners of an algorithm write them |
//!
//! Everything here is an entry point for fuzzing: any bytes may come in, nothing may panic, and what is kept
//! is never longer than what came.

pub mod fault;
pub mod line;
pub mod notify;
pub mod params;
pub mod plain;
pub mod reply;
pub mod request;
pub mod scale;
