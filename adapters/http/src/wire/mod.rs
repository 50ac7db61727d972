//! The JSON of requests and answers. No type here is used anywhere but on the wire.
//!
//! | module | its one job |
//! |---|---|
//! | [`scalars`] | instants, hashes, numbers and names as JSON writes them |
//! | [`object`] | JSON objects, and nothing else in their place |
//! | [`control`] | the body of a control message, whose fields depend on the message |
//! | [`miners`] | registration, sessions, a miner and its credits |
//! | [`work`] | work, shares and their verdicts |
//! | [`pool`] | the pool, its blocks and rounds, the audit trail, readiness |

pub mod control;
pub mod miners;
pub mod object;
pub mod pool;
pub mod scalars;
pub mod work;
