//! Proofs that do not hold, and what a miner sees of others where it sees its own.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::RoundId;
use dwarves_domain::privacy::Privacy;
use dwarves_domain::rewards::{Scheme, Source};
use dwarves_domain::session::Session;
use dwarves_ports::store::RoundRow;
use serde_json::{Value, json};

use super::routes;
use super::world::{CREDITED, HIDES_ALL, OWNER, Who, credit, other, state};
use crate::tests::fakes::World;
use crate::tests::samples::{NOW, sats, session_key};
use crate::tests::{NONCE, Signing, ask_state, details, get, miner, with_headers};

#[actix_web::test]
async fn while_all_is_public_nobody_is_asked_who_they_are() {
    let state = state(Privacy::default());
    // Figures move by themselves.
    let still = routes().into_iter().filter(|(path, ..)| *path != "/metrics");
    for (_, path, _) in still {
        let plain = ask_state(state.clone(), get(&path)).await;
        for junk in ["Bearer junk", "Watch junk", "Bearer \u{e9}"] {
            let request = get(&path).insert_header(("Authorization", junk));
            let answer = ask_state(state.clone(), request).await;
            assert_eq!(answer.status, plain.status, "{path} {junk}");
            assert!(answer.body == plain.body, "{path} {junk}");
        }
    }
    let pool = ask_state(state, get("/v1/pool")).await.json();
    assert_eq!(pool.get("privacy"), None);
}

#[actix_web::test]
async fn where_something_is_hidden_a_wrong_proof_is_refused_rather_than_shown_less() {
    let state = state(HIDES_ALL);
    let path = format!("/v1/miners/{}", miner());
    let expired = session_key().seal(&Session {
        hotkey: miner(),
        expires_at: NOW,
    });
    let expired = format!("Bearer {expired}");
    for (header, code) in [
        ("Bearer", None),
        ("Bearer ", Some("session_invalid")),
        ("Bearer junk", Some("session_invalid")),
        (&*expired, Some("session_expired")),
        ("Bearer open-sesame0", Some("session_invalid")),
        ("Watch over", Some("watch_invalid")),
        ("Watch junk", Some("watch_invalid")),
        ("Watch ", Some("watch_invalid")),
        ("Watch many", Some("too_many_guesses")),
    ] {
        let request = get(&path).insert_header(("Authorization", header));
        let answer = ask_state(state.clone(), request).await;
        match code {
            Some("too_many_guesses") => answer.refuses(429, "too_many_guesses", None),
            Some("watch_invalid") => answer.refuses(401, "watch_invalid", None),
            Some(code) => answer.refuses(401, code, Some("authorization")),
            None => assert_eq!(answer.status, 200, "{header:?} is no proof at all"),
        }
    }
    let twice = get(&path)
        .append_header(("Authorization", "Bearer a"))
        .append_header(("Authorization", "Bearer b"));
    let answer = ask_state(state.clone(), twice).await;
    answer.refuses(401, "auth_malformed", Some("authorization"));
    // Of another path.
    let signing = Signing {
        method: "GET",
        path: "/v1/miners/other",
        body: b"",
        nonce: NONCE,
    };
    let request = with_headers(get(&path), signing.headers_of(OWNER));
    let answer = ask_state(state.clone(), request).await;
    answer.refuses(401, "signature_invalid", Some("x-bittensor-signature"));
    let cookie = get(&path).insert_header(("Cookie", "dwarves_operator=00"));
    let answer = ask_state(state.clone(), cookie).await;
    assert_eq!(
        answer.json()["balance_sats"],
        Value::Null,
        "a cookie that is over is none"
    );
    let pool = ask_state(state, get("/v1/pool")).await.json();
    assert_eq!(
        pool["privacy"],
        json!({"balances": "owner", "worker_names": "owner"})
    );
}

#[actix_web::test]
async fn a_miner_checks_its_amount_and_learns_nobody_elses() {
    let path = format!("/v1/miners/{}/rounds/3", miner());
    for (who, is_told) in [(Who::OwnerSession, false), (Who::AdminToken, true)] {
        let example = who.ask(&state(HIDES_ALL), &path).await.json();
        assert_eq!(example["amount_sats"], CREDITED);
        let split = &example["remainder"]["splits"][0];
        assert_eq!(split["work"].is_array(), is_told, "{who:?}");
        assert_eq!(split["position"], 1);
        let hidden = json!(["last_in", "first_out", "work"]);
        let expected = (!is_told).then_some(&hidden);
        assert_eq!(example.get("hidden"), expected, "{who:?}");
    }
    // What is hidden is so before anything is looked up: nobody learns whom a round credited.
    let stranger = Hotkey::from_bytes([77; 32]);
    for path in [
        format!("/v1/miners/{stranger}/rounds/3"),
        format!("/v1/miners/{}/rounds/99", miner()),
    ] {
        let answer = Who::Nobody.ask(&state(HIDES_ALL), &path).await;
        answer.refuses(403, "hidden", None);
    }
}

#[actix_web::test]
async fn of_a_round_a_miner_sees_its_own_part_alone() {
    let mut world = World::new();
    world.privacy = HIDES_ALL;
    world.store.rounds = vec![RoundRow {
        id: RoundId::new(3),
        closed_at: NOW,
        scheme: Scheme::Pplns,
        source: Source::Blocks,
        reward: sats(110),
        fee: sats(10),
        kept: sats(0),
        credited: sats(100),
        blocks: vec![details::HASH],
        emitted: None,
        digest: [0; 32],
    }];
    world.store.credits = vec![credit(miner(), 60), credit(other(), 40)];
    let state = world.state();
    let own = Who::OtherSession.ask(&state, "/v1/rounds/3").await.json();
    assert_eq!(own["credits"].as_array().unwrap().len(), 1);
    assert_eq!(own["credits"][0]["hotkey"], other().to_string());
    assert_eq!(own["hidden"], json!(["credits"]));
    assert_eq!(own["credited_sats"], 100, "sums over all stay public");
    let csv = Who::OtherSession.ask(&state, "/v1/rounds/3?format=csv").await;
    assert_eq!(csv.header("x-hidden"), Some("credits"));
    let text = String::from_utf8(csv.body).unwrap();
    assert!(text.contains(&other().to_string()) && !text.contains(&miner().to_string()));
}
