//! Values that the tests of the API speak of: miners and their keys, work, and what the pool shows.

use std::sync::Arc;

use dwarves_actors::miner_manager::messages::{MinerView, WorkerView};
use dwarves_actors::notary::messages::StatementsView;
use dwarves_actors::pool_manager::messages::{LifeState, PoolView};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{ExtraNonce, HeaderHash, TemplateId, WorkerId};
use dwarves_domain::session::{Session, SessionKey};
use dwarves_domain::statements::{Epoch, EpochId, EpochLength};
use dwarves_domain::statistics::Record;
use dwarves_domain::target::{CompactTarget, Difficulty};
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::units::Amount;
use dwarves_domain::work::{ChainTemplate, CoinbaseForm, Job, JobKey, Template};
use dwarves_ports::chain::Standing;

/// The time in all tests: 2023-11-14T22:13:20.123Z.
pub(super) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_123);
pub(super) const POOL: Hotkey = Hotkey::from_bytes([7; 32]);
pub(super) const ADMIN_TOKEN: &str = "open-sesame";
/// Hotkeys that no miner registered.
pub(super) const STRANGER: Hotkey = Hotkey::from_bytes([66; 32]);

pub(super) fn sats(sats: u64) -> Amount {
    Amount::from_sats(sats).unwrap()
}

/// A miner's sr25519 key, which signs as Bittensor's own client does.
pub(super) fn keypair(seed: u8) -> schnorrkel::Keypair {
    schnorrkel::MiniSecretKey::from_bytes(&[seed; 32])
        .unwrap()
        .expand_to_keypair(schnorrkel::ExpansionMode::Ed25519)
}

pub(super) fn hotkey_of(keypair: &schnorrkel::Keypair) -> Hotkey {
    Hotkey::from_bytes(keypair.public.to_bytes())
}

pub(super) fn session_key() -> SessionKey {
    SessionKey::new(&[3; 32])
}

/// The token of a session of the test miner.
pub(super) fn token(expires_at: Timestamp) -> String {
    let hotkey = hotkey_of(&keypair(1));
    session_key().seal(&Session { hotkey, expires_at })
}

pub(super) fn template() -> Arc<Template> {
    let chain = ChainTemplate {
        height: 101,
        previous: HeaderHash::from_bytes([9; 32]),
        version: 0x2000_0000,
        version_mask: 0x1fff_e000,
        bits: CompactTarget::from_bits(0x1d00_ffff),
        time: 1_700_000_000,
        time_min: 1_699_999_000,
        time_max: 1_700_007_200,
        subsidy: sats(5_000_000_000),
        coinbase_value: sats(5_000_000_000),
        coinbase_form: CoinbaseForm::Bip54,
        witness_commitment: None,
        transactions: Vec::new(),
        trailer: Vec::new(),
    };
    let template = Template::new(TemplateId::new(1), NOW, chain, &[0x51], "/Dwarves/");
    Arc::new(template.unwrap())
}

pub(super) fn job() -> Arc<Job> {
    Arc::new(Job::issue(
        &JobKey::new(&[4; 32]),
        template(),
        ExtraNonce::new(5),
        hotkey_of(&keypair(1)),
        WorkerId::new(6),
        Difficulty::from_f64(0.5).unwrap().target(),
    ))
}

pub(super) fn miner_view(hotkey: Hotkey) -> MinerView {
    MinerView {
        hotkey,
        registered_at: NOW,
        payout_address: Some("bcrt1example".to_owned()),
        hashrate: 1_000.5,
        accepted: 10,
        rejected: [1, 2, 3, 4, 5, 6],
        units: "0.0625".parse().unwrap(),
        window: "2".parse().unwrap(),
        record: Record {
            found: 2,
            expected: 2.5,
        },
        workers: vec![WorkerView {
            name: "rig1".parse().unwrap(),
            hashrate: 1_000.5,
            share_difficulty: Difficulty::from_f64(0.5).unwrap(),
            last_share_at: None,
            shares: 10,
            rejected: [0, 2, 0, 4, 0, 0],
        }],
    }
}

/// Statements of hours, one of which is overdue.
fn statements_view() -> StatementsView {
    let (start, end) = (EpochId::new(1_700_000_000), EpochId::new(1_700_002_800));
    StatementsView {
        length: EpochLength::from_secs(3_600),
        open: Some(end),
        stated: Some(Epoch { start, end }),
        overdue: Some(Span::from_secs(90)),
        hindrance: None,
    }
}

pub(super) fn pool_view(state: LifeState) -> PoolView {
    PoolView {
        state,
        started_at: NOW,
        ledger_writes: true,
        has_work: true,
        no_work: None,
        gate: None,
        http_gate: None,
        standing: Some(Arc::new(Standing::trusted())),
        statements: Some(statements_view()),
        hindrances: Vec::new(),
    }
}
