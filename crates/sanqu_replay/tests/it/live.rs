//! A field that is running: frames from memory, no program, no window.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::types::Float64Type;
use bevy::MinimalPlugins;
use bevy::app::App;
use bevy::input::ButtonInput;
use bevy::input::keyboard::KeyCode;
use bevy::prelude::{Mut, Transform, Visibility};
use bevy::time::TimeUpdateStrategy;
use nalgebra::{Isometry3, Translation3, UnitQuaternion};
use sanqu_model::{FieldConfig, Quantity, StreamDescription};
use sanqu_replay::cameras::{FrameSource, Library, LiveEncoding, LiveFilm};
use sanqu_replay::frame::bevy_from_world;
use sanqu_replay::live::{Follow, Inbox, LivePlugin, LiveSource, LiveStage, RingLimits, stage};
use sanqu_replay::load::LoadOptions;
use sanqu_replay::mark::{EVENT_MARKS_MAX, MarkKind};
use sanqu_replay::replay::Replay;
use sanqu_replay::robots::{ReplayRobot, RobotsPlugin, Stale};
use sanqu_replay::timeline::{Playhead, TimelinePlugin};
use sanqu_replay::track::Gap;
use sanqu_replay::window::KeysPlugin;
use sanqu_robot::LinkPoses;
use sanqu_store::mp4::Mp4Reader;
use sanqu_wire::pipe::{PipeItem, PipeKind};
use sanqu_wire::{ENCODING_ARROW, ENCODING_JSON, encode_rows, fixed_list};

use crate::cameras::{golden, number_of};
use crate::synthetic::{ELEMENTS, FIELD, PERIOD_NS, START_NS, row_values, urdf};

/// One frame of the viewer: 20 ms, as much as one payload.
const FRAME_NS: i64 = 20_000_000;
const ROWS: usize = 10;
/// How far behind the playhead stays: five frames.
const DELAY_NS: i64 = 5 * FRAME_NS;

fn staged(folder: &Path) -> LiveStage {
    let file = folder.join("tin.urdf");
    std::fs::write(&file, urdf()).unwrap();
    let options = LoadOptions { urdfs: vec![("tin".to_owned(), file)], ..LoadOptions::default() };
    stage(FieldConfig::parse(FIELD).unwrap(), &options).unwrap()
}

struct Live {
    app: App,
    /// Keeps the pipe open.
    pipe: Option<std::io::PipeWriter>,
    _folder: tempfile::TempDir,
}

impl Live {
    fn begin() -> Self {
        Self::with_limits(RingLimits::default())
    }

    fn with_limits(limits: RingLimits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let LiveStage { replay, field, .. } = staged(folder.path());
        let (reader, writer) = std::io::pipe().unwrap();
        let source = LiveSource::of_inbox(Inbox::read(reader).unwrap(), field.with_limits(limits));
        let mut app = App::new();
        app.add_plugins(MinimalPlugins)
            .insert_resource(TimeUpdateStrategy::ManualDuration(Duration::from_nanos(FRAME_NS.cast_unsigned())))
            .insert_resource(Playhead::new(0, 0))
            .insert_resource(Follow::new(0.1))
            .insert_resource(source)
            .insert_resource(replay)
            .init_resource::<ButtonInput<KeyCode>>()
            .add_plugins((TimelinePlugin, RobotsPlugin, KeysPlugin, LivePlugin));
        // bevy's first frame has no duration.
        app.update();
        Self { app, pipe: Some(writer), _folder: folder }
    }

