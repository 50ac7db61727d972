//! The pure rules of the pool.
//!
//! This package knows no clock, no randomness, no I/O, no async and no actor: everything it needs is an
//! argument, so every rule can be tested by itself and gives the same answer everywhere.
//!
//! | module | its one job |
//! |---|---|
//! | [`network`] | what one client is, by its address, and networks as operators write them |
//! | [`limits`] | how many of something there may be in a time, for each key |
//! | [`settings`] | how the values of settings read themselves |
//! | [`units`] | money (`Amount`), fees (`BasisPoints`), work done (`Units`) |
//! | [`time`] | instants and spans as plain numbers, handed in by the caller |
//! | [`ids`] | names and numbers that identify things |
//! | [`hotkey`] | a miner's public key, written SS58 |
//! | [`validator_weights`] | what miners earned as the weights that a subnet's validators set |
//! | [`metagraph`] | who has which uid and stake in a subnet, as its operator wrote it to a file |
//! | [`decimal`] | decimal numbers as JSON writes them, exactly |
//! | [`evaluation`] | work that is not proof of work: losses, scores, an evaluator's answers |
//! | [`signature`] | `btauth/1`: what a signed request signs, and whether the signature holds |
//! | [`session`] | tokens that stand in for a signature |
//! | [`operator`] | the cookie that stands in for the admin token |
//! | [`privacy`] | who may see what of a miner |
//! | [`watch`] | tokens with which a miner lets others look |
//! | [`address`] | payout addresses, checked for the chain in use |
//! | [`chain_guard`] | whether a node is on the chain that the pool is to mine on |
//! | [`target`] | targets, difficulty (bdiff) and units, in exact integer arithmetic |
//! | [`work`] | templates, jobs, coinbases, merkle branches, headers |
//! | [`share`] | a submission and its verdict |
//! | [`refusal`] | why the pool does not do what it was asked, and what must happen then |
//! | [`vardiff`] | which difficulty a worker should have |
//! | [`miners`] | the registry's core: miners, workers, bans, replay guard, recent shares |
//! | [`rewards`] | one file a scheme; how a block's reward is split |
//! | [`rounds`] | which reward round is due |
//! | [`payouts`] | who is due, what a payout's transaction pays, and its way until it is final |
//! | [`blocks`] | what becomes of a found block, what is booked for it, the effort that it took |
//! | [`ledger`] | double-entry postings that cannot be built unbalanced |
//! | [`history`] | what was mined in each minute, hour and day |
//! | [`notices`] | what people are told of, when it is told again, and when it waits |
//! | [`statements`] | what each miner's workers did in an epoch, as a text that is signed |
//! | [`statistics`] | luck, effort, and whether a miner finds the blocks that its work should |

pub mod address;
pub mod blocks;
pub mod chain_guard;
pub mod decimal;
pub mod evaluation;
mod hex_digits;
pub mod history;
pub mod hotkey;
pub mod ids;
pub mod ledger;
pub mod limits;
pub mod login;
pub mod metagraph;
pub mod miners;
pub mod network;
pub mod notices;
pub mod operator;
pub mod payouts;
pub mod pow;
pub mod privacy;
pub mod refusal;
pub mod rewards;
pub mod rounds;
pub mod session;
pub mod settings;
pub mod share;
pub mod signature;
pub mod source;
pub mod statements;
pub mod statistics;
pub mod target;
mod text_digest;
pub mod time;
pub mod timekeeping;
pub mod units;
pub mod validator_weights;
pub mod vardiff;
pub mod watch;
pub mod work;
