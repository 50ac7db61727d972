//! What validators of subnets read of miners' work, in the forms that their software knows.
//!
//! Each form is that of a reader that exists and is not changed: which file of whose repository it was read from stands
//! in docs/bittensor.md. All have the same figures: the work of a stretch of time, for each hotkey and worker, added up from
//! the shares themselves ([`reading`]). The listener is one of its own, since the paths are others'.
//!
//! | module | its one job |
//! |---|---|
//! | [`tokens`] | which validator is asking, and how often it may |
//! | [`work`] | the work of a time, for each hotkey and worker |
//! | [`reading`] | how it is read |
//! | `taohash` | as TAOHash's proxy tells it |
//! | `hashtensor` | as Prometheus answers HashTensor's queries |
//! | `infinitehash` | as Luxor and the proxy tell it that InfiniteHash scrapes |
//! | `params` | the parameters of a request |
//! | [`answer`] | answers and refusals |
//! | [`routes`] | the paths |
//! | [`state`] | what they know |

pub mod answer;
mod hashtensor;
mod infinitehash;
mod params;
pub mod reading;
pub mod routes;
pub mod state;
mod taohash;
pub mod tokens;
pub mod work;

pub use routes::mount;
pub use state::{Names, ValidatorDeps};
pub use tokens::Validator;
