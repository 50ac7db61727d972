use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;

use super::*;
use crate::time::Span;

const NOW: Timestamp = Timestamp::from_secs(1_000_000);

fn taken(limiter: &mut KeyedLimiter<u32>, key: u32, rate: Rate, now: Timestamp) -> usize {
    let tries = 0..1_000;
    tries.take_while(|_| limiter.take(key, rate, now).is_ok()).count()
}

#[test]
fn each_key_has_its_own_bucket_and_the_rest_share_one() {
    let rate = Rate::per_sec(4);
    let mut limiter = KeyedLimiter::new(2, Rate::per_sec(3));
    assert_eq!([1, 2].map(|key| taken(&mut limiter, key, rate, NOW)), [4, 4]);
    assert_eq!([3, 4].map(|key| taken(&mut limiter, key, rate, NOW)), [3, 0]);
    limiter.charge(5, rate, 1, NOW);
    assert!(!limiter.remember(6, rate, NOW) && !limiter.take_if_known(&6, NOW));
    let soon = NOW.plus(Span::from_millis(500));
    assert_eq!(
        [1, 2, 3, 4].map(|key| taken(&mut limiter, key, rate, soon)),
        [2, 2, 0, 0],
        "who is remembered loses nothing to the crowd, which has its debt"
    );
    let later = soon.plus(Span::from_secs(1));
    assert_eq!(
        taken(&mut limiter, 4, rate, later),
        4,
        "full buckets are forgotten"
    );
    assert_eq!(limiter.len(), 1);
    limiter.clear();
    assert!(limiter.is_empty());
}

#[test]
fn without_a_crowd_who_is_not_remembered_has_nothing() {
    let mut limiter = KeyedLimiter::new(1, Rate::per_sec(0));
    assert_eq!(
        [1, 2].map(|key| taken(&mut limiter, key, Rate::per_sec(4), NOW)),
        [4, 0]
    );
}

#[test]
fn several_keys_pay_together_or_not_at_all() {
    let (one, two) = (Rate::per_hour(1), Rate::per_hour(2));
    let mut limiter = KeyedLimiter::new(10, one);
    assert_eq!(limiter.take_each(&[(1, one), (2, two)], NOW), Ok(()));
    let hour = Span::from_secs(3_600);
    let refused = limiter.take_each(&[(1, one), (2, two), (3, one)], NOW);
    assert_eq!(refused, Err(Empty { try_again: hour }));
    assert_eq!(limiter.len(), 2, "who was refused is not remembered");
    assert_eq!(limiter.take_each(&[(3, one), (2, two)], NOW), Ok(()));
    limiter.give_back(&3);
    limiter.give_back(&4);
    assert_eq!(limiter.take(3, one, NOW), Ok(()));
}

/// What may be done to a limiter.
#[derive(Clone, Debug)]
enum Act {
    Take(Vec<u8>),
    TakeIfKnown(u8),
    Charge(u8, u32),
    GiveBack(u8),
    Remember(u8),
}

fn any_act() -> impl Strategy<Value = Act> {
    let keys = proptest::collection::btree_set(0u8..8, 1..4);
    prop_oneof![
        6 => keys.prop_map(|keys| Act::Take(keys.into_iter().collect())),
        1 => (0u8..8).prop_map(Act::TakeIfKnown),
        1 => (0u8..8, 0u32..8).prop_map(|(key, tokens)| Act::Charge(key, tokens)),
        1 => (0u8..8).prop_map(Act::GiveBack),
        1 => (0u8..8).prop_map(Act::Remember),
    ]
}

/// The same by fractions of tokens and plain lists.
struct Oracle {
    keys_max: usize,
    known: Vec<(u8, Exact)>,
    crowd: Exact,
}

#[derive(Clone)]
struct Exact {
    tokens: BigRational,
    count: i64,
    period: i64,
    at: i64,
}

fn fraction(number: i64) -> BigRational {
    BigRational::from_integer(BigInt::from(number))
}

impl Exact {
    fn full(count: i64, period: i64) -> Self {
        let tokens = fraction(count);
        Self {
            tokens,
            count,
            period,
            at: 0,
        }
    }

    fn fill(&mut self, now: i64) {
        let passed = fraction((now - self.at).max(0));
        let tokens = &self.tokens + passed * fraction(self.count) / fraction(self.period);
        self.tokens = tokens.min(fraction(self.count));
        self.at = now;
    }

    /// Milliseconds until there is a token.
    fn wait(&mut self, now: i64) -> u64 {
        self.fill(now);
        let millis = (fraction(1) - &self.tokens) * fraction(self.period) / fraction(self.count);
        u64::try_from(millis.ceil().to_integer()).unwrap_or(0)
    }
}

