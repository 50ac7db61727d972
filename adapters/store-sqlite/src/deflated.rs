//! Texts that are kept for ever, as raw deflate with their length beside it.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use super::error::{Outcome, corrupt};

/// A text as it is stored. The fast level: it is done between two commits.
pub(super) fn deflated(text: &str) -> Outcome<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::with_capacity(text.len() / 4), Compression::fast());
    let written = encoder.write_all(text.as_bytes());
    let deflated = written.and_then(|()| encoder.finish());
    deflated.map_err(|error| corrupt(format!("a text cannot be deflated: {error}")))
}

/// The text of this many bytes that is stored in `column`.
pub(super) fn inflated(bytes: &[u8], length: u64, column: &str) -> Outcome<String> {
    let broken = || corrupt(format!("{column} must be a text of its length, deflated"));
    let capacity = usize::try_from(length).map_err(|_| broken())?;
    // A text is a few dozen times as long as what it is deflated to, at most a thousand.
    if capacity / 1_100 > bytes.len() {
        return Err(broken());
    }
    let mut text = String::with_capacity(capacity);
    let read = DeflateDecoder::new(bytes)
        .take(length + 1)
        .read_to_string(&mut text);
    match read {
        Ok(count) if count == capacity => Ok(text),
        _ => Err(broken()),
    }
}
