//! Rules between several keys, and settings that this version knows but cannot serve.

use dwarves_domain::address::{AddressFormat, PayoutAddress};
use dwarves_domain::metagraph::Rao;
use dwarves_domain::privacy::Visibility;
use dwarves_domain::rewards::Source;
use dwarves_domain::rewards::evaluated::MINERS_MAX;
use dwarves_domain::units::Amount;
use dwarves_domain::work::Algorithm;

use super::schema::{ChainConfig, ChainKind, Config, StratumListenerConfig};
use dwarves_node::chain::Coin;

/// A rule that is broken: by which keys, the likeliest culprit first, and what would be right.
pub(super) struct Complaint {
    pub(super) keys: &'static [(&'static str, &'static str)],
    pub(super) message: String,
}

fn complain(
    keys: &'static [(&'static str, &'static str)],
    message: impl Into<String>,
) -> Result<(), Complaint> {
    Err(Complaint {
        keys,
        message: message.into(),
    })
}

/// Finds the broken rules.
pub(super) fn check(config: &Config) -> Vec<Complaint> {
    let listeners = config.stratum.listeners.iter();
    let listeners = listeners.map(|listener| check_listener(config, listener));
    [
        check_chain(config),
        check_difficulty(config),
        check_jobs(config),
        check_rewards(config),
        check_kind(config),
        check_bittensor(config),
        check_statements(config),
    ]
    .into_iter()
    .chain(listeners)
    .filter_map(Result::err)
    .collect()
}

fn check_rewards(config: &Config) -> Result<(), Complaint> {
    if config.rewards.source == Source::Emission && config.rewards.emission == Amount::ZERO {
        return complain(
            &[("rewards", "emission_sats"), ("rewards", "source")],
            "source = \"emission\" needs emission_sats above 0",
        );
    }
    Ok(())
}

/// What belongs to pools that mine, and to those that have work evaluated.
fn check_kind(config: &Config) -> Result<(), Complaint> {
    let (rewards, evaluator) = (&config.rewards, &config.evaluator);
    let scheme = rewards.scheme;
    if !config.is_evaluated() {
        if scheme.is_of_evaluated_work() {
            let message = format!("\"{scheme}\" pays evaluated work: it needs work.kind = \"evaluated\"");
            return complain(&[("rewards", "scheme"), ("work", "kind")], message);
        }
        if config.pool.unit.is_some() {
            let message = "a pool that mines has its chain's own unit; leave it out";
            return complain(&[("pool", "unit"), ("work", "kind")], message);
        }
        return Ok(());
    }
    if config.statements.length().is_some() {
        let message =
            "statements are of shares, and kind = \"evaluated\" has none: it needs statements.epoch_secs = 0";
        return complain(&[("statements", "epoch_secs"), ("work", "kind")], message);
    }
    if !scheme.is_of_evaluated_work() {
        let message = format!(
            "\"{scheme}\" pays shares: kind = \"evaluated\" needs rewards.scheme \"inverse_loss\", \"score\" or \
             \"winner_takes_most\""
        );
        return complain(&[("rewards", "scheme"), ("work", "kind")], message);
    }
    if rewards.source != Source::Emission {
        let message = "kind = \"evaluated\" finds no blocks: it needs rewards.source = \"emission\"";
        return complain(&[("rewards", "source"), ("work", "kind")], message);
    }
    if evaluator.urls.is_empty() == evaluator.command.is_empty() {
        let message = "kind = \"evaluated\" needs evaluator.urls or evaluator.command, one of the two";
        let keys = &[("evaluator", "urls"), ("evaluator", "command"), ("work", "kind")];
        return complain(keys, message);
    }
    if config.pool.unit.is_none() {
        let message = "kind = \"evaluated\" needs pool.unit, in which amounts are counted, such as \"TAO\"";
        return complain(&[("pool", "unit"), ("work", "kind")], message);
    }
    if !config.stratum.all_listeners().is_empty() {
        let message = "kind = \"evaluated\" has no work for Stratum; leave it out";
        return complain(&[("stratum", "listen"), ("stratum", "listeners")], message);
    }
    if config.limits.miners > MINERS_MAX {
        let message = format!("kind = \"evaluated\" has room for {MINERS_MAX} miners");
        return complain(&[("limits", "miners")], message);
    }
    // The work with what stands around it.
    if evaluator.work_bytes + BODY_AROUND > config.http.body_limit_bytes {
        let message = format!(
            "http.body_limit_bytes must be {BODY_AROUND} more than evaluator.work_bytes, for what stands around the work"
        );
        return complain(
            &[("evaluator", "work_bytes"), ("http", "body_limit_bytes")],
            message,
        );
    }
    Ok(())
}

