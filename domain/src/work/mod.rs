//! Work: what miners hash, and how a share becomes a block again.
//!
//! | module | its one job |
//! |---|---|
//! | [`template`] | a block to be found, as the chain proposes it, made ready for many jobs |
//! | [`coinbase`] | the coinbase transaction, cut around its extranonce |
//! | [`extranonce`] | what makes a coinbase unlike every other |
//! | [`job_space`] | the extranonces of jobs, and when one may be given again |
//! | [`merkle`] | merkle branches and roots |
//! | [`header`] | the 80 bytes that are hashed |
//! | [`header_parts`] | what the headers of one template have in common |
//! | [`job`] | immutable work with its target, given to one worker |
//! | [`job_id`] | a job's name, from which the pool can build the job again |
//! | [`version`] | the bits of the version that miners may roll |

pub mod coinbase;
pub mod extranonce;
pub mod header;
pub mod header_parts;
pub mod job;
pub mod job_id;
pub mod job_space;
pub mod merkle;
pub mod template;
pub mod version;

pub use coinbase::CoinbaseForm;
pub use extranonce::{ExtraNonce1, FrontEnd, FullExtraNonce, SessionSeat};
pub use header::Header;
pub use header_parts::HeaderParts;
pub use job::Job;
pub use job_id::{JobId, JobKey, JobMark, SessionJob, SessionJobId};
pub use job_space::JobExtraNonces;
pub use template::{Algorithm, BareTemplate, ChainTemplate, Template};
pub use version::VersionRolling;
