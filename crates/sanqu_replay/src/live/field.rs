//! From items of the pipe to a [`Replay`] that grows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sanqu_model::{Id, Quantity, StreamKind, StreamName};
use sanqu_robot::CameraMount;
use sanqu_wire::pipe::{PipeItem, PipeKind};
use sanqu_wire::{ENCODING_ARROW, ENCODING_JSON, Rows, RowsReader};

use super::drives::{DriveRows, LiveDrives};
use super::marks::LiveMarks;
use super::numbering::{Numbering, Place};
use super::ring::RingLimits;
use super::widen::widened;
use crate::base::BaseTrack;
use crate::cameras::{CameraRecord, FrameSource, LiveEncoding, LiveFilm, Mount};
use crate::lane::Lane;
use crate::load::{MOTOR, aspect, frame_of_base, is_rotor_torque, placed, quantities_of_base};
use crate::mark::{EVENT_MARKS_MAX, Mark};
use crate::replay::{Replay, RobotRecord};
use crate::timeline::nanoseconds;
use crate::track::Track;
use crate::xray::RobotDrives;

/// The most sentences that are remembered as said, and that wait to be said.
const NOTES_MAX: usize = 256;
/// The most streams; a field has some hundreds.
const STREAMS_MAX: usize = 4096;
/// Bytes of a row beside its values.
const ROW_BYTES: usize = 24;

/// What is known of a running field beside what the [`Replay`] shows.
#[derive(Debug)]
pub struct LiveField {
    limits: RingLimits,
    robots: BTreeMap<Id, usize>,
    /// Where each robot's cameras sit.
    mounts: Vec<Vec<CameraMount>>,
    streams: BTreeMap<(usize, StreamName), Stream>,
    facts: BTreeMap<(usize, StreamName), BTreeMap<String, String>>,
    marks: LiveMarks,
    alive: BTreeSet<Id>,
    newest_ns: Option<i64>,
    dropped: u64,
    said: BTreeSet<String>,
    notes: Vec<String>,
}

#[derive(Debug)]
struct Stream {
    lane: usize,
    numbering: Numbering,
    reader: RowsReader,
    /// Bytes of one row that is held.
    row_bytes: usize,
    film: Option<Arc<LiveFilm>>,
}

impl Stream {
    fn new(lane: usize, film: Option<Arc<LiveFilm>>) -> Self {
        Self { lane, numbering: Numbering::default(), reader: RowsReader::default(), row_bytes: ROW_BYTES, film }
    }

    /// Bytes that are held of it.
    fn bytes(&self, replay: &Replay) -> usize {
        let rows = replay.lanes.get(self.lane).map_or(0, |lane| lane.instants.as_slice().len());
        rows * self.row_bytes + self.film.as_ref().map_or(0, |film| film.bytes())
    }

    /// Forgets so many rows at the beginning, and what is drawn from them.
    fn forget(&self, kind: StreamKind, rows: usize, replay: &mut Replay) {
        let Some(lane) = replay.lanes.get_mut(self.lane) else { return };
        lane.forget(rows);
        if let Some(film) = &self.film {
            film.forget(rows);
        }
        let Some(record) = replay.robots.get_mut(lane.robot) else { return };
        if let Some(drives) = live_drives(record) {
            drives.keep(&lane.stream, lane.instants.as_slice().len());
        }
        match (kind, &mut record.base) {
            (StreamKind::Joint, _) => record.track.forget(rows),
            (StreamKind::Base, Some(base)) => base.forget(rows),
            _ => {}
        }
    }
}

impl LiveField {
    /// Knows the robots of `replay`, and where each one's cameras sit.
    pub(super) fn new(replay: &Replay, mounts: Vec<Vec<CameraMount>>) -> Self {
        let robots = replay.robots.iter().enumerate().map(|(index, record)| (record.robot.clone(), index)).collect();
        Self {
            limits: RingLimits::default(),
            robots,
            mounts,
            streams: BTreeMap::new(),
            facts: BTreeMap::new(),
            marks: LiveMarks::default(),
            alive: BTreeSet::new(),
            newest_ns: None,
            dropped: 0,
            said: BTreeSet::new(),
            notes: Vec::new(),
        }
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: RingLimits) -> Self {
        Self { limits, ..self }
    }

    /// The robots that announce themselves.
    pub fn alive(&self) -> &BTreeSet<Id> {
        &self.alive
    }

