//! Live view: zenoh to rerun.
fn main() {}
