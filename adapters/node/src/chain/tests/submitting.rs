//! Blocks on their way to the nodes, and what these say to them.

use super::*;

#[actix::test]
async fn every_word_of_a_node_to_a_block_is_understood() {
    let node = Scripted::new(State::at(121));
    let chain = chain_of(&[&node.url]);
    let block = || vec![7; 100];
    let refused = |word: &str| SubmitOutcome::Refused(word.to_owned());
    for (act, outcome) in [
        (Act::result(&Value::Null), SubmitOutcome::Accepted),
        (Act::result(&json!("inconclusive")), SubmitOutcome::Inconclusive),
        (
            Act::result(&json!("duplicate-invalid")),
            refused("duplicate-invalid"),
        ),
        (Act::result(&json!("high-hash")), refused("high-hash")),
        (
            Act::result(&json!("mweb-hash-mismatch")),
            refused("mweb-hash-mismatch"),
        ),
        (
            Act::Error(-22, "Block decode failed"),
            refused("Block decode failed"),
        ),
        (
            Act::result(&json!("prev-blk-not-found")),
            SubmitOutcome::NotYet("prev-blk-not-found".to_owned()),
        ),
    ] {
        node.set(|state| state.submission = act);
        assert_eq!(chain.submit(block()).await, Ok(outcome));
    }
    // A duplicate is what its header says it is.
    node.set(|state| state.submission = Act::result(&json!("duplicate")));
    for (header, outcome) in [
        (Act::result(&json!({"confirmations": 3})), SubmitOutcome::Accepted),
        (Act::result(&json!({"confirmations": 0})), SubmitOutcome::Accepted),
        (
            Act::result(&json!({"confirmations": -1})),
            SubmitOutcome::Inconclusive,
        ),
        (Act::Error(-5, "Block not found"), SubmitOutcome::Duplicate),
    ] {
        node.set(|state| state.header = header);
        assert_eq!(chain.submit(block()).await, Ok(outcome));
    }
    assert_eq!(
        chain.submit(vec![1, 2]).await,
        Ok(refused("shorter than a header"))
    );
}

#[actix::test]
async fn a_block_whose_answer_got_lost_is_submitted_again_and_is_in() {
    let submissions = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&submissions);
    let (_state, present) = watch::channel(State::at(121));
    let url = serve(
        move |call| match (call.method.as_str(), count.load(Ordering::SeqCst)) {
            ("submitblock", before) => {
                count.fetch_add(1, Ordering::SeqCst);
                if before == 0 {
                    Act::HangUp
                } else {
                    Act::result(&json!("duplicate"))
                }
            }
            _ => answer(call, &present),
        },
    );
    assert_eq!(
        chain_of(&[&url]).submit(vec![7; 100]).await,
        Ok(SubmitOutcome::Accepted)
    );
    assert_eq!(submissions.load(Ordering::SeqCst), 2);
}

#[actix::test]
async fn a_block_goes_to_every_node_and_the_best_word_counts() {
    let (first, second) = (Scripted::new(State::at(121)), Scripted::new(State::at(121)));
    let chain = chain_of(&[&first.url, &nobody(), &second.url]);
    first.set(|state| state.submission = Act::result(&json!("high-hash")));
    assert_eq!(chain.submit(vec![7; 100]).await, Ok(SubmitOutcome::Accepted));
    eventually("both to have it", async || {
        (first.count("submitblock") > 0).then_some(())
    })
    .await;
    second.set(|state| state.submission = Act::result(&json!("inconclusive")));
    assert_eq!(chain.submit(vec![7; 100]).await, Ok(SubmitOutcome::Inconclusive));
}

#[actix::test]
async fn blocks_are_judged_by_a_synced_node_only() {
    let node = Scripted::new(State::at(121));
    let chain = chain_of(&[&node.url]);
    let status = async || chain.status(tip(1).hash).await;
    chain.tip_after(None).await.unwrap();
    assert_eq!(status().await, Ok(BlockStatus::MainChain { confirmations: 1 }));
    node.set(|state| state.header = Act::result(&json!({"confirmations": -1})));
    assert_eq!(status().await, Ok(BlockStatus::SideChain));
    node.set(|state| state.header = Act::Error(-5, "Block not found"));
    assert_eq!(status().await, Ok(BlockStatus::Unknown));
    assert_eq!(
        chain.sync_state().await.unwrap(),
        SyncState {
            tip: tip(121),
            is_synced: true
        }
    );

    node.set(|state| state.headers = Some(400));
    assert!(!chain.sync_state().await.unwrap().is_synced);
    assert!(matches!(status().await, Err(ChainError::NotReady(_))));
    node.set(|state| {
        state.headers = None;
        state.initial_download = true;
    });
    assert!(!chain.sync_state().await.unwrap().is_synced);
    assert!(matches!(status().await, Err(ChainError::NotReady(_))));
}
