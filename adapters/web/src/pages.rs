//! The pages, their paths, and their shells.

use std::sync::LazyLock;

use crate::{tag, zipped};

/// A page of the pool.
#[derive(Debug)]
pub struct Page {
    /// Its path, with `{name}` for its parts that vary.
    pub path: &'static str,
    /// Its title, until its script knows better.
    pub title: &'static str,
    /// The script that fills it, below `/assets/pages/`.
    pub script: &'static str,
    /// Its HTML.
    pub html: String,
    /// The same by gzip.
    pub gzip: Vec<u8>,
    /// The tag of its HTML, as the `ETag` header has it.
    pub etag: String,
}

/// Every page: its path, its title and its script.
const LIST: &[(&str, &str, &str)] = &[
    ("/", "Pool", "pool.js"),
    ("/blocks", "Blocks", "blocks.js"),
    ("/blocks/{hash}", "Block", "block.js"),
    ("/miners/{id}", "Miner", "miner.js"),
    ("/miners/{id}/rounds/{round}", "Why this amount", "why.js"),
    ("/miners/{id}/workers/{name}", "Worker", "worker.js"),
    ("/rounds", "Rounds", "rounds.js"),
    ("/rounds/{id}", "Round", "round.js"),
    ("/payouts/{txid}", "Payout", "payout.js"),
    ("/shares/{sequence}", "Share", "share.js"),
    ("/watch/{token}", "Miner", "miner.js"),
    ("/watch/{token}/rounds/{round}", "Why this amount", "why.js"),
    ("/watch/{token}/workers/{name}", "Worker", "worker.js"),
    ("/watch/{token}/payouts/{txid}", "Payout", "payout.js"),
    ("/operator", "Operator", "operator.js"),
    ("/docs", "API", "docs.js"),
];

/// Every page.
pub static PAGES: LazyLock<Vec<Page>> = LazyLock::new(|| {
    let page = |&(path, title, script)| Page::new(path, title, script);
    LIST.iter().map(page).collect()
});

/// What stands where there is no page. It is at no path of its own.
pub static MISSING: LazyLock<Page> = LazyLock::new(|| Page::new("", "There is no such page", "missing.js"));

impl Page {
    /// Titles and scripts are those of the list: nothing in them needs escaping.
    fn new(path: &'static str, title: &'static str, script: &'static str) -> Self {
        let html = include_str!("shell.html")
            .replace("{{title}}", title)
            .replace("{{script}}", script);
        Self {
            path,
            title,
            script,
            gzip: zipped(html.as_bytes()),
            etag: tag(html.as_bytes()),
            html,
        }
    }

    /// The page at this path of [`PAGES`].
    pub fn at(path: &str) -> Option<&'static Self> {
        PAGES.iter().find(|page| page.path == path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file;

    #[test]
    fn every_shell_is_whole_and_loads_files_that_there_are() {
        for page in PAGES.iter().chain([&*MISSING]) {
            let html = page.html.as_str();
            assert!(!html.contains("{{"), "{}", page.path);
            assert!(
                html.contains(&format!("<h1>{}</h1>", page.title)),
                "{}",
                page.path
            );
            assert!(html.contains(&format!("/assets/pages/{}", page.script)));
            for loaded in html.split("/assets/").skip(1) {
                let (name, _) = loaded.split_once('"').unwrap();
                assert!(file(name).is_some(), "{}: {name}", page.path);
            }
        }
    }

    #[test]
    fn nothing_in_a_shell_needs_more_than_the_policy_allows() {
        for page in PAGES.iter().chain([&*MISSING]) {
            let html = page.html.as_str();
            for refused in [
                "<style",
                " style=",
                "onclick",
                "onload",
                "javascript:",
                "http://",
                "https://",
            ] {
                assert!(!html.contains(refused), "{}: {refused}", page.path);
            }
            assert_eq!(
                html.matches("<script").count(),
                html.matches("<script type=\"module\" src=\"/assets/").count(),
                "{}",
                page.path
            );
        }
    }
}
