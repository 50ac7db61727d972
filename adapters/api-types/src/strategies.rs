//! Values of the small types, for tests of those that are made of them.

use std::fmt::Debug;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::target::Target;
use dwarves_domain::time::Timestamp;
use dwarves_domain::work::{Header, JobId};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::named::{Listed, Named};
use crate::scalars::{Hash, Instant, Ss58};

pub(crate) fn text() -> impl Strategy<Value = String> {
    "\\PC{0,12}"
}

pub(crate) fn maybe_text() -> impl Strategy<Value = Option<String>> {
    option::of(text())
}

/// Of few digits: serde_json may read the last bit of a long fraction wrong. What counts is whole numbers.
pub(crate) fn number() -> impl Strategy<Value = f64> {
    (0..1u64 << 30).prop_map(|sixteenths| sixteenths as f64 / 16.0)
}

/// In the years that RFC 3339 can write.
pub(crate) fn instant() -> impl Strategy<Value = Instant> {
    (-62_167_219_200_000_i64..253_402_300_800_000).prop_map(|millis| Instant(Timestamp::from_millis(millis)))
}

pub(crate) fn hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(|bytes| Hash(HeaderHash::from_bytes(bytes)))
}

pub(crate) fn hotkey() -> impl Strategy<Value = Ss58> {
    any::<[u8; 32]>().prop_map(|bytes| Ss58(Hotkey::from_bytes(bytes)))
}

/// A word of the list, or one that is not in it.
pub(crate) fn named<T: Listed + Debug>() -> impl Strategy<Value = Named<T>> {
    let other = Just(Named::Other("new_in_a_later_pool".to_owned()));
    prop_oneof![4 => select(T::ALL).prop_map(Named::Known), 1 => other]
}

pub(crate) fn job_id() -> impl Strategy<Value = JobId> {
    "[0-9a-f]{56}".prop_map(|digits| digits.parse().unwrap())
}

pub(crate) fn target() -> impl Strategy<Value = Target> {
    any::<[u8; 32]>().prop_filter_map("no target is zero", |bytes| Target::from_be_bytes(bytes).ok())
}

pub(crate) fn header() -> impl Strategy<Value = Header> {
    proptest::collection::vec(any::<u8>(), Header::LEN)
        .prop_map(|bytes| Header::from_bytes(bytes.try_into().unwrap()))
}

pub(crate) fn list<T: Debug>(one: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    proptest::collection::vec(one, 0..3)
}
