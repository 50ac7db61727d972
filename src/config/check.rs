//! Rules between several keys, and settings that this version knows but cannot serve.

use std::net::SocketAddr;

use dwarves_domain::address::{AddressFormat, PayoutAddress};
use dwarves_domain::metagraph::Rao;
use dwarves_domain::privacy::Visibility;
use dwarves_domain::rewards::Source;
use dwarves_domain::rewards::evaluated::MINERS_MAX;
use dwarves_domain::target::Difficulty;
use dwarves_domain::units::Amount;
use dwarves_domain::work::Algorithm;

use super::mistake::Doubts;
use super::schema::{ChainKind, Config, StoreKind, StratumListenerConfig};
use dwarves_node::chain::Coin;
use dwarves_store_postgres::PostgresOptions;

/// A key with its section.
type Key = (&'static str, &'static str);

/// A rule that is broken: by which keys, and what would be right.
pub(super) struct Complaint {
    /// All keys that the rule reads, the likeliest culprit first.
    pub(super) keys: Vec<Key>,
    pub(super) message: String,
}

/// Which work is done decides which rules there are.
const KIND: Key = ("work", "kind");
const CHAIN_KIND: Key = ("chain", "kind");
const ALGORITHM: Key = ("chain", "algorithm");
const LISTENERS: Key = ("stratum", "listeners");
const START: Key = ("work", "start_difficulty");
const MIN: Key = ("work", "min_difficulty");
const MAX: Key = ("work", "max_difficulty");

/// Finds the broken rules, of those that read nothing of which it is told already that it is wrong.
pub(super) fn check(config: &Config, doubts: &Doubts) -> Vec<Complaint> {
    let mut rules = Rules {
        config,
        doubts,
        broken: Vec::new(),
    };
    match (config.is_evaluated(), config.chain.kind) {
        (true, _) => rules.evaluated(),
        (false, ChainKind::Devnet) => rules.devnet(),
        (false, ChainKind::Node) => rules.node(),
    }
    rules.kind();
    rules.difficulty();
    rules.jobs_and_rewards();
    rules.bittensor();
    rules.statements();
    rules.store();
    for listener in &config.stratum.listeners {
        rules.listener(listener);
    }
    rules.addresses();
    rules.broken
}

struct Rules<'a> {
    config: &'a Config,
    doubts: &'a Doubts,
    broken: Vec<Complaint>,
}

