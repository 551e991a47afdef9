//! The field's samples as one Arrow IPC stream ([`sanqu_wire::pipe`]), for a viewer that knows no bus.
//!
//! ```text
//! zenoh ──► Intake ──► one thread ──► queue (drop-oldest) ──► writer thread ──► stdout ──► sanqu-replay --live
//! ```
//!
//! A reader that is slow lets the queue drop the oldest; what was dropped is told in the pipe itself. A reader that is gone
//! ends the pipe: something is written at least once a second, so that this is noticed also when no robot speaks.

mod clock;
mod items;
mod writer;

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use sanqu_ingest::{Intake, Node, describe_robot, robots_alive};
use sanqu_model::{Id, StreamDescription};
use tokio::sync::Notify;
use tracing::warn;

use self::writer::Writer;
use crate::LiveError;
use crate::queue::Queue;
use crate::view::{INTAKE_BYTES, hand_on};

/// What may wait for the reader, in bytes: some seconds of a full field, so that it shows the present and not the past.
const PIPE_QUEUE_BYTES: usize = 32 << 20;
/// How often robots are asked who is there.
const ASK_PERIOD: Duration = Duration::from_secs(1);
/// How long a reader may take for what waits when the pipe ends.
const CLOSE_WAIT: Duration = Duration::from_secs(5);
/// The most descriptions of streams that wait to be written: those of a full field.
const DESCRIBED_MAX: usize = 4096;

/// What went through a pipe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PipeReport {
    /// Samples written.
    pub samples: u64,
    /// Samples that were dropped because the reader was too slow, and video that could not be decoded without what is missing.
    pub dropped: u64,
    /// Rows that did not come from the bus, as the numbering of what came tells.
    pub missing_rows: u64,
    /// Samples that could not be passed on.
    pub unreadable: u64,
}

impl std::fmt::Display for PipeReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { samples, dropped, missing_rows, unreadable } = self;
        write!(
            f,
            "{samples} samples, {dropped} dropped (a slow reader, or video behind a hole), {unreadable} unreadable; {missing_rows} rows did not come"
        )
    }
}

/// A running pipe of one field.
pub struct ArrowPipe {
    field: Id,
    intake: Arc<Intake>,
    stop: Arc<AtomicBool>,
    handing_on: JoinHandle<()>,
    samples: Arc<AtomicU64>,
    shared: Arc<Shared>,
    written: Receiver<Result<PipeReport, LiveError>>,
}

/// Between the pipe's threads.
pub(crate) struct Shared {
    queue: Queue,
    news: Mutex<News>,
    /// The reader is gone, or writing failed.
    ended: Notify,
}

/// What is known of robots beside their samples.
#[derive(Default)]
struct News {
    alive: BTreeSet<Id>,
    described: Vec<(Id, StreamDescription)>,
}

impl Shared {
    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ArrowPipe {
    /// Subscribes to everything of `field` on `node` and writes it to `out`.
    ///
    /// # Errors
    /// [`LiveError::Bus`], [`LiveError::Thread`], [`LiveError::Pipe`].
    pub async fn start(node: &Node, field: &Id, out: impl Write + Send + 'static) -> Result<Self, LiveError> {
        let intake = Arc::new(Intake::declare(node, field, INTAKE_BYTES).await?);
        let shared = Arc::new(Shared { queue: Queue::new(PIPE_QUEUE_BYTES), news: Mutex::default(), ended: Notify::new() });
        let (stop, samples) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (sender, written) = sync_channel(1);
        let (writer, writing) = (Writer::new(out)?, Arc::clone(&shared));
        thread("live pipe", move || {
            // Nobody listens when the pipe was given up after CLOSE_WAIT.
            let _ = sender.send(writer.run(&writing));
            writing.ended.notify_one();
        })?;
        let handing_on = {
            let (intake, stop, shared) = (Arc::clone(&intake), Arc::clone(&stop), Arc::clone(&shared));
            let samples = Arc::clone(&samples);
            thread("live intake", move || hand_on(&intake, &stop, &samples, |sample| shared.queue.push(sample)))?
        };
        Ok(Self { field: field.clone(), intake, stop, handing_on, samples, shared, written })
    }

    /// Samples that came from the bus so far; heartbeats do not count.
    pub fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    /// Asks again and again which robots are there and what they say of themselves; returns when the reader is gone.
    pub async fn follow(&self, node: &Node) {
        let mut known = BTreeSet::new();
        loop {
            let asking = async {
                match robots_alive(node, &self.field).await {
                    Ok(alive) => self.meet(node, &alive, &mut known).await,
                    Err(error) => warn!(%error, "robots cannot be asked who is there"),
                }
                tokio::time::sleep(ASK_PERIOD).await;
            };
            tokio::select! {
                () = self.shared.ended.notified() => return,
                () = asking => {}
            }
        }
    }

    /// Takes down who is there, and asks those that have come what they publish.
    async fn meet(&self, node: &Node, alive: &[Id], known: &mut BTreeSet<Id>) {
        known.retain(|robot| alive.contains(robot));
        self.shared.news().alive = alive.iter().cloned().collect();
        for robot in alive {
            if !known.insert(robot.clone()) {
                continue;
            }
            match describe_robot(node, &self.field, robot).await {
                Ok(streams) => {
                    let mut news = self.shared.news();
                    let room = DESCRIBED_MAX.saturating_sub(news.described.len());
                    news.described.extend(streams.into_iter().take(room).map(|stream| (robot.clone(), stream)));
                }
                Err(error) => warn!(%robot, %error, "this robot cannot be asked what it publishes"),
            }
        }
    }

    /// Ends the pipe: what has arrived is written, unless the reader is gone.
    ///
    /// # Errors
    /// [`LiveError::Pipe`] when writing failed or the reader does not read; a reader that is gone is no failure.
    pub fn close(self) -> Result<PipeReport, LiveError> {
        self.stop.store(true, Ordering::Relaxed);
        self.intake.wake();
        let broke = self.handing_on.join().is_err();
        self.shared.queue.close();
        let report = self.written.recv_timeout(CLOSE_WAIT).unwrap_or_else(|error| {
            let reason = match error {
                RecvTimeoutError::Timeout => format!("the reader took nothing for {} s", CLOSE_WAIT.as_secs()),
                RecvTimeoutError::Disconnected => "its thread broke".to_owned(),
            };
            Err(LiveError::Pipe { reason })
        });
        let refused: u64 = self.intake.take_refused().iter().map(|refused| refused.samples).sum();
        if broke || refused > 0 {
            warn!(refused, broke, "samples were refused before they reached the pipe");
        }
        report
    }
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, LiveError> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map_err(|source| LiveError::Thread { name: name.to_owned(), source })
}
