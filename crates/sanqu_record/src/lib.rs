//! The recorder: episode state machine, pre-roll, loss ledger.
