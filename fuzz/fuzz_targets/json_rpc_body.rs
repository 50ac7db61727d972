//! The body of a JSON-RPC call: getblocktemplate, submitblock, getwork.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    dwarves_http::json_rpc::fuzzing::body(bytes);
});
