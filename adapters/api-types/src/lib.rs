//! The JSON of the HTTP API, both ways: what the pool writes is what its clients read, so each shape is spelled once.
//!
//! | module | its one job |
//! |---|---|
//! | [`scalars`] | instants, hashes, numbers and names as JSON writes them |
//! | [`named`] | words of a list that may grow: states, schemes, kinds |
//! | [`object`] | JSON objects, and nothing else in their place |
//! | [`control`] | the body of a control message, whose fields depend on the message |
//! | [`registration`] | registration and sessions |
//! | [`watches`] | watch tokens, with which a miner lets others look |
//! | [`miners`] | a miner, and what an operator looks at |
//! | [`credits`] | what a miner was credited and paid |
//! | [`work`] | work, shares and their verdicts |
//! | [`submissions`] | evaluated work, and what came of it |
//! | [`rates`] | hashrates |
//! | [`history`] | what was mined when |
//! | [`pool`] | the pool and whether it is ready |
//! | [`chain`] | the chain that is mined, and how to connect |
//! | [`events`] | what is told as it happens |
//! | [`books`] | blocks, rounds and the audit trail |
//! | [`earnings`] | what a miner earns, and when it is paid |
//! | [`example`] | why a miner got an amount, step by step |
//! | [`csv`] | rows as CSV |
//! | [`details`] | one block, one payout, one share; luck |
//! | [`statements`] | epochs, and what was stated of them |
//! | [`operator`] | the pool as its operator sees it |
//! | [`problem`] | refusals (RFC 9457) |
//! | [`code`] | their codes |
//!
//! Requests are read strictly: what the pool does not know it refuses by name. Answers are read leniently: fields
//! that a client does not know are left alone, and so are new words in the lists of [`named`], because a pool may
//! add some. A field that an answer gains later needs a default for the answers of pools from before.
//!
//! The feature `schema` describes the types for `/openapi.json`.

pub mod batches;
pub mod books;
pub mod chain;
pub mod code;
pub mod control;
#[cfg(feature = "schema")]
mod control_schema;
pub mod credits;
pub mod csv;
pub mod details;
pub mod earnings;
pub mod events;
pub mod example;
pub mod history;
pub mod miners;
pub mod named;
pub mod notifications;
pub mod object;
pub mod operator;
pub mod pool;
pub mod problem;
pub mod rates;
pub mod registration;
pub mod scalars;
#[cfg(feature = "schema")]
mod schema;
pub mod statements;
pub mod submissions;
pub mod watches;
pub mod weights;
pub mod work;
mod worked_steps;

#[cfg(test)]
mod example_tests;
#[cfg(test)]
mod reckoner;
#[cfg(test)]
mod strategies;
#[cfg(test)]
mod tests;
