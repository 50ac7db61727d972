//! Templates, and the live work: first the templates that the other front does not know, then which of them it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use dwarves_actors::live_work::{LackOfWork, LiveWork, NoWork};
use dwarves_domain::ids::{HeaderHash, TemplateId};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::units::Amount;
use dwarves_domain::work::{BareTemplate, ChainTemplate, Template};
use dwarves_ports::clock::Moment;
use dwarves_ports::store::codec::lists::{decode_transactions, encode_transactions};

use crate::words;

/// What is said of a template.
pub(crate) fn template(template: &Template) -> words::Template {
    let chain = template.chain();
    words::Template {
        id: template.id().get(),
        received_at: template.received_at().millis(),
        payout_script: template.payout_script().to_vec(),
        tag: template.tag().to_owned(),
        height: chain.height,
        previous: *chain.previous.as_bytes(),
        version: chain.version,
        version_mask: chain.version_mask,
        bits: chain.bits.bits(),
        times: [chain.time, chain.time_min, chain.time_max],
        subsidy: chain.subsidy.sats(),
        coinbase_value: chain.coinbase_value.sats(),
        coinbase_form: chain.coinbase_form.as_str().to_owned(),
        witness_commitment: chain.witness_commitment.clone(),
        transactions: encode_transactions(&chain.transactions),
        trailer: chain.trailer.clone(),
    }
}

/// The template of which this was said, if work can be made of it.
pub(crate) fn template_of(said: words::Template) -> Option<Template> {
    let [time, time_min, time_max] = said.times;
    let chain = ChainTemplate {
        height: said.height,
        previous: HeaderHash::from_bytes(said.previous),
        version: said.version,
        version_mask: said.version_mask,
        bits: CompactTarget::from_bits(said.bits),
        time,
        time_min,
        time_max,
        subsidy: Amount::from_sats(said.subsidy)?,
        coinbase_value: Amount::from_sats(said.coinbase_value)?,
        coinbase_form: said.coinbase_form.parse().ok()?,
        witness_commitment: said.witness_commitment,
        transactions: decode_transactions(&said.transactions)?,
        trailer: said.trailer,
    };
    let (id, received_at) = (TemplateId::new(said.id), Timestamp::from_millis(said.received_at));
    Template::new(id, received_at, chain, &said.payout_script, &said.tag).ok()
}

/// What is said of the live work.
pub(crate) fn work(work: &LiveWork) -> words::Work {
    let number = |template: &Arc<Template>| template.id().get();
    words::Work {
        current: work.current.as_ref().map(number),
        live: work.live.iter().map(number).collect(),
        kept: work.kept.iter().map(|bare| bare.id().get()).collect(),
        next: work.next.get(),
        since: work.since.millis(),
        lack: work.lack.as_ref().map(|lack| words::Lack {
            why: lack.why.as_str().to_owned(),
            since: lack.since.millis(),
            lasted: lack.began.elapsed().millis(),
            lets_go: lack.lets_go,
        }),
    }
}

/// Templates that were told, for as long as blocks of them are taken.
#[derive(Debug, Default)]
pub(crate) struct Known(BTreeMap<TemplateId, (Arc<Template>, Arc<BareTemplate>)>);

impl Known {
    /// Learns a template.
    pub(crate) fn learn(&mut self, template: Template) {
        let bare = Arc::new(template.bare());
        self.0.insert(template.id(), (Arc::new(template), bare));
    }

    /// The live work of which this was said, and forgets what is over. Templates that were over before this front came are
    /// nobody's here: none of its sessions has work of them.
    pub(crate) fn work_of(&mut self, said: words::Work) -> Option<LiveWork> {
        let is_named = |id: &TemplateId| [&said.live, &said.kept].iter().any(|ids| ids.contains(&id.get()));
        self.0
            .retain(|id, _| is_named(id) || said.current == Some(id.get()));
        let whole = |id: u32| {
            self.0
                .get(&TemplateId::new(id))
                .map(|(whole, _)| Arc::clone(whole))
        };
        let current = match said.current {
            Some(id) => Some(whole(id)?),
            None => None,
        };
        let lack = match said.lack {
            Some(lack) => Some(no_work(lack)?),
            None => None,
        };
        let bare = |id: &u32| {
            self.0
                .get(&TemplateId::new(*id))
                .map(|(_, bare)| Arc::clone(bare))
        };
        Some(LiveWork {
            current,
            live: said.live.into_iter().map(whole).collect::<Option<_>>()?,
            next: TemplateId::new(said.next),
            since: Timestamp::from_millis(said.since),
            lack,
            kept: said.kept.iter().filter_map(bare).collect(),
        })
    }
}

fn no_work(said: words::Lack) -> Option<NoWork> {
    let why = LackOfWork::ALL.into_iter().find(|why| why.as_str() == said.why)?;
    Some(NoWork {
        why,
        since: Timestamp::from_millis(said.since),
        began: Moment::now().minus(Span::from_millis(said.lasted)),
        lets_go: said.lets_go,
    })
}
