//! Control messages and the audit trail.

use actix_web::test::TestRequest;
use dwarves_actors::handlers::admin::messages::{AdminCaller, Authorize, Control};
use dwarves_domain::refusal::Refusal;
use dwarves_ports::store::AuditRow;
use serde_json::json;

use super::fake_ports::port;
use super::fakes::World;
use super::samples::{ADMIN_TOKEN, NOW};
use super::{NONCE, Signing, ask, ask_state, get, in_session, miner, post, signed_post, with_headers};

pub(super) fn as_admin(request: TestRequest) -> TestRequest {
    request.insert_header(("Authorization", format!("Bearer {ADMIN_TOKEN}")))
}

fn control(body: &str) -> TestRequest {
    as_admin(post("/v1/admin/control", body))
}

#[actix_web::test]
async fn a_message_is_carried_with_its_fields_and_answered_with_the_actors_reply() {
    let body = r#"{"run_interval_secs":60,"actor":"pool_manager","flag":true,"message":"echo",
                   "none":null,"f":0.5,"list":[1,{"a":-1}],"text":"t"}"#;
    let answer = ask(control(body)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({"run_interval_secs": 60, "flag": true, "none": null, "f": 0.5, "list": [1, {"a": -1}], "text": "t"})
    );
}

#[actix_web::test]
async fn a_signed_message_is_its_signers() {
    let mut world = World::new();
    world.ports.control = port(|question: Control| match question.caller {
        AdminCaller::Hotkey(hotkey) if hotkey == miner() => Ok(json!({"ok": true})),
        _ => Err(Refusal::Forbidden),
    });
    let state = world.state();
    let body = r#"{"actor":"pool_manager","message":"status"}"#;
    let signed = ask_state(state.clone(), signed_post("/v1/admin/control", body)).await;
    assert_eq!(signed.json(), json!({"ok": true}));
    ask_state(state, control(body))
        .await
        .refuses(403, "forbidden", None);
}

#[actix_web::test]
async fn nobody_else_gets_in() {
    for request in [|| post("/v1/admin/control", "{}"), || get("/v1/admin/audit")] {
        ask(request())
            .await
            .refuses(401, "signature_missing", Some("x-bittensor-signature"));
        ask(in_session(request()))
            .await
            .refuses(401, "token_invalid", Some("authorization"));
        let wrong = request().insert_header(("Authorization", "Bearer open-sesam"));
        ask(wrong)
            .await
            .refuses(401, "token_invalid", Some("authorization"));
    }
}

#[actix_web::test]
async fn every_refusal_of_a_message_has_its_code() {
    for (message, status, code, field) in [
        ("pause", 409, "control_refused", None),
        ("field", 422, "control_field_invalid", Some("until")),
        ("busy", 503, "busy", None),
        ("unavailable", 503, "unavailable", None),
        ("dance", 422, "control_unknown", Some("message")),
    ] {
        let body = json!({"actor": "pool_manager", "message": message}).to_string();
        ask(control(&body)).await.refuses(status, code, field);
    }
    let answer = ask(control(r#"{"actor":"cook","message":"x"}"#)).await;
    answer.refuses(422, "control_unknown", Some("actor"));
    assert!(answer.json()["detail"].as_str().unwrap().contains("pool_manager"));
}

#[actix_web::test]
async fn a_body_that_is_no_message_is_refused_by_field() {
    for (body, field) in [
        (r#"{"message":"x"}"#, Some("actor")),
        (r#"{"actor":"x"}"#, Some("message")),
        (r#"{"actor":1,"message":"x"}"#, Some("actor")),
        (r#"{"actor":"x","message":"x","actor":"y"}"#, Some("actor")),
        (r#"{"actor":"x","message":"x","a":1,"a":2}"#, Some("a")),
        (r#"{"actor":"x","message":"x","a":{"b":1,"b":2}}"#, Some("a.b")),
        ("[]", None),
    ] {
        ask(control(body)).await.refuses(400, "body_invalid", field);
    }
}

#[actix_web::test]
async fn the_trail_is_shown_to_admins_alone() {
    let mut world = World::new();
    world.store.audit = vec![AuditRow {
        id: 1,
        at: NOW,
        who: "token".to_owned(),
        actor: "pool_manager".to_owned(),
        message: "pause".to_owned(),
        fields: r#"{"a":1}"#.to_owned(),
        outcome: "not json".to_owned(),
    }];
    world.ports.authorize = port(|question: Authorize| question.caller == AdminCaller::Token);
    let state = world.state();
    let answer = ask_state(state.clone(), as_admin(get("/v1/admin/audit"))).await;
    assert_eq!(
        answer.json(),
        json!({"audit": [{"id": 1, "at": "2023-11-14T22:13:20.123Z", "who": "token", "actor": "pool_manager",
                          "message": "pause", "fields": {"a": 1}, "outcome": "not json"}],
               "next_cursor": null})
    );
    let path = "/v1/admin/audit?limit=5";
    let signing = Signing {
        method: "GET",
        path,
        body: b"",
        nonce: NONCE,
    };
    ask_state(state, with_headers(get(path), signing.headers()))
        .await
        .refuses(403, "forbidden", None);
}

#[actix_web::test]
async fn the_operator_sees_all_in_one_document() {
    let folder = std::env::temp_dir().join(format!("dwarves-backup-record-{}", std::process::id()));
    std::fs::write(
        &folder,
        r#"{"finished_at":"2023-11-14T22:12:20.123Z","path":"/b","bytes":5,"more":1}"#,
    )
    .unwrap();
    let mut world = World::new();
    world.files.backup_record.clone_from(&folder);
    world.ports.pool = port(|_| {
        let mut view = super::samples::pool_view(dwarves_actors::pool_manager::messages::LifeState::Paused);
        view.hindrances = vec![
            "no live work (paused): an admin paused the pool".to_owned(),
            "else".to_owned(),
        ];
        view
    });
    let state = world.state();
    let answer = ask_state(state.clone(), as_admin(get("/v1/admin/state")))
        .await
        .json();
    std::fs::remove_file(folder).unwrap();
    assert_eq!(answer["pool_state"], "paused");
    assert_eq!(answer["hindrances"][0]["name"], "paused");
    assert_eq!(
        answer["hindrances"][0]["remedy"],
        "dwarves admin pool_manager resume"
    );
    let runbook = answer["hindrances"][0]["runbook"].as_str().unwrap();
    assert!(runbook.starts_with("RUNBOOK.md#no-live-work"), "{runbook}");
    assert_eq!(answer["hindrances"][1]["name"], "other");
    assert_eq!(
        answer["backup"],
        json!({"last_at": "2023-11-14T22:12:20.123Z", "age_secs": 60, "bytes": 5})
    );
    assert_eq!(answer["bans"][0]["reason"], "<b>spam</b>");
    assert_eq!(answer["books"]["difference_sats"], 0);
    assert!(!answer["actors"].as_array().unwrap().is_empty());
    ask_state(state, get("/v1/admin/state")).await.refuses(
        401,
        "signature_missing",
        Some("x-bittensor-signature"),
    );
}
