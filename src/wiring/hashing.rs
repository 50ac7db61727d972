//! Who hashes what: shares in the lanes that the processor has, slow proofs of work on threads of their own.

use std::num::NonZero;
use std::sync::Arc;

use dwarves_domain::work::Algorithm;
use dwarves_hashing::HashThreads;
use dwarves_lanes::{Kind, Lanes};
use dwarves_ports::proof_of_work::{HashHere, SharedProofOfWork};

use super::StartError;
use crate::config::{Config, HashingConfig, LanesChoice};

/// What every submission handler hashes with.
#[derive(Clone)]
pub(super) struct Hashing {
    pub(super) lanes: Lanes,
    pub(super) proof_of_work: SharedProofOfWork,
}

impl Hashing {
    /// Chooses the lanes, and starts threads, one for each core, if one proof of work takes long.
    pub(super) fn start(config: &Config) -> Result<Self, StartError> {
        let lanes = chosen_lanes(&config.hashing).unwrap_or_else(|missing| {
            log::warn!("{missing}");
            Lanes::best()
        });
        log::info!("SHA-256d is hashed by {lanes}");
        let algorithm = config.chain.algorithm;
        let proof_of_work: SharedProofOfWork = match algorithm {
            Algorithm::Sha256d => Arc::new(HashHere(algorithm)),
            Algorithm::Scrypt => {
                log::info!("scrypt is hashed {} at once", lanes.scrypt_width());
                let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
                let limit = config.limits.shared(config.limits.hashing_queue);
                Arc::new(HashThreads::start(algorithm, lanes, cores, limit).map_err(StartError::Thread)?)
            }
        };
        Ok(Self { lanes, proof_of_work })
    }
}

/// Lanes that the settings name, and this machine cannot give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("hashing.lanes = \"{0}\": this processor has none; the pool hashes by {best}", best = Lanes::best())]
pub struct NoSuchLanes(Kind);

/// The lanes that the settings say.
///
/// # Errors
/// If the processor has no such lanes.
pub fn chosen_lanes(config: &HashingConfig) -> Result<Lanes, NoSuchLanes> {
    match config.lanes {
        LanesChoice::Auto => Ok(Lanes::best()),
        LanesChoice::Kind(kind) => Lanes::of(kind).ok_or(NoSuchLanes(kind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_those_of_the_settings_if_the_processor_has_them() {
        let chosen = |lanes| chosen_lanes(&HashingConfig { lanes });
        assert_eq!(chosen(LanesChoice::Auto), Ok(Lanes::best()));
        assert_eq!(chosen(LanesChoice::Kind(Kind::Plain)), Ok(Lanes::PLAIN));
        for kind in Kind::ALL {
            match chosen(LanesChoice::Kind(kind)) {
                Ok(lanes) => assert_eq!(lanes.kind(), kind),
                Err(missing) => {
                    assert_eq!(Lanes::of(kind), None);
                    let said = missing.to_string();
                    let named = format!("hashing.lanes = \"{kind}\": ");
                    assert!(
                        said.starts_with(&named) && said.ends_with(Lanes::best().kind().name()),
                        "{said}"
                    );
                }
            }
        }
    }
}
