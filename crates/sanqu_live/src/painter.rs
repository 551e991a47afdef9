//! From a sample's bytes to rerun rows, for one rerun stream.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use re_sdk::{AsComponents, EntityPath, RecordingStream};
use re_sdk_types::archetypes::{EncodedDepthImage, EncodedImage, TextLog, VideoStream, ViewCoordinates};
use re_sdk_types::components::{MediaType, TextLogLevel, VideoCodec};
use sanqu_ingest::Received;
use sanqu_model::{Id, StreamKey, StreamKind};
use sanqu_wire::{ENCODING_ARROW, ENCODING_H264, ENCODING_H265, ENCODING_JPEG, ENCODING_PNG, SampleHeader};
use tracing::warn;

use crate::LiveError;
use crate::batch::{Batch, TIMELINE};
use crate::body::{Body, log_field_frame};
use crate::layout::Layout;
use crate::queue::is_keyframe;
use crate::rows::{Lines, split};
use crate::stage::Stage;

/// Depth pictures are in millimetres.
const DEPTH_UNITS_PER_METRE: f32 = 1000.0;

/// Draws samples into one rerun stream.
pub(crate) struct Painter {
    stream: RecordingStream,
    stage: Arc<Stage>,
    /// Rows are collected until they span this much capture time.
    span_ns: i64,
    layout: Layout,
    lines: HashMap<(Arc<StreamKey>, String), Lines>,
    films: HashMap<Arc<StreamKey>, Film>,
    bodies: BTreeMap<Id, Body>,
    unreadable: HashSet<Arc<StreamKey>>,
    pub(crate) counts: Counts,
}

/// What was drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) samples: u64,
    pub(crate) rows: u64,
    pub(crate) pictures: u64,
    pub(crate) unreadable: u64,
}

/// Why a sample was not drawn.
enum Trouble {
    Unreadable(String),
    Rerun(LiveError),
}

impl Trouble {
    fn unreadable(reason: impl ToString) -> Self {
        Self::Unreadable(reason.to_string())
    }
}

impl From<LiveError> for Trouble {
    fn from(error: LiveError) -> Self {
        Self::Rerun(error)
    }
}

/// A camera's access units that wait to be sent.
struct Film {
    path: EntityPath,
    batch: Batch<(Bytes, bool)>,
}

impl Painter {
    /// Prepares a stream; `follow` keeps the viewer at the newest data.
    ///
    /// # Errors
    /// rerun's.
    pub(crate) fn new(stream: RecordingStream, stage: Arc<Stage>, span_ns: i64, follow: bool) -> Result<Self, LiveError> {
        stream.set_log_time_enabled(false);
        stream.log_static("/", &ViewCoordinates::RIGHT_HAND_Z_UP()).map_err(LiveError::rerun)?;
        log_field_frame(&stream).map_err(LiveError::rerun)?;
        Ok(Self {
            stream,
            stage,
            span_ns,
            layout: Layout::new(follow),
            lines: HashMap::new(),
            films: HashMap::new(),
            bodies: BTreeMap::new(),
            unreadable: HashSet::new(),
            counts: Counts::default(),
        })
    }

    /// The rerun stream.
    pub(crate) fn stream(&self) -> &RecordingStream {
        &self.stream
    }

    /// Draws one sample. What cannot be read is counted, and said once per stream.
    ///
    /// # Errors
    /// rerun's.
    pub(crate) fn paint(&mut self, sample: &Received) -> Result<(), LiveError> {
        self.counts.samples += 1;
        match self.draw(sample) {
            Ok(()) => self.layout.send(&self.stream, false).map_err(LiveError::rerun),
            Err(Trouble::Rerun(error)) => Err(error),
            Err(Trouble::Unreadable(reason)) => {
                self.counts.unreadable += 1;
                if self.unreadable.insert(Arc::clone(&sample.key)) {
                    warn!(stream = %sample.key, reason, "a sample cannot be shown; further ones of this stream are only counted");
                }
                Ok(())
            }
        }
    }

    fn draw(&mut self, sample: &Received) -> Result<(), Trouble> {
        let t_ns = match sample.attachment.is_empty() {
            true => sample.recv_ns,
            false => SampleHeader::decode_checked(&sample.attachment, &sample.payload).map_err(Trouble::unreadable)?.capture_ns,
        };
        match sample.key.stream.kind() {
            StreamKind::Status => Ok(()),
            StreamKind::Event => self.event(sample, t_ns),
            kind if kind.is_picture() => self.picture(sample, t_ns),
            _ => self.rows(sample),
        }
    }

    /// Sends everything that waits to be collected.
    ///
    /// # Errors
    /// rerun's.
    pub(crate) fn flush(&mut self, finished: bool) -> Result<(), LiveError> {
        for lines in self.lines.values_mut() {
            lines.send(&self.stream, i64::MIN)?;
        }
        for body in self.bodies.values_mut() {
            body.send(&self.stream, i64::MIN)?;
        }
        for film in self.films.values_mut() {
            film.send(&self.stream, i64::MIN)?;
        }
        self.layout.send(&self.stream, finished).map_err(LiveError::rerun)
    }

