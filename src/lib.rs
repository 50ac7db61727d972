//! Dwarves: a mining pool manager in one binary.
//!
//! This package meets the outside: command line, configuration, HTTP, store, chain. The rules are in
//! `dwarves-domain`, the actors in `dwarves-actors`.

pub mod chain;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
#[cfg(test)]
mod fuzz_corpus;
pub mod hashing;
pub mod http;
pub mod keys;
pub mod miner;
pub mod rpc;
pub mod store;
pub mod stratum;
pub mod wallet;
pub mod wiring;
