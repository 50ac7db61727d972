//! The search for a block by the devnet itself, for its `mine` and `reorg` commands.
//!
//! It makes the block as a pool does, from a template, and hashes for real: the devnet gives itself no
//! shortcut past its own rules.

use dwarves_domain::ids::{ExtraNonce, HeaderHash, TemplateId};
use dwarves_domain::time::Timestamp;
use dwarves_domain::work::template::TemplateError;
use dwarves_domain::work::{ChainTemplate, Header, Template};

/// What coinbases of the devnet's own blocks say.
const TAG: &str = "/devnet/";

/// A search under way. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Search {
    template: Template,
    extranonce: ExtraNonce,
    header: Header,
    next_nonce: u64,
}

impl Search {
    /// Starts to search a block of `template` that pays `script`, the first extranonce being `extranonce`.
    pub(super) fn new(
        template: ChainTemplate,
        script: &[u8],
        extranonce: ExtraNonce,
    ) -> Result<Self, TemplateError> {
        let template = Template::new(TemplateId::new(0), Timestamp::EPOCH, template, script, TAG)?;
        Ok(Self {
            header: template.header(extranonce),
            template,
            extranonce,
            next_nonce: 0,
        })
    }

    /// Tries the next `hashes` headers and returns a block's name and bytes if one is found.
    pub(super) fn step(&mut self, hashes: u32) -> Option<(HeaderHash, Vec<u8>)> {
        let chain = self.template.chain();
        for _ in 0..hashes {
            let nonce = u32::try_from(self.next_nonce).unwrap_or_else(|_| {
                self.extranonce = self.extranonce.next();
                self.header = self.template.header(self.extranonce);
                self.next_nonce = 0;
                0
            });
            self.next_nonce += 1;
            let header = self.header.rolled(chain.version, chain.time, nonce);
            let hash = header.hash();
            if self.template.network_target().is_met_by(&hash) {
                return Some((hash, self.template.block(&header, self.extranonce)));
            }
        }
        None
    }
}
