//! What people are told of once it is committed, and then look at.

use dwarves_ports::store::Write;

/// Whether pages show what this changes, and somebody may just have been told of it: an event, the answer to an order or
/// a request. A standby answers no page before it has it.
///
/// What comes all the time is left out, or the standby would never be asked. Charts may end a little earlier, and the
/// rest is not read from the standby (`questions`), or is shown from memory.
pub(crate) fn is_told(write: &Write) -> bool {
    match write {
        // A block is an event.
        Write::AppendShares(shares) => shares.iter().any(|share| share.block.is_some()),
        Write::RecordCandidate { .. }
        | Write::SetBlockState { .. }
        | Write::RecoverBlock { .. }
        | Write::CloseRound { .. }
        | Write::ReservePayout(_)
        | Write::StepPayout { .. }
        | Write::AdoptPayout(_)
        | Write::BeginBatch(_)
        | Write::AddStatement(_)
        | Write::RemoveMiner { .. }
        | Write::AppendAudit(_)
        | Write::AppendAuditIfDone(_) => true,
        // Miners, workers, bans and what holds now are shown from memory. A miner that is not there yet is asked for again.
        Write::RegisterMiner { .. }
        | Write::AddWorker(_)
        | Write::NumberWorkers { .. }
        | Write::RetireWorkers { .. }
        | Write::Ban { .. }
        | Write::Unban { .. }
        | Write::SaveSetting { .. } => false,
        // Asked on the primary.
        Write::SetPayoutThreshold { .. }
        | Write::AddWatch { .. }
        | Write::RemoveWatch { .. }
        | Write::QueueSubmission(_)
        | Write::SettleSubmission { .. }
        | Write::RemoveSubmission { .. } => false,
        // No page shows it.
        Write::UseNonce { .. }
        | Write::SaveTemplate(_)
        | Write::RetireTemplates { .. }
        | Write::DropTemplates { .. }
        | Write::DropBlockBytes(_)
        | Write::PostNotice(_)
        | Write::PlanNotice { .. }
        | Write::SettleDelivery { .. }
        | Write::ToMiner(_)
        | Write::PassTime { .. }
        | Write::BeginEpochs { .. }
        | Write::EndEpoch { .. }
        | Write::CeaseEpochs
        | Write::SaveCounters { .. }
        | Write::PruneShares { .. }
        | Write::PruneHistory { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use dwarves_domain::ids::TemplateId;

    use super::*;

    #[test]
    fn what_comes_all_the_time_keeps_no_page_from_the_standby() {
        assert!(!is_told(&Write::AppendShares(Vec::new())));
        let before = TemplateId::new(1);
        assert!(!is_told(&Write::RetireTemplates { before }));
        assert!(is_told(&Write::RemoveMiner {
            hotkey: dwarves_domain::hotkey::Hotkey::from_bytes([1; 32])
        }));
    }
}
