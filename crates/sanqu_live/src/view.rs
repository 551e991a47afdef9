use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use sanqu_ingest::{Intake, Node, Received};
use sanqu_model::{Id, StreamKind, now_ns};

use crate::outlet::{Outlet, OutletReport, Target};
use crate::queue::Queue;
use crate::{LiveError, Stage};

/// What may wait between zenoh and the outputs' own queues, in bytes. The thread between them does nothing but hand on.
pub(crate) const INTAKE_BYTES: usize = 64 << 20;
/// How often that thread looks whether it should end.
const LOOK_PERIOD: Duration = Duration::from_millis(200);

/// A running live view of one field.
pub struct LiveView {
    intake: Arc<Intake>,
    stop: Arc<AtomicBool>,
    handing_on: JoinHandle<()>,
    samples: Arc<AtomicU64>,
    outlets: Vec<Outlet>,
}

impl LiveView {
    /// Subscribes to everything of `field` on `node` and draws it into every target. `stage` holds the descriptions of the
    /// robots that get a body.
    ///
    /// # Errors
    /// [`LiveError::Bus`], or what opening a target says.
    pub async fn start(node: &Node, field: &Id, stage: Stage, targets: &[Target]) -> Result<Self, LiveError> {
        let intake = Arc::new(Intake::declare(node, field, INTAKE_BYTES).await?);
        let recording = format!("live-{field}-{}", now_ns());
        let stage = Arc::new(stage);
        let open = |target| Outlet::open(target, field, &recording, Arc::clone(&stage));
        let outlets = targets.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let (stop, samples) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let handing_on = {
            let (intake, stop, samples) = (Arc::clone(&intake), Arc::clone(&stop), Arc::clone(&samples));
            let queues: Vec<Arc<Queue>> = outlets.iter().map(Outlet::queue).collect();
            let name = "live intake".to_owned();
            let give = move |sample: Received| queues.iter().for_each(|queue| queue.push(sample.clone()));
            let thread = std::thread::Builder::new().name(name.clone()).spawn(move || hand_on(&intake, &stop, &samples, give));
            thread.map_err(|source| LiveError::Thread { name, source })?
        };
        Ok(Self { intake, stop, handing_on, samples, outlets })
    }

    /// Where it goes, served ones with their real port.
    pub fn targets(&self) -> Vec<Target> {
        self.outlets.iter().map(|outlet| outlet.target().clone()).collect()
    }

    /// Samples that were handed to the outputs so far; heartbeats are not drawn and do not count.
    pub fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    /// Ends the view: what has arrived is drawn, files are completed. Blocks until then, for a stalled viewer at most some
    /// seconds. One result per target, in the order in which they were given.
    pub fn close(self) -> Vec<Result<OutletReport, LiveError>> {
        self.stop.store(true, Ordering::Relaxed);
        self.intake.wake();
        let broke = self.handing_on.join().is_err();
        let refused: u64 = self.intake.take_refused().iter().map(|refused| refused.samples).sum();
        if broke || refused > 0 {
            tracing::warn!(refused, broke, "samples were refused before they reached the live view's outputs");
        }
        self.outlets.into_iter().map(Outlet::close).collect()
    }
}

/// Hands samples on until told to stop; then what has arrived by then. Heartbeats are left out.
pub(crate) fn hand_on(intake: &Intake, stop: &AtomicBool, samples: &AtomicU64, mut give: impl FnMut(Received)) {
    let mut give = |sample: Received| {
        if sample.key.stream.kind() != StreamKind::Status {
            give(sample);
            samples.fetch_add(1, Ordering::Relaxed);
        }
    };
    while !stop.load(Ordering::Relaxed) {
        if let Some(sample) = intake.recv_timeout(LOOK_PERIOD) {
            give(sample);
        }
    }
    let (waiting, _) = intake.fill();
    (0..waiting).map_while(|_| intake.recv_timeout(Duration::ZERO)).for_each(give);
}
