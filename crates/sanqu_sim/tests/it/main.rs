//! The simulated field from the outside: through its public interface and the shipped descriptions.

mod bus;
mod fields;
mod look;
mod robot;
mod support;
mod video;
