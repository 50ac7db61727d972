//! Reckons the formulas of worked examples, with exact fractions.

use std::collections::BTreeMap;

use num_bigint::BigInt;

/// An exact fraction.
#[derive(Clone, Debug)]
pub(crate) struct Fraction(pub(crate) BigInt, pub(crate) BigInt);

impl Fraction {
    pub(crate) fn whole(number: i64) -> Self {
        Self(number.into(), 1.into())
    }

    pub(crate) fn read(text: &str) -> Self {
        let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
        let over = format!("{whole}{digits}").parse().unwrap();
        Self(over, BigInt::from(10).pow(digits.len().try_into().unwrap()))
    }

    pub(crate) fn floor(&self) -> Self {
        let (zero, one) = (BigInt::from(0), BigInt::from(1));
        let mut whole = &self.0 / &self.1;
        if self.0 < zero && &whole * &self.1 != self.0 {
            whole -= &one;
        }
        Self(whole, one)
    }

    pub(crate) fn is_less(&self, other: &Self) -> bool {
        &self.0 * &other.1 < &other.0 * &self.1
    }

    pub(crate) fn is_equal(&self, other: &Self) -> bool {
        &self.0 * &other.1 == &other.0 * &self.1
    }
}

/// Reckons a formula; a program of its own that knows nothing of the pool's.
pub(crate) struct Formula<'a> {
    pub(crate) rest: &'a str,
    pub(crate) names: &'a BTreeMap<String, Fraction>,
}

impl Formula<'_> {
    pub(crate) fn eat(&mut self, token: char) -> bool {
        self.rest = self.rest.trim_start();
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    pub(crate) fn sum(&mut self) -> Fraction {
        let mut value = self.product();
        loop {
            let sign = if self.eat('+') {
                1
            } else if self.eat('-') {
                -1
            } else {
                return value;
            };
            let other = self.product();
            value = Fraction(value.0 * &other.1 + other.0 * &value.1 * sign, value.1 * other.1);
        }
    }

    pub(crate) fn product(&mut self) -> Fraction {
        let mut value = self.one();
        loop {
            if self.eat('*') {
                let other = self.one();
                value = Fraction(value.0 * other.0, value.1 * other.1);
            } else if self.eat('/') {
                let other = self.one();
                value = Fraction(value.0 * other.1, value.1 * other.0);
            } else {
                return value;
            }
        }
    }

    pub(crate) fn one(&mut self) -> Fraction {
        if self.eat('(') {
            let value = self.sum();
            assert!(self.eat(')'));
            return value;
        }
        self.rest = self.rest.trim_start();
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return Fraction::read(word);
        }
        if !self.eat('(') {
            let known = self.names.get(word);
            return known.unwrap_or_else(|| panic!("{word:?} is not known")).clone();
        }
        let mut values = vec![self.sum()];
        while self.eat(',') {
            values.push(self.sum());
        }
        assert!(self.eat(')'));
        let pick = |is_better: fn(&Fraction, &Fraction) -> bool| {
            let mut values = values.iter();
            let first = values.next().unwrap();
            values.fold(first.clone(), |best, one| {
                if is_better(one, &best) { one.clone() } else { best }
            })
        };
        match word {
            "floor" => values[0].floor(),
            "min" => pick(Fraction::is_less),
            "max" => pick(|one, best| best.is_less(one)),
            other => panic!("{other} is no function"),
        }
    }
}
