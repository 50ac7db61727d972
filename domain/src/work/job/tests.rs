use proptest::prelude::*;

use super::*;
use crate::ids::{HeaderHash, TemplateId};
use crate::target::{CompactTarget, Difficulty};
use crate::time::Timestamp;
use crate::units::Amount;
use crate::work::{ChainTemplate, CoinbaseForm};

/// A template of an empty chain whose every second hash is a block.
pub(crate) fn easy_template(bits: u32) -> Arc<Template> {
    let value = Amount::from_sats(5_000_000_000).unwrap();
    let chain = ChainTemplate {
        height: 100,
        previous: HeaderHash::from_bytes([9; 32]),
        version: 0x2000_0000,
        version_mask: 0x1fff_e000,
        bits: CompactTarget::from_bits(bits),
        time: 1_700_000_000,
        time_min: 1_699_999_000,
        time_max: 1_700_007_200,
        subsidy: value,
        coinbase_value: value,
        coinbase_form: CoinbaseForm::Bip54,
        witness_commitment: None,
        transactions: Vec::new(),
        trailer: Vec::new(),
    };
    let id = TemplateId::new(1);
    Arc::new(Template::new(id, Timestamp::EPOCH, chain, &[0x51], "/Dwarves/").unwrap())
}

proptest! {
    #[test]
    fn a_job_built_again_from_its_id_is_the_same_job(
        extranonce in any::<u64>(), worker in any::<u32>(), difficulty in 1e-9f64..1e12,
    ) {
        let key = JobKey::new(&[5; 32]);
        let owner = Hotkey::from_bytes([6; 32]);
        let template = easy_template(0x1d00_ffff);
        let target = Difficulty::from_f64(difficulty).unwrap().target();
        let job = Job::issue(
            &key, template.clone(), ExtraNonce::new(extranonce), owner, WorkerId::new(worker), target,
        );
        let fields = key.open(&job.id(), &owner).unwrap();
        prop_assert_eq!(&Job::restore(job.id(), &fields, template, owner).unwrap(), &job);
        prop_assert!(job.share_target() >= job.template().network_target());
        prop_assert!(job.units() <= Units::ONE);
        prop_assert_eq!(job.units(), job.share_target().units(job.template().network_target()));
        prop_assert_eq!(job.share_difficulty(), job.share_target().difficulty());
    }
}