    fn rows(&mut self, sample: &Received) -> Result<(), Trouble> {
        if &*sample.encoding != ENCODING_ARROW {
            return Err(Trouble::Unreadable(format!("encoding {} is not drawn", sample.encoding)));
        }
        let batch = sanqu_wire::decode_rows(&sample.payload).map_err(Trouble::unreadable)?;
        let (t_ns, all) = split(&batch).map_err(Trouble::unreadable)?;
        self.counts.rows += t_ns.len() as u64;
        for values in all.iter().filter(|values| !values.quantity.elements.is_empty()) {
            let name = &values.quantity.name;
            self.layout.plot(&sample.key, name);
            let lines = self.lines.entry((Arc::clone(&sample.key), name.clone())).or_insert_with(|| {
                let leaf = EntityPath::from_single_string(name.clone());
                Lines::new(entity(&sample.key).join(&leaf))
            });
            lines.push(&self.stream, &t_ns, &values.quantity, &values.values)?;
            lines.send(&self.stream, self.span_ns)?;
            if sample.key.stream.kind() == StreamKind::Joint && name == "pos" {
                self.pose(sample, &t_ns, values)?;
            }
        }
        Ok(())
    }

    /// Moves the robot's body to the newest row of joint positions.
    fn pose(&mut self, sample: &Received, t_ns: &[i64], values: &crate::rows::Values) -> Result<(), Trouble> {
        let stage = Arc::clone(&self.stage);
        let (Some(staged), Some(t)) = (stage.robot(&sample.key.robot), t_ns.last()) else { return Ok(()) };
        let body = match self.bodies.entry(sample.key.robot.clone()) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(Body::new(&self.stream, &sample.key.robot, staged).map_err(LiveError::rerun)?)
            }
        };
        let elements = &values.quantity.elements;
        let last = values.values.len().saturating_sub(elements.len());
        body.push(staged, *t, elements, values.values.get(last..).unwrap_or_default()).map_err(Trouble::unreadable)?;
        Ok(body.send(&self.stream, self.span_ns)?)
    }

    fn picture(&mut self, sample: &Received, t_ns: i64) -> Result<(), Trouble> {
        let path = entity(&sample.key);
        match &*sample.encoding {
            ENCODING_H264 | ENCODING_H265 => self.film(sample, path, t_ns)?,
            ENCODING_JPEG => {
                self.log(path, t_ns, &EncodedImage::new(sample.payload.to_vec()).with_media_type(MediaType::jpeg()))?;
            }
            ENCODING_PNG => {
                let picture = EncodedDepthImage::new(sample.payload.to_vec()).with_media_type(MediaType::png());
                self.log(path, t_ns, &picture.with_meter(DEPTH_UNITS_PER_METRE))?;
            }
            other => return Err(Trouble::Unreadable(format!("encoding {other} is not drawn"))),
        }
        self.layout.picture(&sample.key);
        self.counts.pictures += 1;
        Ok(())
    }

    fn film(&mut self, sample: &Received, path: EntityPath, t_ns: i64) -> Result<(), LiveError> {
        let film = match self.films.entry(Arc::clone(&sample.key)) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let codec = if &*sample.encoding == ENCODING_H264 { VideoCodec::H264 } else { VideoCodec::H265 };
                self.stream.log_static(path.clone(), &VideoStream::new(codec)).map_err(LiveError::rerun)?;
                entry.insert(Film { path, batch: Batch::default() })
            }
        };
        film.batch.push(t_ns, [(sample.payload.clone(), is_keyframe(sample))]);
        film.send(&self.stream, self.span_ns)
    }

    fn event(&self, sample: &Received, t_ns: i64) -> Result<(), Trouble> {
        let text = std::str::from_utf8(&sample.payload).map_err(Trouble::unreadable)?;
        Ok(self.log(entity(&sample.key), t_ns, &TextLog::new(text).with_level(TextLogLevel::INFO))?)
    }

    /// Sends one row at once.
    fn log(&self, path: EntityPath, t_ns: i64, row: &impl AsComponents) -> Result<(), LiveError> {
        self.stream.set_timestamp_nanos_since_epoch(TIMELINE, t_ns);
        self.stream.log(path, row).map_err(LiveError::rerun)
    }
}

impl Film {
    fn send(&mut self, stream: &RecordingStream, span_ns: i64) -> Result<(), LiveError> {
        if !self.batch.is_due(span_ns) {
            return Ok(());
        }
        let Some((times, _, frames)) = self.batch.take() else { return Ok(()) };
        let columns = VideoStream::update_fields()
            .with_many_sample(frames.iter().map(|(access_unit, _)| access_unit.as_ref()))
            .with_many_is_keyframe(frames.iter().map(|(_, keyframe)| *keyframe))
            .columns_of_unit_batches()
            .map_err(LiveError::rerun)?;
        stream.send_columns(self.path.clone(), [times], columns).map_err(LiveError::rerun)
    }
}

/// `/<robot>/<stream>`.
fn entity(key: &StreamKey) -> EntityPath {
    EntityPath::from(format!("{}/{}", key.robot, key.stream))
}
