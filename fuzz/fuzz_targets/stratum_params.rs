//! A text, as the params of every Stratum method.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| dwarves_stratum::fuzzing::all_params(text));
