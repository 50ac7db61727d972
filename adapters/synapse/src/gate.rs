//! Who may call, beyond bans: an allow-list, registration on a subnet, a least stake. What the stock axon calls blacklist
//! and priority.

use std::collections::HashSet;
use std::sync::Arc;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::metagraph::{Metagraph, Rao};
use tokio::sync::watch;

use crate::fault::Fault;

/// Who may call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuestRules {
    /// Nobody but these; `None`: everybody.
    pub allowed: Option<HashSet<Hotkey>>,
    /// Whether the metagraph must have them.
    pub registered: bool,
    /// The least stake there.
    pub stake_least: Rao,
}

/// The rules, and the metagraph that they are about.
#[derive(Clone, Debug)]
pub struct Gate {
    rules: Arc<GuestRules>,
    metagraph: watch::Receiver<Arc<Metagraph>>,
}

impl Gate {
    /// A gate by these rules.
    pub fn new(rules: GuestRules, metagraph: watch::Receiver<Arc<Metagraph>>) -> Self {
        Self {
            rules: Arc::new(rules),
            metagraph,
        }
    }

    /// Lets a hotkey in whose signature was verified, and says what priority it has.
    ///
    /// # Errors
    /// 403 if it may not call.
    pub fn admit(&self, hotkey: &Hotkey) -> Result<Rao, Fault> {
        let rules = &self.rules;
        if rules
            .allowed
            .as_ref()
            .is_some_and(|allowed| !allowed.contains(hotkey))
        {
            return Err(Fault::forbidden(
                "not_allowed",
                "this pool answers the hotkeys of its list alone (bittensor.allow_hotkeys)",
            ));
        }
        let metagraph = self.metagraph.borrow();
        let neuron = metagraph.neuron(hotkey);
        let stake = neuron.map_or(Rao::default(), |neuron| neuron.stake);
        let must_be_there = rules.registered || rules.stake_least > Rao::default();
        if must_be_there && neuron.is_none() {
            return Err(Fault::forbidden(
                "not_registered",
                "this hotkey is not registered on the pool's subnet, or was not when the metagraph was read",
            ));
        }
        if stake < rules.stake_least {
            return Err(Fault::forbidden(
                "stake_too_low",
                "this hotkey has less stake than the pool asks for (bittensor.min_stake)",
            ));
        }
        Ok(stake)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hotkey(n: u8) -> Hotkey {
        Hotkey::from_bytes([n; 32])
    }

    fn coins(coins: u64) -> Rao {
        Rao::new(coins * 1_000_000_000)
    }

    /// Hotkeys 1 and 2 are registered, with stakes 1 and 2; 3 is not.
    fn admitted(rules: GuestRules) -> [Result<Rao, String>; 3] {
        let row = |n: u8| format!(r#"{{"uid": {n}, "hotkey": "{}", "stake": {n}}}"#, hotkey(n));
        let metagraph = Metagraph::parse(format!("[{}, {}]", row(1), row(2)).as_bytes()).unwrap();
        let (_sender, receiver) = watch::channel(Arc::new(metagraph));
        let gate = Gate::new(rules, receiver);
        [1, 2, 3].map(|n| {
            gate.admit(&hotkey(n)).map_err(|fault| {
                assert_eq!(fault.status(), 403);
                fault.message().split(':').next().unwrap().to_owned()
            })
        })
    }

    #[test]
    fn every_rule_keeps_those_out_that_it_names_and_the_stake_is_the_priority() {
        let (one, two) = (Ok(coins(1)), Ok(coins(2)));
        let out = |code: &str| Err(code.to_owned());
        let everybody = GuestRules::default();
        assert_eq!(
            admitted(everybody.clone()),
            [one.clone(), two.clone(), Ok(Rao::default())]
        );
        let registered = GuestRules {
            registered: true,
            ..everybody.clone()
        };
        assert_eq!(admitted(registered), [one, two.clone(), out("not_registered")]);
        let staked = GuestRules {
            stake_least: coins(2),
            ..everybody.clone()
        };
        assert_eq!(
            admitted(staked),
            [out("stake_too_low"), two.clone(), out("not_registered")]
        );
        let listed = GuestRules {
            allowed: Some([hotkey(2), hotkey(3)].into()),
            ..everybody
        };
        assert_eq!(
            admitted(listed.clone()),
            [out("not_allowed"), two.clone(), Ok(Rao::default())]
        );
        let both = GuestRules {
            registered: true,
            ..listed
        };
        assert_eq!(admitted(both), [out("not_allowed"), two, out("not_registered")]);
    }
}
