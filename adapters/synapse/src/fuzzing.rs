//! Entry points for fuzzing, for tests and `fuzz/` alone: nothing that anybody sends may make them panic.

use dwarves_domain::hotkey::Hotkey;

use crate::answer::Answer;
use crate::body::{Body, hash, python_str};
use crate::class::Class;
use crate::headers::{CallHeaders, Named, Sent};

/// Whom calls are for.
pub const POOL: Hotkey = Hotkey::from_bytes([7; 32]);

/// Reads headers, one `name: value` a line, as those of a call.
pub fn headers(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<_> = text.lines().filter_map(|line| line.split_once(": ")).collect();
    let header = |name: &'static str| {
        let mut values = lines.iter().filter(|(known, _)| *known == name);
        match (values.next(), values.next()) {
            (None, _) => Sent::Never,
            (Some((_, value)), None) => Sent::Once(value),
            (Some(_), Some(_)) => Sent::Unclear,
        }
    };
    let text = POOL.to_string();
    let pool = Named {
        hotkey: POOL,
        text: &text,
    };
    match CallHeaders::read(header, pool) {
        Ok(read) => {
            let message = String::from_utf8(read.message(pool)).expect("it is made of text");
            if read.hotkey.parse::<Hotkey>().is_ok() {
                assert_eq!(
                    message.split('.').count(),
                    5,
                    "nothing in it can be taken for another part"
                );
            }
            assert!(!read.timeout.is_zero());
        }
        Err(fault) => assert!([400, 401].contains(&fault.status())),
    }
}

/// Reads a body as that of every class. One whose hash is right is understood or refused, and echoed.
pub fn body(bytes: &[u8]) {
    let Ok(body) = Body::parse(bytes) else { return };
    let text = POOL.to_string();
    let pool = Named {
        hotkey: POOL,
        text: &text,
    };
    for class in Class::ALL {
        let texts: Option<Vec<_>> = class
            .signed_fields()
            .iter()
            .map(|name| body.field(name).and_then(python_str))
            .collect();
        let right = texts.map(|texts| hash(texts.iter().map(AsRef::as_ref)));
        for hash in right.iter().map(String::as_str).chain([""]) {
            if let Ok(said) = body.said(class, hash) {
                assert_eq!(class.action().unwrap_or_default(), said.text("action"));
            }
        }
        let _checked = body.names_nobody_but(pool);
        let response = Answer::to(class, &body).response();
        let echoed = actix_web::body::MessageBody::try_into_bytes(response.into_body());
        let echoed = echoed.expect("it is there, whole");
        let echoed = Body::parse(&echoed).expect("an answer is JSON, and has nothing twice");
        for never_null in ["dendrite", "axon", "timeout"] {
            let value = echoed.field(never_null);
            assert!(value.is_none_or(|value| value.get() != "null"), "{never_null}");
        }
    }
}
