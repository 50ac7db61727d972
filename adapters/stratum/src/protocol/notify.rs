//! The parts of `mining.notify` that all sessions share: made once for a template, however many miners get it.
//!
//! A session adds its job id, the header's time and whether earlier jobs are over; nothing else differs.

use std::sync::Arc;

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::work::extranonce::EXTRANONCE2_LEN_MAX;
use dwarves_domain::work::{SessionJobId, Template};

use super::reply::put;

const BEFORE_ID: &str = "{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"";

/// A template as Stratum tells it.
#[derive(Debug)]
pub struct NotifyParts {
    template: Arc<Template>,
    /// From the previous block to nbits, with the commas around them.
    shared: Box<str>,
}

impl NotifyParts {
    /// Writes out `template` for miners that roll `extranonce2_len` bytes.
    ///
    /// # Panics
    /// If a miner is to roll more bytes than a coinbase has room for.
    pub fn new(template: Arc<Template>, extranonce2_len: usize) -> Self {
        let zeros = EXTRANONCE2_LEN_MAX
            .checked_sub(extranonce2_len)
            .expect("an extranonce2 has at most eight bytes");
        let coinbase = template.coinbase();
        let branch: Vec<String> = template
            .branch()
            .iter()
            .map(|node| format!("\"{}\"", hex::encode(node)))
            .collect();
        let chain = template.chain();
        let shared = format!(
            "\",\"{}\",\"{}\",\"{}{}\",[{}],\"{:08x}\",\"{:08x}\",\"",
            previous_on_the_wire(&chain.previous),
            hex::encode(coinbase.prefix()),
            "00".repeat(zeros),
            hex::encode(coinbase.suffix()),
            branch.join(","),
            chain.version,
            chain.bits.bits(),
        );
        Self {
            template,
            shared: shared.into_boxed_str(),
        }
    }

    /// The template that it was made of.
    pub fn template(&self) -> &Arc<Template> {
        &self.template
    }

    /// Appends the message for one session.
    pub fn write(&self, out: &mut Vec<u8>, job: &SessionJobId, time: u32, clean: bool) {
        out.reserve_exact(BEFORE_ID.len() + SessionJobId::TEXT_LEN + self.shared.len() + 20);
        out.extend_from_slice(BEFORE_ID.as_bytes());
        let at = out.len();
        out.resize(at + SessionJobId::TEXT_LEN, 0);
        hex::encode_to_slice(job.as_bytes(), &mut out[at..]).expect("the place has the length of the text");
        out.extend_from_slice(self.shared.as_bytes());
        put!(out, "{time:08x}\",{clean}]}}\n");
    }
}

/// A block's hash as `mining.notify` has it: the header's bytes with each word of four turned round.
fn previous_on_the_wire(hash: &HeaderHash) -> String {
    let mut bytes = *hash.as_bytes();
    for word in bytes.chunks_exact_mut(4) {
        word.reverse();
    }
    hex::encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::hashes::{Hash, sha256d};
    use dwarves_domain::target::CompactTarget;
    use dwarves_domain::work::{ExtraNonce1, FullExtraNonce, SessionJob};
    use dwarves_testkit::build::{job_key, template};

    #[test]
    fn the_previous_block_is_written_as_published() {
        let genesis: HeaderHash = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
            .parse()
            .unwrap();
        assert_eq!(
            previous_on_the_wire(&genesis),
            "0a8ce26f72b3f1b646a2a6c14ff763ae65831e939c085ae10019d66800000000"
        );
    }

    /// What a miner makes of a notify, as the protocol tells it, is the header that the pool expects.
    #[test]
    fn a_miner_makes_the_pools_header_of_it() {
        for extranonce2_len in [4, 6, 8] {
            let template = template(3);
            let parts = NotifyParts::new(Arc::clone(&template), extranonce2_len);
            let session = ExtraNonce1::numbered(77);
            let job = job_key().seal_session_job(
                session,
                &SessionJob {
                    template: template.id(),
                    share_bits: CompactTarget::from_bits(0x207f_ffff),
                    telling: 3,
                },
            );
            let mut out = Vec::new();
            parts.write(&mut out, &job, 0x6543_2100, true);
            let message: serde_json::Value = serde_json::from_slice(&out).unwrap();
            let text = |at: usize| message["params"][at].as_str().unwrap();
            assert_eq!(text(0), job.to_string());
            assert_eq!(text(7), "65432100");
            assert_eq!(message["params"][8], true);

            let extranonce2 = vec![0xab; extranonce2_len];
            let coinbase = format!("{}{session}{}{}", text(2), hex::encode(&extranonce2), text(3));
            let mut root = sha256d::Hash::hash(&hex::decode(coinbase).unwrap()).to_byte_array();
            for node in message["params"][4].as_array().unwrap() {
                let node = hex::decode(node.as_str().unwrap()).unwrap();
                root = sha256d::Hash::hash(&[&root[..], &node].concat()).to_byte_array();
            }
            let number = |at: usize| u32::from_str_radix(text(at), 16).unwrap().to_le_bytes();
            let mut previous = hex::decode(text(1)).unwrap();
            previous.chunks_mut(4).for_each(<[u8]>::reverse);
            let header = [
                &number(5)[..],
                &previous,
                &root,
                &number(7),
                &number(6),
                &7u32.to_le_bytes(),
            ]
            .concat();
            let full = FullExtraNonce::rolled(session, &extranonce2).unwrap();
            let expected = template
                .header(full)
                .rolled(template.chain().version, 0x6543_2100, 7);
            assert_eq!(header, expected.as_bytes());
        }
    }
}
