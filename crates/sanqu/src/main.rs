//! The flight recorder of a robot training field: the command line.
fn main() {}