    /// Capture time of the newest row of a joint, motor or base stream, on the field timeline, ns.
    pub fn newest_ns(&self) -> Option<i64> {
        self.newest_ns
    }

    /// Samples that the pipe dropped: this viewer was too slow, or video came with a hole before it.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What there is to say to people since the last call, each sentence once.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Streams that a robot of the replay says it has, but of which nothing has come.
    pub fn silent_streams(&self, robot: usize) -> Vec<&StreamName> {
        let kinds = [StreamKind::Joint, StreamKind::Motor, StreamKind::Base, StreamKind::Camera];
        let described = self.facts.keys().filter(|(index, stream)| *index == robot && kinds.contains(&stream.kind()));
        described.filter(|key| !self.streams.contains_key(*key)).map(|(_, stream)| stream).collect()
    }

    /// Whether every robot that shows itself has said what it sends, and all of that has begun to come.
    pub fn is_complete(&self, replay: &Replay) -> bool {
        let said = |robot: usize| self.facts.keys().any(|(index, _)| *index == robot);
        let shown = |robot: usize| replay.robots.get(robot).is_some_and(|record| record.track.rows() > 0);
        (0..replay.robots.len()).all(|robot| self.silent_streams(robot).is_empty() && (said(robot) || !shown(robot)))
    }

    /// Takes what came, then forgets what is more than may be held.
    pub fn apply(&mut self, items: Vec<PipeItem>, replay: &mut Replay) {
        for item in items {
            match item.kind {
                PipeKind::Pulse => {
                    self.dropped = item.dropped;
                    self.alive.clear();
                }
                PipeKind::Alive => self.alive.extend(item.robot),
                PipeKind::Described => self.describe(&item, replay),
                PipeKind::Trouble => {
                    let (place, reason) = (place_of(&item), String::from_utf8_lossy(&item.payload));
                    self.note(format!("{place}: a sample cannot be shown: {reason}"));
                }
                PipeKind::Sample => {
                    if let Err(reason) = self.sample(&item, replay) {
                        self.note(format!("{}: {reason}", place_of(&item)));
                    }
                }
            }
        }
        self.forget(replay);
        self.marks.show(replay);
    }

    fn note(&mut self, text: String) {
        if self.said.len() < NOTES_MAX && self.said.insert(text.clone()) {
            self.notes.push(text);
            if self.said.len() == NOTES_MAX {
                self.notes.push(format!("{NOTES_MAX} different things were said; what else is wrong is not said any more"));
            }
        }
    }

    fn describe(&mut self, item: &PipeItem, replay: &mut Replay) {
        let robot = item.robot.as_ref().and_then(|robot| self.robots.get(robot));
        let (Some(robot), Some(stream)) = (robot, &item.stream) else { return };
        let text = String::from_utf8_lossy(&item.payload);
        let facts = text.lines().filter_map(|line| line.split_once('=')).map(|(name, text)| (name.to_owned(), text.to_owned()));
        let (key, facts) = ((*robot, stream.clone()), facts.collect::<BTreeMap<_, _>>());
        if stream.as_str() == MOTOR
            && let Some(drives) = replay.robots.get_mut(*robot).and_then(live_drives)
        {
            drives.rotor_torque = is_rotor_torque(&facts);
        }
        if let Some(known) = self.streams.get(&key) {
            if let Some(lane) = replay.lanes.get_mut(known.lane) {
                lane.period_ns = period_ns(&facts);
            }
            let mount = mount(self.mounts.get(*robot), stream, &facts, replay.robots.get(*robot));
            if let Some(camera) = replay.cameras.iter_mut().find(|camera| camera.lane == known.lane) {
                (camera.mount, camera.aspect) = (mount, aspect(&facts));
            }
        }
        if self.facts.len() < STREAMS_MAX || self.facts.contains_key(&key) {
            self.facts.insert(key, facts);
        }
    }

