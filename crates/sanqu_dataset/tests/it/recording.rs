//! A small recorded episode: joints, commands and cameras whose pictures carry their own number.

use std::path::Path;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::types::Float64Type;
use openh264::encoder::{Encoder, EncoderConfig, FrameRate, IntraFramePeriod};
use openh264::formats::YUVBuffer;
use openh264::{OpenH264API, Timestamp};
use sanqu_model::{EpisodeId, Id, Quantity, RobotEntry, StreamDescription, StreamKey};
use sanqu_store::{Control, Episode, EpisodeStart, JournalWriter, Sample, Store, seal};
use sanqu_wire::{ENCODING_ARROW, ENCODING_H264, SampleHeader, encode_rows, fixed_list, h264};

pub(crate) const START_NS: i64 = 1_763_700_000_000_000_000;
pub(crate) const PERIOD_NS: i64 = 33_333_333;
pub(crate) const WIDTH: usize = 160;
pub(crate) const HEIGHT: usize = 128;
const GOP: u32 = 15;
const BITS: usize = 10;
const BLOCK: usize = 16;

/// What to record.
pub(crate) struct Recording {
    pub(crate) robot: &'static str,
    pub(crate) model: &'static str,
    pub(crate) joints: Vec<&'static str>,
    pub(crate) cameras: Vec<Camera>,
    pub(crate) secs: i64,
    pub(crate) command_from_ns: Option<i64>,
    pub(crate) prompt: &'static str,
    pub(crate) number: u128,
    /// By how much the robot's clock is ahead.
    pub(crate) wrong_ns: i64,
}

pub(crate) struct Camera {
    pub(crate) name: &'static str,
    pub(crate) phase_ns: i64,
    /// Frames that never arrive.
    pub(crate) lost: Vec<u64>,
}

impl Default for Recording {
    fn default() -> Self {
        Self {
            robot: "walker-s-01",
            model: "walker-s",
            joints: vec!["l_hip_joint", "l_knee_joint", "l_ankle_joint"],
            cameras: vec![Camera { name: "head", phase_ns: 0, lost: vec![] }, Camera { name: "wrist", phase_ns: 5_000_000, lost: vec![] }],
            secs: 4,
            command_from_ns: None,
            prompt: "inspect the door",
            number: 1,
            wrong_ns: 0,
        }
    }
}

pub(crate) fn store(root: &Path) -> Store {
    Store::open_or_create(root, &id("desk"), "Asia/Shanghai").unwrap()
}

pub(crate) fn id(text: &str) -> Id {
    Id::new("id", text).unwrap()
}

/// The joint position that is recorded at a time.
pub(crate) fn position(joint: usize, t_ns: i64) -> f64 {
    ((t_ns - START_NS) as f64 / 1e9 + joint as f64).sin()
}

impl Recording {
    /// Records from half a second before the start, so that the first row is no keyframe.
    pub(crate) fn seal(&self, store: &Store) -> Episode {
        let start_ns = START_NS + i64::try_from(self.number).unwrap() * 100_000_000_000;
        let stop_ns = start_ns + self.secs * 1_000_000_000;
        let start = EpisodeStart {
            episode: EpisodeId::new(start_ns, self.number),
            field: id("desk"),
            zone: Some(id("industry")),
            station: id("a01"),
            task: Some(id("door")),
            prompt: self.prompt.into(),
            operator: Some(id("op-07")),
            robots: vec![RobotEntry { robot: id(self.robot), model: self.model.into(), description: None }],
            start_ns,
            pre_roll_ns: start_ns - 500_000_000,
            recorder: "test".into(),
            facts: Default::default(),
        };
        let mut journal = JournalWriter::create(store, &start).unwrap();
        self.rows(&mut journal, "joint", start_ns - 500_000_000, stop_ns);
        if let Some(after_ns) = self.command_from_ns {
            self.rows(&mut journal, "command", start_ns + after_ns, stop_ns);
        }
        for camera in &self.cameras {
            self.film(&mut journal, camera, start_ns, stop_ns);
        }
        journal.control(&Control::Event { t_ns: start_ns + 1, name: "mark".into(), text: "a mark".into() }).unwrap();
        journal.control(&Control::Stop { stop_ns, ended_by: "stop".into() }).unwrap();
        let path = journal.finish().unwrap();
        let manifest = seal(store, &path, &mut |_| ()).unwrap();
        store.find(&manifest.episode.to_string()).unwrap()
    }

    fn describe(
        &self,
        journal: &mut JournalWriter,
        stream: &str,
        encoding: &str,
        quantities: Vec<Quantity>,
    ) -> (StreamKey, StreamDescription) {
        let stream: sanqu_model::StreamName = stream.parse().unwrap();
        let description = StreamDescription {
            stream: stream.clone(),
            encoding: encoding.into(),
            rate_hz: 0.0,
            clock: 1,
            quantities,
            facts: Default::default(),
        };
        journal.control(&Control::Describe { robot: id(self.robot), description: description.clone() }).unwrap();
        journal.control(&Control::Baseline { robot: id(self.robot), stream: stream.clone(), boot: 7, next_seq: 0 }).unwrap();
        (StreamKey { field: id("desk"), robot: id(self.robot), stream }, description)
    }

