//! One run: a sink, the generator, a measured span, and the truth afterwards.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use sanqu_ingest::Node;
use sanqu_model::{FieldConfig, Id};
use sanqu_record::{ControlRequest, Verb, send_control};
use serde::{Deserialize, Serialize};

use crate::histogram::Quantiles;
use crate::plan::{LoadSpec, Step};
use crate::process::{Program, disk_bytes, free_bytes, machine_cpu_s, own_cpu_s};
use crate::readback::{self, Found, Truth};
use crate::reduct::Reduct;
use crate::sinks::{MEASURED, Periods};
use crate::talk::{Event, GO, Measured, STOP, Sent};

/// How long programs have to begin.
const BEGIN: Duration = Duration::from_secs(120);
/// How long a sink may work on what it was sent.
const DRAIN: Duration = Duration::from_secs(120);
/// How long the seal of a run may take.
const SEAL: Duration = Duration::from_secs(3600);
/// So much of the disk is left alone.
const DISK_RESERVE_BYTES: u64 = 6 << 30;
/// A run whose generator was later than this by its own fault does not count.
pub(crate) const OWN_LAG_MAX_NS: u64 = 100_000_000;

/// Who records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SinkKind {
    /// sanqu's recorder.
    Recorder,
    /// The shortest zenoh -> MCAP writer.
    Bare,
    /// ReductStore.
    Reductstore,
}

impl SinkKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Recorder => "sanqu recorder",
            Self::Bare => "bare writer (ours)",
            Self::Reductstore => "ReductStore 1.21.5",
        }
    }
}

/// Where things are, and how sinks make durable.
#[derive(Clone, Debug)]
pub(crate) struct Bench {
    /// This program, which is the sinks and the generator too.
    pub(crate) program: PathBuf,
    /// The field's file.
    pub(crate) field: PathBuf,
    /// The robots' descriptions.
    pub(crate) robots: PathBuf,
    /// Everything that is written, one folder a run.
    pub(crate) out: PathBuf,
    /// ReductStore's program.
    pub(crate) reductstore: Option<PathBuf>,
    pub(crate) periods: Periods,
    /// Attach `perf record` to the sink and leave its file here.
    pub(crate) perf: Option<PathBuf>,
}

/// What one run is to be.
#[derive(Clone, Debug)]
pub(crate) struct Trial {
    pub(crate) sink: SinkKind,
    pub(crate) robots: usize,
    pub(crate) seed: u64,
    pub(crate) steps: Vec<Step>,
    /// End when samples had to be given up.
    pub(crate) until_loss: bool,
    /// Let the recorder seal and read the sealed episodes, else its journals.
    pub(crate) seal: bool,
}

/// What one run has shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) sink: SinkKind,
    pub(crate) robots: usize,
    pub(crate) seconds: f64,
    /// Payload bytes that were due.
    pub(crate) offered_bytes: u64,
    pub(crate) truth: Truth,
    /// Rows lost in each step.
    pub(crate) lost_by_step: Vec<u64>,
    /// Sink process, user and system, from the first sample until it had nothing more to do; s.
    pub(crate) sink_cpu_s: f64,
    pub(crate) generator_cpu_s: f64,
    /// What other programs of this computer used in the same span.
    pub(crate) others_cpu_s: f64,
    /// Length of that span.
    pub(crate) span_s: f64,
    pub(crate) peak_bytes: u64,
    /// Before anything was sealed.
    pub(crate) disk_bytes: u64,
    pub(crate) measured: Measured,
    pub(crate) own_lag: Quantiles,
    /// The longest time that samples waited in a robot's ring for the network.
    pub(crate) backlog_max_ns: u64,
    /// The sink had done everything within [`DRAIN`] of the last sample.
    pub(crate) drained: bool,
    /// The run was cut short because the disk was nearly full.
    pub(crate) disk_full: bool,
    /// CPU of the seal and how long it took, s; none without.
    pub(crate) seal: Option<(f64, f64)>,
    /// By step, what was sent and when the generator was late.
    #[serde(skip)]
    pub(crate) sent: Sent,
}

impl Outcome {
    pub(crate) fn is_valid(&self) -> bool {
        self.own_lag.max_ns <= OWN_LAG_MAX_NS
    }
}

/// A sink that listens.
pub(crate) struct Sink {
    pub(crate) kind: SinkKind,
    pub(crate) program: Program,
    pub(crate) endpoint: String,
    /// The run's folder.
    pub(crate) dir: PathBuf,
    reduct: Option<Reduct>,
}

/// Processor times at one instant.
struct Clocks {
    at: Instant,
    sink_s: f64,
    generator_s: f64,
    own_s: f64,
    machine_s: f64,
}

