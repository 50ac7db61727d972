//! What the documents point at is there: every path of the project that they name, and every link between them. And
//! what CONTRIBUTING.md says of the length of files holds.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Names without a folder that end like this are files of the project, too.
const ENDINGS: [&str; 4] = [".rs", ".md", ".toml", ".py"];

/// The lines that a Rust file may have. What is longer is about several things: a stranger finds each of them sooner in a
/// file of its own.
const LINES_MAX: usize = 400;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What the project keeps out of its history, and a document may name all the same: `target`, `data`.
fn ignored() -> Vec<String> {
    let text = std::fs::read_to_string(root().join(".gitignore")).unwrap();
    let folder = |line: &str| line.strip_prefix('/')?.strip_suffix('/').map(str::to_owned);
    text.lines().filter_map(folder).collect()
}

/// Every file of the project, from its root.
fn files() -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root().to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let inside = path.strip_prefix(root()).unwrap().to_path_buf();
            let name = inside.to_str().unwrap();
            if !path.is_dir() {
                found.push(inside);
            } else if name != ".git" && !ignored().iter().any(|folder| folder == name) {
                folders.push(path);
            }
        }
    }
    found
}

/// The documents: those at the top, and all of `docs` and `findings`. Of the changelog its newest part: older ones may
/// name what is gone.
fn documents() -> Vec<(PathBuf, String)> {
    let is_document = |path: &PathBuf| {
        let folder = path.parent().unwrap();
        path.extension().is_some_and(|ending| ending == "md")
            && (folder == Path::new("") || folder.starts_with("docs") || folder.starts_with("findings"))
    };
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(root().join(&path)).unwrap();
        let text = if path == Path::new("CHANGELOG.md") {
            newest(&text)
        } else {
            text
        };
        (path, text)
    };
    files().into_iter().filter(is_document).map(read).collect()
}

/// A changelog up to its second part.
fn newest(changelog: &str) -> String {
    let mut parts = changelog.split("\n## ");
    let begin = parts.next().unwrap();
    format!("{begin}\n## {}", parts.next().unwrap_or_default())
}

/// The text outside blocks of code, by paragraphs.
fn paragraphs(text: &str) -> Vec<String> {
    let mut is_code = false;
    let mut kept = String::new();
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        if !is_code && !is_fence {
            kept.push_str(line);
        }
        kept.push('\n');
    }
    assert!(!is_code, "a block of code does not end");
    kept.split("\n\n").map(str::to_owned).collect()
}

/// What stands in backticks within the text.
fn spans(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for paragraph in paragraphs(text) {
        let pieces: Vec<&str> = paragraph.split('`').collect();
        assert!(
            pieces.len() % 2 == 1,
            "a backtick without its other one: {paragraph}"
        );
        found.extend(pieces.into_iter().skip(1).step_by(2).map(str::to_owned));
    }
    found
}

/// `a/{b,c}/d` is `a/b/d` and `a/c/d`.
fn expanded(span: &str) -> Vec<String> {
    let Some((before, rest)) = span.split_once('{') else {
        return vec![span.to_owned()];
    };
    let Some((choices, after)) = rest.split_once('}') else {
        return vec![span.to_owned()];
    };
    let choice = |choice: &str| expanded(&format!("{before}{}{after}", choice.trim()));
    choices.split(',').flat_map(choice).collect()
}

/// Whether this names a file or folder of the project, rather than a command, a route, a pattern or a placeholder.
fn is_path(span: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let is_placeholder = |segment: &str| {
        let (stem, ending) = segment.split_once('.').unwrap_or((segment, ""));
        let is_shouted = |c: char| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit();
        !stem.is_empty() && stem.chars().all(is_shouted) && ending != "md"
    };
    let has_folder = span.contains('/');
    if !span.chars().all(is_plain) || !(has_folder || ENDINGS.iter().any(|ending| span.ends_with(ending))) {
        return false;
    }
    // A route or a place on the reader's machine; a directory up to the reader.
    if span.starts_with('/') || span.starts_with("./") || span.starts_with("...") || span.contains("//") {
        return false;
    }
    // `HOTKEYS/NAME`, `NAME.sh`; a version of a protocol (`btauth/1`); what the build makes.
    let segments: Vec<&str> = span.trim_end_matches('/').split('/').collect();
    let is_version = has_folder && segments.last().unwrap().chars().all(|c| c.is_ascii_digit());
    !is_version
        && !segments.iter().any(|segment| is_placeholder(segment))
        && !ignored().iter().any(|folder| folder == segments[0])
}

/// The paths that a text names and the project does not have.
fn missing_paths(text: &str) -> BTreeSet<String> {
    let names: BTreeSet<_> = files()
        .iter()
        .filter_map(|file| file.file_name().map(ToOwned::to_owned))
        .collect();
    let is_there = |path: &String| {
        // A name alone may stand for any file that is called so.
        if path.contains('/') {
            root().join(path).exists()
        } else {
            names.contains(Path::new(path).as_os_str())
        }
    };
    let paths = spans(text)
        .into_iter()
        .flat_map(|span| expanded(&span))
        .filter(|span| is_path(span));
    paths.filter(|path| !is_there(path)).collect()
}

/// What a text links to.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for paragraph in paragraphs(text) {
        for piece in paragraph.split("](").skip(1) {
            found.push(piece.split(')').next().unwrap().to_owned());
        }
    }
    found
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = |c: char| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        _ => c.is_alphanumeric().then(|| c.to_lowercase().next()).flatten(),
    };
    heading
        .trim_start_matches('#')
        .trim()
        .chars()
        .filter_map(kept)
        .collect()
}

