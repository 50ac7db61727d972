use std::sync::Arc;

use dwarves_ports::store::SharedStore;
use dwarves_testkit::contract::Backend;

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

dwarves_testkit::store_contract!(Plain);

#[test]
fn every_case_of_the_contract_is_run() {
    let modules = [
        include_str!("../../../../../testkit/src/contract/blocks.rs"),
        include_str!("../../../../../testkit/src/contract/miners.rs"),
        include_str!("../../../../../testkit/src/contract/payouts.rs"),
        include_str!("../../../../../testkit/src/contract/prune.rs"),
        include_str!("../../../../../testkit/src/contract/rounds.rs"),
        include_str!("../../../../../testkit/src/contract/shares.rs"),
        include_str!("../../../../../testkit/src/contract/templates.rs"),
        include_str!("../../../../../testkit/src/contract/windows.rs"),
    ];
    let lines = modules.iter().flat_map(|module| module.lines());
    let written: Vec<&str> = lines
        .filter_map(|line| line.strip_prefix("pub async fn "))
        .filter_map(|line| line.split('<').next())
        .collect();
    let forgotten: Vec<_> = written.iter().filter(|name| !CASES.contains(name)).collect();
    assert!(forgotten.is_empty(), "not in store_contract!: {forgotten:?}");
    assert_eq!(written.len(), CASES.len());
}