    /// Takes items as if they had come through the pipe.
    fn take(&mut self, items: Vec<PipeItem>) {
        self.app.world_mut().resource_scope(|world, mut source: Mut<'_, LiveSource>| {
            source.field.apply(items, &mut world.resource_mut::<Replay>());
        });
    }

    /// One frame, in which payload `number` of the robots comes.
    fn frame(&mut self, number: usize, robots: &[&str]) {
        self.take(robots.iter().map(|robot| joints(robot, number)).collect());
        self.app.update();
    }

    fn playhead(&self) -> Playhead {
        *self.app.world().resource::<Playhead>()
    }

    fn replay(&self) -> &Replay {
        self.app.world().resource::<Replay>()
    }

    fn follows(&self) -> bool {
        self.app.world().resource::<Follow>().on
    }

    fn press(&mut self, key: KeyCode) {
        self.app.world_mut().resource_mut::<ButtonInput<KeyCode>>().press(key);
        self.app.update();
        let mut keys = self.app.world_mut().resource_mut::<ButtonInput<KeyCode>>();
        keys.release(key);
        keys.clear();
    }

    /// For each robot: whether it is shown, and whether it is grey.
    fn robots(&mut self) -> Vec<(bool, bool)> {
        let world = self.app.world_mut();
        let mut robots: Vec<_> = world.query::<(&ReplayRobot, &Stale)>().iter(world).map(|(r, s)| (r.index, r.links[0], s.0)).collect();
        robots.sort();
        robots.into_iter().map(|(_, link, stale)| (*world.get::<Visibility>(link).unwrap() != Visibility::Hidden, stale)).collect()
    }

    /// Every link of the robot stands where forward kinematics of this row puts it.
    #[track_caller]
    fn shows_row(&mut self, robot: usize, row: usize) {
        self.shows(robot, row_values(row), Translation3::new(0.0, 0.0, 0.88).into());
    }

    #[track_caller]
    fn shows(&mut self, robot: usize, [neck, waist, shoulder, elbow]: [f64; 4], station_from_base: Isometry3<f64>) {
        let world = self.app.world_mut();
        let links = world.query::<&ReplayRobot>().iter(world).find(|r| r.index == robot).unwrap().links.clone();
        let record = &world.resource::<Replay>().robots[robot];
        let mut q = vec![0.0; record.model.joints().len()];
        for (joint, value) in [("neck", neck), ("waist", waist), ("l_shoulder", shoulder), ("l_elbow", elbow)] {
            q[record.model.joint_index(&format!("{joint}_joint")).unwrap()] = value;
        }
        let mut poses = LinkPoses::default();
        record.model.link_poses(&q, &(record.world_from_station * station_from_base), &mut poses).unwrap();
        for (pose, link) in poses.iter().zip(&links) {
            let (expect, found) = (bevy_from_world(pose), *world.get::<Transform>(*link).unwrap());
            assert!(expect.translation.abs_diff_eq(found.translation, 1e-5), "robot {robot}: {expect:?}, found {found:?}");
            assert!(expect.rotation.angle_between(found.rotation) < 1e-3, "robot {robot}: {expect:?}, found {found:?}");
        }
    }
}

fn t_of(row: usize) -> i64 {
    START_NS + PERIOD_NS * i64::try_from(row).unwrap()
}

fn described(stream: &str, quantities: Vec<Quantity>) -> StreamDescription {
    let (stream, facts) = (stream.parse().unwrap(), Default::default());
    StreamDescription { stream, encoding: ENCODING_ARROW.into(), rate_hz: 500.0, clock: 1, quantities, facts }
}

/// Payload `number` of a robot's joints: ten rows of the synthetic motion.
fn joints(robot: &str, number: usize) -> PipeItem {
    let names = ELEMENTS.map(str::to_owned);
    let rows = number * ROWS..(number + 1) * ROWS;
    let t_ns: Vec<i64> = rows.clone().map(t_of).collect();
    let values = fixed_list::<Float64Type>(rows.flat_map(row_values).collect(), 4).unwrap();
    let payload = encode_rows(&described("joint", vec![Quantity::f64("pos", "rad", &names)]), &t_ns, vec![values]).unwrap();
    PipeItem {
        robot: Some(robot.parse().unwrap()),
        stream: Some("joint".parse().unwrap()),
        encoding: ENCODING_ARROW.to_owned(),
        boot: Some(1),
        seq: Some((number * ROWS) as u64),
        rows: 10,
        t_ns: t_ns[0],
        recv_ns: t_ns[0],
        payload,
        ..PipeItem::default()
    }
}

const BOTH: [&str; 2] = ["tin-01", "tin-02"];

#[test]
fn after_n_frames_every_link_stands_where_the_row_of_newest_less_delay_puts_it() {
    let mut live = Live::begin();
    for number in 0..40 {
        live.frame(number, &BOTH);
        let newest = t_of(number * ROWS + ROWS - 1);
        assert_eq!(live.playhead().t_ns, newest - DELAY_NS, "frame {number}");
        if let Some(row) = (number * ROWS + ROWS - 1).checked_sub(50) {
            live.shows_row(0, row);
            live.shows_row(1, row);
            assert_eq!(live.robots(), [(true, false); 2], "frame {number}");
        }
    }
    assert_eq!(live.replay().lanes.len(), 2);
}

