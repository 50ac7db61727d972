//! Worlds to plan in, and a slow and plain oracle of them: what a transaction costs is added up coin by coin.

use super::*;

/// What a world is planned from.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) candidates: Vec<Payee>,
    pub(super) coins: Vec<u64>,
    pub(super) rules: PlanRules,
}

impl World {
    pub(super) fn plan(&self) -> Plan {
        plan(self.candidates.clone(), &self.rules, &self.purse()).unwrap()
    }

    pub(super) fn purse(&self) -> Purse {
        Purse::new(&funds(&self.coins), self.rules.terms)
    }

    pub(super) fn rate(&self) -> u128 {
        self.rules.terms.rate.sats_per_vbyte().into()
    }

    /// The part of an amount that the network may take.
    pub(super) fn cap(&self, total: u128) -> u128 {
        total * u128::from(self.rules.terms.fee_max.get()) / 10_000
    }

    /// The cheapest way to pay so much by outputs to these scripts, said in the plainest way: this many of the largest
    /// coins that are worth their input. Fee, change and virtual bytes.
    pub(super) fn cost(&self, total: u128, scripts: &BTreeSet<Vec<u8>>) -> Option<(u128, u128, u128)> {
        let mut coins: Vec<u128> = self.coins.iter().map(|&coin| coin.into()).collect();
        coins.retain(|&coin| 68 * self.rate() <= self.cap(coin));
        coins.sort_unstable_by(|a, b| b.cmp(a));
        let outputs: u128 = scripts.iter().map(|script| 9 + script.len() as u128).sum();
        let long = |count: usize| if count > 252 { 2 } else { 0 };
        let mut best = None;
        for inputs in 1..=coins.len() {
            let vbytes = 11 + 68 * inputs as u128 + outputs + 31 + long(inputs) + long(scripts.len() + 1);
            let mut fee = vbytes * self.rate();
            let needs = match self.rules.payer {
                FeePayer::Pool => total + fee,
                FeePayer::Miners => total,
            };
            let sum: u128 = coins[..inputs].iter().sum();
            let Some(mut change) = sum.checked_sub(needs) else {
                continue;
            };
            if change < 546 {
                fee += change;
                change = 0;
            }
            if vbytes <= u128::from(self.rules.terms.vbytes_max)
                && best.is_none_or(|(cheapest, _, _)| fee < cheapest)
            {
                best = Some((fee, change, vbytes));
            }
        }
        best
    }

    /// Whether a transaction that pays this is one that the pool may send.
    pub(super) fn may_send(&self, total: u128, scripts: &BTreeSet<Vec<u8>>) -> bool {
        scripts.len() <= self.rules.outputs_max
            && self
                .cost(total, scripts)
                .is_some_and(|(fee, _, _)| fee <= self.cap(total))
    }

    pub(super) fn due(&self) -> BTreeMap<Hotkey, (u64, Vec<u8>)> {
        let due = self.candidates.iter().filter(|candidate| {
            candidate.payable >= self.rules.threshold_of(candidate.threshold)
                && candidate.payable > Amount::ZERO
        });
        let script =
            |c: &Payee| PayoutAddress::parse(c.address.as_deref()?, AddressFormat::BitcoinRegtest).ok();
        due.filter_map(|c| Some((c.hotkey, (c.payable.sats(), script(c)?.script()))))
            .filter(|(_, (_, script))| !self.rules.refused.contains(script))
            .collect()
    }
}

/// An address of its own for each number.
pub(super) fn address(n: u8) -> String {
    let hash = bitcoin::PubkeyHash::from_raw_hash(bitcoin::hashes::Hash::from_byte_array([n; 20]));
    bitcoin::Address::p2pkh(hash, bitcoin::Network::Regtest).to_string()
}

pub(super) fn any_world() -> impl Strategy<Value = World> {
    let payable =
        prop_oneof![3 => 500u64..3_000, 3 => 5_000u64..40_000, 2 => 0..4_000_000u64, 1 => 0..1u64 << 32];
    let threshold = proptest::option::of(prop_oneof![500u64..2_000, 1..1u64 << 30]);
    let rows = proptest::collection::btree_map(any::<u8>(), (payable, threshold, 0u8..20), 0..14);
    let coins = prop_oneof![
        proptest::collection::vec(1u64..3_000_000, 0..40),
        proptest::collection::vec(500u64..20_000, 0..40),
        proptest::collection::vec(prop_oneof![1u64 << 33..1 << 34, 1_000u64..9_000], 1..20),
    ];
    let limits = (
        any_payer(),
        1usize..16,
        1u32..40,
        prop_oneof![300u64..3_000, Just(100_000)],
    );
    let least = prop_oneof![Just(0u64), 546u64..5_000];
    (rows, coins, limits, least).prop_map(|(rows, coins, (payer, outputs_max, rate, vbytes_max), least)| {
        let candidates = rows.into_iter().map(|(n, (payable, threshold, place))| Payee {
            hotkey: key(n),
            payable: sats(payable),
            // Some share an address, one has none, and one has one of another network.
            address: match place {
                0 => None,
                1 => Some("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq".to_owned()),
                2..4 => Some(address(0)),
                _ => Some(address(n)),
            },
            threshold: threshold.map(sats),
        });
        let mut rules = rules(payer, outputs_max);
        rules.threshold = sats(3_000);
        rules.threshold_min = sats(least);
        rules.terms.rate = FeeRate::new(rate).unwrap();
        rules.terms.vbytes_max = vbytes_max;
        World {
            candidates: candidates.collect(),
            coins,
            rules,
        }
    })
}

pub(super) fn owed(n: u8, payable: u64, threshold: Option<u64>) -> Payee {
    Payee {
        hotkey: key(n),
        payable: sats(payable),
        address: Some(address(n)),
        threshold: threshold.map(sats),
    }
}

pub(super) fn with_defaults(candidates: Vec<Payee>, coins: &[u64]) -> World {
    let mut rules = rules(FeePayer::Pool, 2_000);
    rules.threshold = sats(100_000);
    rules.threshold_min = Amount::ZERO;
    rules.terms.rate = FeeRate::new(10).unwrap();
    rules.terms.vbytes_max = 99_000;
    World {
        candidates,
        coins: coins.to_vec(),
        rules,
    }
}
