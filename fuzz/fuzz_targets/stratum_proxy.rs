//! The beginning of a connection, as a PROXY protocol header.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dwarves_stratum::fuzzing::proxy_header(bytes));
