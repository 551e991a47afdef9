//! The thread that writes the pipe.

use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

use sanqu_model::now_ns;
use sanqu_wire::pipe::{PIPE_ITEMS_MAX, PipeEncoder, PipeItem, PipeKind};

use super::items::{Items, described};
use super::{PipeReport, Shared};
use crate::LiveError;
use crate::queue::Popped;

/// Something is written at least this often.
const PULSE_PERIOD: Duration = Duration::from_secs(1);
/// No more samples are put into a message that is as large as this, bytes; the last may be large itself.
const MESSAGE_BYTES: usize = 1 << 20;
/// Samples of one message; robots and descriptions need room, too.
const SAMPLES_MAX: usize = 512;

pub(super) struct Writer<W> {
    out: W,
    encoder: PipeEncoder,
    items: Items,
    report: PipeReport,
}

/// What became of a write.
enum Written {
    Yes,
    ReaderGone,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W) -> Result<Self, LiveError> {
        let encoder = PipeEncoder::new().map_err(LiveError::pipe)?;
        Ok(Self { out, encoder, items: Items::default(), report: PipeReport::default() })
    }

    /// Writes until the queue is closed or the reader is gone.
    pub(super) fn run(mut self, shared: &Shared) -> Result<PipeReport, LiveError> {
        let mut pulse_at = Instant::now();
        loop {
            let (items, closed) = self.collect(shared, pulse_at.saturating_duration_since(Instant::now()));
            if let Written::ReaderGone = self.write(&items)? {
                return Ok(self.reported(shared));
            }
            if Instant::now() >= pulse_at {
                pulse_at = Instant::now() + PULSE_PERIOD;
                for message in pulse(shared).chunks(PIPE_ITEMS_MAX) {
                    if let Written::ReaderGone = self.write(message)? {
                        return Ok(self.reported(shared));
                    }
                }
            }
            if closed {
                break;
            }
        }
        let report = self.reported(shared);
        let end = self.encoder.finish().map_err(LiveError::pipe)?;
        written(self.out.write_all(&end).and_then(|()| self.out.flush()))?;
        Ok(report)
    }

    /// What waits, up to a message; waits for the first up to `wait`. And whether nothing will follow.
    fn collect(&mut self, shared: &Shared, wait: Duration) -> (Vec<PipeItem>, bool) {
        let (mut items, mut bytes, mut wait) = (Vec::new(), 0, wait);
        while bytes < MESSAGE_BYTES && items.len() < SAMPLES_MAX {
            match shared.queue.pop(wait) {
                Popped::Sample(sample) => {
                    if let Some(item) = self.items.of(sample, &shared.queue) {
                        self.report.samples += u64::from(item.kind == PipeKind::Sample);
                        bytes += PipeEncoder::cost(&item);
                        items.push(item);
                    }
                }
                Popped::Idle => break,
                Popped::Closed => return (items, true),
            }
            wait = Duration::ZERO;
        }
        (items, false)
    }

    fn write(&mut self, items: &[PipeItem]) -> Result<Written, LiveError> {
        if items.is_empty() {
            return Ok(Written::Yes);
        }
        let bytes = self.encoder.encode(items).map_err(LiveError::pipe)?;
        written(self.out.write_all(&bytes).and_then(|()| self.out.flush()))
    }

    fn reported(&self, shared: &Shared) -> PipeReport {
        PipeReport {
            dropped: shared.queue.dropped_total(),
            missing_rows: shared.queue.missing_rows(),
            unreadable: self.items.unreadable,
            ..self.report
        }
    }
}

fn written(outcome: std::io::Result<()>) -> Result<Written, LiveError> {
    match outcome {
        Ok(()) => Ok(Written::Yes),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Written::ReaderGone),
        Err(error) => Err(LiveError::pipe(error)),
    }
}

/// How the pipe is, who is there, and what those who have come say of their streams.
fn pulse(shared: &Shared) -> Vec<PipeItem> {
    let mut news = shared.news();
    let dropped = shared.queue.dropped_total();
    let now_ns = now_ns();
    let mut items = vec![PipeItem { kind: PipeKind::Pulse, recv_ns: now_ns, dropped, ..PipeItem::default() }];
    let alive =
        |robot: &sanqu_model::Id| PipeItem { kind: PipeKind::Alive, robot: Some(robot.clone()), recv_ns: now_ns, ..PipeItem::default() };
    items.extend(news.alive.iter().map(alive));
    items.extend(news.described.drain(..).map(|(robot, description)| described(robot, description)));
    items
}
