//! The handler actors: between a request that was parsed and the owners of state.
//!
//! Registration and submission handlers run once per HTTP worker, on that worker's thread, so that
//! signatures and proofs of work are checked in parallel. They own nothing that could not be lost.

pub mod admin;
pub mod header_book;
pub mod last_job;
pub mod operator;
pub mod rate;
pub mod registration;
pub mod submission;
pub mod watches;
