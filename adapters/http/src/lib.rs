//! The HTTP API: requests become messages, answers become JSON.
//!
//! A route reads and checks a request, asks an actor through its port (or reads the store) and writes the
//! answer. No rule of the pool is here, and nothing here is shared that changes.
//!
//! The wiring makes one [`HttpDeps`] and calls [`serve`], which asks it for the [`HttpState`] of every HTTP worker.
//!
//! | module | its one job |
//! |---|---|
//! | [`routes`] | the routes, in one list |
//! | [`deps`] | what all HTTP workers share, and whom routes may ask |
//! | [`state`] | what the routes of one HTTP worker know |
//! | [`auth`] | who is asking |
//! | [`asker`] | who asks a route that answers everybody, and what they see |
//! | `headers` | the headers of a signature, by name |
//! | [`client`] | which client a request comes from |
//! | [`connections`] | who has how many connections, and who gives way |
//! | [`admin_token`] | the operator's bearer token |
//! | [`operator`] | the operator's cookie, and whether a change that comes with it is the operator's |
//! | [`bodies`] | room for bodies that are on their way |
//! | `requests` | requests on their way |
//! | [`body`] | bodies, read within limits and parsed strictly |
//! | [`csv`](mod@csv) | lists as CSV |
//! | [`query`] | query parameters, known by name |
//! | [`events`] | what happens, told as it happens |
//! | [`json_rpc`] | `getblocktemplate` and `getwork`, for miners that know nothing else |
//! | [`fronts`] | the fronts that share the ledger, as operators see them |
//! | [`answers`] | what actors reply, as the API shows it; the JSON itself is `dwarves_api_types` |
//! | `listening` | what a worker hears, and asks, for its event streams |
//! | [`problem`] | refusals and their codes |
//! | [`transactions`] | the transactions of a template as JSON-RPC shows them |
//! | [`known_rates`] | how fast the pool and its miners work, once that is found out |
//! | [`rates`] | hashrates over the last minutes, hour and day |
//! | [`remedies`] | what hinders the pool, by name, and what to do |
//! | `resource` | a path and the methods that it takes |
//! | [`openapi`] | what the document of all routes says of all of them |
//! | [`server`] | the server around all of it |

pub mod admin_token;
pub mod answers;
pub mod asker;
pub mod auth;
pub mod bodies;
pub mod body;
pub mod client;
pub mod connections;
pub mod csv;
mod date_header;
pub mod deps;
pub mod events;
pub mod fronts;
mod headers;
pub mod json_rpc;
pub mod known_rates;
mod listening;
pub mod metagraph_file;
pub mod openapi;
pub mod operator;
pub mod problem;
pub mod query;
pub mod rates;
pub mod remedies;
mod requests;
mod resource;
pub mod routes;
pub mod server;
pub mod state;
pub mod transactions;

pub use admin_token::AdminToken;
pub use deps::{
    EvaluationDeps, HttpDeps, HttpLimits, JsonRpcDeps, OperatorFiles, OperatorPorts, OperatorRules,
    PoolPorts, WatchPorts, WorkerPorts,
};
pub use routes::{ENDPOINTS, Endpoint, configure};
pub use server::{ServerLimits, serve, serve_routes};
pub use state::HttpState;

#[cfg(test)]
mod tests;
