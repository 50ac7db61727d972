//! Whose a worker's name is, where names stand for hotkeys.
//!
//! Validators of some subnets know a miner by eight characters of its hotkey in a worker's name, the first four and the last
//! four ([`Suffix`]), or by the whole hotkey. A signed registration binds the hotkey to these, and to its payout address:
//! whoever logs in with that address may name it. A name that stands for somebody else's hotkey is refused wherever it
//! turns up, because work under it would be credited to another by those readers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use crate::hotkey::Hotkey;
use crate::ids::WorkerName;

/// Characters of a suffix.
const SUFFIX_LEN: usize = 8;
/// The shortest and the longest SS58 text of a hotkey.
const HOTKEY_LEN: std::ops::RangeInclusive<usize> = 47..=48;

/// The first four and the last four characters of a hotkey's SS58 text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Suffix([u8; SUFFIX_LEN]);

impl Suffix {
    /// That of a hotkey.
    pub fn of(hotkey: &Hotkey) -> Self {
        let text = hotkey.to_string();
        let bytes = text.as_bytes();
        let half = SUFFIX_LEN / 2;
        let mut suffix = [0; SUFFIX_LEN];
        suffix[..half].copy_from_slice(&bytes[..half]);
        suffix[half..].copy_from_slice(&bytes[bytes.len() - half..]);
        Self(suffix)
    }

    /// The suffix that a text is, if it has its length. Whether it is anybody's is another question.
    fn read(text: &str) -> Option<Self> {
        text.as_bytes().try_into().ok().map(Self)
    }
}

impl fmt::Display for Suffix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.0.iter();
        characters.try_for_each(|byte| write!(f, "{}", char::from(*byte)))
    }
}

/// Why a worker may not have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForeignName {
    /// It stands for a hotkey that is not the miner's, nor bound to its address.
    #[error(
        "it stands for another miner's hotkey; only its own registration, with this payout address, allows it"
    )]
    NotBound,
    /// It is the suffix of several hotkeys.
    #[error("several hotkeys have this suffix; name the whole hotkey")]
    Shared,
}

/// What is known of a miner.
#[derive(Clone, Debug)]
struct Known {
    /// Where it is paid.
    address: Option<String>,
    /// Whether it is a payout address's own account, which no key can sign for.
    is_address: bool,
}

/// What a part of a name stands for.
enum Stands {
    /// A hotkey, or what is left of one.
    For(Hotkey),
    /// Several hotkeys.
    ForSeveral,
}

/// Which hotkeys there are, and where each is paid.
#[derive(Clone, Debug, Default)]
pub struct Bindings {
    miners: BTreeMap<Hotkey, Known>,
    suffixes: HashMap<Suffix, BTreeSet<Hotkey>>,
}

impl Bindings {
    /// Notes a miner, or a known one's address. `is_address`: it is a payout address's own account.
    pub fn note(&mut self, hotkey: Hotkey, address: Option<String>, is_address: bool) {
        self.forget(&hotkey);
        if !is_address {
            self.suffixes
                .entry(Suffix::of(&hotkey))
                .or_default()
                .insert(hotkey);
        }
        self.miners.insert(hotkey, Known { address, is_address });
    }

    /// Notes a known miner's address.
    pub fn note_address(&mut self, hotkey: &Hotkey, address: Option<String>) {
        if let Some(known) = self.miners.get_mut(hotkey) {
            known.address = address;
        }
    }

    /// Notes that a miner is no more.
    pub fn forget(&mut self, hotkey: &Hotkey) {
        let Some(known) = self.miners.remove(hotkey) else {
            return;
        };
        if known.is_address {
            return;
        }
        let suffix = Suffix::of(hotkey);
        if let Some(owners) = self.suffixes.get_mut(&suffix) {
            owners.remove(hotkey);
            if owners.is_empty() {
                self.suffixes.remove(&suffix);
            }
        }
    }

    /// The name by which validators find a hotkey: its suffix, or the whole of it if others share that.
    pub fn name_of(&self, hotkey: &Hotkey) -> String {
        let suffix = Suffix::of(hotkey);
        let owners = self.suffixes.get(&suffix);
        match owners.is_some_and(|owners| owners.iter().any(|owner| owner != hotkey)) {
            true => hotkey.to_string(),
            false => suffix.to_string(),
        }
    }

    /// Where a miner is paid, if it said so.
    pub fn address_of(&self, hotkey: &Hotkey) -> Option<&str> {
        self.miners.get(hotkey)?.address.as_deref()
    }

