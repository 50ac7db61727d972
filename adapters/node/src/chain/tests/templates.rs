//! What work nodes give, and whether it would hold.

use super::*;

#[actix::test]
async fn a_failed_self_test_gives_no_work_and_says_why() {
    let mut state = State::at(121);
    state.judgement = json!("bad-cb-amount");
    let node = Scripted::new(state);
    let chain = chain_of(&[&node.url]);
    let error = chain.template().await.unwrap_err();
    assert!(matches!(error, ChainError::Unsound(_)), "{error}");
    assert!(error.to_string().contains("bad-cb-amount"), "{error}");
    node.set(|state| state.judgement = Value::Null);
    eventually("work", async || chain.template().await.ok()).await;

    // The test is made again when the rules change.
    let _before = node.count("proposal");
    node.set(|state| {
        state.judgement = json!("mweb-missing");
        state.rules = json!(["csv", "!segwit", "taproot", "mweb"]);
    });
    let error = eventually("the test to fail", async || chain.template().await.err()).await;
    assert!(error.to_string().contains("mweb-missing"), "{error}");
    assert!(node.count("proposal") > 0);
}

/// Which versions a scripted node takes in the pool's own block.
fn version_of(block: &str) -> u32 {
    let bytes: [u8; 4] = hex::decode(&block[..8]).unwrap().try_into().unwrap();
    u32::from_le_bytes(bytes)
}

#[actix::test]
async fn miners_roll_the_version_bits_that_the_node_takes() {
    for (taken, mask, asked) in [
        (0x1fff_ffe0_u32, 0x1fff_ffe0_u32, 1),
        (0x1fff_e000, 0x1fff_e000, 2),
        (0, 0, 3),
    ] {
        let tests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&tests);
        let (_state, present) = watch::channel(State::at(121));
        let url = serve(move |call| match name_of(call).as_str() {
            "proposal" => {
                count.fetch_add(1, Ordering::SeqCst);
                let block = call.params[0]["data"].as_str().unwrap();
                let is_taken = (version_of(block) ^ 0x2000_0000) & !taken == 0;
                Act::result(&if is_taken {
                    Value::Null
                } else {
                    json!("bad-version")
                })
            }
            _ => answer(call, &present),
        });
        let chain = chain_of(&[&url]);
        for _ in 0..2 {
            assert_eq!(chain.template().await.unwrap().version_mask, mask);
        }
        assert_eq!(tests.load(Ordering::SeqCst), asked, "{taken:08x}");
    }
}

#[actix::test]
async fn test_networks_times_end_where_another_difficulty_begins() {
    // (bits, curtime, what the header's times are), all on a block of time 1,000,000.
    for (bits, curtime, mintime, times) in [
        ("1c0fffff", 1_000_600, 996_400, (1_000_600, 996_400, 1_001_200)),
        ("1d00ffff", 1_001_205, 996_400, (1_001_205, 1_001_201, 1_008_205)),
        ("1d00ffff", 1_000_600, 996_400, (1_000_600, 996_400, 1_007_600)),
    ] {
        let (_state, present) = watch::channel(State {
            genesis: "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043",
            ..State::at(121)
        });
        let url = serve(move |call| match name_of(call).as_str() {
            "getblocktemplate" | "longpoll" => {
                let mut template = template(122);
                template["bits"] = bits.into();
                template["curtime"] = curtime.into();
                template["mintime"] = mintime.into();
                Act::result(&template)
            }
            "getblockheader" => Act::result(&json!({"confirmations": 1, "time": 1_000_000})),
            _ => answer(call, &present),
        });
        let chain = chain_on(&[&url], AddressFormat::BitcoinTest);
        let template = chain.template().await.unwrap();
        assert_eq!(
            (template.time, template.time_min, template.time_max),
            times,
            "{bits} {curtime}"
        );
    }
}

#[actix::test]
async fn a_test_on_a_tip_that_moved_is_made_again() {
    let tests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&tests);
    let (_state, present) = watch::channel(State::at(121));
    let url = serve(move |call| match name_of(call).as_str() {
        "proposal" if count.fetch_add(1, Ordering::SeqCst) == 0 => {
            Act::result(&json!("inconclusive-not-best-prevblk"))
        }
        _ => answer(call, &present),
    });
    assert_eq!(chain_of(&[&url]).template().await.unwrap().height, 122);
    assert_eq!(tests.load(Ordering::SeqCst), 2);
}