/// Bytes of a request beside the work that it brings: a dendrite's call writes the work as one text, with what it says of
/// itself.
const BODY_AROUND: usize = 8_192;

fn check_bittensor(config: &Config) -> Result<(), Complaint> {
    let bittensor = &config.bittensor;
    let needs_file = bittensor.require_registration || bittensor.min_stake > Rao::default();
    if needs_file && bittensor.metagraph.is_none() {
        return complain(
            &[
                ("bittensor", "require_registration"),
                ("bittensor", "min_stake"),
                ("bittensor", "metagraph"),
            ],
            "who is registered, and with what stake, stands in bittensor.metagraph, which is not given",
        );
    }
    Ok(())
}

/// What is signed for everybody and for ever cannot be for the owner alone.
fn check_statements(config: &Config) -> Result<(), Complaint> {
    let is_private = config.privacy.worker_names == Visibility::Owner;
    if is_private && config.statements.length().is_some() {
        return complain(
            &[("privacy", "worker_names"), ("statements", "epoch_secs")],
            "statements name every worker, to everybody and for ever: worker_names = \"owner\" needs epoch_secs = 0",
        );
    }
    Ok(())
}

fn check_chain(config: &Config) -> Result<(), Complaint> {
    if config.is_evaluated() {
        return Ok(());
    }
    match config.chain.kind {
        ChainKind::Devnet => check_devnet(&config.chain),
        ChainKind::Node => check_node(&config.chain),
    }
}

fn check_devnet(chain: &ChainConfig) -> Result<(), Complaint> {
    if chain.algorithm != Algorithm::Sha256d {
        return complain(
            &[("chain", "algorithm"), ("chain", "kind")],
            "the devnet has \"sha256d\" alone",
        );
    }
    if let Some(address) = &chain.payout_address
        && let Err(error) = PayoutAddress::parse(address, AddressFormat::BitcoinRegtest)
    {
        return complain(&[("chain", "payout_address")], error.to_string());
    }
    Ok(())
}

fn check_node(chain: &ChainConfig) -> Result<(), Complaint> {
    if chain.url.is_none() {
        return complain(
            &[("chain", "url"), ("chain", "kind")],
            "kind = \"node\" needs chain.url, such as \"http://127.0.0.1:8332\"",
        );
    }
    if let Err(error) = chain.endpoints() {
        return complain(&[("chain", "url"), ("chain", "fallbacks")], error.to_string());
    }
    let Some(address) = &chain.payout_address else {
        return complain(
            &[("chain", "payout_address"), ("chain", "kind")],
            "kind = \"node\" needs chain.payout_address, to which blocks pay; the node's wallet gives one \
             (getnewaddress)",
        );
    };
    let coin = Coin::of_algorithm(chain.algorithm);
    if coin.formats_of(address).is_empty() {
        return complain(
            &[("chain", "payout_address"), ("chain", "algorithm")],
            format!(
                "not an address of {coin:?}, whose algorithm is \"{}\"",
                chain.algorithm
            ),
        );
    }
    Ok(())
}

fn check_difficulty(config: &Config) -> Result<(), Complaint> {
    let [start, min, max] = config.difficulties();
    if min > max {
        return complain(
            &[("work", "min_difficulty"), ("work", "max_difficulty")],
            "min_difficulty must not be above max_difficulty",
        );
    }
    if !(min..=max).contains(&start) {
        return complain(
            &[
                ("work", "start_difficulty"),
                ("work", "min_difficulty"),
                ("work", "max_difficulty"),
            ],
            "start_difficulty must lie between min_difficulty and max_difficulty",
        );
    }
    Ok(())
}

fn check_jobs(config: &Config) -> Result<(), Complaint> {
    let work = &config.work;
    if work.job_lifetime <= work.template_refresh {
        return complain(
            &[("work", "job_lifetime_secs"), ("work", "template_refresh_secs")],
            "job_lifetime_secs must be above template_refresh_secs, or jobs end before the next ones come",
        );
    }
    Ok(())
}

fn check_listener(config: &Config, listener: &StratumListenerConfig) -> Result<(), Complaint> {
    let [start, min, max] = listener.difficulties(config.difficulties());
    if min > max || !(min..=max).contains(&start) {
        return complain(
            &[("stratum", "listeners")],
            format!(
                "{}: start_difficulty must lie between min_difficulty and max_difficulty; what is not given \
                 is that of [work]",
                listener.listen
            ),
        );
    }
    if listener.tls_certificate.is_some() != listener.tls_key.is_some() {
        return complain(
            &[("stratum", "listeners")],
            format!("{}: tls_certificate and tls_key go together", listener.listen),
        );
    }
    Ok(())
}
