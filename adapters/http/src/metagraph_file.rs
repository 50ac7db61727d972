//! The metagraph's file, read for whoever needs it: calls of dendrites, weights, `dwarves check`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use dwarves_domain::metagraph::{FILE_MAX, Metagraph};

/// The metagraph as its file is now.
///
/// # Errors
/// In words, why it cannot be taken.
pub fn read(path: &Path) -> Result<Metagraph, String> {
    let file = File::open(path).map_err(|error| format!("it cannot be read: {error}"))?;
    let mut bytes = Vec::new();
    // One byte more than it may have is enough to refuse it.
    let most = FILE_MAX as u64 + 1;
    let read = file.take(most).read_to_end(&mut bytes);
    read.map_err(|error| format!("it cannot be read: {error}"))?;
    Metagraph::parse(&bytes).map_err(|error| error.to_string())
}
