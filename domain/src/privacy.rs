//! Who may see what of a miner.
//!
//! A pool's own figures are for everybody, and so is each miner's work: its hashrate, its shares and the blocks that it
//! found. What a miner is owed, credited and paid, and what its machines are called, is so by the operator's choice.

use crate::hotkey::Hotkey;

/// For whom something about a miner is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Visibility {
    /// For everybody.
    #[default]
    Public,
    /// For the miner itself, those whom it lets look, and the operator.
    Owner,
}

impl Visibility {
    /// Every choice, as settings and the API name it.
    pub const ALL: [(&'static str, Self); 2] = [("public", Self::Public), ("owner", Self::Owner)];

    /// Its name in settings and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Owner => "owner",
        }
    }
}

/// The operator's choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Privacy {
    /// What a miner is owed, credited and paid, and to which address.
    pub balances: Visibility,
    /// What its workers are called, and so what each of them did.
    pub worker_names: Visibility,
}

impl Privacy {
    /// Whether anything is hidden from anybody.
    pub fn hides_anything(self) -> bool {
        self != Self::default()
    }
}

/// Who asks, as far as that is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// Nobody in particular.
    Anybody,
    /// A miner.
    Miner(Hotkey),
    /// One whom this miner lets look: who has a watch token of its.
    Watcher(Hotkey),
    /// The pool's operator.
    Operator,
}

/// What one asker sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    privacy: Privacy,
    asker: Asker,
}

impl View {
    /// What this asker sees under this choice.
    pub fn new(privacy: Privacy, asker: Asker) -> Self {
        Self { privacy, asker }
    }

    fn is_shown(self, visibility: Visibility, miner: &Hotkey) -> bool {
        match (visibility, self.asker) {
            (Visibility::Public, _) | (Visibility::Owner, Asker::Operator) => true,
            (Visibility::Owner, Asker::Miner(shown) | Asker::Watcher(shown)) => shown == *miner,
            (Visibility::Owner, Asker::Anybody) => false,
        }
    }

    /// Whether it sees what this miner is owed, credited and paid.
    pub fn shows_balances_of(self, miner: &Hotkey) -> bool {
        self.is_shown(self.privacy.balances, miner)
    }

    /// Whether it sees what this miner's workers are called.
    pub fn shows_names_of(self, miner: &Hotkey) -> bool {
        self.is_shown(self.privacy.worker_names, miner)
    }

    /// Whether it sees what every miner is owed, credited and paid.
    pub fn shows_all_balances(self) -> bool {
        self.privacy.balances == Visibility::Public || self.asker == Asker::Operator
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Hotkey = Hotkey::from_bytes([1; 32]);
    const BOB: Hotkey = Hotkey::from_bytes([2; 32]);

    #[test]
    fn each_choice_hides_one_thing_from_everybody_but_the_owner_and_the_operator() {
        let askers = [
            (Asker::Anybody, false, false),
            (Asker::Miner(ALICE), true, false),
            (Asker::Miner(BOB), false, false),
            (Asker::Watcher(ALICE), true, false),
            (Asker::Watcher(BOB), false, false),
            (Asker::Operator, true, true),
        ];
        for (_, balances) in Visibility::ALL {
            for (_, worker_names) in Visibility::ALL {
                let privacy = Privacy {
                    balances,
                    worker_names,
                };
                for (asker, is_entitled, is_operator) in askers {
                    let view = View::new(privacy, asker);
                    let seen = |visibility| visibility == Visibility::Public || is_entitled;
                    assert_eq!(view.shows_balances_of(&ALICE), seen(balances), "{view:?}");
                    assert_eq!(view.shows_names_of(&ALICE), seen(worker_names), "{view:?}");
                    let all = balances == Visibility::Public || is_operator;
                    assert_eq!(view.shows_all_balances(), all, "{view:?}");
                }
                let hides = [balances, worker_names].contains(&Visibility::Owner);
                assert_eq!(privacy.hides_anything(), hides);
            }
        }
    }

    #[test]
    fn a_choice_has_the_name_that_settings_give_it() {
        for (name, visibility) in Visibility::ALL {
            assert_eq!(visibility.name(), name);
        }
        assert!(!Privacy::default().hides_anything());
    }
}
