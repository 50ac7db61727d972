//! Who is registered on a subnet, and with what stake: what its chain says, as an operator brought it here.

use std::collections::{HashMap, HashSet};

use crate::hotkey::Hotkey;

/// Places of a subnet: uids are 16 bits.
pub const NEURONS_MAX: usize = 65_536;

/// A stake, in billionths: exact for what chains write, and in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stake(u64);

impl Stake {
    /// None at all.
    pub const NONE: Self = Self(0);

    /// A stake of so many whole ones, rounded to billionths; `None` if it is below 0, no number, or more than there can be.
    pub fn from_f64(stake: f64) -> Option<Self> {
        const MAX: f64 = 1e10;
        ((0.0..=MAX).contains(&stake)).then(|| Self((stake * 1e9).round() as u64))
    }
}

/// One that is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neuron {
    /// Its place on the subnet.
    pub uid: u16,
    /// Its hotkey.
    pub hotkey: Hotkey,
    /// Its stake.
    pub stake: Stake,
}

/// Why a list is no metagraph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetagraphError {
    /// It is longer than a subnet has places.
    #[error("more than {NEURONS_MAX} neurons")]
    TooMany,
    /// A place is there twice.
    #[error("uid {0} is there twice")]
    UidTwice(u16),
    /// A hotkey is there twice.
    #[error("hotkey {0} is there twice")]
    HotkeyTwice(Hotkey),
}

/// All that are registered. Nobody, if nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metagraph {
    by_hotkey: HashMap<Hotkey, Neuron>,
}

impl Metagraph {
    /// The metagraph of these neurons.
    ///
    /// # Errors
    /// If there are too many, or two of one place or hotkey.
    pub fn new(neurons: impl IntoIterator<Item = Neuron>) -> Result<Self, MetagraphError> {
        let mut by_hotkey = HashMap::new();
        let mut uids = HashSet::new();
        for neuron in neurons {
            if uids.len() == NEURONS_MAX {
                return Err(MetagraphError::TooMany);
            }
            if !uids.insert(neuron.uid) {
                return Err(MetagraphError::UidTwice(neuron.uid));
            }
            if by_hotkey.insert(neuron.hotkey, neuron).is_some() {
                return Err(MetagraphError::HotkeyTwice(neuron.hotkey));
            }
        }
        Ok(Self { by_hotkey })
    }

    /// The neuron of this hotkey, if it is registered.
    pub fn neuron(&self, hotkey: &Hotkey) -> Option<&Neuron> {
        self.by_hotkey.get(hotkey)
    }

    /// How many are registered.
    pub fn len(&self) -> usize {
        self.by_hotkey.len()
    }

    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.by_hotkey.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neuron(uid: u16, hotkey: u8) -> Neuron {
        Neuron {
            uid,
            hotkey: Hotkey::from_bytes([hotkey; 32]),
            stake: Stake::NONE,
        }
    }

    #[test]
    fn places_and_hotkeys_are_there_once() {
        let metagraph = Metagraph::new([neuron(0, 1), neuron(7, 2)]).unwrap();
        assert_eq!(metagraph.len(), 2);
        let hotkey = Hotkey::from_bytes([2; 32]);
        assert_eq!(metagraph.neuron(&hotkey), Some(&neuron(7, 2)));
        assert_eq!(metagraph.neuron(&Hotkey::from_bytes([3; 32])), None);
        let twice = Metagraph::new([neuron(7, 1), neuron(7, 2)]);
        assert_eq!(twice, Err(MetagraphError::UidTwice(7)));
        let twice = Metagraph::new([neuron(0, 2), neuron(7, 2)]);
        assert_eq!(twice, Err(MetagraphError::HotkeyTwice(hotkey)));
        assert!(Metagraph::default().is_empty());
    }

    #[test]
    fn stakes_are_in_order_and_no_number_is_none() {
        let stake = |value| Stake::from_f64(value).unwrap();
        assert_eq!(stake(0.0), Stake::NONE);
        assert!(stake(1e-9) > Stake::NONE && stake(12.5) > stake(12.499_999_999));
        for none in [-1e-9, f64::NAN, f64::INFINITY, 1e11] {
            assert_eq!(Stake::from_f64(none), None, "{none}");
        }
    }
}