    /// Whether a worker of this miner may have this name. `address` is that of an account that logs in with it, which need
    /// not be known yet.
    ///
    /// # Errors
    /// If a part of the name stands for a hotkey that is neither the miner nor bound to its address.
    pub fn check(
        &self,
        miner: &Hotkey,
        address: Option<&str>,
        worker: &WorkerName,
    ) -> Result<(), ForeignName> {
        for stands in self.meanings(miner, worker) {
            match stands {
                Stands::For(hotkey) if hotkey == *miner || self.is_bound(&hotkey, address) => {}
                Stands::For(_) => return Err(ForeignName::NotBound),
                Stands::ForSeveral => return Err(ForeignName::Shared),
            }
        }
        Ok(())
    }

    /// Which hotkey the work of an account's worker is for: the miner itself, or, if it is a payout address, the hotkey that
    /// the worker's name stands for and that is bound to it. `None`: nobody's who has a hotkey.
    pub fn whose(&self, account: &Hotkey, worker: &WorkerName) -> Option<Hotkey> {
        let known = self.miners.get(account)?;
        if !known.is_address {
            return Some(*account);
        }
        let mut found = None;
        for stands in self.meanings(account, worker) {
            match stands {
                Stands::For(hotkey) if self.is_bound(&hotkey, known.address.as_deref()) => {
                    found = Some(hotkey);
                }
                Stands::For(_) | Stands::ForSeveral => return None,
            }
        }
        found
    }

    /// Whether a hotkey's registration names this address.
    fn is_bound(&self, hotkey: &Hotkey, address: Option<&str>) -> bool {
        let known = self.miners.get(hotkey).filter(|known| !known.is_address);
        let named = known.and_then(|known| known.address.as_deref());
        named
            .zip(address)
            .is_some_and(|(named, address)| is_same(named, address))
    }

    /// What the parts of a name stand for. A suffix of the miner's own stands for it, whoever shares it; what is nobody's
    /// stands for nothing.
    fn meanings(&self, miner: &Hotkey, worker: &WorkerName) -> impl Iterator<Item = Stands> {
        let parts = worker.as_str().split(['.', '_']);
        parts.filter_map(|part| {
            if HOTKEY_LEN.contains(&part.len()) {
                return part.parse().ok().map(Stands::For);
            }
            let owners = self.suffixes.get(&Suffix::read(part)?)?;
            if owners.contains(miner) {
                return Some(Stands::For(*miner));
            }
            let mut owners = owners.iter();
            match (owners.next(), owners.next()) {
                (Some(only), None) => Some(Stands::For(*only)),
                (Some(_), Some(_)) => Some(Stands::ForSeveral),
                (None, _) => None,
            }
        })
    }
}

