//! The chains that a pool can mine on. Each implements [`dwarves_actors::chain::Chain`].

pub mod devnet;
pub mod node;
