//! The program: hooks, parse, dispatch, exit code.

fn main() {}
