//! The files that pages load.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::{tag, zipped};

/// A file that is served below `/assets/`.
#[derive(Debug)]
pub struct File {
    /// What kind of file it is, as the `Content-Type` header has it.
    pub content_type: &'static str,
    /// What is in it.
    pub content: &'static [u8],
    /// The same by gzip.
    pub gzip: Vec<u8>,
    /// The tag of its content, as the `ETag` header has it.
    pub etag: String,
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/svg+xml";
const TEXT: &str = "text/plain; charset=utf-8";

macro_rules! files {
    ($($folder:literal: $($name:literal $kind:ident),+;)+) => {
        &[$($(($name, $kind, include_bytes!(concat!("../", $folder, "/", $name)))),+),+]
    };
}

/// Every file: its name, its kind and what is in it.
const FILES: &[(&str, &str, &[u8])] = files! {
    "assets":
        "style.css" STYLE,
        "icon.svg" PICTURE,
        "api.js" SCRIPT,
        "chart.js" SCRIPT,
        "csv.js" SCRIPT,
        "dom.js" SCRIPT,
        "evaluated.js" SCRIPT,
        "events.js" SCRIPT,
        "exact.js" SCRIPT,
        "figures.js" SCRIPT,
        "format.js" SCRIPT,
        "miner.js" SCRIPT,
        "openapi.js" SCRIPT,
        "shell.js" SCRIPT,
        "table.js" SCRIPT,
        "watched.js" SCRIPT,
        "words.js" SCRIPT,
        "pages/pool.js" SCRIPT,
        "pages/blocks.js" SCRIPT,
        "pages/block.js" SCRIPT,
        "pages/miner.js" SCRIPT,
        "pages/why.js" SCRIPT,
        "pages/worker.js" SCRIPT,
        "pages/rounds.js" SCRIPT,
        "pages/round.js" SCRIPT,
        "pages/payout.js" SCRIPT,
        "pages/share.js" SCRIPT,
        "pages/operator.js" SCRIPT,
        "operator/desk.js" SCRIPT,
        "operator/fronts.js" SCRIPT,
        "operator/orders.js" SCRIPT,
        "operator/payouts.js" SCRIPT,
        "operator/standing.js" SCRIPT,
        "pages/missing.js" SCRIPT,
        "pages/docs.js" SCRIPT;
    "vendor":
        "uplot.js" SCRIPT,
        "uplot.css" STYLE,
        "uplot.LICENSE" TEXT,
        "qr.js" SCRIPT,
        "qr.LICENSE" TEXT,
        "NOTICE" TEXT;
};

static BY_NAME: LazyLock<BTreeMap<&str, File>> = LazyLock::new(|| {
    let file = |&(name, content_type, content): &(&'static str, &'static str, &'static [u8])| {
        let etag = tag(content);
        (
            name,
            File {
                content_type,
                content,
                gzip: zipped(content),
                etag,
            },
        )
    };
    FILES.iter().map(file).collect()
});

/// The file with this name, such as `style.css` or `pages/pool.js`, if there is one.
pub fn file(name: &str) -> Option<&'static File> {
    BY_NAME.get(name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// The names of all files in a folder, with the folder inside it that has any.
    fn names(folder: &str, inside: &str) -> BTreeSet<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(inside);
        let mut names = BTreeSet::new();
        for entry in std::fs::read_dir(path).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{inside}{}", entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                names.extend(self::names(folder, &format!("{name}/")));
            } else {
                names.insert(name);
            }
        }
        names
    }

    #[test]
    fn every_file_is_served_and_has_a_tag_of_its_own() {
        let mut there = names("assets", "");
        there.extend(names("vendor", ""));
        // The types of what others wrote are for the type check alone.
        there.retain(|name| !name.ends_with(".d.ts"));
        // Both libraries have the same licence with another name in it; no two files are the same.
        let served: BTreeSet<String> = BY_NAME.keys().map(|&name| name.to_owned()).collect();
        assert_eq!(served, there);
        let tags: BTreeSet<&str> = BY_NAME.values().map(|file| file.etag.as_str()).collect();
        assert_eq!(tags.len(), served.len());
    }

    #[test]
    fn every_file_that_another_loads_is_there() {
        for (name, kind, content) in FILES {
            if *kind != SCRIPT || !name.contains('.') {
                continue;
            }
            let text = std::str::from_utf8(content).unwrap();
            for loaded in text
                .split("from \"")
                .skip(1)
                .chain(text.split("import(\"").skip(1))
            {
                let Some((loaded, _)) = loaded.split_once('"') else {
                    continue;
                };
                let Some(relative) = loaded.strip_prefix("./").or_else(|| loaded.strip_prefix("../")) else {
                    continue;
                };
                let is_above = loaded.starts_with("../");
                let folder = name
                    .rsplit_once('/')
                    .map_or(String::new(), |(folder, _)| format!("{folder}/"));
                let path = if is_above {
                    relative.to_owned()
                } else {
                    format!("{folder}{relative}")
                };
                assert!(file(&path).is_some(), "{name} loads {path}");
            }
        }
    }
}
