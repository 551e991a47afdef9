//! Measures sealing: writes the journal of a field's robots with values that do not compress, then seals it.
//!
//! `seal_speed write <folder> [robots] [seconds] [camera bytes]` makes a store with one unsealed episode;
//! `seal_speed seal <folder>` seals it and prints CPU seconds by stage, how many times faster than real time that is, and
//! the peak of memory; `seal_speed verify <folder>` does the same for `verify`. A robot is two streams of 500 rows a second
//! with 40 joints and three cameras of 30 pictures a second. Build it with `--release`.
#![expect(clippy::print_stdout, reason = "a program that prints figures")]

use std::error::Error;
use std::fs;
use std::path::Path;

use arrow_array::ArrayRef;
use arrow_array::types::{Float64Type, UInt32Type};
use sanqu_model::{EpisodeId, Id, Quantity, RobotEntry, StreamDescription, StreamKey, ValueType};
use sanqu_store::{Control, EpisodeStart, JournalWriter, Sample, SealProgress, Store, seal, verify};
use sanqu_wire::{ENCODING_ARROW, ENCODING_H264, FLAG_KEYFRAME, SampleHeader, encode_rows, fixed_list};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// 2026-11-21T02:00:00Z.
const START_NS: i64 = 1_795_226_400_000_000_000;
const JOINTS: usize = 40;
const ROW_NS: i64 = 2_000_000;
const ROWS_A_SAMPLE: usize = 10;
const SAMPLE_NS: i64 = ROW_NS * ROWS_A_SAMPLE as i64;
const FRAME_NS: i64 = 33_333_333;
const CAMERAS: [&str; 3] = ["head", "left", "right"];
const FRAMES_A_KEYFRAME: u64 = 30;
const BOOT: u64 = 77;
const JITTER_NS: u64 = 100_000;
const TRANSPORT_NS: i64 = 400_000;

/// SPS and PPS of x264, 320 by 240, baseline.
const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x0d, 0xd9, 0x01, 0x41, 0xfb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x42,
    0xa4, 0x80,
];
const PPS: &[u8] = &[0x68, 0xcb, 0x83, 0xcb, 0x20];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| arguments.get(at).map_or(Ok(default), |text| text.parse::<u64>());
    match (arguments.first().map(String::as_str), arguments.get(1).map(Path::new)) {
        (Some("write"), Some(folder)) => write(folder, number(2, 8)?, number(3, 30)?, usize::try_from(number(4, 20_000)?)?),
        (Some("seal"), Some(folder)) => measure_seal(folder),
        (Some("verify"), Some(folder)) => {
            let before = cpu_secs()?;
            let report = verify(folder)?;
            println!(
                "verify {:.2} CPU s, {} files, {} rows, {} issues",
                cpu_secs()? - before,
                report.files,
                report.rows,
                report.issues.len()
            );
            Ok(())
        }
        _ => Err("usage: seal_speed write <folder> [robots] [seconds] [camera bytes] | seal <folder> | verify <folder>".into()),
    }
}

/// Seals the only journal of a store and prints what it took.
fn measure_seal(folder: &Path) -> Result<()> {
    let store = Store::open(folder)?;
    let journals = store.journals()?;
    let first = journals.first().ok_or("no journal: run `seal_speed write` first")?;
    let journal_bytes: u64 = journals.iter().map(|path| fs::metadata(path).map(|meta| meta.len())).sum::<std::io::Result<_>>()?;
    let begin = cpu_secs()?;
    let mut stages: Vec<(String, f64)> = Vec::new();
    let mut last = (String::new(), begin);
    let mut enter = |name: String| -> Result<()> {
        let now = cpu_secs()?;
        if !last.0.is_empty() {
            match stages.iter_mut().find(|(known, _)| *known == last.0) {
                Some((_, secs)) => *secs += now - last.1,
                None => stages.push((last.0.clone(), now - last.1)),
            }
        }
        last = (name, now);
        Ok(())
    };
    let manifest = seal(&store, first, &mut |progress| {
        // The figures are of no use without the clock, and the seal itself must not fail for it.
        let _ = enter(stage(&progress));
    })?;
    enter(String::new())?;
    let total = cpu_secs()? - begin;
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let (episode_secs, mb) = ((manifest.stop_ns - manifest.start_ns) as f64 / 1e9, journal_bytes as f64 / 1e6);
    let sealed_bytes: u64 = manifest.streams.iter().flat_map(|stream| &stream.files).map(|file| file.bytes).sum();
    let rows: u64 = manifest.streams.iter().map(|stream| stream.rows).sum();
    for (stage, secs) in &stages {
        println!("{stage:<24} {secs:>8.2} CPU s {:>6.1} %", secs / total * 100.0);
    }
    println!("{:<24} {total:>8.2} CPU s for {episode_secs:.1} s of {} robots, {rows} rows", "all", manifest.robots.len());
    println!("journal {mb:.1} MB, sealed {:.1} MB, {:.1} MB/CPU s, {:.2} CPU s/GB", to_mb(sealed_bytes), mb / total, total / mb * 1e3);
    println!("{:.2} x real time on one core, peak RSS {:.1} MB", episode_secs / total, peak_rss_mb()?);
    Ok(())
}

