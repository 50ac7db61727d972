//! The pool's own types as the link's words, and back: nothing is taken that the types themselves would not make.
//!
//! | module | its one job |
//! |---|---|
//! | [`shares`] | shares, and what is said to them; headers that are blocks |
//! | [`joining`] | workers and their logins |
//! | [`work`] | templates and the live work |
//! | [`refusals`] | why something is not done |

pub(crate) mod joining;
pub(crate) mod refusals;
pub(crate) mod shares;
pub(crate) mod work;
