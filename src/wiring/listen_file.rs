//! Where the pool listens: `DATA_DIR/listen.json`, written once it is ready, and `DATA_DIR/listening.json`, written as
//! soon as somebody answers there. The first is for miners and what waits for them. The second is for the operator,
//! whose pool may have no node since its start.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dwarves_actors::ask::Port;
use dwarves_actors::pool_manager::messages::ReadPool;
use serde_json::{Value, json};

/// The name in the data directory of the file that is written once the pool is ready.
pub const FILE_NAME: &str = "listen.json";
/// The name of the file that is written as soon as the pool listens.
pub const LISTENING: &str = "listening.json";
/// How often the pool is asked whether it is ready, and how long an answer may take.
const READY_EVERY: Duration = Duration::from_millis(25);
const ANSWER_MAX: Duration = Duration::from_secs(35);

/// Where a pool listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// For the API.
    pub http: SocketAddr,
    /// For Stratum.
    pub stratum: Vec<SocketAddr>,
    /// For dendrites, if it does.
    pub bittensor: Option<SocketAddr>,
    /// For validators, if it does.
    pub validators: Option<SocketAddr>,
}

/// Writes where the pool listens into the file of this name, whole or not at all.
///
/// # Errors
/// If the file cannot be written.
pub fn write(data_dir: &Path, name: &str, addresses: &Addresses) -> io::Result<()> {
    let stratum: Vec<String> = addresses.stratum.iter().map(SocketAddr::to_string).collect();
    let mut document = json!({ "http": format!("http://{}", addresses.http), "stratum": stratum });
    if let Some(bittensor) = addresses.bittensor {
        document["bittensor"] = format!("http://{bittensor}").into();
    }
    if let Some(validators) = addresses.validators {
        document["validators"] = format!("http://{validators}").into();
    }
    let beside = data_dir.join(format!("{name}.new"));
    fs::write(&beside, format!("{document}\n"))?;
    fs::rename(beside, data_dir.join(name))
}

/// Where the pool that runs in this data directory answers over HTTP, ready or not.
pub fn address(data_dir: &Path) -> Option<String> {
    [FILE_NAME, LISTENING].iter().find_map(|name| {
        let text = fs::read_to_string(data_dir.join(name)).ok()?;
        let json: Value = serde_json::from_str(&text).ok()?;
        json["http"].as_str().map(str::to_owned)
    })
}

/// Removes what an earlier life wrote: who reads the file must not find an address that nobody listens on.
///
/// # Errors
/// If there is one that cannot be removed.
pub fn remove(data_dir: &Path) -> io::Result<()> {
    for name in [FILE_NAME, LISTENING] {
        match fs::remove_file(data_dir.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => done?,
        }
    }
    Ok(())
}

/// Writes `listening.json` now, and `listen.json` once the pool has work and can write.
pub(super) fn announce(pool: Port<ReadPool>, data_dir: PathBuf, addresses: Addresses) {
    if let Err(error) = write(&data_dir, LISTENING, &addresses) {
        log::error!("{} cannot be written: {error}", LISTENING);
    }
    actix_rt::spawn(async move {
        loop {
            match pool.ask(ReadPool, ANSWER_MAX).await {
                Ok(view) if view.has_work && view.ledger_writes => break,
                Ok(_) => actix_rt::time::sleep(READY_EVERY).await,
                // The pool is stopping: nobody need find it any more.
                Err(_) => return,
            }
        }
        match write(&data_dir, FILE_NAME, &addresses) {
            Ok(()) => log::info!("ready for miners on http://{}", addresses.http),
            Err(error) => log::error!("{} cannot be written: {error}", FILE_NAME),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_say_where_and_are_gone_when_removed() {
        let folder = tempfile::tempdir().unwrap();
        remove(folder.path()).unwrap();
        assert_eq!(address(folder.path()), None);
        let mut addresses = Addresses {
            http: "127.0.0.1:8080".parse().unwrap(),
            stratum: vec!["127.0.0.1:3333".parse().unwrap()],
            bittensor: None,
            validators: None,
        };
        write(folder.path(), LISTENING, &addresses).unwrap();
        assert!(!folder.path().join(FILE_NAME).exists(), "it is not ready yet");
        let here = Some("http://127.0.0.1:8080".to_owned());
        assert_eq!(address(folder.path()), here);
        let document = |addresses: &Addresses| -> Value {
            write(folder.path(), FILE_NAME, addresses).unwrap();
            let text = fs::read_to_string(folder.path().join(FILE_NAME)).unwrap();
            serde_json::from_str(&text).unwrap()
        };
        assert_eq!(
            document(&addresses),
            json!({ "http": "http://127.0.0.1:8080", "stratum": ["127.0.0.1:3333"] })
        );
        assert_eq!(address(folder.path()), here);
        addresses.bittensor = Some("127.0.0.1:8091".parse().unwrap());
        assert_eq!(document(&addresses)["bittensor"], "http://127.0.0.1:8091");
        remove(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
