//! Placeholder types until the schemes land.
#![allow(missing_docs, reason = "placeholder")]
use crate::hotkey::Hotkey;
use crate::units::Amount;
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credit {
    pub hotkey: Hotkey,
    pub amount: Amount,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Pplns,
    Proportional,
    Pps,
    Fpps,
    Solo,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Blocks,
    Emission,
}
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weights;
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedRound;
pub mod pplns {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Window;
}
