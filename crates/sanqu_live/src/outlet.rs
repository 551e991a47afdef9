//! One place where the live view goes: a file, a served address, a viewer.

use std::fmt;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use re_sdk::{MemoryLimit, PlaybackBehavior, RecordingStream, RecordingStreamBuilder, ServerOptions, SpawnOptions};
use sanqu_model::Id;

use crate::LiveError;
use crate::painter::{Counts, Painter};
use crate::queue::{Popped, Queue};
use crate::stage::Stage;

/// rerun's usual port.
pub const DEFAULT_PORT: u16 = re_sdk::DEFAULT_SERVER_PORT;

/// What may wait for a file, in bytes: some seconds of a full field.
const FILE_QUEUE_BYTES: usize = 256 << 20;
/// What may wait for a viewer, in bytes: little, so that it shows the present and not the past.
const VIEWER_QUEUE_BYTES: usize = 32 << 20;
/// What a server keeps for viewers that come later, in bytes.
const SERVER_HISTORY_BYTES: u64 = 512 << 20;
/// Memory of a viewer that we start. rerun's own default is three quarters of the computer's.
const VIEWER_MEMORY: &str = "2GiB";
/// Rows that a file's chunks span.
const FILE_SPAN_NS: i64 = 1_000_000_000;
/// Rows that a viewer's chunks span: two pictures of a 30 Hz screen.
const VIEWER_SPAN_NS: i64 = 60_000_000;
/// Without samples for this long, what was collected is sent.
const IDLE: Duration = Duration::from_millis(100);
/// How long an output may take to end.
const CLOSE_WAIT: Duration = Duration::from_secs(10);
/// How long a server may take to answer at its address.
const SERVE_WAIT: Duration = Duration::from_secs(3);

/// Where a live view goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A rerun recording; an existing file is replaced.
    File(PathBuf),
    /// A server on this address that viewers dial: rerun's protocol has no authentication, so it should be a loopback one.
    /// Port 0 takes a free port.
    Serve(SocketAddr),
    /// A viewer on this computer: the program `rerun` on PATH, started if none runs.
    Viewer,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Serve(address) => write!(f, "rerun+http://{address}/proxy"),
            Self::Viewer => f.write_str("viewer"),
        }
    }
}

/// What became of one output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutletReport {
    /// Where it went; a served one with its real port.
    pub target: Target,
    /// Samples drawn.
    pub samples: u64,
    /// Rows of numbers among them.
    pub rows: u64,
    /// Pictures among them.
    pub pictures: u64,
    /// Samples that were dropped because the output was too slow, and video that could not be decoded without what is missing.
    pub dropped: u64,
    /// Rows that did not come from the bus, as the numbering of what came tells.
    pub missing_rows: u64,
    /// Samples that could not be read.
    pub unreadable: u64,
}

impl fmt::Display for OutletReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, samples, rows, pictures, dropped, missing_rows, unreadable } = self;
        write!(
            f,
            "{target}: {samples} samples ({rows} rows, {pictures} pictures), {dropped} dropped, {unreadable} unreadable; {missing_rows} rows did not come"
        )
    }
}

/// A running output.
pub(crate) struct Outlet {
    target: Target,
    queue: Closing,
    ended: Receiver<Result<Counts, LiveError>>,
}

