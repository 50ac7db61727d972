//! Where one line ends and the next begins.

/// The longest line, in bytes. Real ones have a few hundred.
pub const LINE_LEN_MAX: usize = 10_240;

/// What bytes begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split<'a> {
    /// A whole line, without its end and the blanks around it, and what follows it.
    Line(&'a [u8], &'a [u8]),
    /// The beginning of a line.
    Partial,
    /// A line that is too long.
    TooLong,
}

/// Splits the first line off. Lines end with `\n`; a `\r` before it is a blank.
pub fn split(bytes: &[u8]) -> Split<'_> {
    let seen = &bytes[..bytes.len().min(LINE_LEN_MAX + 1)];
    match memchr::memchr(b'\n', seen) {
        Some(end) => Split::Line(bytes[..end].trim_ascii(), &bytes[end + 1..]),
        None if bytes.len() > LINE_LEN_MAX => Split::TooLong,
        None => Split::Partial,
    }
}

/// Whether bytes can be the beginning of a request. A browser, a TLS client on the wrong port and the like can
/// be told by their first byte, long before a line ends.
pub fn may_be_request(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first().is_none_or(|&byte| byte == b'{')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_end_with_a_newline_and_blanks_do_not_count() {
        assert_eq!(split(b" {1}\r\n{2}"), Split::Line(b"{1}", b"{2}"));
        assert_eq!(split(b"\n"), Split::Line(b"", b""));
        assert_eq!(split(b"{2}"), Split::Partial);
        assert_eq!(split(b""), Split::Partial);
    }

    #[test]
    fn a_line_has_its_longest_length_and_no_more() {
        let mut longest = vec![b'x'; LINE_LEN_MAX];
        assert_eq!(split(&longest), Split::Partial);
        longest.push(b'\n');
        assert!(matches!(split(&longest), Split::Line(line, b"") if line.len() == LINE_LEN_MAX));
        assert_eq!(split(&vec![b'x'; LINE_LEN_MAX + 1]), Split::TooLong);
    }

    #[test]
    fn other_protocols_are_told_by_their_first_byte() {
        assert!(may_be_request(b""));
        assert!(may_be_request(b" \r\n{\"id\""));
        assert!(!may_be_request(b"GET / HTTP/1.1"));
        assert!(!may_be_request(b"\x16\x03\x01"));
    }

    proptest! {
        #[test]
        fn cut_anywhere_the_same_lines_come_out(text in "[a-z\n ]{0,300}", at in any::<proptest::sample::Index>()) {
            let whole: Vec<Vec<u8>> = lines(text.as_bytes()).0;
            let (first, second) = text.as_bytes().split_at(at.index(text.len() + 1));
            let (mut got, rest) = lines(first);
            let joined = [rest, second.to_vec()].concat();
            got.extend(lines(&joined).0);
            prop_assert_eq!(got, whole);
        }
    }

    fn lines(mut bytes: &[u8]) -> (Vec<Vec<u8>>, Vec<u8>) {
        let mut lines = Vec::new();
        while let Split::Line(line, rest) = split(bytes) {
            lines.push(line.to_vec());
            bytes = rest;
        }
        (lines, bytes.to_vec())
    }
}