    /// Takes a sample.
    ///
    /// # Errors
    /// In words for people: a sample that cannot be shown.
    fn sample(&mut self, item: &PipeItem, replay: &mut Replay) -> Result<(), String> {
        let (Some(robot), Some(name)) = (&item.robot, &item.stream) else { return Err("a sample without robot and stream".to_owned()) };
        let Some(index) = self.robots.get(robot).copied() else {
            return Err("not shown: the field file does not have this robot, or no description of it".to_owned());
        };
        let key = (index, name.clone());
        if !self.streams.contains_key(&key) {
            if self.streams.len() >= STREAMS_MAX {
                return Err(format!("not shown: more than {STREAMS_MAX} streams"));
            }
            self.add(&key, replay);
        }
        let Some(stream) = self.streams.get_mut(&key) else { return Ok(()) };
        let mut notes = Vec::new();
        let newest_ns = if item.encoding == ENCODING_ARROW {
            stream.rows(item, name.kind(), replay, &mut notes)?
        } else {
            stream.other(item, name.kind(), replay, &mut self.marks)?
        };
        if let (StreamKind::Event, ENCODING_JSON, Some(t_ns)) = (name.kind(), item.encoding.as_str(), newest_ns) {
            let words = std::str::from_utf8(&item.payload).map_err(|error| format!("an event that is no text: {error}"))?;
            if !self.marks.push(stream.lane, Mark::of_robot(robot, t_ns, words)) {
                notes.push(format!("more than {EVENT_MARKS_MAX} events within what is held: only the last are marked on the timeline"));
            }
        }
        if let Some(newest_ns) = newest_ns.filter(|_| matches!(name.kind(), StreamKind::Joint | StreamKind::Motor | StreamKind::Base)) {
            // A clock that was set back is followed; the rows of the wrong clock are not newer than anything.
            let back = self.newest_ns.is_some_and(|known| newest_ns < known);
            let others = back.then(|| newest_of(&self.streams, replay)).flatten();
            self.newest_ns = others.or(Some(newest_ns));
        }
        notes.into_iter().for_each(|note| self.note(note));
        Ok(())
    }

    /// Adds a lane for a stream that is heard for the first time; a panel, too, for a camera.
    fn add(&mut self, key: &(usize, StreamName), replay: &mut Replay) {
        let (robot, name) = key;
        let facts = self.facts.get(key).cloned().unwrap_or_default();
        replay.lanes.push(Lane { robot: *robot, stream: name.to_string(), period_ns: period_ns(&facts), ..Lane::default() });
        let lane = replay.lanes.len() - 1;
        let film = (name.kind() == StreamKind::Camera).then(Arc::<LiveFilm>::default);
        if let Some(film) = &film {
            let mount = mount(self.mounts.get(*robot), name, &facts, replay.robots.get(*robot));
            let source = FrameSource::Live(Arc::clone(film));
            replay.cameras.push(CameraRecord { robot: *robot, lane, source, mount, aspect: aspect(&facts) });
        }
        self.streams.insert(key.clone(), Stream::new(lane, film));
    }

    fn forget(&mut self, replay: &mut Replay) {
        let (Some(newest_ns), Some(oldest_ns)) = (newest_of_all(replay), oldest_ns(replay)) else { return };
        let bytes = self.streams.values().map(|stream| stream.bytes(replay)).sum();
        let Some(from_ns) = self.limits.keep_from(oldest_ns, newest_ns, bytes) else { return };
        self.marks.forget_before(from_ns);
        for ((_, name), stream) in &self.streams {
            let rows = replay.lanes.get(stream.lane).map_or(0, |lane| lane.instants.as_slice().partition_point(|t| *t < from_ns));
            stream.forget(name.kind(), rows, replay);
        }
    }
}