#[test]
fn the_base_moves_the_robot_and_rows_of_a_wrong_clock_are_shifted() {
    let mut live = Live::begin();
    let turned = UnitQuaternion::from_euler_angles(0.0, 0.0, 0.7);
    for number in 0..12 {
        // The robot's clock is a minute ahead; the pipe says so.
        let ahead_ns = 60_000_000_000;
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let quantities =
            vec![Quantity::f64("position", "m", &names(&["x", "y", "z"])), Quantity::f64("rotation", "1", &names(&["x", "y", "z", "w"]))];
        let q = turned.coords;
        let columns = vec![
            fixed_list::<Float64Type>(vec![0.5, -0.25, 1.0], 3).unwrap(),
            fixed_list::<Float64Type>(vec![q.x, q.y, q.z, q.w], 4).unwrap(),
        ];
        let t_ns = t_of(number * ROWS) + ahead_ns;
        let payload = encode_rows(&described("base", quantities), &[t_ns], columns).unwrap();
        let joints = joints("tin-01", number);
        let base = PipeItem {
            stream: Some("base".parse().unwrap()),
            seq: Some(number as u64),
            rows: 1,
            t_ns,
            shift_ns: -ahead_ns,
            payload,
            ..joints.clone()
        };
        live.take(vec![base, joints]);
        live.app.update();
    }
    let row = 12 * ROWS - 1 - 50;
    assert_eq!(live.playhead().t_ns, t_of(row));
    live.shows(0, row_values(row), Isometry3::from_parts(Translation3::new(0.5, -0.25, 1.0), turned));
    assert_eq!(live.robots()[0], (true, false));
}

#[test]
fn robots_appear_when_they_come_and_strangers_are_named_once() {
    let mut live = Live::begin();
    assert_eq!(live.robots(), [(false, true); 2]);
    let mut notes = Vec::new();
    for number in 0..10 {
        live.take(vec![joints("tin-01", number), joints("stranger", number)]);
        notes.extend(live.app.world_mut().resource_mut::<LiveSource>().field.take_notes());
        live.app.update();
    }
    assert_eq!(live.robots(), [(true, false), (false, true)]);
    let strangers: Vec<&String> = notes.iter().filter(|note| note.contains("stranger")).collect();
    assert!(strangers.len() == 1 && strangers[0].contains("not shown"), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("tin-01") && note.contains("not sent") && note.contains("r_elbow")), "{notes:?}");
    for number in 10..20 {
        live.frame(number, &BOTH);
    }
    assert_eq!(live.robots(), [(true, false); 2]);
}

#[test]
fn lost_rows_and_restarts_are_gaps_where_the_robot_is_grey() {
    let mut live = Live::begin();
    for number in 0..10 {
        live.frame(number, &BOTH);
    }
    // Payloads 10 and 11 of the first robot are lost.
    live.frame(10, &["tin-02"]);
    live.frame(11, &["tin-02"]);
    for number in 12..16 {
        live.frame(number, &BOTH);
    }
    let gap = Gap { from_ns: t_of(99), to_ns: t_of(120), rows: Some(20), cause: None };
    assert_eq!((live.replay().lanes[0].gaps.as_slice(), live.replay().robots[0].track.gaps()), (&[gap][..], &[gap][..]));
    assert_eq!((live.replay().robots[0].lost_rows, live.replay().robots[1].lost_rows), (20, 0));
    assert_eq!(live.playhead().t_ns, t_of(109), "in the gap");
    live.shows_row(0, 99);
    assert_eq!(live.robots(), [(true, true), (true, false)]);
    // It starts again, and numbers from 0.
    for number in 20..30 {
        let mut again = joints("tin-01", number);
        (again.boot, again.seq) = (Some(2), Some(((number - 20) * ROWS) as u64));
        live.take(vec![again, joints("tin-02", number)]);
        live.app.update();
    }
    let restart = Gap { from_ns: t_of(159), to_ns: t_of(200), rows: None, cause: None };
    assert_eq!(live.replay().lanes[0].gaps, [gap, restart]);
    // What was there before is not there twice.
    let rows = live.replay().robots[1].track.rows();
    live.take(vec![joints("tin-02", 25)]);
    assert_eq!(live.replay().robots[1].track.rows(), rows);
}

