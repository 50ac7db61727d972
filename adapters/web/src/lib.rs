//! The pool's pages, as they are in the binary: a shell of HTML for each, and the files that the shells load.
//!
//! A page is the same for everybody: what it shows, its script reads from `/v1`. There is no build step; the scripts are
//! ES modules as they are written, in `assets/`, and what others wrote is in `vendor/`, with its licence.
//!
//! | module | its one job |
//! |---|---|
//! | [`files`] | the files that pages load |
//! | [`pages`] | the pages, their paths, and their shells |

pub mod files;
pub mod pages;

pub use files::{File, file};
pub use pages::{MISSING, PAGES, Page};

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// What browsers may do on a page: run, show and ask what comes from this very host, and nothing else. Nothing in a page's
/// text can run, no other page can frame it, and no form leads away.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The content by gzip: a third of its size, which every browser takes.
fn zipped(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder
        .write_all(content)
        .and_then(|()| encoder.finish())
        .expect("memory takes what is written")
}

/// A tag for this content alone, as the `ETag` header has it, quotes and all.
fn tag(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    format!("\"{}\"", hex::encode(&digest[..12]))
}
