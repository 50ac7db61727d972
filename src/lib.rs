//! Dwarves: a mining pool manager in one binary.
//!
//! This package puts the others together: command line, configuration, and who is who's neighbour. The rules are in
//! `dwarves-domain`, the actors in `dwarves-actors`, what meets the outside in `adapters/`.

// They panic where nobody reads: `terminal::say`, or an error that is told.
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod cli;
pub mod config;
pub mod demo;
pub mod logging;
pub mod terminal;
pub mod wiring;
