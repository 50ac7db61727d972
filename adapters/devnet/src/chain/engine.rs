//! The devnet without its shell: the state, its file and the clock, driven by plain calls.
//!
//! Each change is judged first, then written to the file, then applied, then told to those who wait for it.
//! A write that fails changes nothing.

use std::path::Path;

use dwarves_domain::ids::{ExtraNonce, HeaderHash};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::work::ChainTemplate;
use dwarves_ports::chain::{BlockStatus, ChainError, MinedCoinbase, SubmitOutcome, SyncState, Tip};
use dwarves_ports::clock::SharedClock;
use tokio::sync::watch;

use super::chain_state::{DevnetState, Judged};
use super::error::CommandError;
use super::file::{BlockFile, OpenError, Placed, Record, RulesSource};
use super::params::{DevnetParams, ParamsError, Rules};

/// What those who wait for the chain see of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) tip: Tip,
    pub(super) stalled: bool,
}

/// On which block a template is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parent {
    /// On the tip, whichever it is then.
    Tip,
    /// On this block.
    Block(HeaderHash),
}

/// The devnet, owned by the thread or task that drives it.
pub(super) struct Engine {
    state: DevnetState,
    file: Option<BlockFile>,
    clock: SharedClock,
    stalled: bool,
    view: watch::Sender<View>,
}

impl Engine {
    /// A new chain in memory.
    pub(super) fn in_memory(params: &DevnetParams, clock: SharedClock) -> Result<Self, ParamsError> {
        Ok(Self::new(DevnetState::new(params)?, None, clock))
    }

    /// The chain in `dir`, or a new one if there is none.
    pub(super) fn open(dir: &Path, params: &DevnetParams, clock: SharedClock) -> Result<Self, OpenError> {
        let settings = Rules::of(params)?;
        let (mut file, records) = BlockFile::open(dir)?;
        let damaged = |offset: u64, reason: String| OpenError::Damaged {
            path: file.path().to_owned(),
            offset,
            reason,
        };
        let (mut state, last_settings) = match records.split_first() {
            None => (DevnetState::with_rules(settings, params.version_mask), None),
            Some(((offset, first), rest)) => {
                let Record::Rules { rules, .. } = first else {
                    return Err(damaged(
                        *offset,
                        "the first record is not the chain's rules".to_owned(),
                    ));
                };
                let rules = rules.checked().map_err(|e| damaged(*offset, e.to_string()))?;
                let mut state = DevnetState::with_rules(rules, params.version_mask);
                let mut last_settings = rules;
                for placed in rest {
                    replay(&mut state, placed).map_err(|reason| damaged(placed.0, reason))?;
                    if let Record::Rules {
                        source: RulesSource::Settings,
                        rules,
                        ..
                    } = placed.1
                    {
                        last_settings = rules;
                    }
                }
                (state, Some(last_settings))
            }
        };
        // Blocks that are there keep the rules that they were found by; new settings begin after them.
        if last_settings != Some(settings) {
            let from_height = if last_settings.is_none() {
                0
            } else {
                state.next_height()
            };
            let record = Record::Rules {
                source: RulesSource::Settings,
                from_height,
                rules: settings,
            };
            file.append(&record).map_err(|error| OpenError::Io {
                path: file.path().to_owned(),
                error,
            })?;
            if from_height > 0 {
                state
                    .set_rules(from_height, settings)
                    .expect("settings that were checked can hold from a height that no block has");
            }
        }
        Ok(Self::new(state, Some(file), clock))
    }

    fn new(state: DevnetState, file: Option<BlockFile>, clock: SharedClock) -> Self {
        let tip = state.tip();
        let (view, _) = watch::channel(View { tip, stalled: false });
        Self {
            state,
            file,
            clock,
            stalled: false,
            view,
        }
    }

    /// Where changes of the tip are told.
    pub(super) fn watch(&self) -> watch::Receiver<View> {
        self.view.subscribe()
    }

    /// The chain's state, for reading.
    pub(super) fn state(&self) -> &DevnetState {
        &self.state
    }

    pub(super) fn template(&self) -> Result<ChainTemplate, ChainError> {
        self.ensure_running()?;
        self.state
            .template(self.clock.date())
            .map_err(|behind| ChainError::NotReady(behind.to_string()))
    }

    pub(super) fn status(&self, hash: HeaderHash) -> Result<BlockStatus, ChainError> {
        self.ensure_running()?;
        Ok(self.state.status(&hash))
    }

    /// A devnet has no peers: what it has is all there is.
    pub(super) fn sync_state(&self) -> Result<SyncState, ChainError> {
        self.ensure_running()?;
        Ok(SyncState {
            tip: self.state.tip(),
            is_synced: true,
        })
    }

