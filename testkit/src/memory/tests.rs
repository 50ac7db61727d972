use super::*;
use crate::contract::Backend;
use dwarves_ports::store::{ShareRow, SharedStore};
use std::sync::Arc;

struct InMemory(MemoryStore);

impl Backend for InMemory {
    fn fresh() -> Self {
        Self(MemoryStore::new())
    }

    fn open(&self) -> SharedStore {
        Arc::new(self.0.clone())
    }

    fn share(&self, sequence: Sequence) -> ShareRow {
        let mut shares = self.0.shares().into_iter();
        shares.find(|(stored, _)| *stored == sequence).unwrap().1
    }
}

crate::store_contract!(InMemory);

#[actix::test]
async fn a_copy_knows_nothing_of_what_comes_later_and_a_clone_does() {
    let store = MemoryStore::new();
    let save = |value: &str| Write::SaveSetting {
        key: "a".to_owned(),
        value: Some(value.to_owned()),
    };
    store.commit(vec![save("before")]).await.unwrap();
    let (copy, clone) = (store.copy(), store.clone());
    store.commit(vec![save("after")]).await.unwrap();
    assert_eq!(copy.settings().await.unwrap()["a"], "before");
    assert_eq!(clone.settings().await.unwrap()["a"], "after");
    copy.commit(vec![save("other")]).await.unwrap();
    assert_eq!(store.settings().await.unwrap()["a"], "after");
}

#[test]
fn every_case_of_the_contract_is_run() {
    let modules = [
        include_str!("../contract/blocks.rs"),
        include_str!("../contract/miners.rs"),
        include_str!("../contract/payouts.rs"),
        include_str!("../contract/prune.rs"),
        include_str!("../contract/rounds.rs"),
        include_str!("../contract/shares.rs"),
        include_str!("../contract/templates.rs"),
        include_str!("../contract/windows.rs"),
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