impl Bench {
    /// An empty folder for one run.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let dir = self.out.join(name);
        if dir.exists() {
            std::fs::remove_dir_all(&dir).with_context(|| dir.display().to_string())?;
        }
        std::fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        Ok(dir)
    }

    /// Starts a sink on what is in `dir`, and waits until it listens.
    pub(crate) fn start_sink(&self, kind: SinkKind, dir: &Path) -> Result<Sink> {
        let log = dir.join("sink.log");
        if kind == SinkKind::Reductstore {
            let binary = self.reductstore.as_ref().context("--reductstore does not say where ReductStore is")?;
            let (program, endpoint, reduct) = Reduct::start(binary, dir, &log)?;
            return Ok(Sink { kind, program, endpoint, dir: dir.to_owned(), reduct: Some(reduct) });
        }
        let mut command = Command::new(&self.program);
        match kind {
            SinkKind::Recorder => command.arg("recorder").arg("--field").arg(&self.field).arg("--robots").arg(&self.robots),
            _ => command.arg("bare"),
        };
        command.arg("--dir").arg(dir.join("data"));
        command.args(["--flush-ms", &self.periods.flush_ms.to_string(), "--sync-ms", &self.periods.sync_ms.to_string()]);
        let program = Program::start(if kind == SinkKind::Recorder { "recorder" } else { "bare" }, &mut command, &log)?;
        let ready = |event| if let Event::Ready { endpoint } = event { Some(endpoint) } else { None };
        let endpoint = program.expect("where it listens", BEGIN, ready).with_context(|| format!("see {}", log.display()))?;
        Ok(Sink { kind, program, endpoint, dir: dir.to_owned(), reduct: None })
    }

    /// Starts the generator and waits until its robots are on the bus.
    pub(crate) fn start_generator(&self, spec: &LoadSpec, dir: &Path) -> Result<Program> {
        let mut command = Command::new(&self.program);
        command.arg("load").arg("--spec").arg(serde_json::to_string(spec)?);
        let generator = Program::start("generator", &mut command, &dir.join("generator.log"))?;
        generator.expect("that it is connected", BEGIN, |event| matches!(event, Event::Connected).then_some(()))?;
        Ok(generator)
    }

    /// One run from the first sample to the truth.
    pub(crate) fn run(&self, trial: &Trial) -> Result<Outcome> {
        let dir = self.folder("run")?;
        let mut sink = self.start_sink(trial.sink, &dir)?;
        let spec = LoadSpec {
            connect: sink.endpoint.clone(),
            field: self.field.clone(),
            robots: trial.robots,
            seed: trial.seed,
            steps: trial.steps.clone(),
            until_loss: trial.until_loss,
        };
        let mut generator = self.start_generator(&spec, &dir)?;
        let stations = Stations::new(&spec)?;
        if trial.sink == SinkKind::Recorder {
            stations.ask(Verb::Start)?;
        }
        let perf = self.start_perf(trial, &sink, &spec)?;
        let begin = Clocks::read(&sink, &generator)?;
        generator.tell(GO)?;
        let patience = Duration::from_millis(spec.millis()) + 2 * DRAIN;
        let (sent, disk_full) = self.until_sent(&mut generator, patience)?;
        let drained = sink.program.wait_quiet(DRAIN)?;
        let end = Clocks::read(&sink, &generator)?;
        if let Some(mut perf) = perf {
            perf.wait()?;
        }
        let (peak_bytes, disk_bytes) = (sink.program.peak_bytes()?, disk_bytes(&dir));
        let measured = sink.measured()?;
        if trial.sink == SinkKind::Recorder {
            stations.ask(Verb::Stop)?;
        }
        let (found, seal) = sink.read_back(trial.seal, end.sink_s, &sent)?;
        generator.end(BEGIN)?;
        std::fs::remove_dir_all(&dir).with_context(|| dir.display().to_string())?;
        let (sink_cpu_s, generator_cpu_s) = (end.sink_s - begin.sink_s, end.generator_s - begin.generator_s);
        Ok(Outcome {
            sink: trial.sink,
            robots: trial.robots,
            seconds: Duration::from_millis(spec.millis()).as_secs_f64(),
            offered_bytes: sent.offered_bytes(),
            truth: Truth::new(&sent, &found),
            lost_by_step: readback::lost_by_step(&sent, &found),
            sink_cpu_s,
            generator_cpu_s,
            others_cpu_s: (end.machine_s - begin.machine_s - sink_cpu_s - generator_cpu_s - (end.own_s - begin.own_s)).max(0.0),
            span_s: end.at.duration_since(begin.at).as_secs_f64(),
            peak_bytes,
            disk_bytes,
            measured,
            own_lag: sent.own_lag,
            backlog_max_ns: sent.backlog_max_ns.iter().max().copied().unwrap_or(0),
            drained,
            disk_full,
            seal,
            sent,
        })
    }

    /// Waits for the generator's account; stops it early when the disk is nearly full, and says so.
    fn until_sent(&self, generator: &mut Program, patience: Duration) -> Result<(Sent, bool)> {
        let (deadline, mut disk_full) = (Instant::now() + patience, false);
        while Instant::now() < deadline {
            let sent = generator.listen(Duration::from_secs(1), |event| if let Event::Sent(sent) = event { Some(sent) } else { None })?;
            if let Some(sent) = sent {
                return Ok((sent, disk_full));
            }
            if !disk_full && free_bytes(&self.out)? < DISK_RESERVE_BYTES {
                disk_full = true;
                generator.tell(STOP)?;
            }
        }
        bail!("the generator did not say what it sent within {} s", patience.as_secs())
    }

    fn start_perf(&self, trial: &Trial, sink: &Sink, spec: &LoadSpec) -> Result<Option<std::process::Child>> {
        let Some(folder) = &self.perf else { return Ok(None) };
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let file = folder.join(format!("{:?}-{}.perf", trial.sink, trial.robots).to_lowercase());
        let mut perf = Command::new("perf");
        perf.args(["record", "--quiet", "--freq", "199", "-g", "--pid", &sink.program.pid().to_string(), "--output"]).arg(file);
        perf.args(["--", "sleep", &Duration::from_millis(spec.millis()).as_secs().to_string()]);
        perf.spawn().map(Some).context("cannot start perf")
    }
}