/// Whether two texts write one address. Those that begin with the name of a chain may be written in capitals alone.
fn is_same(one: &str, other: &str) -> bool {
    let is_all_capitals = |text: &str| !text.bytes().any(|byte| byte.is_ascii_lowercase());
    one == other || (is_all_capitals(one) || is_all_capitals(other)) && one.eq_ignore_ascii_case(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

    fn key(n: u8) -> Hotkey {
        Hotkey::from_bytes([n; 32])
    }

    fn name(text: &str) -> WorkerName {
        text.parse().unwrap()
    }

    /// Two hotkeys with one suffix, made by looking for them: the first four characters are the same for keys that begin
    /// alike, and the last four are some of a few million.
    fn twins() -> (Hotkey, Hotkey) {
        let mut seen: HashMap<Suffix, Hotkey> = HashMap::new();
        for n in 0_u32.. {
            let mut bytes = [7; 32];
            bytes[28..].copy_from_slice(&n.to_be_bytes());
            let hotkey = Hotkey::from_bytes(bytes);
            if let Some(twin) = seen.insert(Suffix::of(&hotkey), hotkey) {
                return (twin, hotkey);
            }
        }
        unreachable!()
    }

    #[test]
    fn a_suffix_is_what_readers_make_of_a_hotkey() {
        let alice: Hotkey = ALICE.parse().unwrap();
        assert_eq!(Suffix::of(&alice).to_string(), "5GrwutQY");
        assert_eq!(Suffix::read("5GrwutQY"), Some(Suffix::of(&alice)));
        assert_eq!(Suffix::read("5GrwutQ"), None);
    }

    #[test]
    fn only_its_own_hotkey_or_the_one_that_is_paid_there_may_be_named() {
        let alice: Hotkey = ALICE.parse().unwrap();
        let mut bindings = Bindings::default();
        bindings.note(alice, Some("bc1alice".to_owned()), false);
        bindings.note(key(1), Some("bc1bob".to_owned()), false);
        bindings.note(key(2), Some("bc1alice".to_owned()), true);
        let names = ["5GrwutQY", "rig.5GrwutQY", "5GrwutQY.rig2", "a_5GrwutQY", ALICE];
        for text in names.map(name) {
            assert_eq!(bindings.check(&alice, None, &text), Ok(()), "{text}");
            assert_eq!(
                bindings.check(&key(1), None, &text),
                Err(ForeignName::NotBound),
                "{text}"
            );
            // By the address to which the hotkey is bound, known to the pool or not.
            for account in [key(2), key(9)] {
                assert_eq!(bindings.check(&account, Some("bc1alice"), &text), Ok(()));
                assert_eq!(
                    bindings.check(&account, Some("bc1eve"), &text),
                    Err(ForeignName::NotBound)
                );
            }
            assert_eq!(bindings.whose(&key(2), &text), Some(alice));
            assert_eq!(bindings.whose(&key(1), &text), Some(key(1)));
        }
        // A hotkey that nobody registered is somebody else's all the same.
        let stranger = name(&key(8).to_string());
        assert_eq!(
            bindings.check(&alice, None, &stranger),
            Err(ForeignName::NotBound)
        );
        for plain in ["rig1", "5GrwutQX", "default", "5GrwutQY1"].map(name) {
            assert_eq!(bindings.check(&key(1), None, &plain), Ok(()), "{plain}");
            assert_eq!(bindings.whose(&key(2), &plain), None);
        }
        // One name cannot stand for two.
        let both = name(&format!("5GrwutQY.{}", Suffix::of(&key(1))));
        assert_eq!(bindings.whose(&key(2), &both), None);
        assert_eq!(
            bindings.check(&key(2), Some("bc1alice"), &both),
            Err(ForeignName::NotBound)
        );
        for (text, is_bound) in [("BC1ALICE", true), ("Bc1alice", false), ("BC1EVE", false)] {
            assert_eq!(
                bindings.check(&key(9), Some(text), &name(ALICE)).is_ok(),
                is_bound,
                "{text}"
            );
        }
        // The binding goes with the registration.
        bindings.note_address(&alice, Some("bc1new".to_owned()));
        assert_eq!(bindings.whose(&key(2), &name(ALICE)), None);
        bindings.forget(&alice);
        assert_eq!(bindings.check(&key(1), None, &name("5GrwutQY")), Ok(()));
        assert_eq!(bindings.whose(&alice, &name("rig")), None);
    }

    #[test]
    fn where_two_share_a_suffix_the_whole_hotkey_is_needed() {
        let (one, two) = twins();
        let suffix = name(&Suffix::of(&one).to_string());
        let mut bindings = Bindings::default();
        bindings.note(one, Some("bc1one".to_owned()), false);
        bindings.note(key(3), Some("bc1one".to_owned()), true);
        assert_eq!(bindings.name_of(&one), suffix.as_str());
        bindings.note(two, Some("bc1two".to_owned()), false);
        for hotkey in [one, two] {
            assert_eq!(bindings.name_of(&hotkey), hotkey.to_string());
            // Whoever logs in with its hotkey says the whole of it.
            assert_eq!(bindings.check(&hotkey, None, &suffix), Ok(()));
        }
        let by_address = |text: &WorkerName| bindings.check(&key(3), Some("bc1one"), text);
        assert_eq!(by_address(&suffix), Err(ForeignName::Shared));
        assert_eq!(by_address(&name(&one.to_string())), Ok(()));
        assert_eq!(by_address(&name(&two.to_string())), Err(ForeignName::NotBound));
        assert_eq!(bindings.whose(&key(3), &suffix), None);
        assert_eq!(bindings.whose(&key(3), &name(&one.to_string())), Some(one));
        bindings.forget(&two);
        assert_eq!(bindings.whose(&key(3), &suffix), Some(one));
    }

    proptest! {
        /// Whatever is noted and forgotten, a name is never two miners', and what may be named is whose it is said to be.
        #[test]
        fn what_an_address_may_name_is_the_one_who_gets_the_work(
            steps in proptest::collection::vec((0_u8..6, 0_u8..4, any::<bool>()), 0..40), named in 0_u8..6, by in 0_u8..4
        ) {
            let mut bindings = Bindings::default();
            let address = |n: u8| format!("bc1{n}");
            let account = |n: u8| Hotkey::from_bytes([100 + n; 32]);
            for (n, paid, is_there) in steps {
                match is_there {
                    true => bindings.note(key(n), Some(address(paid)), false),
                    false => bindings.forget(&key(n)),
                }
                bindings.note(account(paid), Some(address(paid)), true);
            }
            bindings.note(account(by), Some(address(by)), true);
            let text = name(&Suffix::of(&key(named)).to_string());
            let is_registered = bindings.address_of(&key(named)).is_some();
            let may = bindings.check(&account(by), Some(&address(by)), &text).is_ok();
            let whose = bindings.whose(&account(by), &text);
            prop_assert_eq!(may, !is_registered || whose == Some(key(named)));
            prop_assert_eq!(whose.is_some(), bindings.address_of(&key(named)) == Some(address(by).as_str()));
        }
    }
}