impl Rules<'_> {
    /// Complains of a rule that reads these keys, if it can be judged.
    fn complain(&mut self, keys: &[Key], message: impl Into<String>) {
        if keys.iter().any(|(section, key)| self.doubts.holds(section, key)) {
            return;
        }
        self.broken.push(Complaint {
            keys: keys.to_vec(),
            message: message.into(),
        });
    }

    /// What belongs to pools that have work evaluated.
    fn evaluated(&mut self) {
        let Config {
            evaluator,
            rewards,
            pool,
            stratum,
            statements,
            limits,
            http,
            ..
        } = self.config;
        let scheme = rewards.scheme;
        if !scheme.is_of_evaluated_work() {
            let message = format!(
                "\"{scheme}\" pays shares: kind = \"evaluated\" needs rewards.scheme \"inverse_loss\", \"score\" or \
                 \"winner_takes_most\""
            );
            self.complain(&[("rewards", "scheme"), KIND], message);
        }
        if rewards.source != Source::Emission {
            let message = "kind = \"evaluated\" finds no blocks: it needs rewards.source = \"emission\"";
            self.complain(&[("rewards", "source"), KIND], message);
        }
        if evaluator.urls.is_empty() == evaluator.command.is_empty() {
            let message = "kind = \"evaluated\" needs evaluator.urls or evaluator.command, one of the two";
            self.complain(&[("evaluator", "urls"), ("evaluator", "command"), KIND], message);
        }
        if pool.unit.is_none() {
            let message =
                "kind = \"evaluated\" needs pool.unit, in which amounts are counted, such as \"TAO\"";
            self.complain(&[("pool", "unit"), KIND], message);
        }
        if !stratum.all_listeners().is_empty() {
            let message = "kind = \"evaluated\" has no work for Stratum; leave it out";
            // Each is enough: what is wrong with the other does not matter.
            let by = if stratum.listen.is_some() {
                ("stratum", "listen")
            } else {
                LISTENERS
            };
            self.complain(&[by, KIND], message);
        }
        if statements.length().is_some() {
            let message = "statements are of shares, and kind = \"evaluated\" has none: it needs statements.epoch_secs = 0";
            self.complain(&[("statements", "epoch_secs"), KIND], message);
        }
        if limits.miners > MINERS_MAX {
            let message = format!("kind = \"evaluated\" has room for {MINERS_MAX} miners");
            self.complain(&[("limits", "miners"), KIND], message);
        }
        // The work with what stands around it.
        if evaluator.work_bytes + BODY_AROUND > http.body_limit_bytes {
            let message = format!(
                "http.body_limit_bytes must be {BODY_AROUND} more than evaluator.work_bytes, for what stands around the work"
            );
            let keys = [("evaluator", "work_bytes"), ("http", "body_limit_bytes"), KIND];
            self.complain(&keys, message);
        }
    }

    /// What belongs to evaluated work alone.
    fn kind(&mut self) {
        let Config { rewards, pool, .. } = self.config;
        if self.config.is_evaluated() {
            return;
        }
        let scheme = rewards.scheme;
        if scheme.is_of_evaluated_work() {
            let message = format!("\"{scheme}\" pays evaluated work: it needs work.kind = \"evaluated\"");
            self.complain(&[("rewards", "scheme"), KIND], message);
        }
        if pool.unit.is_some() {
            let message = "a pool that mines has its chain's own unit; leave it out";
            self.complain(&[("pool", "unit"), KIND], message);
        }
    }

    fn devnet(&mut self) {
        let chain = &self.config.chain;
        if chain.algorithm != Algorithm::Sha256d {
            let message = "the devnet has \"sha256d\" alone";
            self.complain(&[ALGORITHM, CHAIN_KIND, KIND], message);
        }
        if let Some(address) = &chain.payout_address
            && let Err(error) = PayoutAddress::parse(address, AddressFormat::BitcoinRegtest)
        {
            let keys = [("chain", "payout_address"), CHAIN_KIND, KIND];
            self.complain(&keys, error.to_string());
        }
    }

    fn node(&mut self) {
        let chain = &self.config.chain;
        if chain.url.is_none() {
            let message = "kind = \"node\" needs chain.url, such as \"http://127.0.0.1:8332\"";
            self.complain(&[("chain", "url"), CHAIN_KIND, KIND], message);
        }
        match chain.endpoints() {
            Ok(nodes) if chain.wallet_place(&nodes).is_none() => {
                let message = "none of the nodes in chain.url and chain.fallbacks is at this address";
                self.complain(&[("chain", "wallet_node"), ("chain", "fallbacks")], message);
            }
            Ok(_) => {}
            Err(error) => {
                let keys = [
                    ("chain", "url"),
                    ("chain", "fallbacks"),
                    ("chain", "cookie_file"),
                    CHAIN_KIND,
                    KIND,
                ];
                self.complain(&keys, error.to_string());
            }
        }
        let Some(address) = &chain.payout_address else {
            let message = "kind = \"node\" needs chain.payout_address, to which blocks pay; the node's wallet gives one \
                           (getnewaddress)";
            return self.complain(&[("chain", "payout_address"), CHAIN_KIND, KIND], message);
        };
        let coin = Coin::of_algorithm(chain.algorithm);
        if coin.formats_of(address).is_empty() {
            let message = format!(
                "not an address of {coin:?}, whose algorithm is \"{}\"",
                chain.algorithm
            );
            let keys = [("chain", "payout_address"), ALGORITHM, CHAIN_KIND, KIND];
            self.complain(&keys, message);
        }
    }

    fn store(&mut self) {
        let store = &self.config.store;
        if store.kind == StoreKind::Sqlite {
            if store.read_url.is_some() {
                let message = "a ledger in a file has no standby; leave it empty, or set kind = \"postgres\" and store.url";
                self.complain(&[("store", "read_url"), ("store", "kind")], message);
            }
            return;
        }
        let keys = [("store", "url"), ("store", "kind")];
        let Some(url) = &store.url else {
            let message =
                "kind = \"postgres\" needs store.url, such as \"postgresql://dwarves@db.example/dwarves\"";
            return self.complain(&keys, message);
        };
        if let Err(error) = PostgresOptions::new(url.with_credentials(), None, None) {
            let message = error.to_string();
            self.complain(&keys, message.trim_start_matches("store.url: "));
        }
        let standby = store.read_url.as_ref();
        let standby = standby.map(|url| PostgresOptions::new(url.with_credentials(), None, None));
        if let Some(Err(error)) = standby {
            let message = error.to_string();
            self.complain(
                &[("store", "read_url")],
                message.trim_start_matches("store.url: "),
            );
        }
    }

    fn difficulty(&mut self) {
        let [start, min, max] = self.config.difficulties();
        if min > max {
            let message = "min_difficulty must not be above max_difficulty";
            self.complain(&[MIN, MAX, CHAIN_KIND, ALGORITHM], message);
        } else if !(min..=max).contains(&start) {
            let message = "start_difficulty must lie between min_difficulty and max_difficulty";
            self.complain(&[START, MIN, MAX, CHAIN_KIND, ALGORITHM], message);
        }
    }

    fn jobs_and_rewards(&mut self) {
        let Config { work, rewards, .. } = self.config;
        if work.job_lifetime <= work.template_refresh {
            let message = "job_lifetime_secs must be above template_refresh_secs, or jobs end before the next ones come";
            self.complain(
                &[("work", "job_lifetime_secs"), ("work", "template_refresh_secs")],
                message,
            );
        }
        if rewards.source == Source::Emission && rewards.emission == Amount::ZERO {
            let message = "source = \"emission\" needs emission_sats above 0";
            self.complain(&[("rewards", "emission_sats"), ("rewards", "source")], message);
        }
    }

    fn bittensor(&mut self) {
        let bittensor = &self.config.bittensor;
        let needs_file = bittensor.require_registration || bittensor.min_stake > Rao::default();
        if needs_file && bittensor.metagraph.is_none() {
            let keys = [
                ("bittensor", "require_registration"),
                ("bittensor", "min_stake"),
                ("bittensor", "metagraph"),
            ];
            let message =
                "who is registered, and with what stake, stands in bittensor.metagraph, which is not given";
            self.complain(&keys, message);
        }
    }

    /// What is signed for everybody and for ever cannot be for the owner alone.
    fn statements(&mut self) {
        let is_private = self.config.privacy.worker_names == Visibility::Owner;
        if is_private && self.config.statements.length().is_some() {
            let message = "statements name every worker, to everybody and for ever: worker_names = \"owner\" needs \
                           epoch_secs = 0";
            self.complain(
                &[("privacy", "worker_names"), ("statements", "epoch_secs")],
                message,
            );
        }
    }

    fn listener(&mut self, listener: &StratumListenerConfig) {
        let of_work = self.config.difficulties();
        // What is wrong in [work] already is not told of each listener, too.
        let fit = |[start, min, max]: [Difficulty; 3]| (min..=max).contains(&start);
        if fit(of_work) && !fit(listener.difficulties(of_work)) {
            let message = format!(
                "{}: start_difficulty must lie between min_difficulty and max_difficulty; what is not given is that of \
                 [work]",
                listener.listen
            );
            self.complain(&[LISTENERS, START, MIN, MAX, CHAIN_KIND, ALGORITHM], message);
        }
        if listener.tls_certificate.is_some() != listener.tls_key.is_some() {
            let message = format!("{}: tls_certificate and tls_key go together", listener.listen);
            self.complain(&[LISTENERS], message);
        }
    }

    /// No two listeners can have one port.
    fn addresses(&mut self) {
        let config = self.config;
        let one = |section: &'static str, listen: Option<SocketAddr>| {
            listen.map(|listen| ((section, "listen"), format!("{section}.listen"), listen))
        };
        let several = config.stratum.listeners.iter().enumerate();
        let several = several.map(|(at, listener)| {
            (
                LISTENERS,
                format!("stratum.listeners[{at}].listen"),
                listener.listen,
            )
        });
        let all: Vec<_> = [
            one("http", Some(config.http.listen)),
            one("bittensor", config.bittensor.listen),
            one("validators", config.validators.listen),
            one("stratum", config.stratum.listen),
        ]
        .into_iter()
        .flatten()
        .chain(several)
        .collect();
        for (at, (key, name, listen)) in all.iter().enumerate() {
            let mut others = all[..at].iter();
            if let Some((other, other_name, _)) = others.find(|(.., other)| is_one_port(*listen, *other)) {
                let whose = if name.ends_with("].listen") {
                    format!("{name}: ")
                } else {
                    String::new()
                };
                let message =
                    format!("{whose}{listen} is that of {other_name} already; give it a port of its own");
                self.complain(&[*key, *other], message);
            }
        }
    }
}

/// Whether what listens at one of these keeps others from the other.
fn is_one_port(one: SocketAddr, other: SocketAddr) -> bool {
    let is_any = one.ip().is_unspecified() || other.ip().is_unspecified();
    let meet = one.ip() == other.ip() || (is_any && one.is_ipv4() == other.is_ipv4());
    // At port 0 the system chooses a free one for each.
    meet && one.port() == other.port() && one.port() != 0
}

/// Bytes of a request beside the work that it brings: a dendrite's call writes the work as one text, with what it says of
/// itself.
const BODY_AROUND: usize = 8_192;
