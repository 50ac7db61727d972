//! What every store must do, as tests that run on any of them.
//!
//! A backend makes stores and opens them again; [`store_contract!`](crate::store_contract) makes one test of
//! each case for it. The cases are plain async functions, in one module an idea.
#![allow(clippy::unwrap_used, reason = "these are tests, which other packages run")]

use dwarves_domain::ids::Sequence;

use dwarves_ports::store::{ShareRow, SharedStore};

mod blocks;
mod details;
mod fixtures;
mod history;
mod miners;
mod notices;
mod payout_batches;
mod payouts;
mod prune;
mod rejected_history;
mod rounds;
mod shares;
mod statements;
mod submissions;
mod templates;
mod watches;
mod windows;
mod worker_sums;

pub use blocks::*;
pub use details::*;
pub use history::*;
pub use miners::*;
pub use notices::*;
pub use payout_batches::*;
pub use payouts::*;
pub use prune::*;
pub use rejected_history::*;
pub use rounds::*;
pub use shares::*;
pub use statements::*;
pub use submissions::*;
pub use templates::*;
pub use watches::*;
pub use windows::*;
pub use worker_sums::*;

/// Something that keeps one store, which can be opened again and again.
pub trait Backend: Sized {
    /// A new and empty one.
    fn fresh() -> Self;

    /// Opens the store. What was opened before has been dropped: it is a restart.
    fn open(&self) -> SharedStore;

    /// The row of a share that was committed, without what is kept of its block. It is read past the store, which
    /// has no such question because no part of the pool asks for one share.
    ///
    /// # Panics
    /// If there is no such share.
    fn share(&self, sequence: Sequence) -> ShareRow;
}

/// Runs one case on a fresh backend.
///
/// # Panics
/// If the store does not do what the case says.
pub fn run<B: Backend>(case: impl AsyncFnOnce(B)) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime without drivers needs nothing");
    runtime.block_on(case(B::fresh()));
}

