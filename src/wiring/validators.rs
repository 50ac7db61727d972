//! The listener for validators: as the HTTP server, with one worker and the routes of subnets' own software.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use dwarves_actors::assembly::PoolPorts;
use dwarves_http::{HttpDeps, HttpState, ServerLimits};
use dwarves_validators::{Names, Validator, ValidatorDeps};

use super::StartError;
use super::http_server::{BoundServer, HandlerParts, cannot_listen, server_limits};
use crate::config::{Config, HotkeyNames, TokenConfig};

/// The name of its socket, for a service manager that hands it over.
pub(super) const SETTING: &str = "validators";

/// A bound listener that does not answer yet, if there is to be one.
pub(super) struct BoundValidators(Option<(BoundServer, Vec<Validator>)>);

/// The server at work, if there is one.
pub(super) struct RunningValidators(Option<(ServerHandle, actix_rt::task::JoinHandle<io::Result<()>>)>);

impl BoundValidators {
    /// Reads the tokens, and binds, if no socket was handed over.
    pub(super) fn bind(config: &Config, handed_over: Option<TcpListener>) -> Result<Self, StartError> {
        let Some(listen) = config.validators.listen else {
            return Ok(Self(None));
        };
        let tokens = config.validators.tokens.iter().map(validator);
        let tokens = tokens.collect::<Result<_, _>>()?;
        Ok(Self(Some((
            BoundServer::bind(SETTING, listen, handed_over)?,
            tokens,
        ))))
    }

    /// Where it listens.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.0.as_ref().map(|(bound, _)| bound.address)
    }

    /// Begins to answer.
    pub(super) fn start(
        self,
        config: &Config,
        deps: &Arc<HttpDeps>,
        parts: &HandlerParts,
        ports: &PoolPorts,
    ) -> Result<RunningValidators, StartError> {
        let Some((BoundServer { listener, address }, validators)) = self.0 else {
            return Ok(RunningValidators(None));
        };
        if validators.is_empty() {
            log::warn!("validators.tokens names nobody: every validator is refused");
        }
        let settings = &config.validators;
        let own = ValidatorDeps {
            commit: ports.commit.clone(),
            bindings: ports.read_bindings.clone(),
            validators,
            per_minute: settings.requests_per_minute,
            range_max: settings.range_max,
            names: match settings.hotkey_names {
                HotkeyNames::Suffix => Names::Suffix,
                HotkeyNames::Hotkey => Names::Hotkey,
            },
            coins: settings.coins.clone(),
            worker_percentage: settings.worker_percentage,
            wallet: settings.wallet.clone(),
            subaccount: settings.subaccount.clone(),
        };
        let clock = Arc::clone(&parts.clock);
        let routes = move |cfg: &mut actix_web::web::ServiceConfig| {
            dwarves_validators::mount(cfg, &own, Arc::clone(&clock));
        };
        let (deps, parts) = (Arc::clone(deps), parts.clone());
        let state = move || HttpState::new(Arc::clone(&deps), parts.start());
        let refusing = dwarves_validators::answer::told;
        let server = dwarves_http::serve_routes(listener, limits(config), state, routes, refusing);
        let server = server.map_err(|source| cannot_listen(SETTING, address, source))?;
        log::info!("listening for validators on http://{address}");
        let handle = server.handle();
        Ok(RunningValidators(Some((handle, actix_rt::spawn(server)))))
    }
}

/// A validator with its token.
fn validator(token: &TokenConfig) -> Result<Validator, StartError> {
    let name = token.name.clone();
    let wrong = |why: String| StartError::Settings(format!("validators.tokens, {name:?}: {why}"));
    match (token.sha256, token.token_file.as_deref()) {
        (Some(digest), _) => Ok(Validator { name, digest }),
        (None, Some(file)) => {
            let text = read(file).map_err(wrong)?;
            Ok(Validator::of_token(token.name.clone(), &text))
        }
        (None, None) => Err(wrong("one of sha256 and token_file is needed".to_owned())),
    }
}

fn read(file: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| format!("token_file {} cannot be read: {error}", file.display()))?;
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("token_file {} is empty", file.display()));
    }
    Ok(text.to_owned())
}

/// Binds as [`BoundValidators::bind`] does, for a look at the settings; what was bound is kept in `open`.
pub(super) fn try_listener(
    config: &Config,
    is_running: bool,
    open: &mut Vec<BoundServer>,
) -> Option<(String, Result<String, StartError>)> {
    let listen = config.validators.listen?;
    let tokens: Result<Vec<Validator>, _> = config.validators.tokens.iter().map(validator).collect();
    let tried = match tokens {
        Err(error) => Err(error),
        Ok(_) if is_running => Ok(format!("{listen}, in use by the running pool")),
        Ok(_) => BoundServer::bind(SETTING, listen, None).map(|bound| {
            let detail = bound.address.to_string();
            open.push(bound);
            detail
        }),
    };
    Some((format!("{SETTING}.listen"), tried))
}

fn limits(config: &Config) -> ServerLimits {
    let mut limits = server_limits(config);
    // What is asked takes turns, and a rate is one validator's, whatever connection it comes by.
    limits.workers = 1;
    limits.connections.places = config.limits.shared(config.validators.max_connections);
    // There is nothing for operators here.
    limits.connections.reserved = 0;
    limits
}

impl RunningValidators {
    /// Takes no more connections.
    pub(super) async fn pause(&self) {
        if let Some((handle, _)) = &self.0 {
            handle.pause().await;
        }
    }

    /// Ends when the requests that were begun have been answered. Returns whether it ended in good order.
    pub(super) async fn stop(self) -> bool {
        let Some((handle, served)) = self.0 else {
            return true;
        };
        handle.stop(true).await;
        matches!(served.await, Ok(Ok(())))
    }
}