impl Stream {
    /// Takes rows; the capture time of the newest of them. None when they were there already.
    fn rows(&mut self, item: &PipeItem, kind: StreamKind, replay: &mut Replay, notes: &mut Vec<String>) -> Result<Option<i64>, String> {
        let rows = self.reader.read(&item.payload).map_err(|error| format!("rows cannot be shown: {error}"))?;
        if item.boot.is_some() && usize::try_from(item.rows).ok() != Some(rows.rows()) {
            return Err(format!("the header says {} rows, the payload has {}", item.rows, rows.rows()));
        }
        let robot = replay.lanes.get(self.lane).map_or(0, |lane| lane.robot);
        let Some(record) = replay.robots.get_mut(robot) else { return Ok(None) };
        let values = Values::of(&rows, kind, record)?;
        let inside = item.stream.as_ref().is_some_and(|stream| LiveDrives::reads(stream.as_str()));
        let inside = live_drives(record).filter(|_| inside).map(|_| DriveRows::of(&rows));
        if let Values::Joints { names, .. } = &values
            && record.track.names() != names.as_slice()
        {
            let anew = record.track.rows() > 0;
            record.track = Track::growing(&record.model, names.clone(), record.track.rest().to_vec());
            notes.extend(crate::load::said_of_joints(&record.robot, &record.model, &record.track, "sent"));
            if anew {
                notes.push(format!("{}: its joints have changed: what was held is forgotten", record.robot));
                self.forget(kind, usize::MAX, replay);
            }
        }
        let t_ns: Vec<i64> = rows.t_ns().map(|t| t.saturating_add(item.shift_ns)).collect();
        let inside_values = inside.as_ref().map_or(0, DriveRows::len) / t_ns.len().max(1);
        self.row_bytes = ROW_BYTES + (values.per_row(t_ns.len()) + inside_values) * size_of::<f64>();
        let newest_ns = t_ns.iter().max().copied();
        let growth = match self.numbering.place(item, t_ns) {
            Place::Repeated => return Ok(None),
            Place::Next(growth) => growth,
            Place::Anew(growth) => {
                notes.push(format!("{}: its clock stepped back: what was held is forgotten", place_of(item)));
                self.forget(kind, usize::MAX, replay);
                growth
            }
        };
        let (Some(lane), Some(record)) = (replay.lanes.get_mut(self.lane), replay.robots.get_mut(robot)) else { return Ok(None) };
        let fits = match (&values, &mut record.base) {
            (Values::Joints { values, .. }, _) => {
                record.lost_rows = record.lost_rows.saturating_add(growth.gap.and_then(|gap| gap.rows).unwrap_or(0));
                record.track.grow(&growth, values)
            }
            (Values::Base { position_m, rotation, .. }, Some(base)) => base.grow(&growth, position_m, rotation),
            _ => true,
        };
        if !fits {
            return Ok(newest_ns);
        }
        lane.grow(&growth);
        if let Some((inside, drives)) = inside.zip(live_drives(record))
            && !drives.grow(&lane.stream, &inside, &growth)
        {
            notes.push(format!("{}: its quantities have changed: the x-ray has forgotten the rows before", place_of(item)));
        }
        Ok(newest_ns)
    }

    /// Takes a payload that is one row of the timeline: a picture, an event.
    fn other(&mut self, item: &PipeItem, kind: StreamKind, replay: &mut Replay, marks: &mut LiveMarks) -> Result<Option<i64>, String> {
        let film = match &self.film {
            Some(film) => {
                let cannot = || format!("pictures cannot be shown live: expected H.264, JPEG or PNG, found {:?}", item.encoding);
                Some((Arc::clone(film), LiveEncoding::parse(&item.encoding).ok_or_else(cannot)?))
            }
            None => None,
        };
        let growth = match self.numbering.place(item, vec![item.t_ns.saturating_add(item.shift_ns)]) {
            Place::Repeated => return Ok(None),
            Place::Next(growth) => growth,
            Place::Anew(growth) => {
                self.forget(kind, usize::MAX, replay);
                marks.forget_lane(self.lane);
                growth
            }
        };
        if let Some(lane) = replay.lanes.get_mut(self.lane) {
            lane.grow(&growth);
        }
        if let Some((film, encoding)) = film {
            film.push(encoding, item.keyframe, &item.payload);
        }
        Ok(growth.t_ns.first().copied())
    }
}

fn live_drives(record: &mut RobotRecord) -> Option<&mut LiveDrives> {
    record.drives.as_mut().and_then(RobotDrives::live_mut)
}

/// What a payload says of a robot's state.
enum Values {
    Joints {
        names: Vec<String>,
        values: Vec<f64>,
    },
    Base {
        position_m: Vec<f64>,
        rotation: Vec<f64>,
    },
    /// Only its times are shown.
    Times,
}

