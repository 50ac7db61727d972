//! The headers of a dendrite's call.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    dwarves_synapse::fuzzing::headers(bytes);
});