    /// 200 rows a second, ten a payload.
    fn rows(&self, journal: &mut JournalWriter, stream: &str, from_ns: i64, to_ns: i64) {
        let names: Vec<String> = self.joints.iter().map(|name| (*name).to_owned()).collect();
        let (key, description) = self.describe(journal, stream, ENCODING_ARROW, vec![Quantity::f64("pos", "rad", &names)]);
        let times: Vec<i64> = (0..).map(|i| from_ns + i * 5_000_000).take_while(|t| *t < to_ns).collect();
        for (batch, times) in times.chunks(10).enumerate() {
            let values = times.iter().flat_map(|t| (0..names.len()).map(move |joint| position(joint, *t))).collect();
            let columns: Vec<ArrayRef> = vec![fixed_list::<Float64Type>(values, names.len()).unwrap()];
            let said: Vec<i64> = times.iter().map(|t| t + self.wrong_ns).collect();
            let payload = encode_rows(&description, &said, columns).unwrap();
            let (rows, seq) = (u32::try_from(times.len()).unwrap(), batch as u64 * 10);
            let sent = Sent { rows, seq, capture_ns: said[0], recv_ns: times[0] + 1_000_000, flags: 0 };
            append(journal, &key, &description, sent, &payload);
        }
    }

    fn film(&self, journal: &mut JournalWriter, camera: &Camera, start_ns: i64, stop_ns: i64) {
        let (key, description) = self.describe(journal, &format!("camera/{}", camera.name), ENCODING_H264, vec![]);
        let config = EncoderConfig::new()
            .max_frame_rate(FrameRate::from_hz(30.0))
            .intra_frame_period(IntraFramePeriod::from_num_frames(GOP))
            .skip_frames(false);
        let mut encoder = Encoder::with_api_config(OpenH264API::from_source(), config).unwrap();
        for seq in 0u64.. {
            // Ten frames before the start: the first row builds on a keyframe of the pre-roll.
            let capture_ns = start_ns + (i64::try_from(seq).unwrap() - 10) * PERIOD_NS + camera.phase_ns;
            if capture_ns >= stop_ns {
                break;
            }
            let picture = YUVBuffer::from_vec(picture(seq), WIDTH, HEIGHT);
            let unit = encoder.encode_at(&picture, Timestamp::from_millis(seq * 33)).unwrap().to_vec();
            if !camera.lost.contains(&seq) {
                let flags = u16::from(h264::is_keyframe(&unit));
                let sent = Sent { rows: 1, seq, capture_ns: capture_ns + self.wrong_ns, recv_ns: capture_ns + 1_000_000, flags };
                append(journal, &key, &description, sent, &unit);
            }
        }
    }
}

struct Sent {
    rows: u32,
    seq: u64,
    capture_ns: i64,
    recv_ns: i64,
    flags: u16,
}

fn append(journal: &mut JournalWriter, key: &StreamKey, description: &StreamDescription, sent: Sent, payload: &[u8]) {
    let Sent { rows, seq, capture_ns, recv_ns, flags } = sent;
    let header = SampleHeader { flags, rows, boot: 7, seq, capture_ns, clock: 1, schema_id: description.schema_id() };
    let sample = Sample { key, encoding: &description.encoding, attachment: &header.encode(payload), payload, recv_ns };
    journal.append(&sample).unwrap();
}

/// A grey picture whose top row of blocks is its number in binary.
fn picture(number: u64) -> Vec<u8> {
    let mut yuv = vec![128; WIDTH * HEIGHT * 3 / 2];
    for row in 0..BLOCK {
        for column in 0..BITS * BLOCK {
            yuv[row * WIDTH + column] = if number >> (column / BLOCK) & 1 == 1 { 235 } else { 16 };
        }
    }
    for row in BLOCK..HEIGHT {
        for column in 0..WIDTH {
            yuv[row * WIDTH + column] = u8::try_from((column as u64 + row as u64 + number * 3) % 200 + 20).unwrap();
        }
    }
    yuv
}

/// The number that a decoded picture shows.
pub(crate) fn number_in(luma: &[u8], stride: usize) -> u64 {
    (0..BITS).map(|bit| u64::from(luma[BLOCK / 2 * stride + bit * BLOCK + BLOCK / 2] > 128) << bit).sum()
}

/// Reads a Parquet column as i64 or f64 values.
pub(crate) fn column(path: &Path, name: &str) -> ArrayRef {
    let file = std::fs::File::open(path).unwrap();
    let reader =
        parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap().with_batch_size(1 << 20).build().unwrap();
    let batches: Vec<_> = reader.map(Result::unwrap).collect();
    assert_eq!(batches.len(), 1, "{}", path.display());
    Arc::clone(batches[0].column_by_name(name).unwrap_or_else(|| panic!("{name} in {}", path.display())))
}