fn stage(progress: &SealProgress) -> String {
    let stream = progress.stream.as_deref().unwrap_or_default();
    let kind = ["joint", "motor", "camera"].into_iter().find(|kind| stream.contains(kind)).unwrap_or("other");
    format!("{:?} {kind}", progress.stage)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn to_mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// What this thread has computed, s: sealing has one.
fn cpu_secs() -> Result<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let ns = text.split_whitespace().next().ok_or("/proc/thread-self/schedstat is empty")?;
    Ok(ns.parse::<f64>()? / 1e9)
}

fn peak_rss_mb() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<f64>()? / 1e3)
}

/// Writes the journal, all robots interleaved as they would arrive.
fn write(folder: &Path, robots: u64, seconds: u64, camera_bytes: usize) -> Result<()> {
    let field = Id::new("field", "bench")?;
    let store = Store::open_or_create(folder, &field, "UTC")?;
    let names: Vec<Id> = (0..robots).map(|n| Id::new("robot", &format!("robot-{n:02}"))).collect::<std::result::Result<_, _>>()?;
    let start = EpisodeStart {
        episode: EpisodeId::new(START_NS, 1),
        field: field.clone(),
        zone: None,
        station: Id::new("station", "a01")?,
        task: None,
        prompt: String::new(),
        operator: None,
        robots: names.iter().map(|robot| RobotEntry { robot: robot.clone(), model: "bench".to_owned(), description: None }).collect(),
        start_ns: START_NS,
        pre_roll_ns: START_NS,
        recorder: "seal_speed".to_owned(),
        facts: Default::default(),
    };
    let mut journal = JournalWriter::create(&store, &start)?;
    let mut noise = Noise(robots << 32 | seconds);
    let mut robots: Vec<Robot> = names.iter().map(|name| Robot::new(&field, name)).collect::<Result<_>>()?;
    for (name, robot) in names.iter().zip(&robots) {
        for description in [&robot.joint.description, &robot.motor.description] {
            journal.control(&Control::Describe { robot: name.clone(), description: description.clone() })?;
        }
    }
    let end_ns = START_NS + i64::try_from(seconds)? * 1_000_000_000;
    let mut now_ns = START_NS;
    while now_ns < end_ns {
        for robot in &mut robots {
            robot.joint.rows(&mut journal, now_ns, &mut noise)?;
            robot.motor.rows(&mut journal, now_ns, &mut noise)?;
            for camera in &mut robot.cameras {
                while camera.due_ns < now_ns + SAMPLE_NS {
                    camera.picture(&mut journal, camera_bytes, &mut noise)?;
                }
            }
        }
        now_ns += SAMPLE_NS;
    }
    journal.control(&Control::Stop { stop_ns: end_ns, ended_by: "stop".to_owned() })?;
    let (bytes, path) = (journal.bytes(), journal.finish()?);
    println!("{} {:.1} MB", path.display(), to_mb(bytes));
    Ok(())
}

struct Robot {
    joint: Stream,
    motor: Stream,
    cameras: Vec<Stream>,
}

struct Stream {
    key: StreamKey,
    description: StreamDescription,
    seq: u64,
    due_ns: i64,
}

