//! The writers alone: no bus, no other process, the same samples as fast as they are taken.

use std::time::{Duration, Instant};

use anyhow::Result;
use sanqu_model::{EpisodeId, FieldConfig, StreamKey, now_ns};
use sanqu_store::{EpisodeStart, JournalWriter, Sample, Store};
use sanqu_wire::{CLOCK_ROBOT, HEADER_BYTES, SampleHeader};
use serde::{Deserialize, Serialize};

use crate::bare::Bare;
use crate::plan::{Kind, LoadSpec, Step};
use crate::pool::{Pool, description};
use crate::process::own_cpu_s;
use crate::trial::Bench;

/// What each writer is given, bytes of payload.
const BYTES: u64 = 2_000_000_000;
/// Robots whose streams are mixed.
const ROBOTS: usize = 8;

/// One writer's figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WriterRow {
    pub(crate) writer: String,
    pub(crate) bytes: u64,
    pub(crate) wall_s: f64,
    pub(crate) cpu_s: f64,
}

struct Made {
    key: StreamKey,
    topic: String,
    encoding: String,
    header: [u8; HEADER_BYTES],
    payload: Vec<u8>,
}

/// Runs both, one after the other.
pub(crate) fn run(bench: &Bench) -> Result<Vec<WriterRow>> {
    let made = samples(bench)?;
    let periods = (Duration::from_millis(bench.periods.flush_ms), Duration::from_millis(bench.periods.sync_ms));
    let dir = bench.folder("writers")?;
    let store = Store::open_or_create(&dir.join("store"), &made[0].key.field, "UTC")?;
    let mut journal = JournalWriter::create(&store, &start(&made[0].key))?;
    let row = measure("sanqu journal", &made, periods, |call| match call {
        Call::Append(made) => Ok(journal.append(&Sample {
            key: &made.key,
            encoding: &made.encoding,
            attachment: &made.header,
            payload: &made.payload,
            recv_ns: now_ns(),
        })?),
        Call::Flush => Ok(journal.flush()?),
        Call::Sync => Ok(journal.sync()?),
    })?;
    journal.finish()?;
    let bare = Bare::create(&dir.join("bare.mcap"))?;
    let other = measure("bare MCAP", &made, periods, |call| match call {
        Call::Append(made) => bare.append(&made.topic, &made.header, &made.payload),
        Call::Flush => bare.flush(),
        Call::Sync => bare.sync(),
    })?;
    bare.finish()?;
    std::fs::remove_dir_all(&dir)?;
    Ok(vec![row, other])
}

enum Call<'a> {
    Append(&'a Made),
    Flush,
    Sync,
}

fn measure(writer: &str, made: &[Made], periods: (Duration, Duration), mut call: impl FnMut(Call<'_>) -> Result<()>) -> Result<WriterRow> {
    let (begun, cpu_s) = (Instant::now(), own_cpu_s()?);
    let (mut flushed, mut synced, mut bytes) = (begun, begun, 0);
    for made in made.iter().cycle() {
        if bytes >= BYTES {
            break;
        }
        call(Call::Append(made))?;
        bytes += made.payload.len() as u64;
        let now = Instant::now();
        if now - synced >= periods.1 {
            (flushed, synced) = (now, now);
            call(Call::Sync)?;
        } else if now - flushed >= periods.0 {
            flushed = now;
            call(Call::Flush)?;
        }
    }
    call(Call::Sync)?;
    Ok(WriterRow { writer: writer.to_owned(), bytes, wall_s: begun.elapsed().as_secs_f64(), cpu_s: own_cpu_s()? - cpu_s })
}

/// A second of the robots in the order in which it is due.
fn samples(bench: &Bench) -> Result<Vec<Made>> {
    let steps = vec![Step { permille: 1000, millis: 1000 }];
    let spec = LoadSpec { connect: String::new(), field: bench.field.clone(), robots: ROBOTS, seed: 7, steps, until_loss: false };
    let field: FieldConfig = spec.read_field()?;
    let pools =
        [(Kind::Joint, Pool::new(Kind::Joint, 7)?), (Kind::Motor, Pool::new(Kind::Motor, 7)?), (Kind::Camera, Pool::new(Kind::Camera, 7)?)];
    let mut due = Vec::new();
    for plan in spec.all_streams(&field)? {
        let described = description(plan.kind, plan.stream.clone());
        let key = StreamKey { field: field.field.clone(), robot: plan.robot.clone(), stream: plan.stream.clone() };
        for (number, sample) in plan.schedule.iter().enumerate() {
            let pool = pools.iter().find(|(kind, _)| *kind == plan.kind).map(|(_, pool)| pool);
            let Some((payload, _)) = pool.map(|pool| pool.payload(number as u64, sample.after_ns, 2_000_000)) else { continue };
            let seq = number as u64 * u64::from(plan.kind.rows());
            let (capture_ns, schema_id) = (sample.after_ns, described.schema_id());
            let header = SampleHeader { flags: 0, rows: plan.kind.rows(), boot: 7, seq, capture_ns, clock: CLOCK_ROBOT, schema_id };
            let header = header.encode(&payload);
            due.push((
                sample.after_ns,
                Made { topic: key.to_string(), key: key.clone(), encoding: described.encoding.clone(), header, payload },
            ));
        }
    }
    due.sort_by_key(|(after_ns, _)| *after_ns);
    Ok(due.into_iter().map(|(_, made)| made).collect())
}

fn start(key: &StreamKey) -> EpisodeStart {
    let start_ns = now_ns();
    EpisodeStart {
        episode: EpisodeId::random(start_ns),
        field: key.field.clone(),
        zone: None,
        station: key.robot.clone(),
        task: None,
        prompt: String::new(),
        operator: None,
        robots: Vec::new(),
        start_ns,
        pre_roll_ns: start_ns,
        recorder: "bench".to_owned(),
        facts: std::collections::BTreeMap::new(),
    }
}
