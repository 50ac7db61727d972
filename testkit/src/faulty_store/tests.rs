use super::*;
use dwarves_store_sqlite::InlineStore;

fn setting(value: &str) -> Vec<Write> {
    vec![Write::SaveSetting {
        key: "value".to_owned(),
        value: Some(value.to_owned()),
    }]
}

/// What each of this many commits comes to, and the value that is stored after it.
fn outcomes(plan: FaultPlan, commits: u64) -> Vec<(Option<StoreErrorKind>, Option<String>)> {
    let inner: SharedStore = Arc::new(InlineStore::fresh());
    let store = FaultyStore::new(Arc::clone(&inner), plan);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut outcomes = Vec::new();
        for number in 1..=commits {
            let committed = store.clone().commit(setting(&number.to_string())).await;
            let state = inner.start(Timestamp::EPOCH).await.unwrap();
            let value = state.settings.get("value").cloned();
            outcomes.push((committed.err().map(|error| error.kind()), value));
        }
        assert_eq!(store.commits(), commits);
        outcomes
    })
}

#[test]
fn each_fault_strikes_at_its_commit_and_no_other() {
    let at = vec![(2, Fault::Refuse), (3, Fault::LoseBefore), (4, Fault::LoseAfter)];
    let plan = FaultPlan { at, disk_full: None };
    let stored = |value: &str| Some(value.to_owned());
    let expected = [
        (None, stored("1")),
        (Some(StoreErrorKind::Unavailable), stored("1")),
        (Some(StoreErrorKind::Unknown), stored("1")),
        (Some(StoreErrorKind::Unknown), stored("4")),
        (None, stored("5")),
    ];
    assert_eq!(outcomes(plan, 5), expected);
}

#[test]
fn a_full_disk_refuses_for_a_while() {
    let plan = FaultPlan {
        at: Vec::new(),
        disk_full: Some(1..3),
    };
    let stored = |value: &str| Some(value.to_owned());
    let expected = [
        (Some(StoreErrorKind::Unavailable), None),
        (Some(StoreErrorKind::Unavailable), None),
        (None, stored("3")),
    ];
    assert_eq!(outcomes(plan, 3), expected);
}
