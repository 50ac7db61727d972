//! A text, as the params of every method over JSON-RPC.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    dwarves_http::json_rpc::fuzzing::all_params(text);
});
