//! The pool.

fn main() {}
