//! `DATA_DIR/listen.json`: where the pool listens, written once it is ready.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;

/// The file's name in the data directory.
pub const FILE_NAME: &str = "listen.json";

/// Writes where the pool listens, whole or not at all.
///
/// # Errors
/// If the file can not be written.
pub fn write(data_dir: &Path, http: SocketAddr, stratum: &[SocketAddr]) -> io::Result<()> {
    let stratum: Vec<String> = stratum.iter().map(SocketAddr::to_string).collect();
    let document = json!({ "http": format!("http://{http}"), "stratum": stratum });
    let beside = data_dir.join("listen.json.new");
    fs::write(&beside, format!("{document}\n"))?;
    fs::rename(beside, data_dir.join(FILE_NAME))
}

/// Removes what an earlier life wrote: who reads the file must not find an address that nobody listens on.
///
/// # Errors
/// If there is a file that can not be removed.
pub fn remove(data_dir: &Path) -> io::Result<()> {
    match fs::remove_file(data_dir.join(FILE_NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_says_where_and_is_gone_when_removed() {
        let folder = tempfile::tempdir().unwrap();
        remove(folder.path()).unwrap();
        let stratum = ["127.0.0.1:3333".parse().unwrap()];
        write(folder.path(), "127.0.0.1:8080".parse().unwrap(), &stratum).unwrap();
        let text = fs::read_to_string(folder.path().join(FILE_NAME)).unwrap();
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            document,
            json!({ "http": "http://127.0.0.1:8080", "stratum": ["127.0.0.1:3333"] })
        );
        remove(folder.path()).unwrap();
        assert!(!folder.path().join(FILE_NAME).exists());
    }
}
