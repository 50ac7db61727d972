//! What scripted nodes tell of the network around them.

use dwarves_ports::chain::{Surroundings, TIPS_MAX, TipStatus};

use super::super::around::{look_around, some_tips};
use super::super::one_node::Node;
use super::super::wire::ChainTipJson;
use super::*;

fn tip(height: u32, branch_len: u32, status: &str) -> Value {
    json!({"height": height, "hash": hash(height), "branchlen": branch_len, "status": status})
}

/// What a scripted node says to these calls.
pub(super) fn answer(call: &Seen, around: &[(&'static str, Act)]) -> Act {
    let known = around.iter().rev().find(|(method, _)| *method == call.method);
    known.map_or(Act::Error(-32601, "Method not found"), |(_, act)| act.clone())
}

async fn surroundings(chain: &NodeChain, is_wanted: impl Fn(&Surroundings) -> bool) -> Surroundings {
    eventually("what the node tells of its surroundings", async || {
        let around = chain.standing().nodes.first()?.surroundings.clone();
        is_wanted(&around).then_some(around)
    })
    .await
}

fn peers(around: &Surroundings) -> Option<(u32, Option<u32>, Option<u32>)> {
    around
        .peers
        .map(|peers| (peers.count, peers.inbound, peers.outbound))
}

#[actix::test]
async fn a_node_tells_of_its_peers_as_it_can() {
    let network = json!({"version": 1, "connections": 12, "connections_in": 4, "connections_out": 8});
    let older = json!({"version": 1, "connections": 3});
    let each = json!([{"id": 0, "inbound": true}, {"id": 1, "inbound": false}, {"id": 2, "inbound": false}]);
    let refused = Act::Error(-32601, "Method not found");
    for (network, peers_told, expected) in [
        (Act::result(&network), refused.clone(), (12, Some(4), Some(8))),
        (Act::result(&older), Act::result(&each), (3, Some(1), Some(2))),
        (Act::result(&older), refused.clone(), (3, None, None)),
        (refused.clone(), Act::result(&each), (3, Some(1), Some(2))),
        (
            Act::Result("[]".to_owned()),
            Act::result(&json!([])),
            (0, Some(0), Some(0)),
        ),
    ] {
        let mut state = State::at(121);
        state.around = vec![("getnetworkinfo", network), ("getpeerinfo", peers_told)];
        let node = Scripted::new(state);
        let chain = chain_of(&[&node.url]);
        let around = surroundings(&chain, |around| around.peers.is_some()).await;
        assert_eq!(peers(&around), Some(expected));
        assert_eq!((around.tips.len(), around.tips_left), (0, 0), "it did not tell");
    }
}

#[actix::test]
async fn a_node_tells_of_the_branches_that_it_knows_and_nothing_depends_on_it() {
    let mut state = State::at(121);
    state.around.push((
        "getchaintips",
        Act::result(&json!([
            tip(90, 1, "invalid"),
            tip(120, 0, "active"),
            tip(121, 2, "headers-only")
        ])),
    ));
    let node = Scripted::new(state);
    let chain = chain_of(&[&node.url]);
    let around = surroundings(&chain, |around| !around.tips.is_empty()).await;
    let told: Vec<_> = around
        .tips
        .iter()
        .map(|tip| (tip.height, tip.branch_len, tip.status))
        .collect();
    assert_eq!(
        told,
        [
            (120, 0, TipStatus::Active),
            (121, 2, TipStatus::HeadersOnly),
            (90, 1, TipStatus::Invalid)
        ]
    );
    assert_eq!(around.tips[0].hash.to_string(), hash(120));
    assert_eq!(peers(&around), None);
}

#[actix::test]
async fn what_a_node_does_not_tell_or_tells_without_sense_takes_nothing_away() {
    let mut state = State::at(121);
    state.around.push((
        "getnetworkinfo",
        Act::result(&json!({"connections": 5, "connections_in": 1, "connections_out": 4})),
    ));
    state
        .around
        .push(("getchaintips", Act::result(&json!([tip(121, 0, "active")]))));
    let scripted = Scripted::new(state);
    let reading = Reading {
        rolling: VersionRolling::Bip323,
        clock: Arc::new(SystemClock),
    };
    let node = Node::start(&Endpoint::new(&scripted.url, None).unwrap(), reading).unwrap();
    look_around(&node).await;
    let told = node.heard(|heard| heard.around.clone());
    assert_eq!((peers(&told), told.tips.len()), (Some((5, Some(1), Some(4))), 1));
    for act in [
        Act::result(&json!([{"height": -1, "status": 7}])),
        Act::result(&json!({"connections": -3})),
        Act::Error(-28, "Loading block index..."),
        Act::Raw(401, "no"),
        Act::HangUp,
    ] {
        scripted.set(|state| state.all = Some(act.clone()));
        look_around(&node).await;
        assert_eq!(node.heard(|heard| heard.around.clone()), told, "{act:?}");
    }
    scripted.set(|state| {
        state.all = None;
        state.around.push((
            "getchaintips",
            Act::result(&json!([tip(122, 0, "active"), tip(121, 1, "valid-fork")])),
        ));
    });
    look_around(&node).await;
    assert_eq!(node.heard(|heard| heard.around.tips.len()), 2);
}

#[test]
fn few_of_many_branches_are_kept_the_best_chain_first_and_then_the_highest() {
    let told: Vec<ChainTipJson> = (0..500)
        .map(|n| tip(n, 1, if n == 7 { "active" } else { "a new word" }))
        .map(|tip| serde_json::from_value(tip).unwrap())
        .collect();
    let (kept, left) = some_tips(told);
    let heights: Vec<_> = kept.iter().map(|tip| tip.height).collect();
    assert_eq!(heights, [7, 499, 498, 497, 496, 495, 494, 493]);
    assert_eq!((kept.len(), left), (TIPS_MAX, 492));
    assert_eq!(
        (kept[0].status, kept[1].status),
        (TipStatus::Active, TipStatus::Unknown)
    );
    assert_eq!(some_tips(Vec::new()), (Vec::new(), 0));
}
