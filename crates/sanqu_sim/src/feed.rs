use std::error::Error;

use sanqu_ingest::RobotPublisher;
use sanqu_model::now_ns;
use tokio::sync::{mpsc, watch};

use crate::pace::{Pace, RunReport, stopped};
use crate::{SimError, SimSample};

/// Samples that are read ahead of their time.
const READ_AHEAD_MAX: usize = 256;

/// A recorded sample to publish again: as a simulated one, due at a time of the recording.
pub type FeedItem = SimSample;

/// A recorded episode that is published once more, at the pace at which it was recorded.
///
/// Where the samples come from is the caller's business: it reads the store, and declares the publisher with the
/// episode's stream descriptions. Capture times leave as they are given.
pub struct EpisodeFeed<I> {
    items: I,
}

impl<I, E> EpisodeFeed<I>
where
    I: Iterator<Item = Result<FeedItem, E>> + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    /// Takes the samples of all streams in the order of their due times.
    pub fn new(items: I) -> Self {
        Self { items }
    }

    /// Publishes the first sample now and the others as much later as they were due, until the last one, or until
    /// `stop` becomes true or its sender is dropped. Open loop, as [`crate::run`]: lateness is reported, never made up.
    ///
    /// # Errors
    /// [`SimError::Source`] when an item cannot be read, [`SimError::OutOfOrder`] when one is due before its predecessor,
    /// [`SimError::Publish`] when the bus refuses one: a stream that was not declared, or a closed session.
    pub async fn run(self, publisher: &RobotPublisher, mut stop: watch::Receiver<bool>) -> Result<RunReport, SimError> {
        let (sender, mut read) = mpsc::channel(READ_AHEAD_MAX);
        let items = self.items;
        // Reading blocks on files; it ends when nobody takes what it reads.
        let reading = tokio::task::spawn_blocking(move || {
            for item in items {
                if sender.blocking_send(item.map_err(|source| SimError::Source { source: source.into() })).is_err() {
                    break;
                }
            }
        });
        let mut next = read.recv().await.transpose()?;
        let first_ns = next.as_ref().map_or(0, |item| item.due_ns);
        let mut pace = Pace::new(publisher, now_ns() - first_ns);
        while let Some(item) = next {
            tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                () = pace.wait(item.due_ns) => {}
            }
            let before_ns = item.due_ns;
            pace.publish(item).await?;
            next = read.recv().await.transpose()?;
            if let Some(item) = next.as_ref().filter(|item| item.due_ns < before_ns) {
                return Err(SimError::OutOfOrder { stream: item.stream.clone(), due_ns: item.due_ns, before_ns });
            }
        }
        drop(read);
        reading.await.map_err(|error| SimError::Source { source: error.into() })?;
        Ok(pace.report)
    }
}
