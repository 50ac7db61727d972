//! A stream of bytes, as a Stratum miner may send it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dwarves_stratum::fuzzing::lines(bytes));
