//! Chains of scripted nodes.

use super::*;

pub(super) fn chain_of(urls: &[&str]) -> NodeChain {
    chain_on(urls, AddressFormat::BitcoinRegtest)
}

pub(super) fn chain_on(urls: &[&str], addresses: AddressFormat) -> NodeChain {
    guarded(urls, addresses, no_guard())
}

/// Nothing is known of the chain.
pub(super) fn no_guard() -> GuardSettings {
    GuardSettings {
        pins: Vec::new(),
        forbidden: Vec::new(),
        fork_depth: 6,
        tip_age_max: Span::from_secs(0),
        look_every: Duration::from_millis(50),
    }
}

pub(super) fn guarded(urls: &[&str], addresses: AddressFormat, guard: GuardSettings) -> NodeChain {
    paying(0, urls, addresses, guard)
}

/// A chain of these nodes, of which the one at `wallet_place` has the wallet.
pub(super) fn paying(
    wallet_place: usize,
    urls: &[&str],
    addresses: AddressFormat,
    guard: GuardSettings,
) -> NodeChain {
    let script = PayoutAddress::parse(ADDRESS, AddressFormat::BitcoinRegtest)
        .unwrap()
        .script();
    NodeChain::start(NodeSettings {
        nodes: urls.iter().map(|url| Endpoint::new(url, None).unwrap()).collect(),
        wallet_place,
        algorithm: Algorithm::Sha256d,
        addresses,
        payout_script: script,
        tag: "/t/".to_owned(),
        reading: Reading {
            rolling: VersionRolling::Bip323,
            clock: Arc::new(SystemClock),
        },
        guard,
        poll_every: Duration::from_millis(50),
    })
    .unwrap()
}