/// Ends the output's thread also when nobody closes the output.
struct Closing(Arc<Queue>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Outlet {
    /// Opens the target and starts its thread. `recording` is shared by all outputs of one live view, so that a viewer
    /// that sees two of them shows one recording.
    ///
    /// # Errors
    /// [`LiveError::File`], [`LiveError::Serve`], [`LiveError::Spawn`].
    pub(crate) fn open(target: &Target, field: &Id, recording: &str, stage: Arc<Stage>) -> Result<Self, LiveError> {
        let builder = RecordingStreamBuilder::new("sanqu")
            .enabled(true)
            .recording_id(recording)
            .recording_name(format!("{field} live"))
            .send_properties(true);
        let (target, stream) = open_stream(builder, target)?;
        let is_file = matches!(target, Target::File(_));
        let (queue_bytes, span_ns) = if is_file { (FILE_QUEUE_BYTES, FILE_SPAN_NS) } else { (VIEWER_QUEUE_BYTES, VIEWER_SPAN_NS) };
        let queue = Arc::new(Queue::new(queue_bytes));
        let (sender, ended) = sync_channel(1);
        let name = format!("live {target}");
        let feeding = Arc::clone(&queue);
        let queue = Closing(queue);
        let work = move || {
            let outcome = Painter::new(stream, stage, span_ns, !is_file).and_then(|painter| draw(painter, &feeding));
            // Nobody listens when the view was given up after CLOSE_WAIT.
            let _ = sender.send(outcome);
        };
        let thread = std::thread::Builder::new().name(name.clone()).spawn(work);
        thread.map_err(|source| LiveError::Thread { name, source })?;
        Ok(Self { target, queue, ended })
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    pub(crate) fn queue(&self) -> Arc<Queue> {
        Arc::clone(&self.queue.0)
    }

    /// Draws what waits and ends. A file is complete afterwards; a stalled viewer is given up after a while.
    ///
    /// # Errors
    /// The first error of its thread, or that it did not end in time.
    pub(crate) fn close(self) -> Result<OutletReport, LiveError> {
        self.queue.0.close();
        let counts = match self.ended.recv_timeout(CLOSE_WAIT) {
            Ok(outcome) => outcome?,
            Err(RecvTimeoutError::Timeout) => {
                return Err(LiveError::Rerun { reason: format!("{} did not end within {} s", self.target, CLOSE_WAIT.as_secs()) });
            }
            Err(RecvTimeoutError::Disconnected) => return Err(LiveError::Rerun { reason: format!("the thread of {} broke", self.target) }),
        };
        let Counts { samples, rows, pictures, unreadable } = counts;
        Ok(OutletReport {
            target: self.target,
            samples,
            rows,
            pictures,
            dropped: self.queue.0.dropped_total(),
            missing_rows: self.queue.0.missing_rows(),
            unreadable,
        })
    }
}

/// The thread of an output.
fn draw(mut painter: Painter, queue: &Queue) -> Result<Counts, LiveError> {
    let mut told = 0;
    loop {
        match queue.pop(IDLE) {
            Popped::Sample(sample) => painter.paint(&sample)?,
            Popped::Idle => painter.flush(false)?,
            Popped::Closed => break,
        }
        let dropped = queue.dropped_total();
        if dropped >= told + 1000 || (dropped > 0 && told == 0) {
            told = dropped;
            tracing::warn!(dropped, "samples of the live view are dropped: this output is too slow, or video came with a hole before it");
        }
    }
    painter.flush(true)?;
    let stream = painter.stream();
    stream.flush_with_timeout(CLOSE_WAIT).map_err(LiveError::rerun)?;
    // Writes the footer of a file and stops a server.
    stream.disconnect();
    Ok(painter.counts)
}

fn open_stream(builder: RecordingStreamBuilder, target: &Target) -> Result<(Target, RecordingStream), LiveError> {
    let stream = match target {
        Target::File(path) => builder.save(path).map_err(|e| LiveError::File { path: path.clone(), reason: e.to_string() })?,
        Target::Serve(address) => return serve(builder, *address),
        Target::Viewer => {
            let options = SpawnOptions { memory_limit: VIEWER_MEMORY.to_owned(), hide_welcome_screen: true, ..SpawnOptions::default() };
            // rerun's text goes on for a page about other ways to install it.
            let first_line = |text: String| text.lines().next().unwrap_or_default().to_owned();
            builder.spawn_opts(&options).map_err(|e| LiveError::Spawn { reason: first_line(e.to_string()) })?
        }
    };
    Ok((target.clone(), stream))
}

/// rerun's server says nothing when its port is taken, so it is asked before, and looked for afterwards.
fn serve(builder: RecordingStreamBuilder, address: SocketAddr) -> Result<(Target, RecordingStream), LiveError> {
    let failed = |reason: String| LiveError::Serve { address, reason };
    let free = TcpListener::bind(address).and_then(|listener| listener.local_addr()).map_err(|e| failed(e.to_string()))?;
    let options = ServerOptions {
        playback_behavior: PlaybackBehavior::NewestFirst,
        memory_limit: MemoryLimit::from_bytes(SERVER_HISTORY_BYTES),
        cors_allowed_origins: Vec::new(),
    };
    let ip = if free.is_ipv6() { format!("[{}]", free.ip()) } else { free.ip().to_string() };
    let stream = builder.serve_grpc_opts(ip, free.port(), options).map_err(|e| failed(e.to_string()))?;
    let begin = Instant::now();
    while TcpStream::connect_timeout(&free, SERVE_WAIT).is_err() {
        if begin.elapsed() > SERVE_WAIT {
            return Err(failed("the server does not answer".to_owned()));
        }
        std::thread::yield_now();
    }
    Ok((Target::Serve(free), stream))
}