impl Oracle {
    fn known(&mut self, key: u8) -> Option<&mut Exact> {
        self.known
            .iter_mut()
            .find(|(other, _)| *other == key)
            .map(|(_, own)| own)
    }

    fn make_room(&mut self, keys: &[u8], now: i64) -> bool {
        let fits = |oracle: &Self| {
            let unknown = keys
                .iter()
                .filter(|key| oracle.known.iter().all(|(other, _)| other != *key));
            let unknown = unknown.count();
            unknown == 0 || oracle.known.len() + unknown <= oracle.keys_max
        };
        if !fits(self) {
            self.known.iter_mut().for_each(|(_, own)| own.fill(now));
            self.known.retain(|(_, own)| own.tokens < fraction(own.count));
        }
        fits(self)
    }

    fn remember(&mut self, key: u8, full: Exact, now: i64) -> bool {
        let has_room = self.make_room(&[key], now);
        if has_room && self.known(key).is_none() {
            self.known.push((key, full));
        }
        has_room
    }
}

proptest! {
    #[test]
    fn it_says_what_exact_fractions_and_plain_lists_say(
        counts in proptest::collection::vec(1u32..5, 8),
        keys_max in 0usize..6,
        crowd in 1u32..4,
        steps in proptest::collection::vec((any_act(), -300i64..700), 1..80),
    ) {
        let rate = |key: u8| Rate::per_sec(counts[usize::from(key)]);
        let full = |key: u8| Exact::full(i64::from(counts[usize::from(key)]), 1_000);
        let mut limiter = KeyedLimiter::new(keys_max, Rate::per_sec(crowd));
        let mut oracle = Oracle {
            keys_max,
            known: Vec::new(),
            crowd: Exact::full(i64::from(crowd), 1_000),
        };
        let mut millis = NOW.millis();
        for (act, step) in steps {
            millis += step;
            let now = Timestamp::from_millis(millis);
            match act {
                Act::Take(keys) => {
                    let has_room = oracle.make_room(&keys, millis);
                    let waits = keys.iter().map(|key| match oracle.known(*key) {
                        Some(own) => own.wait(millis),
                        None if has_room => 0,
                        None => oracle.crowd.wait(millis),
                    });
                    let wait = waits.max().unwrap();
                    let wanted: Vec<_> = keys.iter().map(|key| (*key, rate(*key))).collect();
                    let expected = match wait {
                        0 => Ok(()),
                        millis => Err(Empty { try_again: Span::from_millis(millis) }),
                    };
                    prop_assert_eq!(limiter.take_each(&wanted, now), expected);
                    if wait > 0 {
                        continue;
                    }
                    let mut is_crowd_due = false;
                    for key in keys {
                        if has_room && oracle.known(key).is_none() {
                            oracle.known.push((key, full(key)));
                        }
                        match oracle.known(key) {
                            Some(own) => {
                                own.fill(millis);
                                own.tokens -= fraction(1);
                            }
                            None => is_crowd_due = true,
                        }
                    }
                    if is_crowd_due {
                        oracle.crowd.tokens -= fraction(1);
                    }
                }
                Act::TakeIfKnown(key) => {
                    let own = oracle.known(key);
                    let expected = own.is_some_and(|own| {
                        let has_token = own.wait(millis) == 0;
                        if has_token {
                            own.tokens -= fraction(1);
                        }
                        has_token
                    });
                    prop_assert_eq!(limiter.take_if_known(&key, now), expected);
                }
                Act::Charge(key, tokens) => {
                    limiter.charge(key, rate(key), tokens, now);
                    let own = if oracle.remember(key, full(key), millis) {
                        oracle.known(key).unwrap()
                    } else {
                        &mut oracle.crowd
                    };
                    own.fill(millis);
                    let after = &own.tokens - fraction(i64::from(tokens));
                    own.tokens = after.max(fraction(-own.count));
                }
                Act::GiveBack(key) => {
                    limiter.give_back(&key);
                    if let Some(own) = oracle.known(key) {
                        own.tokens = (&own.tokens + fraction(1)).min(fraction(own.count));
                    }
                }
                Act::Remember(key) => {
                    let expected = oracle.remember(key, full(key), millis);
                    prop_assert_eq!(limiter.remember(key, rate(key), now), expected);
                }
            }
            prop_assert_eq!(limiter.len(), oracle.known.len());
            prop_assert!(limiter.len() <= keys_max);
        }
    }
}
