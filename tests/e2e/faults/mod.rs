//! Faults on purpose, against real recorders and real publishers.
//!
//! Every scenario ends with [`truth::check`]: the store balances and verifies, and what the robots' own accounts say was
//! sent is what was received, bit for bit, and what the ledger says was lost.

mod bus;
mod hostile;
mod kills;
mod network;
mod pauses;
mod restarts;
mod talker;
mod truth;
