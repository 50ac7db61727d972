//! What a command says: its answer up to a limit, and of what it complains the end.

use std::io::{ErrorKind, Read};

/// The end of complaints that is kept, in bytes.
const COMPLAINTS_MAX: usize = 2_048;

/// Reads up to `limit` bytes. Whoever says more is not listened to any longer.
pub(crate) fn read_answer(from: impl Read, limit: usize) -> Vec<u8> {
    let mut answer = Vec::new();
    // What was said before a failure is no answer, and will not be read as one.
    let _read = from.take(limit as u64).read_to_end(&mut answer);
    answer
}

/// Reads to the end, so that nobody who complains much has to wait, and keeps the last of it.
pub(crate) fn read_complaints(mut from: impl Read) -> String {
    let mut kept: Vec<u8> = Vec::new();
    let mut piece = [0; 1_024];
    loop {
        match from.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => {
                kept.extend(&piece[..count]);
                let beyond = kept.len().saturating_sub(COMPLAINTS_MAX);
                kept.drain(..beyond);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&kept).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_an_end_and_of_complaints_the_end_is_kept() {
        assert_eq!(read_answer(std::io::repeat(b'x'), 70), vec![b'x'; 70]);
        assert_eq!(read_answer(&b"{}"[..], 70), b"{}");
        let long = format!("{}the end\n", "x".repeat(10_000));
        let kept = read_complaints(long.as_bytes());
        assert!(kept.ends_with("xthe end") && kept.len() == COMPLAINTS_MAX - 1);
    }
}
