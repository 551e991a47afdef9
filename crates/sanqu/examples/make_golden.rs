//! Makes `recordings/golden/v<format>`: one short episode of two robots, with clock, ids and seed given.
//!
//! Run by `cargo xtask golden`, once per store format. What is committed is never made again: readers of every later
//! version must open it as it is.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use sanqu_model::{EpisodeId, FORMAT_VERSION, Id, RobotEntry, StreamKey};
use sanqu_sim::{CameraSpec, SimRobot, SimSample, SimSpec};
use sanqu_store::{Control, EpisodeStart, JournalWriter, Sample, Store, seal};
use sanqu_wire::{FLAG_KEYFRAME, SampleHeader};

/// 2026-11-21T02:00:00Z.
const START_NS: i64 = 1_795_226_400_000_000_000;
const LENGTH_NS: i64 = 2_000_000_000;
/// What a packet takes from robot to recorder.
const TRANSPORT_NS: i64 = 400_000;
const ROBOTS: [(&str, &str, u64); 2] = [("kuavo-01", "kuavo-s45", 11), ("walker-s-01", "walker-s", 12)];

fn main() -> Result<()> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let folder = repository.join(format!("recordings/golden/v{FORMAT_VERSION}"));
    ensure!(!folder.exists(), "{} exists: golden recordings are only ever added to", folder.display());
    let field = Id::new("field", "desk")?;
    let store = Store::open_or_create(&folder.join("store"), &field, "Asia/Shanghai")?;
    let models = repository.join("assets/robots");
    let robots = ROBOTS
        .iter()
        .map(|(robot, model, _)| {
            Ok(RobotEntry {
                robot: Id::new("robot", robot)?,
                model: (*model).to_owned(),
                description: Some(store.snapshot_robot(&models.join(model))?),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let start = EpisodeStart {
        episode: EpisodeId::new(START_NS, 42),
        field: field.clone(),
        zone: Some(Id::new("zone", "commerce")?),
        station: Id::new("station", "c01")?,
        task: None,
        prompt: "show the visitor around".to_owned(),
        operator: Some(Id::new("operator", "op-07")?),
        robots,
        start_ns: START_NS,
        pre_roll_ns: START_NS,
        recorder: "golden".to_owned(),
        facts: BTreeMap::new(),
    };
    let mut journal = JournalWriter::create(&store, &start)?;
    for (boot, (robot, model, seed)) in (1000..).zip(ROBOTS) {
        write_robot(&mut journal, &field, &Id::new("robot", robot)?, &models.join(model), seed, boot)?;
    }
    journal.control(&Control::Stop { stop_ns: START_NS + LENGTH_NS, ended_by: "stop".to_owned() })?;
    let journal = journal.finish()?;
    let kept = folder.join("journal");
    fs::create_dir_all(&kept)?;
    fs::copy(&journal, kept.join(journal.file_name().context("the journal has no name")?))?;
    seal(&store, &journal, &mut |_| ())?;
    for leftover in ["store/.lock", "store/journals"] {
        let path = folder.join(leftover);
        if path.is_dir() {
            fs::remove_dir(&path)?
        } else if path.exists() {
            fs::remove_file(&path)?
        }
    }
    Ok(())
}

fn write_robot(journal: &mut JournalWriter, field: &Id, robot: &Id, model_dir: &Path, seed: u64, boot: u64) -> Result<()> {
    let camera = CameraSpec { name: "head".to_owned(), width: 160, height: 120, fps: 30 };
    let spec = SimSpec {
        field: field.clone(),
        robot: robot.clone(),
        model_dir: model_dir.to_path_buf(),
        rate_hz: 100.0,
        cameras: vec![camera],
        seed,
    };
    let mut sim = SimRobot::new(spec, START_NS)?;
    let mut next = BTreeMap::new();
    let mut schemas = BTreeMap::new();
    for description in sim.descriptions() {
        next.insert(description.stream.clone(), 0_u64);
        schemas.insert(description.stream.clone(), (description.schema_id(), description.encoding.clone(), description.clock));
        journal.control(&Control::Describe { robot: robot.clone(), description })?;
    }
    let samples: Vec<SimSample> = sim.advance(START_NS + LENGTH_NS)?;
    for sample in samples.into_iter().filter(|sample| sample.capture_ns < START_NS + LENGTH_NS) {
        let key = StreamKey { field: field.clone(), robot: robot.clone(), stream: sample.stream.clone() };
        let (schema_id, encoding, clock) =
            schemas.get(&sample.stream).with_context(|| format!("stream {} was not described", sample.stream))?;
        let seq = next.get_mut(&sample.stream).with_context(|| format!("stream {} was not described", sample.stream))?;
        let flags = if sample.keyframe { FLAG_KEYFRAME } else { 0 };
        let header =
            SampleHeader { flags, rows: sample.rows, boot, seq: *seq, capture_ns: sample.capture_ns, clock: *clock, schema_id: *schema_id };
        *seq += u64::from(sample.rows);
        let recv_ns = sample.due_ns + TRANSPORT_NS;
        journal.append(&Sample { key: &key, encoding, attachment: &header.encode(&sample.payload), payload: &sample.payload, recv_ns })?;
    }
    for (stream, next_seq) in next {
        journal.control(&Control::Final { robot: robot.clone(), stream, boot, next_seq })?;
    }
    Ok(())
}
