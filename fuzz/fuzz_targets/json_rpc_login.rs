//! The `Authorization` header of a JSON-RPC call.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    dwarves_http::json_rpc::fuzzing::authorization(text);
});
