//! Payouts.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::{FeePayer, FeeRate, Part, Payout, PayoutState, Signed, Txid};
use dwarves_domain::units::Amount;
use dwarves_ports::store::PayoutRow;
use serde_json::json;

use super::fakes::World;
use super::samples::{NOW, sats};
use super::{ask_state, get};

pub(super) fn payout() -> Payout {
    let part = |amount, fee| Part {
        hotkey: Hotkey::from_bytes([7; 32]),
        address: "bcrt1qx".to_owned(),
        amount: sats(amount),
        fee: sats(fee),
        borne: Amount::ZERO,
    };
    Payout {
        exported: None,
        id: PayoutId::new(5),
        state: PayoutState::Confirmed,
        reserved_at: NOW,
        sent_at: Some(NOW),
        changed_at: NOW,
        payer: FeePayer::Miners,
        fee_rate: FeeRate::new(7).unwrap(),
        parts: vec![part(100, 4), part(50, 1)],
        signed: Some(Signed {
            txid: Txid::from_bytes([9; 32]),
            bytes: Vec::new(),
            inputs: Vec::new(),
            fee: sats(5),
        }),
        confirmations: 6,
        is_watched: true,
        note: String::new(),
    }
}

#[actix_web::test]
async fn a_payout_is_listed_and_found_by_its_transaction() {
    let mut world = World::new();
    world.store.all_payouts = vec![PayoutRow {
        payout: payout(),
        parts: 2,
        total: sats(150),
    }];
    let state = world.state();
    let at = "2023-11-14T22:13:20.123Z";
    let mut summary = json!({
        "id": 5, "state": "confirmed", "txid": "09".repeat(32), "confirmations": 6, "miners": 2,
        "debited_sats": 150, "fee_sats": 5, "fee_payer": "miners", "fee_rate_sats": 7, "reserved_at": at,
        "sent_at": at, "changed_at": at, "note": null, "batch": null, "reference": null,
    });
    let list = ask_state(state.clone(), get("/v1/payouts")).await.json();
    assert_eq!(list, json!({"payouts": [summary], "next_cursor": null}));
    let one = ask_state(state, get(&format!("/v1/payouts/{}", "09".repeat(32))))
        .await
        .json();
    let hotkey = Hotkey::from_bytes([7; 32]).to_string();
    let part = |amount: u64, fee: u64| {
        json!({"hotkey": hotkey, "address": "bcrt1qx", "amount_sats": amount - fee, "fee_sats": fee,
               "debited_sats": amount})
    };
    summary["parts"] = json!([part(100, 4), part(50, 1)]);
    summary["steps"] = json!([{"state": "reserved", "at": at}, {"state": "broadcast", "at": at},
                              {"state": "confirmed", "at": at}]);
    assert_eq!(one, summary);
}