/// The links of a document that lead nowhere.
fn dead_links(document: &Path, text: &str) -> Vec<String> {
    let leads_somewhere = |link: &String| {
        let (path, wanted) = link.split_once('#').unwrap_or((link, ""));
        let to = if path.is_empty() {
            document.to_path_buf()
        } else {
            document.parent().unwrap().join(path)
        };
        let to = root().join(to);
        let has_anchor = || {
            let text = std::fs::read_to_string(&to).unwrap_or_default();
            paragraphs(&text)
                .iter()
                .flat_map(|text| text.lines())
                .any(|line| line.starts_with('#') && anchor(line) == wanted)
        };
        to.exists() && (wanted.is_empty() || has_anchor())
    };
    let is_outside = |link: &String| link.contains("://") || link.starts_with("mailto:");
    links(text)
        .into_iter()
        .filter(|link| !is_outside(link) && !leads_somewhere(link))
        .collect()
}

#[test]
fn every_path_that_the_documents_name_exists() {
    let mut missing = Vec::new();
    for (document, text) in documents() {
        missing.extend(
            missing_paths(&text)
                .into_iter()
                .map(|path| format!("{}: {path}", document.display())),
        );
    }
    assert!(
        missing.is_empty(),
        "the documents name what there is not:\n{}",
        missing.join("\n")
    );
}

#[test]
fn every_link_between_the_documents_leads_somewhere() {
    let mut dead = Vec::new();
    for (document, text) in documents() {
        dead.extend(
            dead_links(&document, &text)
                .into_iter()
                .map(|link| format!("{}: {link}", document.display())),
        );
    }
    assert!(dead.is_empty(), "links that lead nowhere:\n{}", dead.join("\n"));
}

#[test]
fn the_documents_are_read() {
    let documents = documents();
    let has = |name: &str| documents.iter().any(|(path, _)| path == Path::new(name));
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "RUNBOOK.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "docs/miners.md",
    ] {
        assert!(has(name), "{name}");
    }
    let named: usize = documents
        .iter()
        .map(|(_, text)| spans(text).iter().filter(|span| is_path(span)).count())
        .sum();
    assert!(named > 100, "{named} paths are hardly all that they name");
    assert!(documents.iter().map(|(_, text)| links(text).len()).sum::<usize>() > 20);
}

/// The Rust files among these that are too long, and how long they are.
fn too_long<'a>(sources: impl IntoIterator<Item = (&'a Path, &'a str)>) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources {
        let lines = text.lines().count();
        if path.extension().is_some_and(|ending| ending == "rs") && lines > LINES_MAX {
            found.push(format!("{}: {lines} lines", path.display()));
        }
    }
    found
}

#[test]
fn no_rust_file_has_more_lines_than_it_may() {
    // What cargo builds of the fuzz targets lies beside them.
    let is_built = |path: &PathBuf| path.iter().any(|folder| folder == "target");
    let is_rust = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "rs");
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(root().join(&path)).unwrap();
        (path, text)
    };
    let paths = files()
        .into_iter()
        .filter(|path| is_rust(path) && !is_built(path));
    let sources: Vec<_> = paths.map(read).collect();
    assert!(sources.len() > 100, "only {} files were found", sources.len());
    let long = too_long(sources.iter().map(|(path, text)| (path.as_path(), text.as_str())));
    assert!(
        long.is_empty(),
        "split by subject what has more than {LINES_MAX} lines: {long:#?}"
    );
}

#[test]
fn a_file_that_is_too_long_is_found_by_name() {
    let most = "x\n".repeat(LINES_MAX);
    let more = format!("{most}x");
    let sources = [
        ("src/short.rs", &*most),
        ("src/long.rs", &*more),
        ("docs/long.md", &*more),
    ];
    let long = too_long(sources.map(|(path, text)| (Path::new(path), text)));
    assert_eq!(long, [format!("src/long.rs: {} lines", LINES_MAX + 1)]);
}

#[test]
fn a_path_is_told_from_what_only_looks_like_one() {
    for path in [
        "src/main.rs",
        "domain/",
        "tests/all",
        ".ci/run",
        "mod.rs",
        "README.md",
        "deny.toml",
        "docs/README.md",
        "adapters/store-sqlite",
    ] {
        assert!(is_path(path), "{path}");
    }
    for other in [
        "/v1/pool",
        "POST /v1/work",
        "./data",
        "~/.bittensor",
        "btauth/1",
        "http://localhost/x",
        "src/*.rs",
        "...",
        "1.5",
        "a::b",
        "findings/NAME.sh",
        "DATA_DIR/listen.json",
        "cargo test",
        "target/tests",
        "data/my.hotkey",
        "<path>/x.rs",
        "n/(n-1)",
        "dwarves.db",
    ] {
        assert!(!is_path(other), "{other}");
    }
}

#[test]
fn an_invented_path_and_a_dead_link_are_found() {
    let text = "See `src/main.rs`, `src/no_such_file.rs`,\n`no_such_name.py` and `src/{main,nobody}.rs`.\n\n\
                ```sh\ncat `src/in_a_block.rs`\n```\n";
    let missing: Vec<_> = missing_paths(text).into_iter().collect();
    assert_eq!(
        missing,
        ["no_such_name.py", "src/no_such_file.rs", "src/nobody.rs"]
    );
    let text = "[a](README.md) [b](README.md#two-commands) [c](README.md#nothing) [d](docs/nobody.md) [e](https://x.invalid/y)";
    assert_eq!(
        dead_links(Path::new("README.md"), text),
        ["README.md#nothing", "docs/nobody.md"]
    );
    assert_eq!(
        dead_links(Path::new("docs/x.md"), "[a](miners.md) [b](README.md)"),
        ["README.md"]
    );
    assert_eq!(newest("# C\n\n## 2\nnew\n\n## 1\nold\n"), "# C\n\n## 2\nnew\n");
}
