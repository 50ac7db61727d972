//! Answers and the pool's own messages become lines. They are appended to what a session is about to write.
//!
//! Every answer has all three of id, result and error: some firmware stumbles over a missing `error`.

use super::fault::Fault;

/// Appends to a buffer in memory, which never fails.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => {
        std::io::Write::write_fmt(&mut *$out, format_args!($($arg)*)).expect("memory can be written")
    };
}
pub(super) use put;

/// An answer whose result is `result`, a piece of JSON.
pub fn result(out: &mut Vec<u8>, id: &str, result: &str) {
    out.extend_from_slice(b"{\"id\":");
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(b",\"result\":");
    out.extend_from_slice(result.as_bytes());
    out.extend_from_slice(b",\"error\":null}\n");
}

/// An answer that all is well.
pub fn ok(out: &mut Vec<u8>, id: &str) {
    result(out, id, "true");
}

/// Appends the answer that refuses a request.
pub fn fault(out: &mut Vec<u8>, id: &str, fault: Fault) {
    put!(
        out,
        "{{\"id\":{id},\"result\":null,\"error\":[{},\"{}\",null]}}\n",
        fault.code(),
        fault.text()
    );
}

/// Refuses a share that is a block all the same: the block was submitted.
pub fn fault_of_block(out: &mut Vec<u8>, id: &str, fault: Fault) {
    put!(
        out,
        "{{\"id\":{id},\"result\":null,\"error\":[{},\"{} (the block was submitted)\",null]}}\n",
        fault.code(),
        fault.text()
    );
}

/// The answer to `mining.subscribe`.
pub fn subscribed(out: &mut Vec<u8>, id: &str, session: &str, extranonce1: &str, extranonce2_len: usize) {
    put!(
        out,
        "{{\"id\":{id},\"result\":[[[\"mining.set_difficulty\",\"{session}\"],[\"mining.notify\",\"{session}\"]],\
         \"{extranonce1}\",{extranonce2_len}],\"error\":null}}\n"
    );
}

/// `mining.set_difficulty`. Whole numbers are written without a point, and none with an exponent: firmware
/// reads these best.
pub fn set_difficulty(out: &mut Vec<u8>, wire: f64) {
    put!(
        out,
        "{{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[{wire}]}}\n"
    );
}

/// `mining.set_version_mask` (BIP310).
pub fn set_version_mask(out: &mut Vec<u8>, mask: u32) {
    put!(
        out,
        "{{\"id\":null,\"method\":\"mining.set_version_mask\",\"params\":[\"{mask:08x}\"]}}\n"
    );
}

/// `client.reconnect` to the same place: another place would be ignored or abused.
pub fn reconnect(out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"id\":null,\"method\":\"client.reconnect\",\"params\":[]}\n");
}

/// `client.show_message`. The text is plain ASCII without quotes.
pub fn show_message(out: &mut Vec<u8>, text: &'static str) {
    put!(
        out,
        "{{\"id\":null,\"method\":\"client.show_message\",\"params\":[\"{text}\"]}}\n"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(write: impl FnOnce(&mut Vec<u8>)) -> Vec<serde_json::Value> {
        let mut out = Vec::new();
        write(&mut out);
        assert_eq!(out.last(), Some(&b'\n'));
        let text = String::from_utf8(out).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn every_answer_has_id_result_and_error() {
        let answers = lines(|out| {
            ok(out, "\"x\"");
            fault(out, "null", Fault::LowDifficulty);
            subscribed(out, "1", "ab", "40000001", 8);
        });
        for answer in &answers {
            let mut keys: Vec<_> = answer.as_object().unwrap().keys().cloned().collect();
            keys.sort();
            assert_eq!(keys, ["error", "id", "result"]);
        }
        assert_eq!(answers[0]["id"], "x");
        assert_eq!(
            answers[1]["error"],
            serde_json::json!([23, "Low difficulty share", null])
        );
        assert_eq!(answers[2]["result"][1], "40000001");
        assert_eq!(answers[2]["result"][0][1][0], "mining.notify");
    }

    #[test]
    fn difficulties_are_written_plainly() {
        for (wire, text) in [
            (524_288.0, "[524288]"),
            (1e15, "[1000000000000000]"),
            (0.000_001, "[0.000001]"),
            (0.5, "[0.5]"),
        ] {
            let mut out = Vec::new();
            set_difficulty(&mut out, wire);
            assert!(String::from_utf8(out).unwrap().contains(text), "{wire}");
        }
    }

    #[test]
    fn the_pools_own_messages_are_json() {
        let sent = lines(|out| {
            set_version_mask(out, 0x1fff_e000);
            reconnect(out);
            show_message(out, "hello");
        });
        assert_eq!(sent[0]["params"][0], "1fffe000");
        assert_eq!(sent[1]["params"], serde_json::json!([]));
        assert_eq!(sent[2]["method"], "client.show_message");
    }
}