impl Values {
    fn of(rows: &Rows<'_>, kind: StreamKind, record: &mut RobotRecord) -> Result<Self, String> {
        let quantities = rows.quantities();
        let all = |wanted: &Quantity| {
            let place = quantities.iter().position(|quantity| quantity == wanted).ok_or("a quantity that the payload does not have")?;
            Ok::<_, String>(widened(wanted.value_type, rows.values(place), rows.rows() * wanted.elements.len()))
        };
        match kind {
            StreamKind::Joint => {
                let pos = quantities.iter().find(|quantity| quantity.name == "pos").ok_or("no quantity pos: the joints cannot be shown")?;
                Ok(Self::Joints { names: pos.elements.clone(), values: all(pos)? })
            }
            StreamKind::Base => {
                let (position, rotation) = quantities_of_base(quantities).ok_or_else(|| {
                    let (position, rotation) = (BaseTrack::POSITION, BaseTrack::ROTATION);
                    format!("no quantities with elements {position:?} and {rotation:?}: the robot is shown at its station")
                })?;
                let frame = frame_of_base(position, &record.world_from_station);
                record.base.get_or_insert_with(|| BaseTrack::growing(frame));
                Ok(Self::Base { position_m: all(position)?, rotation: all(rotation)? })
            }
            _ => Ok(Self::Times),
        }
    }

    /// Values of one of `rows` rows.
    fn per_row(&self, rows: usize) -> usize {
        let values = match self {
            Self::Joints { values, .. } => values.len(),
            Self::Base { position_m, rotation } => position_m.len() + rotation.len(),
            Self::Times => 0,
        };
        values / rows.max(1)
    }
}

/// Where a camera sits, as the description and the stream itself say.
fn mount(
    mounts: Option<&Vec<CameraMount>>,
    stream: &StreamName,
    facts: &BTreeMap<String, String>,
    record: Option<&RobotRecord>,
) -> Option<Mount> {
    let mount = mounts?.iter().find(|mount| mount.name == stream.leaf())?;
    placed(facts, &record?.model, mount)
}

/// The newest row of the streams that a live replay follows.
fn newest_of(streams: &BTreeMap<(usize, StreamName), Stream>, replay: &Replay) -> Option<i64> {
    let followed = |kind| matches!(kind, StreamKind::Joint | StreamKind::Motor | StreamKind::Base);
    let lanes = streams.iter().filter(|((_, name), _)| followed(name.kind())).filter_map(|(_, stream)| replay.lanes.get(stream.lane));
    lanes.filter_map(|lane| lane.instants.as_slice().last().copied()).max()
}

fn newest_of_all(replay: &Replay) -> Option<i64> {
    replay.lanes.iter().filter_map(|lane| lane.instants.as_slice().last().copied()).max()
}

/// The oldest row that is held.
pub(super) fn oldest_ns(replay: &Replay) -> Option<i64> {
    replay.lanes.iter().filter_map(|lane| lane.instants.as_slice().first().copied()).min()
}

fn period_ns(facts: &BTreeMap<String, String>) -> i64 {
    let rate_hz = facts.get("rate_hz").and_then(|text| text.parse::<f64>().ok());
    rate_hz.filter(|rate_hz| *rate_hz > 0.0).map_or(0, |rate_hz| nanoseconds(1.0 / rate_hz))
}

fn place_of(item: &PipeItem) -> String {
    let text = |name: Option<&str>| name.unwrap_or("?").to_owned();
    format!("{} {}", text(item.robot.as_ref().map(|robot| robot.as_str())), text(item.stream.as_ref().map(|stream| stream.as_str())))
}

#[cfg(test)]
mod tests {
    use sanqu_model::FieldConfig;

    use super::*;

    #[test]
    fn the_last_note_says_that_more_is_not_said() {
        let mut replay = Replay::new(FieldConfig::parse("field = \"f\"\nname = \"f\"\ntime_zone = \"UTC\"\n").unwrap(), Vec::new(), 0, 0);
        let mut field = LiveField::new(&replay, Vec::new());
        let trouble = |number: usize| PipeItem { kind: PipeKind::Trouble, payload: number.to_string().into_bytes(), ..PipeItem::default() };
        let mut said = |numbers: std::ops::Range<usize>| {
            field.apply(numbers.map(trouble).collect(), &mut replay);
            field.take_notes()
        };
        assert_eq!(said(0..NOTES_MAX - 1).len(), NOTES_MAX - 1);
        assert_eq!(said(0..9), Vec::<String>::new(), "each sentence once");
        let last = said(NOTES_MAX - 1..NOTES_MAX + 20);
        assert_eq!(last.len(), 2, "{last:?}");
        assert!(
            last[0].ends_with(": 255") && last[1].contains("256 different things") && last[1].contains("not said any more"),
            "{last:?}"
        );
        assert_eq!(said(0..2 * NOTES_MAX), Vec::<String>::new());
    }
}
