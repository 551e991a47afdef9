//! Records simulated robots as fast as they can be computed: what `cargo xtask bench replay` measures.
//!
//! The samples are those of `sanqu sim` (same robots, rates, payloads), written into a journal as a recorder does and sealed. No bus and
//! no clock are involved: half an hour takes some minutes. The same arguments give the same bytes.
#![expect(clippy::print_stdout, reason = "prints the folders that it made")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use sanqu_model::{EpisodeId, FieldConfig, Id, RobotEntry, StreamDescription, StreamKey, StreamKind, StreamName};
use sanqu_sim::{CameraSpec, SimRobot, SimSample, SimSpec};
use sanqu_store::{Control, EpisodeStart, JournalWriter, Sample, Store, seal};
use sanqu_wire::{FLAG_KEYFRAME, SampleHeader};

/// 2026-11-21T02:00:00Z.
const START_NS: i64 = 1_795_226_400_000_000_000;
/// What a packet takes from robot to recorder.
const TRANSPORT_NS: i64 = 400_000;
/// Robots are computed so far at a time.
const STEP_NS: i64 = 1_000_000_000;
const BOOT: u64 = 1000;

/// Writes episodes of simulated robots into a store, one a station, and prints their folders.
#[derive(Debug, Parser)]
struct Args {
    /// The store; made when it is not there
    store: PathBuf,
    /// The field file
    #[arg(long)]
    field: PathBuf,
    /// Length of the episodes, s
    #[arg(long)]
    seconds: u32,
    /// One episode of these robots, at the station of the first, instead of one a station
    #[arg(long, value_delimiter = ',')]
    robots: Vec<String>,
    /// One camera of 160x120 instead of the three of 320x240 that `sanqu sim` has, and no motor rows: half an hour of two robots then
    /// takes some 4 GB while it is sealed
    #[arg(long)]
    small: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let text = std::fs::read_to_string(&args.field).with_context(|| args.field.display().to_string())?;
    let field = FieldConfig::parse(&text).with_context(|| args.field.display().to_string())?;
    let store = Store::open_or_create(&args.store, &field.field, &field.time_zone)?;
    let together = args.robots.iter().map(|robot| Ok(Id::new("robot", robot)?)).collect::<Result<Vec<_>>>()?;
    let places: Vec<(Id, Id, Vec<Id>)> = field
        .stations()
        .filter(|place| together.first().is_none_or(|first| place.station.robots.contains(first)))
        .map(|place| {
            let robots = if together.is_empty() { &place.station.robots } else { &together };
            (place.zone.id.clone(), place.station.id.clone(), robots.clone())
        })
        .collect();
    ensure!(!places.is_empty(), "no station of {} has robot {:?}", args.field.display(), args.robots);
    for (number, place) in (1..).zip(places) {
        let length_ns = i64::from(args.seconds) * STEP_NS;
        let recorder = Recorder { store: &store, field: &field, small: args.small };
        let folder = recorder.record(number, place, length_ns)?;
        println!("{}", folder.display());
    }
    Ok(())
}

fn cameras(small: bool) -> Vec<CameraSpec> {
    let (names, width, height): (&[&str], _, _) =
        if small { (&["head"], 160, 120) } else { (&["head", "wrist-left", "wrist-right"], 320, 240) };
    names.iter().map(|name| CameraSpec { name: (*name).to_owned(), width, height, fps: 30 }).collect()
}

struct Recorder<'a> {
    store: &'a Store,
    field: &'a FieldConfig,
    small: bool,
}

