//! The body of a call: the texts of its fields as Python has them, and their hash.
//!
//! What is signed of a body is the hash of some fields' `str()`. Numbers are hashed as they were sent: printed anew,
//! 1e-05 would be another text.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use sha3::{Digest, Sha3_256};

use crate::class::Class;
use crate::fault::Fault;
use crate::headers::Named;

/// Fields that a body may have: a dendrite's own seven, and what classes add.
const FIELDS_MAX: usize = 64;

/// The top level of a body, with every value as it was sent.
#[derive(Debug)]
pub struct Body<'a> {
    fields: Vec<(String, &'a RawValue)>,
}

impl<'a, 'de: 'a> Deserialize<'de> for Body<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields: Self::Value = Vec::with_capacity(16);
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if fields.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom(format_args!("{name}: it is there twice")));
                    }
                    if fields.len() == FIELDS_MAX {
                        return Err(A::Error::custom(format_args!("more than {FIELDS_MAX} fields")));
                    }
                    fields.push((name, value));
                }
                Ok(fields)
            }
        }

        d.deserialize_map(Fields).map(|fields| Self { fields })
    }
}

/// What a call says, once its hash is that of what it signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said<'a> {
    texts: Vec<(&'static str, Cow<'a, str>)>,
}

impl Said<'_> {
    /// The text of a signed field; empty if the class has none of this name.
    pub fn text(&self, field: &str) -> &str {
        let known = self.texts.iter().find(|(name, _)| *name == field);
        known.map_or("", |(_, text)| text)
    }
}

impl<'a> Body<'a> {
    /// Parses a body.
    ///
    /// # Errors
    /// 400 if it is no JSON object.
    pub fn parse(body: &'a [u8]) -> Result<Self, Fault> {
        serde_json::from_slice(body).map_err(|error| Fault::malformed(format_args!("the body: {error}")))
    }

    /// A field's value as it was sent.
    pub fn field(&self, name: &str) -> Option<&'a RawValue> {
        let known = self.fields.iter().find(|(known, _)| known == name);
        known.map(|(_, value)| *value)
    }

    /// All fields, as they were sent.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// What the body says, if its signed fields are those of `class` and hash to `body_hash`.
    ///
    /// # Errors
    /// 400 if a field is missing, has no text of one meaning, or is not what was signed.
    pub fn said(&self, class: Class, body_hash: &str) -> Result<Said<'a>, Fault> {
        let mut signed = Vec::with_capacity(class.signed_fields().len());
        for name in class.signed_fields() {
            let value = self.field(name).ok_or_else(|| {
                Fault::malformed(format_args!(
                    "{name}: the field is missing; {} declares it",
                    class.name()
                ))
            })?;
            let text = python_str(value).ok_or_else(|| {
                Fault::malformed(format_args!(
                    "{name}: expected text, found a list, an object or no UTF-8"
                ))
            })?;
            signed.push((*name, value, text));
        }
        if hash(signed.iter().map(|(_, _, text)| text.as_ref())) != body_hash {
            return Err(Fault::malformed(format_args!(
                "computed_body_hash: it is not that of this body; a {} signs {}",
                class.name(),
                match class.signed_fields() {
                    [] => "no field".to_owned(),
                    fields => format!("required_hash_fields = {fields:?}"),
                }
            )));
        }
        // Python writes null and "None" alike, and 1 and "1": the hash does not tell them apart.
        let mut texts = Vec::with_capacity(signed.len());
        for (name, value, text) in signed {
            if !value.get().starts_with('"') {
                return Err(Fault::malformed(format_args!("{name}: expected text")));
            }
            texts.push((name, text));
        }
        let said = Said { texts };
        if let Some(action) = class.action()
            && said.text("action") != action
        {
            return Err(Fault::malformed(format_args!(
                "action: expected {action:?} on this path"
            )));
        }
        Ok(said)
    }

    /// Makes sure that the body names nobody else as its sender. A stock axon hands the body's to its handlers, whatever
    /// was verified.
    ///
    /// # Errors
    /// 403 if it does, 400 if it is in no form that names somebody.
    pub fn names_nobody_but(&self, sender: Named<'_>) -> Result<(), Fault> {
        #[derive(Deserialize)]
        struct Terminal<'a> {
            #[serde(borrow, default)]
            hotkey: Option<Cow<'a, str>>,
        }

        let Some(value) = self.field("dendrite") else {
            return Ok(());
        };
        let terminal: Option<Terminal<'_>> = serde_json::from_str(value.get())
            .map_err(|error| Fault::malformed(format_args!("dendrite: {error}")))?;
        match terminal.and_then(|terminal| terminal.hotkey) {
            Some(named) if !sender.is(&named) => Err(Fault::forbidden(
                "other_hotkey",
                "dendrite.hotkey in the body is not the hotkey that signed",
            )),
            _ => Ok(()),
        }
    }
}

/// The `str()` of a scalar, in Python. Lists and dicts have one too, which depends on what made them: `None`.
pub fn python_str(value: &RawValue) -> Option<Cow<'_, str>> {
    let token = value.get();
    match token.as_bytes().first()? {
        b'"' => serde_json::from_str::<Text<'_>>(token)
            .ok()
            .map(|Text(text)| text),
        b't' => Some("True".into()),
        b'f' => Some("False".into()),
        b'n' => Some("None".into()),
        b'[' | b'{' => None,
        _ => Some(token.into()),
    }
}

/// Text that is borrowed if it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The hash of signed fields: of the hashes of their texts, one behind the other.
pub fn hash<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut all = Sha3_256::new();
    for text in texts {
        let mut digits = [0; 64];
        hex::encode_to_slice(Sha3_256::digest(text), &mut digits).expect("32 bytes have 64 digits");
        all.update(digits);
    }
    hex::encode(all.finalize())
}
