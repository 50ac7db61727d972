//! Where the pool keeps everything: databases behind the actors' [`Store`](dwarves_actors::store::Store).
//!
//! The default is [`sqlite`], one file beside the pool.

pub mod sqlite;
