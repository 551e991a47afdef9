//! 3D replay of episodes.
fn main() {}
