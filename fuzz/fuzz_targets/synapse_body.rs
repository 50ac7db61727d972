//! The body of a dendrite's call, as that of every synapse.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    dwarves_synapse::fuzzing::body(bytes);
});
