//! Plain JSON, read quickly: what nearly every line of mining software is.
//!
//! Plain is an object whose values are numbers, words, texts without escapes, and lists of such texts. A share is
//! judged so quickly that reading its line twice, as general JSON, would be a sixth of its cost. Whatever is not plain is
//! none of this module's business: it answers `None`, and the caller reads it as the general JSON that it may be. What
//! is plain means the same to both, which a test holds them to.

/// The members of a request, each as its JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlainRequest<'a> {
    /// The request's id, as it is written.
    pub id: Option<&'a str>,
    /// The method, with its quotes.
    pub method: Option<&'a str>,
    /// The parameters, as they are written.
    pub params: Option<&'a str>,
}

/// What is left to read. Everything is ASCII, so every place is the beginning of a character.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor at the beginning; `None` if there are escapes, control characters or others than ASCII anywhere.
    fn new(line: &'a [u8]) -> Option<Self> {
        // No early end: so all bytes are looked at several at a time.
        let is_plain = |plain, &byte: &u8| plain & (b' '..=b'~').contains(&byte) & (byte != b'\\');
        if !line.iter().fold(true, is_plain) {
            return None;
        }
        let text = std::str::from_utf8(line).ok()?;
        Some(Self { text, at: 0 })
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ') = self.peek() {
            self.at += 1;
        }
    }

    /// Passes `byte` and the blanks around it, if it is next.
    fn pass(&mut self, byte: u8) -> Option<()> {
        self.skip_blanks();
        if self.peek()? != byte {
            return None;
        }
        self.at += 1;
        self.skip_blanks();
        Some(())
    }

    /// What is between the quotes of a text.
    fn text(&mut self) -> Option<&'a str> {
        if self.peek()? != b'"' {
            return None;
        }
        let begin = self.at + 1;
        let len = memchr::memchr(b'"', &self.text.as_bytes()[begin..])?;
        self.at = begin + len + 1;
        Some(&self.text[begin..begin + len])
    }

    /// A whole number below 10^18, without sign, point and leading zeros, or `null`.
    fn number_or_null(&mut self) -> Option<()> {
        let rest = &self.text[self.at..];
        let len = match rest.strip_prefix("null") {
            Some(_) => "null".len(),
            None => rest.bytes().take_while(u8::is_ascii_digit).count(),
        };
        let is_plain = (1..=18).contains(&len) && (len == 1 || !rest.starts_with('0'));
        self.at += len;
        is_plain.then_some(())
    }

    /// A list of texts.
    fn texts(&mut self, mut each: impl FnMut(&'a str)) -> Option<()> {
        self.pass(b'[')?;
        if self.pass(b']').is_some() {
            return Some(());
        }
        loop {
            each(self.text()?);
            if self.pass(b']').is_some() {
                return Some(());
            }
            self.pass(b',')?;
        }
    }

    /// Any plain value, as its JSON.
    fn value(&mut self) -> Option<&'a str> {
        let begin = self.at;
        let end = match self.peek()? {
            b'"' => self.text().map(|_| self.at)?,
            b'[' => {
                self.texts(drop)?;
                // The blanks behind it are not part of it.
                begin + self.text[begin..self.at].trim_ascii_end().len()
            }
            _ => self.number_or_null().map(|()| self.at)?,
        };
        Some(&self.text[begin..end])
    }
}

/// Reads a request, if it is plain and has no other members than these.
pub fn request(line: &[u8]) -> Option<PlainRequest<'_>> {
    let mut cursor = Cursor::new(line)?;
    let mut request = PlainRequest::default();
    cursor.pass(b'{')?;
    loop {
        let name = cursor.text()?;
        cursor.pass(b':')?;
        let value = cursor.value()?;
        let member = match name {
            "id" => &mut request.id,
            "method" => &mut request.method,
            "params" => &mut request.params,
            _ => return None,
        };
        if member.replace(value).is_some() {
            return None;
        }
        if cursor.pass(b'}').is_some() {
            break;
        }
        cursor.pass(b',')?;
    }
    (cursor.at == line.len()).then_some(request)
}

/// Reads a list of texts: the first `N`, and how many there are. Those that are missing are empty.
pub fn texts<const N: usize>(json: &str) -> Option<([&str; N], usize)> {
    let mut cursor = Cursor::new(json.as_bytes())?;
    let (mut texts, mut count) = ([""; N], 0);
    cursor.texts(|text| {
        if let Some(place) = texts.get_mut(count) {
            *place = text;
        }
        count += 1;
    })?;
    (cursor.at == json.len()).then_some((texts, count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn what_mining_software_writes_is_plain() {
        for line in [
            r#"{"method": "mining.submit", "params": ["u.w1", "j1", "00000000", "6b02d8c8", "42000000"], "id":4}"#,
            r#"{"id":1,"method":"mining.subscribe","params":[]}"#,
            r#"{"params": ["bitaxe/BM1370", "session"] , "id": "7", "method": "mining.subscribe"}"#,
            r#"{"id":null,"method":"mining.ping"}"#,
        ] {
            let plain = request(line.as_bytes()).expect(line);
            let general: Value = serde_json::from_str(line).unwrap();
            for (name, json) in [
                ("id", plain.id),
                ("method", plain.method),
                ("params", plain.params),
            ] {
                let read = json.map(|json| serde_json::from_str::<Value>(json).unwrap());
                assert_eq!(read.as_ref(), general.get(name), "{name} of {line}");
            }
        }
        assert_eq!(texts::<2>(r#"[ "a" ,"b","c" ]"#), Some((["a", "b"], 3)));
        assert_eq!(texts::<2>("[]"), Some((["", ""], 0)));
    }

    #[test]
    fn everything_else_is_left_to_those_who_know_json() {
        for line in [
            r#"{"id":1,"id":2}"#,
            r#"{"id":01}"#,
            r#"{"id":-1}"#,
            r#"{"id":1.5}"#,
            r#"{"id":1,}"#,
            r#"{"id":1}x"#,
            r#"{"id":"a\"b"}"#,
            "{\"id\":\"\u{e9}\"}",
            r#"{"id":[1]}"#,
            r#"{"id":["a",]}"#,
            r#"{"worker":"a"}"#,
            r#"{"id":nul}"#,
            r#"{"id":"#,
            "{}",
            "",
        ] {
            assert_eq!(request(line.as_bytes()), None, "{line}");
        }
        for list in [r#"["a""#, r#"["a",1]"#, r#"["a"]]"#, "[,]", "1"] {
            assert_eq!(texts::<2>(list), None, "{list}");
        }
    }
}
