//! Makes `recordings/golden/v<format>`: one short episode of two robots, with clock, ids and seed given.
//!
//! Run by `cargo xtask golden`, once per store format; prints the rows for `recordings/README.md`. What is committed is
//! never made again: readers of every later version must open it as it is.
#![expect(clippy::print_stdout, reason = "prints the rows of a table")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampNanosecondType;
use arrow_select::concat::concat_batches;
use sanqu_model::{EpisodeId, FORMAT_VERSION, Id, RobotEntry, StreamDescription, StreamKey, StreamKind, StreamName};
use sanqu_sim::{CameraSpec, SimRobot, SimSample, SimSpec};
use sanqu_store::{Control, EpisodeStart, JournalWriter, Sample, Store, seal};
use sanqu_wire::{FLAG_KEYFRAME, SampleHeader, decode_rows, encode_rows};
use sha2::{Digest as _, Sha256};

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
            fs::remove_dir(&path)?;
        } else if path.exists() {
            fs::remove_file(&path)?;
        }
    }
    print_table(&folder, &folder)
}

/// One row a file: path, bytes, SHA-256.
fn print_table(root: &Path, folder: &Path) -> Result<()> {
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            print_table(root, &path)?;
        } else {
            let content = fs::read(&path)?;
            let hash: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
            println!("| `{}` | {} | `{hash}` |", path.strip_prefix(root)?.display(), content.len());
        }
    }
    Ok(())
}

/// Robots send a payload every 20 ms. Here one holds half a second: at 100 Hz the schema that each payload repeats would
/// be most of the file.
const PAYLOAD_NS: i64 = 500_000_000;

/// The streams that are kept; the file stays under 1 MiB.
fn is_kept(robot: &Id, stream: &StreamName) -> bool {
    match stream.kind() {
        StreamKind::Joint | StreamKind::Imu | StreamKind::Camera => true,
        StreamKind::Motor => robot.as_str() == "walker-s-01",
        _ => false,
    }
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
        faults: Vec::new(),
    };
    let mut sim = SimRobot::new(spec, START_NS)?;
    let mut streams = BTreeMap::new();
    for description in sim.descriptions().into_iter().filter(|description| is_kept(robot, &description.stream)) {
        journal.control(&Control::Describe { robot: robot.clone(), description: description.clone() })?;
        streams.insert(description.stream.clone(), Stream { description, next_seq: 0, waiting: Vec::new() });
    }
    let samples = sim.advance(START_NS + LENGTH_NS)?;
    let keys = |stream: &StreamName| StreamKey { field: field.clone(), robot: robot.clone(), stream: stream.clone() };
    for sample in samples.into_iter().filter(|sample| sample.capture_ns < START_NS + LENGTH_NS) {
        let key = keys(&sample.stream);
        if let Some(stream) = streams.get_mut(&sample.stream)
            && let Some(sample) = stream.gather(sample)?
        {
            stream.write(journal, &key, &sample, boot)?;
        }
    }
    for (name, mut stream) in streams {
        if let Some(sample) = stream.rest()? {
            stream.write(journal, &keys(&name), &sample, boot)?;
        }
        journal.control(&Control::Final { robot: robot.clone(), stream: name, boot, next_seq: stream.next_seq })?;
    }
    Ok(())
}

struct Stream {
    description: StreamDescription,
    next_seq: u64,
    waiting: Vec<(SimSample, RecordBatch)>,
}

impl Stream {
    /// Pictures pass; rows wait until half a second is together.
    fn gather(&mut self, sample: SimSample) -> Result<Option<SimSample>> {
        if self.description.quantities.is_empty() {
            return Ok(Some(sample));
        }
        let full = self.waiting.first().is_some_and(|(first, _)| sample.capture_ns - first.capture_ns >= PAYLOAD_NS);
        let ready = if full { self.rest()? } else { None };
        let rows = decode_rows(&sample.payload)?;
        self.waiting.push((sample, rows));
        Ok(ready)
    }

    fn rest(&mut self) -> Result<Option<SimSample>> {
        let waiting = std::mem::take(&mut self.waiting);
        let Some((first, rows)) = waiting.first() else { return Ok(None) };
        let rows = concat_batches(&rows.schema(), waiting.iter().map(|(_, rows)| rows))?;
        let t_ns = rows.column(0).as_primitive::<TimestampNanosecondType>().values().to_vec();
        let payload = encode_rows(&self.description, &t_ns, rows.columns()[1..].to_vec())?;
        let due_ns = waiting.last().map_or(first.due_ns, |(last, _)| last.due_ns);
        Ok(Some(SimSample { rows: u32::try_from(t_ns.len())?, payload, due_ns, ..first.clone() }))
    }

    fn write(&mut self, journal: &mut JournalWriter, key: &StreamKey, sample: &SimSample, boot: u64) -> Result<()> {
        let description = &self.description;
        let flags = if sample.keyframe { FLAG_KEYFRAME } else { 0 };
        let (clock, schema_id) = (description.clock, description.schema_id());
        let header = SampleHeader { flags, rows: sample.rows, boot, seq: self.next_seq, capture_ns: sample.capture_ns, clock, schema_id };
        self.next_seq += u64::from(sample.rows);
        let attachment = header.encode(&sample.payload);
        let recv_ns = sample.due_ns + TRANSPORT_NS;
        Ok(journal.append(&Sample { key, encoding: &description.encoding, attachment: &attachment, payload: &sample.payload, recv_ns })?)
    }
}
