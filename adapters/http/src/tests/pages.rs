//! The pages and the files that they load.

use actix_web::http::Method;
use actix_web::test::TestRequest;

use super::{Answer, ask, get};

/// The paths of all pages, with something in the place of their parts that vary.
fn paths() -> Vec<String> {
    let filled = |path: &str| {
        path.split('/')
            .map(|part| if part.starts_with('{') { "%3Cb%3E'x" } else { part })
            .collect::<Vec<_>>()
            .join("/")
    };
    dwarves_web::PAGES.iter().map(|page| filled(page.path)).collect()
}

#[track_caller]
fn is_safe(answer: &Answer, path: &str) {
    let policy = answer.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'"),
        "{path}"
    );
    assert!(!policy.contains("unsafe"), "{path}");
    assert!(policy.contains("frame-ancestors 'none'"), "{path}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
}

#[actix_web::test]
async fn every_page_is_there_for_everybody_and_shows_nothing_of_its_path() {
    for path in paths() {
        let answer = ask(get(&path)).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(
            answer.header("content-type"),
            Some("text/html; charset=utf-8"),
            "{path}"
        );
        is_safe(&answer, &path);
        let html = String::from_utf8(answer.body).unwrap();
        assert!(html.starts_with("<!doctype html>"), "{path}");
        assert!(!html.contains("'x"), "{path}");
        let head = TestRequest::default().method(Method::HEAD).uri(&path);
        assert_eq!(ask(head).await.status, 200, "{path}");
    }
}

#[actix_web::test]
async fn the_first_page_needs_no_more_than_files_that_are_there() {
    let html = String::from_utf8(ask(get("/")).await.body).unwrap();
    let loaded: Vec<&str> = html
        .split("\"/assets/")
        .skip(1)
        .map(|rest| rest.split_once('"').unwrap().0)
        .collect();
    assert!(loaded.len() >= 3, "{loaded:?}");
    for name in loaded {
        let path = format!("/assets/{name}");
        let answer = ask(get(&path)).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.body.is_empty(), "{path}");
        is_safe(&answer, &path);
    }
}

#[actix_web::test]
async fn what_a_browser_has_is_not_sent_again() {
    for path in ["/", "/operator", "/assets/style.css", "/assets/pages/pool.js"] {
        let answer = ask(get(path)).await;
        let tag = answer.header("etag").unwrap().to_owned();
        assert_eq!(answer.header("cache-control"), Some("no-cache"), "{path}");
        for known in [
            tag.clone(),
            format!("W/{tag}"),
            format!("\"other\", {tag}"),
            "*".to_owned(),
        ] {
            let again = ask(get(path).insert_header(("If-None-Match", known.as_str()))).await;
            assert_eq!(again.status, 304, "{path} {known}");
            assert!(again.body.is_empty(), "{path}");
            assert_eq!(again.header("etag"), Some(tag.as_str()), "{path}");
            is_safe(&again, path);
        }
        for other in ["\"other\"", "", "W/\"\"", "\u{fe}"] {
            let again = ask(get(path).insert_header(("If-None-Match", other))).await;
            assert_eq!(again.status, 200, "{path} {other}");
        }
    }
}

#[actix_web::test]
async fn whoever_takes_gzip_gets_less_and_another_tag() {
    for path in ["/", "/assets/uplot.js", "/assets/style.css"] {
        let plain = ask(get(path)).await;
        assert_eq!(plain.header("content-encoding"), None, "{path}");
        for (codings, is_zipped) in [
            ("gzip, deflate, br, zstd", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("identity", false),
            ("xgzip", false),
            ("", false),
        ] {
            let answer = ask(get(path).insert_header(("Accept-Encoding", codings))).await;
            assert_eq!(answer.status, 200, "{path} {codings}");
            assert_eq!(answer.header("vary"), Some("accept-encoding"), "{path}");
            let is_told = answer.header("content-encoding") == Some("gzip");
            assert_eq!(is_told, is_zipped, "{path} {codings}");
            assert_eq!(answer.body == plain.body, !is_zipped, "{path} {codings}");
            let is_same = answer.header("etag") == plain.header("etag");
            assert_eq!(is_same, !is_zipped, "{path} {codings}");
            let is_small = answer.body.len() * 10 < plain.body.len() * 7;
            assert!(!is_zipped || is_small, "{path} {codings}");
        }
    }
}

#[actix_web::test]
async fn a_file_that_there_is_not_is_not_found() {
    for path in [
        "/assets/",
        "/assets/none.js",
        "/assets/../Cargo.toml",
        "/assets/pages",
        "/assets/pages/",
        "/assets/%2e%2e/lib.rs",
        "/assets/style.css/",
    ] {
        ask(get(path)).await.refuses(404, "not_found", None);
    }
}

#[actix_web::test]
async fn where_there_is_no_page_people_read_what_there_is_and_programs_a_problem() {
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let asked = |path: &str, accept: &str| get(path).insert_header(("Accept", accept));
    for path in ["/miners", "/payouts", "/nope'x", "/blocks/", "/watch/a/b", "/v1"] {
        let answer = ask(asked(path, browser)).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        is_safe(&answer, path);
        let html = String::from_utf8(answer.body).unwrap();
        assert!(
            html.contains("There is no such page") && !html.contains("'x"),
            "{path}"
        );
        for other in ["*/*", "", "application/json", "application/json, text/html"] {
            ask(asked(path, other)).await.refuses(404, "not_found", None);
        }
        ask(get(path)).await.refuses(404, "not_found", None);
    }
    for path in ["/v1/nope", "/assets/none.js"] {
        ask(asked(path, browser)).await.refuses(404, "not_found", None);
    }
    let posted = asked("/nope", browser).method(Method::POST);
    ask(posted).await.refuses(404, "not_found", None);
}
