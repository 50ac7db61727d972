//! A line becomes a call with its id.
//!
//! Nothing is copied: id, method and params are parts of the line. An id is whatever the miner chose (a number,
//! a text, nothing) and is answered as it came: mining software sends the same id for every share, texts, or
//! none at all.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::plain;

/// The longest id that is echoed, in bytes of JSON.
pub const ID_LEN_MAX: usize = 64;
/// How an id is echoed that is missing or none.
pub const NO_ID: &str = "null";

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The id, as JSON.
    pub id: &'a str,
    /// The method's name.
    pub method: Cow<'a, str>,
    /// The params, as JSON; an empty list if there are none.
    pub params: &'a str,
}

/// What a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A request, which gets an answer.
    Request(Request<'a>),
    /// An answer to something that the pool sent; it needs none.
    Answer,
    /// Neither. The id is the line's if it could be read.
    Malformed {
        /// The id to answer with.
        id: &'a str,
    },
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<&'a RawValue>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
}

/// Reads one line.
pub fn parse(line: &[u8]) -> Message<'_> {
    if let Some(plain) = plain::request(line) {
        return message([plain.id, plain.method, plain.params]);
    }
    parse_general(line)
}

/// Reads a line as whatever JSON it may be.
fn parse_general(line: &[u8]) -> Message<'_> {
    // A list would be read as the fields in their order, which nobody means.
    let envelope = Some(line).filter(|line| line.first() == Some(&b'{'));
    let envelope = envelope.and_then(|line| serde_json::from_slice::<Envelope<'_>>(line).ok());
    let Some(envelope) = envelope else {
        return Message::Malformed { id: NO_ID };
    };
    message([envelope.id, envelope.method, envelope.params].map(|raw| raw.map(RawValue::get)))
}

/// What a line with these members is, each as its JSON.
fn message(members: [Option<&str>; 3]) -> Message<'_> {
    // A member that is null is as good as none.
    let [id, method, params] = members.map(|member| member.filter(|json| *json != "null"));
    let id = id.map_or(NO_ID, checked_id);
    let Some(method) = method else {
        return Message::Answer;
    };
    match text(method) {
        Some(method) => Message::Request(Request {
            id,
            method,
            params: params.unwrap_or("[]"),
        }),
        None => Message::Malformed { id },
    }
}

/// The id if it is short and a number, a text or a word; else none.
fn checked_id(raw: &str) -> &str {
    let nested = raw.starts_with(['[', '{']);
    if nested || raw.len() > ID_LEN_MAX {
        NO_ID
    } else {
        raw
    }
}

/// The text that a piece of JSON is.
pub(super) fn text(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if inner.bytes().any(|byte| byte == b'\\') {
        return serde_json::from_str(json).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn piece() -> impl Strategy<Value = &'static str> {
        let all = [
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            " ",
            "\t",
            "\"id\"",
            "\"method\"",
            "\"params\"",
            "\"id\":",
            "\"method\":",
            "\"params\":",
            "null",
            "0",
            "7",
            "42",
            "-1",
            "1e3",
            "\"a.b\"",
            "\"\\u0041\"",
            "\"\"",
            "\"\u{e9}\"",
            "\"",
            "[\"a\",\"b\"]",
            "[]",
            "\n",
            "true",
        ];
        proptest::sample::select(all.to_vec())
    }

    fn request(line: &str) -> (String, String, String) {
        match parse(line.as_bytes()) {
            Message::Request(r) => (r.id.to_owned(), r.method.into_owned(), r.params.to_owned()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ids_of_any_kind_are_kept_as_they_came() {
        for (id, kept) in [
            ("4", "4"),
            ("\"ab\\u0041\"", "\"ab\\u0041\""),
            ("null", "null"),
            ("-1.5e3", "-1.5e3"),
            ("[1]", "null"),
            ("{\"a\":1}", "null"),
        ] {
            let line = format!("{{\"id\": {id}, \"method\": \"mining.ping\", \"params\": []}}");
            assert_eq!(request(&line).0, kept);
        }
        let long = format!("{{\"id\":\"{}\",\"method\":\"m\"}}", "x".repeat(ID_LEN_MAX));
        assert_eq!(request(&long), ("null".into(), "m".into(), "[]".into()));
    }

    #[test]
    fn fields_in_any_order_unknown_fields_and_escapes_are_taken() {
        let line = r#"{"params":["a"],"jsonrpc":"2.0","method":"mining\u002eping","worker":1}"#;
        assert_eq!(
            request(line),
            ("null".into(), "mining.ping".into(), "[\"a\"]".into())
        );
    }

    #[test]
    fn answers_and_nonsense_are_told_apart() {
        assert_eq!(
            parse(br#"{"id":1,"result":"cpuminer/2.5.1","error":null}"#),
            Message::Answer
        );
        for bad in [
            &b"{"[..],
            b"[]",
            b"1",
            b"{\"method\":\"a\",\"method\":\"b\"}",
            b"\xff{}",
        ] {
            assert_eq!(parse(bad), Message::Malformed { id: NO_ID });
        }
        assert_eq!(parse(br#"{"id":7,"method":5}"#), Message::Malformed { id: "7" });
        let deep = [b"{\"params\":".as_slice(), &b"[".repeat(9_000)].concat();
        assert_eq!(parse(&deep), Message::Malformed { id: NO_ID });
    }

    proptest! {
        /// Lines of the pieces that requests are made of, right or wrong: it makes no difference who reads them.
        #[test]
        fn plain_lines_mean_the_same_to_general_json(pieces in proptest::collection::vec(piece(), 0..24)) {
            for line in [pieces.concat(), format!("{{{}}}", pieces.concat())] {
                if let Some(plain) = plain::request(line.as_bytes()) {
                    let members = [plain.id, plain.method, plain.params];
                    prop_assert_eq!(message(members), parse_general(line.as_bytes()), "{}", line);
                }
            }
        }

        #[test]
        fn plain_requests_mean_the_same_to_general_json(
            id in prop_oneof![Just("null".to_owned()), "[0-9]{1,20}", "\"[ -~]{0,70}\""],
            method in "\"[a-z.\\\\_]{0,20}\"|null|7",
            params in "\\[( ?\"[ -~]{0,9}\"){0,1}(, ?\"[^\"]{0,9}\" ?){0,6}\\]",
            order in 0..3_usize,
            blank in " {0,2}\t?",
        ) {
            let mut members = [format!("\"id\":{blank}{id}"), format!("\"method\"{blank}:{method}"), format!("\"params\":{params}{blank}")];
            members.rotate_left(order);
            let line = format!("{{{blank}{}}}", members.join(","));
            prop_assert_eq!(parse(line.as_bytes()), parse_general(line.as_bytes()), "{}", line);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _message = parse(&bytes);
        }
    }
}
