//! What a start needs, tried without one, for `dwarves check`.

use std::path::{Path, PathBuf};

use super::http_server::BoundServer;
use super::{
    StartError, evaluator, linking, miner_notifications, notifications, stratum_listeners, synapse,
    validators,
};
use crate::config::Config;

/// Opens every listener as [`start`](super::start) does, all at once, and closes them again. Gives the setting of each and what came
/// of it. If a pool is running on these settings its ports are taken: then everything but the binding is tried.
pub fn try_listeners(config: &Config, is_running: bool) -> Vec<(String, Result<String, StartError>)> {
    let mut open = Vec::new();
    let mut tried = Vec::new();
    let listen = config.http.listen;
    let http = if is_running {
        Ok(format!("{listen}, in use by the running pool"))
    } else {
        BoundServer::bind("http", listen, None).map(|bound| {
            let detail = bound.address.to_string();
            open.push(bound);
            detail
        })
    };
    tried.push(("http.listen".to_owned(), http));
    tried.extend(synapse::try_listener(config, is_running, &mut open));
    tried.extend(validators::try_listener(config, is_running, &mut open));
    tried.extend(linking::try_listener(config, is_running));
    tried.extend(stratum_listeners::try_listeners(config, is_running));
    tried
}

/// Reads what settings name beside listeners and chain, as [`start`](super::start) does, and asks nobody. Gives the
/// setting of each that is used and what came of it.
pub fn try_files(config: &Config) -> Vec<(&'static str, Result<String, StartError>)> {
    let mut tried = Vec::new();
    if !config.notifications.channels.is_empty() {
        let names = config
            .notifications
            .channels
            .iter()
            .map(|channel| channel.name.as_str());
        let told =
            notifications::ways(config).map(|_| format!("through {}", names.collect::<Vec<_>>().join(", ")));
        tried.push(("notifications.channels", told));
    }
    if config.miner_notifications.enabled {
        let mail = miner_notifications::mail(&config.miner_notifications);
        let told = mail.map(|mail| match mail {
            Some(_) => "miners are told what they ask for, by mail, too".to_owned(),
            None => "miners are told what they ask for, but not by mail".to_owned(),
        });
        tried.push(("miner_notifications", told));
    }
    if config.is_evaluated() {
        let urls = config.evaluator.urls.len();
        let told = evaluator::settings(config).and_then(|_| match config.evaluator.command.first() {
            Some(program) => program_is_there(program),
            None => Ok(format!("work is evaluated at {urls} addresses")),
        });
        tried.push(("evaluator", told));
    }
    if let Some(file) = &config.bittensor.metagraph {
        let told = dwarves_http::metagraph_file::read(file)
            .map(|metagraph| format!("{}, neurons: {}", file.display(), metagraph.neurons().len()))
            .map_err(|why| StartError::Settings(format!("bittensor.metagraph: {}: {why}", file.display())));
        tried.push(("bittensor.metagraph", told));
    }
    tried
}

/// Whether the evaluator's program is where it is looked for, as it is started: by its path, or in `PATH`.
fn program_is_there(program: &str) -> Result<String, StartError> {
    let found = match program.contains('/') {
        true => Some(PathBuf::from(program)).filter(|path| path.is_file()),
        false => std::env::var_os("PATH").and_then(|folders| {
            std::env::split_paths(&folders)
                .map(|folder| folder.join(program))
                .find(|path| path.is_file())
        }),
    };
    match found {
        Some(path) => Ok(format!("work is evaluated by {}", Path::display(&path))),
        None => Err(StartError::Settings(format!(
            "evaluator.command: there is no program {program}"
        ))),
    }
}
