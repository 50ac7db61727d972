//! The parameters of a request.

use actix_web::{HttpRequest, web};

use crate::answer::Fault;

/// The parameters of a request. Those that a form does not know are left alone, as the software does that it stands for.
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn of(req: &HttpRequest) -> Result<Self, Fault> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(req.query_string());
        let pairs = pairs.map_err(|_| Fault::malformed("expected name=value pairs joined by &"))?;
        Ok(Self(pairs.into_inner()))
    }

    /// The first value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A whole number, not below `least` and not above `most`.
    pub(crate) fn number(&self, name: &str, least: i64, most: i64) -> Result<Option<i64>, Fault> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let number = text.parse().ok().filter(|n| (least..=most).contains(n));
        let wrong = || Fault::malformed(format!("{name}: expected a number from {least} to {most}"));
        number.map(Some).ok_or_else(wrong)
    }

    #[cfg(test)]
    pub(crate) fn from_pairs(pairs: &[(&str, &str)]) -> Self {
        let pairs = pairs.iter();
        Self(
            pairs
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }
}
