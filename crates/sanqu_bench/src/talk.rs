//! What the benchmark's programs say to each other: a line of JSON on stdout for each event, a word a line on stdin.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::histogram::Quantiles;

/// Words that wait to be read.
const WORDS_MAX: usize = 16;

/// Begin to send.
pub(crate) const GO: &str = "go";
/// End what is being done, in order.
pub(crate) const STOP: &str = "stop";

/// An event of a program that the benchmark runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// A sink listens.
    Ready {
        /// Where.
        endpoint: String,
    },
    /// The generator's robots are on the bus.
    Connected,
    /// The generator has begun.
    Started {
        /// Start of the run, ns since the Unix epoch: what the schedules count from.
        start_ns: i64,
    },
    /// The generator goes on; once a second.
    Tick {
        /// Largest own lag so far.
        own_lag_max_ns: u64,
    },
    /// The generator has sent everything.
    Sent(Sent),
    /// A sink tells what it measured of itself, at any time.
    Measured(Measured),
    /// A sink has written everything to its end. It stays until stdin is closed.
    Finished,
}

/// What a sink measures of itself, by station; the bare writer counts as one. Empty where it cannot be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// Each station's.
    pub(crate) stations: Vec<Lags>,
}

/// What is measured at one station.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lags {
    /// From the capture time in the header to the end of the fdatasync after which the sample is safe.
    pub(crate) durable: Quantiles,
    /// Each fdatasync.
    pub(crate) fdatasync: Quantiles,
}

/// The generator's exact account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sent {
    /// By key.
    pub(crate) streams: BTreeMap<String, StreamSent>,
    /// How late samples were made after they were due. Nothing but the generator itself and this computer can hold it up.
    pub(crate) own_lag: Quantiles,
    /// The same by step.
    pub(crate) own_lag_by_step: Vec<Quantiles>,
    /// By step, the longest time that samples waited in a robot's ring for the network.
    pub(crate) backlog_max_ns: Vec<u64>,
}

/// One stream's account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StreamSent {
    /// The publisher's boot id.
    pub(crate) boot: u64,
    /// Rows in each sample.
    pub(crate) rows_per_sample: u32,
    /// By step.
    pub(crate) steps: Vec<StepSent>,
    /// Rows that fell out of the ring before the network took them: from, and one past the last.
    pub(crate) unsent: Vec<(u64, u64)>,
}

/// What was sent in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StepSent {
    /// Samples that were due.
    pub(crate) offered: u64,
    /// Their bytes, of payload.
    pub(crate) bytes: u64,
    /// One past the last row that was numbered.
    pub(crate) next_seq: u64,
}

impl Sent {
    /// Bytes of payload that were due, in all steps.
    pub(crate) fn offered_bytes(&self) -> u64 {
        self.streams.values().flat_map(|stream| &stream.steps).map(|step| step.bytes).sum()
    }
}

impl StreamSent {
    /// Rows that never left.
    pub(crate) fn unsent_rows(&self) -> u64 {
        self.unsent.iter().map(|(from, to)| to.saturating_sub(*from)).sum()
    }

    /// Rows that were due in all steps.
    pub(crate) fn offered_rows(&self) -> u64 {
        self.steps.iter().map(|step| step.offered).sum::<u64>() * u64::from(self.rows_per_sample)
    }
}

/// Says something to the benchmark.
pub(crate) fn say(event: &Event) -> Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, event)?;
    out.write_all(b"\n")?;
    out.flush().context("nobody listens any more")
}

/// The words that come on stdin; ends when it is closed.
pub(crate) fn words() -> Result<mpsc::Receiver<String>> {
    let (sender, words) = mpsc::channel(WORDS_MAX);
    let listen = move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("words".to_owned()).spawn(listen).context("cannot start a thread")?;
    Ok(words)
}