impl Clocks {
    fn read(sink: &Sink, generator: &Program) -> Result<Self> {
        let (sink_s, generator_s) = (sink.program.cpu_s()?, generator.cpu_s()?);
        Ok(Self { at: Instant::now(), sink_s, generator_s, own_s: own_cpu_s()?, machine_s: machine_cpu_s()? })
    }
}

impl Sink {
    /// What the sink measures of itself; ReductStore tells nothing.
    pub(crate) fn measured(&mut self) -> Result<Measured> {
        if self.kind == SinkKind::Reductstore {
            return Ok(Measured::default());
        }
        self.program.tell(MEASURED)?;
        self.program.expect("what it measured", BEGIN, |event| if let Event::Measured(measured) = event { Some(measured) } else { None })
    }

    /// Ends the sink and reads what it left; with the seal's CPU, which is what it used since `before_s`, and time.
    fn read_back(mut self, seal: bool, before_s: f64, sent: &Sent) -> Result<(Found, Option<(f64, f64)>)> {
        match self.kind {
            SinkKind::Recorder => {
                let begun = Instant::now();
                let mut sealed = None;
                if seal {
                    self.finish(SEAL)?;
                    sealed = Some((self.program.cpu_s()? - before_s, begun.elapsed().as_secs_f64()));
                }
                self.program.kill()?;
                Ok((readback::store(&self.dir.join("data"))?, sealed))
            }
            SinkKind::Bare => {
                self.finish(BEGIN)?;
                Ok((readback::bare(&self.dir.join("data/bare.mcap"))?, None))
            }
            SinkKind::Reductstore => Ok((Found::from_counts(self.counts()?, sent)?, None)),
        }
    }

    fn finish(&mut self, patience: Duration) -> Result<()> {
        self.program.tell(STOP)?;
        self.program.expect("that it has finished", patience, |event| matches!(event, Event::Finished).then_some(()))
    }

    /// ReductStore's records by entry.
    pub(crate) fn counts(&self) -> Result<Vec<(String, u64)>> {
        self.reduct.as_ref().context("only ReductStore is asked for counts")?.counts()
    }
}

/// The stations at which the robots of a run stand, and an operator for all of them.
pub(crate) struct Stations {
    runtime: tokio::runtime::Runtime,
    node: Node,
    field: Id,
    ids: Vec<Id>,
}

impl Stations {
    pub(crate) fn new(spec: &LoadSpec) -> Result<Self> {
        let field: FieldConfig = spec.read_field()?;
        let robots = spec.robots(&field);
        let ids = field.stations().filter(|place| place.station.robots.iter().any(|robot| robots.contains(robot)));
        let ids: Vec<Id> = ids.map(|place| place.station.id.clone()).collect();
        ensure!(!ids.is_empty(), "no station of {} has a robot that sends", spec.field.display());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let node = runtime.block_on(Node::client(&spec.connect))?;
        Ok(Self { runtime, node, field: field.field, ids })
    }

    /// Asks all stations at the same time; a refusal is an error.
    pub(crate) fn ask(&self, verb: Verb) -> Result<()> {
        self.runtime.block_on(async {
            let mut asked = tokio::task::JoinSet::new();
            for station in self.ids.clone() {
                let (node, field) = (self.node.clone(), self.field.clone());
                asked.spawn(async move {
                    let reply = send_control(&node, &field, &station, &ControlRequest::new(verb)).await?;
                    if !reply.ok {
                        bail!("station {station}: {}", reply.message);
                    }
                    Ok(())
                });
            }
            while let Some(done) = asked.join_next().await {
                done.context("a question panicked")??;
            }
            Ok(())
        })
    }
}
