//! Evaluated work: what miners submit where work is not proof of work, and what an evaluator says of it.
//!
//! | module | its one job |
//! |---|---|
//! | [`reading`] | losses and scores, exactly |
//! | [`answer`] | an evaluator's answer, and the rule that each bad one breaks |
//! | [`breaker`] | when an evaluator that fails is left alone |
//! | [`submission`] | what identifies submitted work |
//!
//! How results are paid is in [`rewards::evaluated`](crate::rewards::evaluated).

pub mod answer;
pub mod breaker;
pub mod reading;
pub mod submission;

pub use answer::{Evaluation, Failure, Fault, Outcome, read_answer};
pub use breaker::{Breaker, BreakerState};
pub use reading::{Figure, Measure, Reading};
pub use submission::{SubmissionId, WorkDigest};