/// Makes a test of every case for a [`Backend`], with the attributes before it.
#[macro_export]
macro_rules! store_contract {
    ($(#[$attribute:meta])* $backend:ty) => {
        $crate::store_contract! { $(#[$attribute])* $backend:
            shares_are_numbered_on_across_commits_and_openings
            all_shares_of_a_commit_are_one_batch_with_an_exact_total
            a_share_of_an_unknown_worker_or_template_is_a_conflict
            a_failed_commit_leaves_nothing
            a_total_of_units_that_does_not_fit_is_refused_and_leaves_nothing
            counters_are_exact_after_opening_again
            older_counters_change_nothing
            extreme_numbers_survive_storing
            a_share_of_a_living_template_is_rebuilt_from_the_rows
            a_template_keeps_the_form_of_its_coinbase
            a_life_is_counted_at_every_start
            a_miner_is_registered_once_and_keeps_its_address
            a_worker_is_numbered_once
            the_next_workers_number_is_kept
            a_worker_that_is_taken_out_leaves_its_work_to_its_miner
            a_miner_is_removed_only_if_nothing_is_owed
            a_nonce_is_used_once_also_after_opening_again
            bans_are_kept_until_they_are_lifted
            settings_are_kept_until_they_are_forgotten
            the_audit_trail_is_read_newest_first_page_by_page
            a_notice_is_told_once_by_each_channel_until_it_has_arrived
            what_waits_for_one_channel_hides_nothing_of_another
            a_watch_token_is_there_until_its_miner_takes_it_back
            a_miner_has_no_more_watch_tokens_than_it_may
            a_notice_waits_for_a_miner_until_it_has_arrived_and_goes_with_its_subscription
            a_submission_waits_until_it_is_evaluated_once
            the_same_work_is_one_submission_while_its_result_counts
            the_best_results_are_those_that_count
            a_history_keeps_what_may_still_be_paid
            submissions_go_with_their_miner
            what_becomes_of_an_emission_is_kept_with_its_round
            an_orders_row_is_stored_only_with_what_it_orders
            the_shares_of_living_templates_come_back_at_the_start
            a_retired_template_stays_whole_until_its_transactions_are_dropped
            a_retired_template_keeps_its_terms_without_its_transactions
            a_template_never_changes_and_its_number_never_comes_again
            pruning_keeps_what_is_still_needed
            a_late_share_keeps_the_terms_of_its_template
            a_pruned_ledger_goes_on
            pruning_a_large_ledger_ends
            a_position_is_the_last_commit_in_time
            windows_agree_with_a_plain_fold
            a_share_that_is_a_block_is_stored_with_its_place_and_effort
            a_block_state_is_kept_and_a_mature_block_loses_its_bytes
            a_block_without_its_share_is_added_at_the_ledgers_end
            a_block_that_was_quicker_than_its_share_moves_to_its_place
            a_candidate_is_stored_once_and_never_changes_what_is_known
            whose_work_a_block_is_can_be_learnt_until_it_is_booked
            bytes_that_nobody_will_submit_are_dropped
            blocks_are_due_until_their_books_follow
            open_blocks_are_those_that_may_change
            the_block_before_is_the_last_one_that_was_not_refused
            blocks_are_read_newest_first_page_by_page
            a_round_is_applied_exactly_once
            a_round_with_another_digest_is_a_conflict
            a_round_that_contradicts_the_ledger_is_a_conflict
            balances_follow_a_block_from_acceptance_to_maturity
            a_reversed_block_takes_its_credits_back
            a_block_lost_after_it_was_deep_is_the_reserves_loss
            books_that_do_not_match_the_blocks_are_refused
            a_recovered_block_takes_its_place_and_is_due_once
            the_owner_of_an_extranonce_is_who_sent_a_share_with_it
            a_balance_below_zero_is_refused_and_leaves_nothing
            the_last_round_comes_back_with_what_it_carried
            credits_and_rounds_are_read_newest_first_page_by_page
            a_long_statement_is_read_from_any_place
            a_round_of_several_blocks_keeps_the_parts_of_each
            a_payout_goes_its_way_and_every_step_counts_once
            a_fee_that_the_pool_pays_comes_from_its_reserve
            a_payout_is_given_back_and_may_come_back
            a_payout_of_more_than_is_payable_is_refused
            a_step_that_contradicts_its_payout_is_a_conflict
            payouts_are_watched_until_they_are_forgotten
            a_batch_begins_once_and_never_changes
            a_batchs_payouts_are_marked_unmarked_and_given_back
            candidates_are_miners_with_enough_payable
            a_miner_with_money_is_not_removed
            a_spend_is_adopted_once_and_the_reserve_bears_what_no_balance_covers
            a_miners_payouts_are_read_newest_first
            minutes_hours_and_days_add_up_to_the_shares
            history_is_read_by_when_steps_begin
            history_goes_by_the_shares_time_however_the_clock_was_set
            history_counts_shares_of_many_difficulties
            history_knows_the_last_difficulty_of_a_worker
            old_history_is_forgotten
            history_goes_with_its_miner_and_stays_the_pools
            history_outlives_its_shares
            worker_sums_are_those_of_each_workers_history
            a_workers_first_share_is_known_to_the_minute
            rejected_shares_are_in_the_history_once
            every_share_belongs_to_one_epoch
            time_that_passed_does_not_come_again
            shares_of_a_clock_that_was_ahead_wait_for_no_far_epoch
            a_statement_is_kept_once_and_never_changes
            work_is_added_up_by_worker
            rejected_shares_are_stated_once
            shares_of_an_epoch_are_kept_until_it_is_stated
            a_share_is_read_with_what_belongs_to_it
            the_states_of_a_block_are_kept_with_their_times
            a_block_says_what_was_booked_for_it
            the_ends_of_found_blocks_are_read_newest_first
            payouts_are_read_newest_first_and_by_their_transaction
            how_a_round_came_to_its_credits_is_kept
            what_was_earned_is_added_up_by_the_day
        }
    };
    ($backend:ty: $($case:ident)+) => {
        $crate::store_contract! { @each [] $backend: $($case)+ }
    };
    ($(#[$attribute:meta])+ $backend:ty: $($case:ident)+) => {
        $crate::store_contract! { @each [$(#[$attribute])+] $backend: $($case)+ }
    };
    (@each $attributes:tt $backend:ty: $($case:ident)+) => {
        $(
            $crate::store_contract! { @case $attributes $backend: $case }
        )+

        /// The names of all cases, for the test that none is forgotten.
        #[allow(dead_code, reason = "only the suite's own package counts its cases")]
        const CASES: &[&str] = &[$(stringify!($case)),+];
    };
    (@case [$(#[$attribute:meta])*] $backend:ty: $case:ident) => {
        #[test]
        $(#[$attribute])*
        fn $case() {
            $crate::contract::run::<$backend>($crate::contract::$case);
        }
    };
}
