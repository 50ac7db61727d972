//! Where a request's head ends, and how long the body behind it is, read as the bytes come by.
//!
//! This decides only how far to read ahead; the HTTP server reads the same bytes by itself and is the judge of them.
//! Whatever is out of the ordinary is therefore not interpreted here but called unknown.

/// Bytes of a line that are looked at: enough for the names of fields and any length of a body.
const LINE: usize = 48;

/// The length of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyLength {
    /// This many bytes.
    Known(u64),
    /// Only its last chunk shows it, or the head says it in an unusual way.
    Unknown,
}

/// Looks for the end of a head.
#[derive(Debug)]
pub(super) struct HeadReader {
    line: [u8; LINE],
    /// Bytes of the present line, also of those that are not kept.
    line_len: usize,
    has_begun: bool,
    body: BodyLength,
}

impl Default for HeadReader {
    fn default() -> Self {
        Self {
            line: [0; LINE],
            line_len: 0,
            has_begun: false,
            body: BodyLength::Known(0),
        }
    }
}

impl HeadReader {
    /// Takes the next bytes. Once the head ends among them: how many of them are the head's, and its body's length. Then
    /// the next head may begin.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Option<(usize, BodyLength)> {
        let mut from = 0;
        while let Some(end) = memchr::memchr(b'\n', &bytes[from..]) {
            self.keep(&bytes[from..from + end]);
            from += end + 1;
            if self.line_ends() {
                return Some((from, std::mem::take(self).body));
            }
        }
        self.keep(&bytes[from..]);
        None
    }

    fn keep(&mut self, part: &[u8]) {
        if let Some(room) = self.line.get_mut(self.line_len..) {
            let kept = part.len().min(room.len());
            room[..kept].copy_from_slice(&part[..kept]);
        }
        self.line_len += part.len();
    }

    /// Whether the line that ends is the empty one behind a head. Empty lines before a request mean nothing.
    fn line_ends(&mut self) -> bool {
        let len = std::mem::take(&mut self.line_len);
        let line = self.line[..len.min(LINE)].trim_ascii_end();
        if line.is_empty() && len <= LINE {
            return self.has_begun;
        }
        self.has_begun = true;
        let Some(colon) = memchr::memchr(b':', line) else {
            return false;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.body = BodyLength::Unknown;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            self.body = match (self.body, length) {
                (BodyLength::Known(0), Some(length)) if len <= LINE => BodyLength::Known(length),
                _ => BodyLength::Unknown,
            };
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_end_and_bodies_have_their_length_however_the_bytes_come() {
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(300));
        for (head, body) in [
            ("GET / HTTP/1.1\r\n\r\n", BodyLength::Known(0)),
            ("\r\n\r\nGET / HTTP/1.1\nHost: pool\n\n", BodyLength::Known(0)),
            (&long, BodyLength::Known(0)),
            (
                "POST / HTTP/1.1\r\ncontent-LENGTH:  17 \r\nHost: pool\r\n\r\n",
                BodyLength::Known(17),
            ),
            (
                "POST / HTTP/1.1\r\nContent-Length: 17\r\nContent-Length: 17\r\n\r\n",
                BodyLength::Unknown,
            ),
            (
                "POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n",
                BodyLength::Unknown,
            ),
            (
                "POST / HTTP/1.1\r\nContent-Length: 17\r\nTransfer-Encoding: chunked\r\n\r\n",
                BodyLength::Unknown,
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 17\r\n\r\n",
                BodyLength::Unknown,
            ),
        ] {
            let bytes = [head.as_bytes(), b"the body"].concat();
            let mut reader = HeadReader::default();
            assert_eq!(reader.take(&bytes), Some((head.len(), body)), "{head:?}");
            for (at, byte) in head.bytes().enumerate() {
                let expected = (at + 1 == head.len()).then_some((1, body));
                assert_eq!(reader.take(&[byte]), expected, "{head:?} at {at}");
            }
        }
    }
}
