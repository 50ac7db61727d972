//! What one flush to the disk takes.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Error;
use crate::report::median_of;

/// Bytes of one append: a page of the store's log.
const APPENDED: usize = 4096;

/// The median time of appending 4 KiB to a new file in `dir` and `fdatasync`, over `duration`.
pub(crate) fn append_and_sync(dir: &Path, duration: Duration) -> Result<Duration, Error> {
    let path = dir.join("flush-probe");
    let mut file = File::create(&path)?;
    let begin = Instant::now();
    let mut times = Vec::new();
    while begin.elapsed() < duration {
        let start = Instant::now();
        file.write_all(&[0x5a; APPENDED])?;
        file.sync_data()?;
        times.push(start.elapsed().as_secs_f64());
    }
    drop(file);
    std::fs::remove_file(&path)?;
    Ok(Duration::from_secs_f64(median_of(&mut times)))
}
