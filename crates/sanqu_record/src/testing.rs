use sanqu_ingest::{Batch, Queue, Received};
use sanqu_model::Id;

use crate::{StationFigures, StationState, StationStatus};

/// A batch of these samples.
pub(crate) fn batch_of(samples: &[Received]) -> Batch {
    let queue = Queue::new(1 << 20);
    samples.iter().for_each(|sample| queue.push(sample, false));
    queue.take_now()
}

/// An idle station of which nothing was heard.
pub(crate) fn station_status(id: &str) -> StationStatus {
    StationStatus {
        station: Id::new("station", id).unwrap(),
        state: StationState::Idle,
        episode: None,
        task: None,
        operator: None,
        start_ns: None,
        resumed_ns: None,
        journal_bytes: 0,
        problem: None,
        unwritten_samples: 0,
        refused_samples: 0,
        sealing: 0,
        last: None,
        robots: Vec::new(),
        figures: StationFigures::default(),
    }
}