#[test]
fn silence_greys_the_robots_and_the_end_is_said() {
    let mut live = Live::begin();
    for number in 0..20 {
        live.frame(number, &BOTH);
    }
    assert_eq!(live.robots(), [(true, false); 2]);
    // The delay, and the age from which a row is no state.
    for _ in 0..10 {
        live.app.update();
    }
    assert_eq!(live.robots(), [(true, false); 2], "200 ms of silence: the newest row is 100 ms old");
    live.app.update();
    assert_eq!(live.robots(), [(true, true); 2]);
    live.shows_row(0, 199);
    assert!(live.app.world().resource::<LiveSource>().ended.is_none());
    live.pipe = None;
    let begun = Instant::now();
    while live.app.world().resource::<LiveSource>().ended.is_none() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the end of the pipe is never noticed");
        live.app.update();
        std::thread::yield_now();
    }
    assert_eq!(live.app.world().resource::<LiveSource>().ended.as_deref(), Some("the pipe has ended"));
    live.shows_row(0, 199);
    assert_eq!(live.robots(), [(true, true); 2]);
    assert!(live.app.world().resource::<Follow>().age_secs().unwrap() > 0.2, "its age goes on");
}

#[test]
fn pausing_and_stepping_back_leave_live_and_keys_follow_again() {
    let mut live = Live::begin();
    for number in 0..60 {
        live.frame(number, &BOTH);
    }
    let there = live.playhead().t_ns;
    live.press(KeyCode::Space);
    assert_eq!((live.playhead().t_ns, live.playhead().playing, live.follows()), (there, false, false));
    for number in 60..80 {
        live.frame(number, &BOTH);
    }
    assert_eq!(live.playhead().t_ns, there, "what comes does not move it");
    live.press(KeyCode::ArrowLeft);
    assert_eq!(live.playhead().t_ns, there - 1_000_000_000);
    live.shows_row(0, 599 - 50 - 500);
    for key in [KeyCode::KeyF, KeyCode::End] {
        live.press(KeyCode::ArrowLeft);
        assert!(!live.follows());
        live.press(key);
        assert!(live.follows() && live.playhead().playing);
        let follow = live.app.world().resource::<Follow>();
        assert!((follow.behind_secs(live.playhead().t_ns).unwrap() - 0.1).abs() < 1e-6, "{key:?}");
    }
}

#[test]
fn what_is_held_is_bounded_in_time_and_bytes() {
    let second_ns = 1_000_000_000;
    let mut live = Live::with_limits(RingLimits { hold_ns: second_ns, bytes_max: usize::MAX });
    for number in 0..400 {
        live.frame(number, &BOTH);
        let (track, lane) = (&live.replay().robots[0].track, &live.replay().lanes[0]);
        assert_eq!(track.rows(), lane.instants.as_slice().len());
        assert!(track.rows() <= 500 + 1000 + ROWS, "{} rows are more than 3 s", track.rows());
    }
    live.shows_row(0, 3999 - 50);
    let oldest = live.replay().robots[0].track.t_ns()[0];
    assert!(oldest >= t_of(2490), "{}", (oldest - START_NS) / PERIOD_NS);

    // A row of four joints takes 56 bytes here.
    let mut live = Live::with_limits(RingLimits { hold_ns: 60 * second_ns, bytes_max: 2 * 300 * 56 });
    for number in 0..200 {
        live.frame(number, &BOTH);
        let rows: usize = live.replay().robots.iter().map(|record| record.track.rows()).sum();
        assert!(rows <= 600 + 2 * ROWS, "{rows} rows");
    }
    live.shows_row(1, 1999 - 50);
}

/// Event `seq` of the first robot, at a row's instant.
fn event(seq: u64, row: usize, words: &str) -> PipeItem {
    PipeItem {
        robot: Some("tin-01".parse().unwrap()),
        stream: Some("event".parse().unwrap()),
        encoding: ENCODING_JSON.to_owned(),
        boot: Some(1),
        seq: Some(seq),
        rows: 1,
        t_ns: t_of(row),
        recv_ns: t_of(row),
        payload: words.as_bytes().to_vec(),
        ..PipeItem::default()
    }
}

