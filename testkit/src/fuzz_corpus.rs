//! The corpus that the fuzz targets begin with, for the short runs of the tests.
#![allow(
    clippy::unwrap_used,
    reason = "these are helpers of tests, which other packages use"
)]

use std::path::Path;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// Every file of a target's corpus, in the order of their names.
pub fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let files = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// A piece of the corpus, changed in a few places, cut, or joined with another.
pub fn mutated(target: &str) -> impl Strategy<Value = Vec<u8>> {
    let corpus = corpus(target);
    let one = proptest::sample::select(corpus.clone());
    let other = proptest::option::of(proptest::sample::select(corpus));
    let changes = proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6);
    let cut = any::<proptest::sample::Index>();
    (one, other, changes, cut).prop_map(|(mut bytes, other, changes, cut)| {
        for (at, byte) in changes {
            let at = at.index(bytes.len().max(1));
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        if let Some(other) = other {
            bytes.truncate(cut.index(bytes.len() + 1).max(bytes.len() / 2));
            bytes.extend(other);
        }
        bytes
    })
}

/// This many changed pieces of the corpus, the same ones in every run.
pub fn mutations(target: &str, count: usize) -> impl Iterator<Item = Vec<u8>> {
    let strategy = mutated(target);
    let mut runner = TestRunner::deterministic();
    std::iter::repeat_with(move || strategy.new_tree(&mut runner).unwrap().current()).take(count)
}