impl Robot {
    fn new(field: &Id, robot: &Id) -> Result<Self> {
        let joints: Vec<String> = (0..JOINTS).map(|n| format!("l_limb_{n:02}_joint")).collect();
        let f64s = |names: &[&str]| names.iter().map(|name| Quantity::f64(name, "1", &joints)).collect::<Vec<_>>();
        let mut motor = f64s(&["pos", "vel", "current", "torque", "temp"]);
        motor.push(Quantity { value_type: ValueType::U32, ..Quantity::f64("err", "", &joints) });
        let stream = |name: &str, encoding: &str, quantities: Vec<Quantity>| -> Result<Stream> {
            let rate_hz = if quantities.is_empty() { 30.0 } else { 500.0 };
            let stream = name.parse()?;
            let description =
                StreamDescription { stream, encoding: encoding.to_owned(), rate_hz, clock: 1, quantities, facts: Default::default() };
            Ok(Stream { key: format!("sanqu/{field}/{robot}/{name}").parse()?, description, seq: 0, due_ns: START_NS })
        };
        let cameras = CAMERAS.iter().map(|name| stream(&format!("camera/{name}"), ENCODING_H264, Vec::new())).collect::<Result<_>>()?;
        Ok(Self {
            joint: stream("joint", ENCODING_ARROW, f64s(&["pos", "vel", "effort"]))?,
            motor: stream("motor", ENCODING_ARROW, motor)?,
            cameras,
        })
    }
}

impl Stream {
    /// One sample of ten rows.
    fn rows(&mut self, journal: &mut JournalWriter, from_ns: i64, noise: &mut Noise) -> Result<()> {
        let t_ns: Vec<i64> = (0..).take(ROWS_A_SAMPLE).map(|row: i64| from_ns + row * ROW_NS + noise.below(JITTER_NS)).collect();
        let count = ROWS_A_SAMPLE * JOINTS;
        let columns = self.description.quantities.iter().map(|quantity| match quantity.value_type {
            ValueType::U32 => fixed_list::<UInt32Type>((0..count).map(|_| noise.u32()).collect(), JOINTS),
            _ => fixed_list::<Float64Type>((0..count).map(|_| f64::from_bits(noise.u64())).collect(), JOINTS),
        });
        let columns: Vec<ArrayRef> = columns.collect::<std::result::Result<_, _>>()?;
        let payload = encode_rows(&self.description, &t_ns, columns)?;
        let capture_ns = t_ns.first().copied().unwrap_or(from_ns);
        self.append(journal, (capture_ns, from_ns + SAMPLE_NS + TRANSPORT_NS), &payload, ROWS_A_SAMPLE, 0)
    }

    /// One access unit whose slice data is noise.
    fn picture(&mut self, journal: &mut JournalWriter, bytes: usize, noise: &mut Noise) -> Result<()> {
        let idr = self.seq.is_multiple_of(FRAMES_A_KEYFRAME);
        let code = [0, 0, 0, 1];
        let mut unit = if idr { [&code, SPS, &code, PPS].concat() } else { Vec::new() };
        unit.extend(code);
        unit.extend(if idr { [0x65, 0b1000_1000] } else { [0x41, 0b1001_1000] });
        let mut zeros = 0;
        while unit.len() < bytes {
            for byte in noise.u64().to_le_bytes() {
                // As encoders do: no start code within a slice.
                if zeros == 2 && byte <= 3 {
                    unit.push(3);
                    zeros = 0;
                }
                zeros = if byte == 0 { zeros + 1 } else { 0 };
                unit.push(byte);
            }
        }
        unit.push(0x80);
        let capture_ns = self.due_ns + noise.below(JITTER_NS);
        self.due_ns += FRAME_NS;
        self.append(journal, (capture_ns, capture_ns + 20 * TRANSPORT_NS), &unit, 1, if idr { FLAG_KEYFRAME } else { 0 })
    }

    fn append(
        &mut self,
        journal: &mut JournalWriter,
        (capture_ns, recv_ns): (i64, i64),
        payload: &[u8],
        rows: usize,
        flags: u16,
    ) -> Result<()> {
        let rows = u32::try_from(rows)?;
        let header = SampleHeader { flags, rows, boot: BOOT, seq: self.seq, capture_ns, clock: 1, schema_id: self.description.schema_id() };
        self.seq = header.next_seq();
        let attachment = header.encode(payload);
        journal.append(&Sample { key: &self.key, encoding: &self.description.encoding, attachment: &attachment, payload, recv_ns })?;
        Ok(())
    }
}

/// Splitmix64: full-entropy bytes, the same for the same seed.
struct Noise(u64);

impl Noise {
    fn u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn u32(&mut self) -> u32 {
        let [a, b, c, d, ..] = self.u64().to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    fn below(&mut self, end: u64) -> i64 {
        (self.u64() % end).cast_signed()
    }
}