#[test]
fn events_of_a_running_robot_are_marks_that_one_can_jump_to() {
    let mut live = Live::begin();
    for number in 0..100 {
        live.frame(number, &BOTH);
    }
    // The later one comes first: another robot's way may be shorter.
    let stranger = PipeItem { robot: Some("tin-02".parse().unwrap()), ..event(0, 800, r#"{"text":"放下"}"#) };
    live.take(vec![stranger, event(0, 300, r#"{"text":"抓取"}"#), event(0, 300, "twice"), event(1, 600, "{}")]);
    let marks = |live: &Live| live.replay().marks.iter().map(|mark| (mark.t_ns, mark.text.clone())).collect::<Vec<_>>();
    let expect = [(t_of(300), r#"tin-01: {"text":"抓取"}"#), (t_of(600), "tin-01: {}"), (t_of(800), r#"tin-02: {"text":"放下"}"#)];
    assert_eq!(marks(&live), expect.map(|(t_ns, text)| (t_ns, text.to_owned())));
    assert!(live.replay().marks.iter().all(|mark| mark.kind == MarkKind::Event));
    for row in [800, 600, 300] {
        live.press(KeyCode::BracketLeft);
        assert_eq!(live.playhead().t_ns, t_of(row));
        live.shows_row(0, row);
    }
    live.press(KeyCode::BracketRight);
    assert_eq!((live.playhead().t_ns, live.follows()), (t_of(600), false));

    let wrong = PipeItem { payload: vec![0xff, 0xfe], ..event(2, 700, "") };
    let other = PipeItem { encoding: "application/cdr".to_owned(), ..event(3, 700, "no text") };
    live.take(vec![wrong, other]);
    let notes = live.app.world_mut().resource_mut::<LiveSource>().field.take_notes().join("\n");
    assert!(notes.contains("tin-01 event: an event that is no text"), "{notes}");
    assert_eq!(marks(&live).len(), 3);
    // Its clock steps back: what it said before has no place any more, what others said has.
    live.take(vec![event(4, 10, "back")]);
    assert_eq!(marks(&live).into_iter().map(|(_, text)| text).collect::<Vec<_>>(), ["tin-01: back", "tin-02: {\"text\":\"放下\"}"]);
}

#[test]
fn marks_of_a_running_field_are_bounded() {
    let mut live = Live::with_limits(RingLimits { hold_ns: 1_000_000_000, bytes_max: usize::MAX });
    live.take((0..EVENT_MARKS_MAX + 50).map(|seq| event(seq as u64, seq / 100, &seq.to_string())).collect());
    let texts = |live: &Live| live.replay().marks.iter().map(|mark| mark.text.clone()).collect::<Vec<_>>();
    assert_eq!(live.replay().marks.len(), EVENT_MARKS_MAX);
    assert!(!texts(&live).contains(&"tin-01: 49".to_owned()) && texts(&live).contains(&"tin-01: 50".to_owned()), "the oldest go");
    let notes = live.app.world_mut().resource_mut::<LiveSource>().field.take_notes().join("\n");
    assert!(notes.contains("more than 4096 events"), "{notes}");
    live.take(vec![event(9000, 1100, "late")]);
    for number in 0..160 {
        live.frame(number, &["tin-01"]);
    }
    assert_eq!(texts(&live), ["tin-01: late"], "what is older than what is held goes");
}

#[test]
fn a_robot_is_complete_when_what_it_says_it_sends_has_come() {
    let mut live = Live::begin();
    let complete = |live: &Live| live.app.world().resource::<LiveSource>().field.is_complete(live.replay());
    live.take(vec![joints("tin-01", 0)]);
    assert!(!complete(&live), "it has not said what its rows are");
    let says = |stream: &str| PipeItem {
        kind: PipeKind::Described,
        stream: Some(stream.parse().unwrap()),
        payload: b"rate_hz=500".to_vec(),
        ..joints("tin-01", 0)
    };
    live.take(vec![says("joint")]);
    assert!(complete(&live), "of the other nothing has come: it need not say anything");
    live.take(vec![says("motor")]);
    assert!(!complete(&live));
    live.take(vec![PipeItem { stream: Some("motor".parse().unwrap()), ..joints("tin-01", 0) }]);
    assert!(complete(&live));
}

#[test]
fn a_clock_that_stepped_back_begins_anew() {
    let mut live = Live::begin();
    for number in 500..520 {
        live.frame(number, &["tin-01"]);
    }
    for number in 0..20 {
        let mut back = joints("tin-01", number);
        back.seq = Some(((number + 520) * ROWS) as u64);
        live.take(vec![back]);
        live.app.update();
    }
    assert_eq!(live.playhead().t_ns, t_of(199) - DELAY_NS);
    live.shows_row(0, 149);
    assert_eq!(live.replay().robots[0].track.rows(), 200);
}

#[test]
fn what_does_not_fit_is_said_and_changes_nothing() {
    let mut live = Live::begin();
    live.frame(0, &["tin-01"]);
    let wrong = |change: fn(&mut PipeItem)| {
        let mut item = joints("tin-01", 1);
        change(&mut item);
        item
    };
    live.take(vec![
        wrong(|item| item.payload.truncate(100)),
        wrong(|item| item.rows = 9),
        wrong(|item| item.encoding = "application/cdr".to_owned()),
        PipeItem { kind: PipeKind::Trouble, payload: b"sample checksum".to_vec(), ..joints("tin-02", 0) },
        PipeItem { kind: PipeKind::Pulse, dropped: 7, ..PipeItem::default() },
    ]);
    let notes = live.app.world_mut().resource_mut::<LiveSource>().field.take_notes().join("\n");
    for part in ["tin-01 joint: rows cannot be shown", "the header says 9 rows, the payload has 10", "tin-02 joint", "sample checksum"] {
        assert!(notes.contains(part), "{part:?} is not in {notes}");
    }
    assert_eq!(live.replay().robots[0].track.rows(), ROWS);
    assert_eq!(live.app.world().resource::<LiveSource>().field.dropped(), 7);
}

#[test]
fn a_filming_camera_is_exact_to_the_frame_also_when_pictures_are_forgotten() {
    let golden = golden();
    let FrameSource::Film(path) = &golden.cameras[0].source else { panic!("the golden camera is a film") };
    let reader = Mp4Reader::open(path).unwrap();
    let units: Vec<Vec<u8>> = (0..reader.len()).map(|frame| reader.frame(frame).unwrap()).collect();
    let folder = tempfile::tempdir().unwrap();
    let LiveStage { mut replay, field, .. } = staged(folder.path());
    let mut field = field.with_limits(RingLimits { hold_ns: 1_000_000_000, bytes_max: usize::MAX });
    let mut push = |replay: &mut Replay, number: usize| {
        let t_ns = START_NS + 33_000_000 * i64::try_from(number).unwrap();
        let payload = units[number % units.len()].clone();
        field.apply(
            vec![PipeItem {
                stream: Some("camera/head".parse().unwrap()),
                encoding: "video/h264".to_owned(),
                seq: Some(number as u64),
                rows: 1,
                keyframe: sanqu_wire::h264::is_keyframe(&payload),
                t_ns,
                payload,
                ..joints("tin-01", 0)
            }],
            replay,
        );
    };
    (0..40).for_each(|number| push(&mut replay, number));
    let library = Library::open(Vec::new()).unwrap();
    library.add(replay.cameras[0].source.clone());
    let number = |library: &Library, picture: usize| {
        let shot = library.wait(0, picture).unwrap();
        shot.as_ref().as_ref().map(number_of).map_err(String::clone)
    };
    assert_eq!(number(&library, replay.cameras[0].picture(17)), Ok(Some(17)));
    let total = 160;
    (40..total).for_each(|number| push(&mut replay, number));
    let (camera, lane) = (&replay.cameras[0], &replay.lanes[replay.cameras[0].lane]);
    let first = camera.picture(0);
    assert!(first > 0 && first + lane.instants.as_slice().len() == total, "{first} were forgotten");
    let newest = total - 1;
    assert_eq!(camera.row(newest), Some(lane.instants.as_slice().len() - 1));
    assert_eq!(number(&library, newest), Ok(u32::try_from(newest % units.len()).ok()));
    let error = number(&library, first - 1).unwrap_err();
    assert!(error.contains("not held"), "{error}");
    // Stills stand alone.
    let film = Arc::new(LiveFilm::default());
    film.push(LiveEncoding::Jpeg, false, b"no picture");
    let library = Library::open(vec![FrameSource::Live(film)]).unwrap();
    assert!(number(&library, 0).unwrap_err().contains("JPEG"));
}
