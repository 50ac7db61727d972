//! `/openapi.json` against the routes.

use std::collections::BTreeSet;

use actix_web::http::Method;
use actix_web::test::TestRequest;
use dwarves_actors::handlers::admin::ACTORS;
use dwarves_domain::share::Rejection;
use serde_json::Value;

use super::{ask, get};
use crate::problem::Code;
use crate::routes::ENDPOINTS;

async fn document() -> Value {
    let answer = ask(get("/openapi.json")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer.json()
}

/// Every path and method of the document.
fn operations(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(|method| (path.clone(), method.clone()))
        })
        .collect()
}

/// A path with something in place of each part that varies.
fn filled(path: &str) -> String {
    let parts = path.split('/').map(|part| match part {
        "{hotkey}" => "nobody",
        part if part.starts_with('{') => "1",
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

#[actix_web::test]
async fn the_document_has_every_route_and_no_other() {
    let served = ENDPOINTS
        .iter()
        .map(|endpoint| (endpoint.path.to_owned(), endpoint.method.to_owned()));
    assert_eq!(operations(&document().await), served.collect());
}

/// `docs/api.md` has a row for each: "| `GET /v1/pool` | ...".
#[test]
fn the_page_about_the_api_has_every_route_and_no_other() {
    let page = include_str!("../../../../docs/api.md");
    let listed: BTreeSet<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .filter_map(|(route, _)| route.split_once(" /"))
        .map(|(method, path)| (format!("/{path}"), method.to_lowercase()))
        .collect();
    let served = ENDPOINTS
        .iter()
        .map(|endpoint| (endpoint.path.to_owned(), endpoint.method.to_owned()));
    assert_eq!(listed, served.collect());
}

#[actix_web::test]
async fn the_router_answers_everything_in_the_document() {
    for (path, method) in operations(&document().await) {
        let uri = filled(&path);
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        let answer = ask(TestRequest::default().method(method).uri(&uri)).await;
        if !answer.status.is_success() {
            let code = answer.code();
            assert!(
                !["not_found", "method_not_allowed"].contains(&code.as_str()),
                "{path}: {code}"
            );
        }
    }
}

#[actix_web::test]
async fn the_documents_codes_are_the_codes() {
    let document = document().await;
    let schema = &document["components"]["schemas"]["Code"]["enum"];
    let listed: Vec<_> = schema
        .as_array()
        .unwrap()
        .iter()
        .map(|code| code.as_str().unwrap())
        .collect();
    let codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(listed, codes);
    let description = document["info"]["description"].as_str().unwrap();
    let rows: Vec<_> = description
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    assert_eq!(rows, codes);
    // The codes that operations name are codes too.
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let description = operation["responses"]["default"]["description"].as_str().unwrap();
            let Some((_, named)) = description.split_once("codes: ") else {
                continue;
            };
            for code in named.split(", ") {
                assert!(codes.contains(&code), "{method} {path} names {code}");
            }
        }
    }
}

#[actix_web::test]
async fn the_documents_reasons_are_the_reasons() {
    let document = document().await;
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["Reason"]["enum"], serde_json::json!(Rejection::REASONS));
    let counts = schemas["RejectedCounts"]["properties"].as_object().unwrap();
    let counted: BTreeSet<_> = counts.keys().map(String::as_str).collect();
    assert_eq!(counted, BTreeSet::from(Rejection::REASONS));
}

#[actix_web::test]
async fn a_body_may_be_left_out_where_the_routes_take_an_empty_one() {
    let paths = &document().await["paths"];
    for (path, required) in [
        ("/v1/miners", false),
        ("/v1/sessions", false),
        ("/v1/work", true),
        ("/v1/admin/control", true),
    ] {
        let body = &paths[path]["post"]["requestBody"];
        assert_eq!(body["required"], required, "{path}");
        let schema = &body["content"]["application/json"]["schema"];
        assert!(schema["$ref"].is_string(), "{path}: {schema}");
    }
}

#[actix_web::test]
async fn every_control_message_is_described_with_its_fields_and_no_other() {
    let document = document().await;
    let listed: BTreeSet<_> = document["components"]["schemas"]["ControlBody"]["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            assert_eq!(one["additionalProperties"], false, "{one}");
            let word = |field: &str| one["properties"][field]["enum"][0].as_str().unwrap().to_owned();
            (word("actor"), word("message"))
        })
        .collect();
    let taken = ACTORS.iter().flat_map(|(actor, messages)| {
        messages
            .iter()
            .map(|message| (actor.to_string(), message.to_string()))
    });
    assert_eq!(listed, taken.collect());
}

/// Every `$ref` below `value`.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                match member {
                    Value::String(target) if key == "$ref" => {
                        found.insert(target.clone());
                    }
                    member => references(member, found),
                }
            }
        }
        Value::Array(members) => members.iter().for_each(|member| references(member, found)),
        _ => {}
    }
}

#[actix_web::test]
async fn every_reference_leads_somewhere_and_every_operation_can_refuse() {
    let document = document().await;
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 10, "{found:?}");
    for target in found {
        let pointer = target.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{target} is not there");
    }
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            let refusal = &operation["responses"]["default"]["content"]["application/problem+json"];
            assert_eq!(refusal["schema"]["$ref"], "#/components/schemas/Problem");
            for requirement in operation["security"].as_array().into_iter().flatten() {
                // One that asks for nothing lets everybody in.
                let Some(name) = requirement.as_object().unwrap().keys().next() else {
                    continue;
                };
                assert!(
                    document["components"]["securitySchemes"][name].is_object(),
                    "{name}"
                );
            }
        }
    }
}

/// What is described as allowed is not refused for its form, and an empty value is described as refused, as it is.
#[actix_web::test]
async fn empty_cursors_and_workers_are_described_as_they_are_refused() {
    let document = document().await;
    let mut described = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap();
                if !["cursor", "worker"].contains(&name) || parameter["in"] != "query" {
                    continue;
                }
                described += 1;
                let pattern = parameter["schema"]["pattern"].as_str();
                let pattern = pattern.unwrap_or_else(|| panic!("{path}: {name} has no pattern"));
                assert!(
                    pattern.contains("]{1,"),
                    "{path}: {name} allows nothing at all: {pattern}"
                );
                let uri = filled(path);
                let uri = format!("{uri}?{name}=");
                let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
                let answer = ask(TestRequest::default().method(method).uri(&uri)).await;
                assert!(!answer.status.is_success(), "{uri}");
            }
        }
    }
    assert_eq!(described, 11, "the pages, a miner's history and GET /v1/work");
    let word = &document["components"]["schemas"]["Word"]["description"];
    assert!(word.as_str().unwrap().contains("1.0"), "{word}");
}
