use std::path::PathBuf;
use std::time::Duration;

/// How long a sample can be asked for again after it was handed to the network, counted while the robot has a link.
pub const RING_HOLD: Duration = Duration::from_secs(30);

/// The most bytes that a robot's ring takes in memory.
pub const RING_BYTES_MAX: usize = 256 << 20;

/// What a robot keeps of what it numbered, so that it can be sent again.
///
/// A sample is kept for `hold` after it was handed to the network, however long it had to wait for that, and for as long
/// after the network came back: what left last before it went is lost with it. All only as far as the bytes allow; then the
/// oldest goes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingConfig {
    /// How long a sample is kept after it was handed to the network; without a link this time stands still, and it begins anew
    /// with the next link.
    pub hold: Duration,
    /// The most bytes in memory, all streams together. A payload larger than this can neither be kept nor sent.
    pub bytes_max: usize,
    /// Where samples go for the rest of their time when memory is full; none: they are gone then.
    pub spill: Option<Spill>,
}

impl Default for RingConfig {
    fn default() -> Self {
        Self { hold: RING_HOLD, bytes_max: RING_BYTES_MAX, spill: None }
    }
}

/// Disk for what the memory of a ring cannot keep. Its files have no name after they were made, so that nothing is left
/// of them when the robot stops, however it stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spill {
    /// An own folder on a disk that has the room; made if absent.
    pub folder: PathBuf,
    /// The most bytes on disk.
    pub bytes_max: u64,
}

/// What a robot's ring holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Held {
    /// Samples in memory.
    pub samples: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Samples on disk.
    pub spilled_samples: usize,
    /// Their bytes.
    pub spilled_bytes: usize,
    /// Samples, in memory and on disk, that have not left yet.
    pub waiting_samples: usize,
    /// Samples that went before their time although a spill is configured: it was full, too slow, or failed.
    pub spill_lost_samples: u64,
    /// Rows that never left and are held no more.
    pub unsent_rows: u64,
}

/// A network that fails on purpose, to see what a recorder does about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outage {
    /// No fault.
    #[default]
    None,
    /// Nothing leaves: no samples, no heartbeats, no answers. Samples wait.
    Mute,
    /// As `Mute`, but samples are taken for sent: only asking for them brings them back.
    Lose,
}
