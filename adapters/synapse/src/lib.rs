//! Calls of Bittensor's dendrites (`bittensor` 7.2 to 10): the pool as an axon, strict where the stock one is not.
//!
//! A call is a POST to the name of a Python class. Its headers say who signed what; its body has the class's fields. What
//! it asks for takes the same way as through the API: `deeds` asks the same actors. Beside the API it has a listener of
//! its own, because dendrites speak plain HTTP to bare paths.
//!
//! | module | its one job |
//! |---|---|
//! | [`class`] | the synapses: what miners declare, and what they are answered |
//! | [`headers`] | the headers of a call, in their form |
//! | [`body`] | a body's fields as Python has them, and their hash |
//! | `calls` | the order in which a call is judged |
//! | [`gate`] | who may call: allow-list, registration, stake |
//! | [`metagraph`] | the file that says who is registered, read whenever it changes |
//! | [`turns`] | whose turn it is, and who is refused first |
//! | `deeds` | what calls are for |
//! | [`answer`] | answers as a dendrite reads them |
//! | [`fault`] | refusals as a dendrite reads them |
//! | [`routes`] | the paths |
//! | [`state`] | what they know |
//! | `fuzzing` | entry points for fuzzing, for tests and `fuzz/` alone |

pub mod answer;
pub mod body;
mod calls;
pub mod class;
mod deeds;
pub mod fault;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod gate;
pub mod headers;
pub mod metagraph;
pub mod routes;
pub mod state;
pub mod turns;

pub use gate::{Gate, GuestRules};
pub use routes::mount;
pub use state::SynapseDeps;
pub use turns::TurnLimits;

#[cfg(test)]
mod tests;
