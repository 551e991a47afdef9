use sanqu_ingest::{Batch, Queue, Received};

/// A batch of these samples.
pub(crate) fn batch_of(samples: &[Received]) -> Batch {
    let queue = Queue::new(1 << 20);
    samples.iter().for_each(|sample| queue.push(sample, false));
    queue.take_now()
}