impl Recorder<'_> {
    /// Records and seals one episode; its folder.
    fn record(&self, number: u128, place: (Id, Id, Vec<Id>), length_ns: i64) -> Result<PathBuf> {
        let (store, field, (zone, station, robots)) = (self.store, self.field, place);
        let assets = models();
        let entry = |robot: &Id| {
            let model = field.robot(robot).with_context(|| format!("the field has no robot {robot}"))?.model.clone();
            let description = Some(store.snapshot_robot(&assets.join(&model))?);
            Ok(RobotEntry { robot: robot.clone(), model, description })
        };
        let robots = robots.iter().map(entry).collect::<Result<Vec<_>>>()?;
        let start = EpisodeStart {
            episode: EpisodeId::new(START_NS, number),
            field: field.field.clone(),
            zone: Some(zone),
            station,
            task: None,
            prompt: String::new(),
            operator: None,
            robots: robots.clone(),
            start_ns: START_NS,
            pre_roll_ns: START_NS,
            recorder: "make_recording".to_owned(),
            facts: BTreeMap::new(),
        };
        let mut journal = JournalWriter::create(store, &start)?;
        let mut senders = Vec::new();
        for (seed, entry) in (1_u64..).zip(&robots) {
            let seed = seed + u64::try_from(number)? * 100;
            senders.push(Sender::new(&mut journal, self, entry, seed)?);
        }
        let mut until_ns = START_NS;
        while until_ns < START_NS + length_ns {
            until_ns += STEP_NS;
            for sender in &mut senders {
                sender.send(&mut journal, until_ns, START_NS + length_ns)?;
            }
        }
        for sender in senders {
            sender.end(&mut journal)?;
        }
        journal.control(&Control::Stop { stop_ns: START_NS + length_ns, ended_by: "stop".to_owned() })?;
        let manifest = seal(store, &journal.finish()?, &mut |_| ())?;
        Ok(store.find(&manifest.episode.to_string())?.dir().to_path_buf())
    }
}

/// Folder of the robots' descriptions.
fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/robots")
}

/// A robot and what it has sent.
struct Sender {
    sim: SimRobot,
    field: Id,
    streams: BTreeMap<StreamName, (StreamDescription, u64)>,
}

impl Sender {
    fn new(journal: &mut JournalWriter, recorder: &Recorder<'_>, entry: &RobotEntry, seed: u64) -> Result<Self> {
        let field = &recorder.field.field;
        let spec = SimSpec {
            field: field.clone(),
            robot: entry.robot.clone(),
            model_dir: models().join(&entry.model),
            rate_hz: 500.0,
            cameras: cameras(recorder.small),
            seed,
            faults: Vec::new(),
        };
        let sim = SimRobot::new(spec, START_NS)?;
        let mut streams = BTreeMap::new();
        let kept = |stream: &StreamName| !recorder.small || stream.kind() != StreamKind::Motor;
        for description in sim.descriptions().into_iter().filter(|description| kept(&description.stream)) {
            let (robot, stream) = (entry.robot.clone(), description.stream.clone());
            journal.control(&Control::Describe { robot: robot.clone(), description: description.clone() })?;
            journal.control(&Control::Baseline { robot, stream: stream.clone(), boot: BOOT, next_seq: 0 })?;
            streams.insert(stream, (description, 0));
        }
        Ok(Self { sim, field: field.clone(), streams })
    }

    /// Writes what is due by `until_ns` and was captured before `end_ns`, of the streams that are kept.
    fn send(&mut self, journal: &mut JournalWriter, until_ns: i64, end_ns: i64) -> Result<()> {
        for sample in self.sim.advance(until_ns)?.iter().filter(|sample| sample.capture_ns < end_ns) {
            let robot = self.sim.spec().robot.clone();
            let Some((description, next_seq)) = self.streams.get_mut(&sample.stream) else { continue };
            let header = header(description, *next_seq, sample);
            *next_seq += u64::from(sample.rows);
            let key = StreamKey { field: self.field.clone(), robot, stream: sample.stream.clone() };
            let (attachment, recv_ns) = (header.encode(&sample.payload), sample.due_ns + TRANSPORT_NS);
            let (encoding, payload) = (&description.encoding, &sample.payload);
            journal.append(&Sample { key: &key, encoding, attachment: &attachment, payload, recv_ns })?;
        }
        Ok(())
    }

    fn end(self, journal: &mut JournalWriter) -> Result<()> {
        for (stream, (_, next_seq)) in self.streams {
            journal.control(&Control::Final { robot: self.sim.spec().robot.clone(), stream, boot: BOOT, next_seq })?;
        }
        Ok(())
    }
}

fn header(description: &StreamDescription, seq: u64, sample: &SimSample) -> SampleHeader {
    SampleHeader {
        flags: if sample.keyframe { FLAG_KEYFRAME } else { 0 },
        rows: sample.rows,
        boot: BOOT,
        seq,
        capture_ns: sample.capture_ns,
        clock: description.clock,
        schema_id: description.schema_id(),
    }
}
