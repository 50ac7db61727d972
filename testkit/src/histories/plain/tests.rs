use std::path::Path;
use std::sync::Arc;

use crate::contract::Backend;
use dwarves_ports::store::{ShareRow, SharedStore};

use super::*;

struct Plain(PlainStore);

impl Backend for Plain {
    fn fresh() -> Self {
        Self(PlainStore::new())
    }

    fn open(&self) -> SharedStore {
        Arc::new(self.0.clone())
    }

    fn share(&self, sequence: Sequence) -> ShareRow {
        let mut shares = self.0.shares().into_iter();
        shares.find(|(stored, _)| *stored == sequence).unwrap().1
    }
}

crate::store_contract!(Plain);

/// The text of every file below this folder, but for what builds the cases' rows.
fn modules_of_cases(folder: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts.extend(modules_of_cases(&path));
        } else if !path.ends_with("fixtures.rs") {
            texts.push(std::fs::read_to_string(path).unwrap());
        }
    }
    texts
}

#[test]
fn every_case_of_the_contract_is_run() {
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/contract");
    let modules = modules_of_cases(&contract);
    let lines = modules.iter().flat_map(|module| module.lines());
    let written: Vec<&str> = lines
        .filter_map(|line| line.strip_prefix("pub async fn "))
        .filter_map(|line| line.split('<').next())
        .collect();
    let forgotten: Vec<_> = written.iter().filter(|name| !CASES.contains(name)).collect();
    assert!(forgotten.is_empty(), "not in store_contract!: {forgotten:?}");
    assert_eq!(written.len(), CASES.len());
}