    pub(super) fn hash_at(&self, height: u32) -> Result<Option<HeaderHash>, ChainError> {
        self.ensure_running()?;
        let tip = self.state.tip().height;
        Ok(tip
            .checked_sub(height)
            .and_then(|depth| self.state.below_tip(depth)))
    }

    pub(super) fn coinbase_at(&self, height: u32) -> Result<Option<MinedCoinbase>, ChainError> {
        self.ensure_running()?;
        Ok(self.state.coinbase_at(height))
    }

    /// Takes a block from outside.
    pub(super) fn submit(&mut self, bytes: Vec<u8>) -> Result<SubmitOutcome, ChainError> {
        if self.stalled {
            return Err(ChainError::Unreachable(
                "the devnet is stalled on command".to_owned(),
            ));
        }
        self.take(bytes)
    }

    /// Takes a block, also while the chain is stalled for those outside.
    pub(super) fn take(&mut self, bytes: Vec<u8>) -> Result<SubmitOutcome, ChainError> {
        match self.state.judge(&bytes, self.clock.date()) {
            Judged::Known => Ok(SubmitOutcome::Duplicate),
            Judged::Refused(refusal) => Ok(SubmitOutcome::from_bip22(Some(&refusal.to_string()))),
            Judged::Valid(valid) => {
                self.record(&Record::Block(bytes))?;
                let outcome = self.state.apply(*valid);
                self.publish();
                Ok(outcome)
            }
        }
    }

    /// What a search by the devnet itself starts from: a template, and an extranonce that no block had.
    pub(super) fn search_base(&self, parent: Parent) -> Result<(ChainTemplate, ExtraNonce), CommandError> {
        let now = self.clock.date();
        let template = match parent {
            Parent::Tip => self.state.template(now),
            Parent::Block(hash) => self
                .state
                .side_template(&hash, now)
                .ok_or(super::ChangeError::NoSuchBlock(hash))?,
        };
        let template = template.map_err(|behind| ChainError::NotReady(behind.to_string()))?;
        Ok((template, self.state.fresh_extranonce()))
    }

    pub(super) fn accept_transaction(&mut self, bytes: &[u8]) -> Result<bitcoin::Txid, CommandError> {
        let tx = bitcoin::consensus::deserialize(bytes)
            .map_err(|_| CommandError::Refused("TX decode failed".to_owned()))?;
        self.state
            .accept_transaction(tx)
            .map_err(|refusal| CommandError::Refused(refusal.to_string()))
    }

    pub(super) fn set_bits(&mut self, from_height: u32, bits: CompactTarget) -> Result<(), CommandError> {
        let rules = self.state.rules_with_bits(from_height, bits)?;
        self.record(&Record::Rules {
            source: RulesSource::Command,
            from_height,
            rules,
        })?;
        self.state.set_rules(from_height, rules)?;
        Ok(())
    }

    pub(super) fn invalidate(&mut self, hash: HeaderHash) -> Result<(), CommandError> {
        self.state.check_invalidate(&hash)?;
        self.record(&Record::Invalid(hash))?;
        self.state.invalidate(&hash)?;
        self.publish();
        Ok(())
    }

    pub(super) fn stall(&mut self, stalled: bool) {
        self.stalled = stalled;
        self.publish();
    }

    fn ensure_running(&self) -> Result<(), ChainError> {
        if self.stalled {
            return Err(stalled());
        }
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<(), ChainError> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        file.append(record).map_err(|error| {
            let text = format!("{} cannot be written: {error}", file.path().display());
            log::error!("{text}");
            ChainError::Unreachable(text)
        })
    }

    fn publish(&self) {
        let now = View {
            tip: self.state.tip(),
            stalled: self.stalled,
        };
        self.view
            .send_if_modified(|view| std::mem::replace(view, now) != now);
    }
}

/// What a stalled chain answers.
pub(super) fn stalled() -> ChainError {
    ChainError::NotReady("the devnet is stalled on command".to_owned())
}

/// Does again what a record tells, or says why it cannot be.
fn replay(state: &mut DevnetState, (_, record): &Placed) -> Result<(), String> {
    match record {
        Record::Block(bytes) => match state.judge_again(bytes) {
            Judged::Valid(valid) => {
                state.apply(*valid);
                Ok(())
            }
            Judged::Known => Err("a block for the second time".to_owned()),
            Judged::Refused(refusal) => Err(refusal.to_string()),
        },
        Record::Rules {
            from_height, rules, ..
        } => state.set_rules(*from_height, *rules).map_err(|e| e.to_string()),
        Record::Invalid(hash) => state.invalidate(hash).map_err(|e| e.to_string()),
    }
}

#[cfg(test)]
pub(super) mod tests;
