//! The drives of a robot that is running: what a recording of the same rows would show, and nothing that was not sent.

use std::time::Duration;

use arrow_array::types::Float64Type;
use bevy::MinimalPlugins;
use bevy::app::App;
use bevy::prelude::{Mut, TransformPlugin};
use bevy::time::TimeUpdateStrategy;
use sanqu_model::{FieldConfig, Quantity, StreamDescription};
use sanqu_replay::inspector::{Figure, figures};
use sanqu_replay::lang::Lang;
use sanqu_replay::live::{Follow, Inbox, LivePlugin, LiveSource, LiveStage, RingLimits, stage};
use sanqu_replay::load::LoadOptions;
use sanqu_replay::replay::Replay;
use sanqu_replay::robots::RobotsPlugin;
use sanqu_replay::timeline::{Playhead, TimelinePlugin};
use sanqu_replay::xray::{Log, Moment, RotorSource, Subject, Xray, XrayPlugin, find_joint, notes};
use sanqu_wire::pipe::{PipeItem, PipeKind};
use sanqu_wire::{ENCODING_ARROW, encode_rows, fixed_list};

use crate::drives::{GAP_ROW, GAP_ROWS, PERIOD_NS, ROWS, TABLE, stand, telemetry, urdf};
use crate::synthetic::{FIELD, START_NS};

/// Rows of a payload; one payload comes in a frame.
const PAYLOAD_ROWS: usize = 10;
const FRAME_NS: i64 = PERIOD_NS * 10;

struct Live {
    app: App,
    /// Keeps the pipe open.
    _pipe: std::io::PipeWriter,
    _folder: tempfile::TempDir,
}

impl Live {
    /// Looks into a joint of a robot that has sent nothing yet.
    fn begin(joint: &str, limits: RingLimits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stand.urdf");
        std::fs::write(&file, urdf()).unwrap();
        std::fs::write(file.with_file_name("drives.toml"), TABLE).unwrap();
        let options = LoadOptions { urdfs: vec![("tin".to_owned(), file)], ..LoadOptions::default() };
        let LiveStage { replay, field, .. } = stage(FieldConfig::parse(FIELD).unwrap(), &options).unwrap();
        let (reader, pipe) = std::io::pipe().unwrap();
        let joint = find_joint(&replay, &format!("tin-01:{joint}")).unwrap();
        let mut app = App::new();
        app.add_plugins((MinimalPlugins, TransformPlugin))
            .insert_resource(TimeUpdateStrategy::ManualDuration(Duration::from_nanos(FRAME_NS.cast_unsigned())))
            .insert_resource(Playhead::new(0, 0))
            // Longer than the gap: while nothing has come behind a gap, nobody knows that it is one.
            .insert_resource(Follow::new(0.3))
            .insert_resource(LiveSource::of_inbox(Inbox::read(reader).unwrap(), field.with_limits(limits)))
            .insert_resource(Xray { joint: Some(joint), at_once: true })
            .insert_resource(replay)
            .add_plugins((TimelinePlugin, RobotsPlugin, XrayPlugin, LivePlugin));
        app.update();
        Self { app, _pipe: pipe, _folder: folder }
    }

    /// One frame, in which these come; what is said of them.
    fn frame(&mut self, items: Vec<PipeItem>) -> String {
        let notes = self.app.world_mut().resource_scope(|world, mut source: Mut<'_, LiveSource>| {
            source.field.apply(items, &mut world.resource_mut::<Replay>());
            source.field.take_notes()
        });
        self.app.update();
        notes.join("\n")
    }

    /// Rows of the motors that the x-ray holds, and those of their lane.
    fn rows(&self) -> (usize, usize) {
        let lanes = &self.app.world().resource::<Replay>().lanes;
        let lane = lanes.iter().find(|lane| lane.stream == "motor").map_or(0, |lane| lane.instants.as_slice().len());
        let shown = self.app.world().resource::<Subject>().shown.as_ref().unwrap();
        (shown.telemetry.motor.as_ref().map_or(0, Log::rows), lane)
    }
}

/// Figures and notes of the joint that is looked into.
fn told(app: &App, lang: Lang) -> (Vec<Figure>, Vec<String>) {
    let world = app.world();
    let (replay, subject, moment) = (world.resource::<Replay>(), world.resource::<Subject>(), world.resource::<Moment>());
    (figures(replay, subject.shown.as_ref().unwrap(), moment, lang), notes(replay, subject, moment, (1.0, 50.0), lang))
}

fn row_at(row: usize) -> i64 {
    START_NS + PERIOD_NS * i64::try_from(row).unwrap()
}

fn pipe_item(stream: &str, seq: usize) -> PipeItem {
    PipeItem {
        robot: Some("tin-01".parse().unwrap()),
        stream: Some(stream.parse().unwrap()),
        encoding: ENCODING_ARROW.to_owned(),
        boot: Some(1),
        seq: Some(seq as u64),
        t_ns: row_at(seq),
        recv_ns: row_at(seq),
        ..PipeItem::default()
    }
}

/// The rows of a log whose numbers lie in a span, as a robot sends them: one payload for each run of numbers.
fn payloads(stream: &str, log: &Log, quantities: &[&str], numbers: std::ops::Range<usize>) -> Vec<PipeItem> {
    let number = |row: usize| usize::try_from((log.t_ns(row).unwrap() - START_NS) / PERIOD_NS).unwrap();
    let rows: Vec<usize> = (0..log.rows()).filter(|row| numbers.contains(&number(*row))).collect();
    let payload = |rows: &[usize]| {
        let described: Vec<Quantity> = quantities.iter().map(|name| Quantity::f64(name, log.unit(name).unwrap(), &log.names)).collect();
        let values = |name: &&str| {
            let of_row = |row: &usize| (0..log.names.len()).map(|element| log.value(name, element, *row).unwrap()).collect::<Vec<_>>();
            fixed_list::<Float64Type>(rows.iter().flat_map(of_row).collect(), log.names.len()).unwrap()
        };
        let t_ns: Vec<i64> = rows.iter().map(|row| log.t_ns(*row).unwrap()).collect();
        let description = StreamDescription {
            stream: stream.parse().unwrap(),
            encoding: ENCODING_ARROW.into(),
            rate_hz: 250.0,
            clock: 1,
            quantities: described,
            facts: Default::default(),
        };
        let payload = encode_rows(&description, &t_ns, quantities.iter().map(values).collect()).unwrap();
        PipeItem { rows: u32::try_from(rows.len()).unwrap(), payload, ..pipe_item(stream, number(rows[0])) }
    };
    rows.chunk_by(|a, b| number(*b) == number(*a) + 1).map(payload).collect()
}

/// Payload `number` of motors and joints, with these quantities of the motors.
fn both(number: usize, motor: &[&str]) -> Vec<PipeItem> {
    let (all, rows) = (telemetry(), number * PAYLOAD_ROWS..(number + 1) * PAYLOAD_ROWS);
    let mut items = payloads("motor", all.motor.as_ref().unwrap(), motor, rows.clone());
    items.extend(payloads("joint", all.joint.as_ref().unwrap(), &["pos", "effort"], rows));
    items
}

const ALL: [&str; 4] = ["pos", "vel", "torque", "current"];

#[track_caller]
fn as_recorded(joint: &str) {
    let mut live = Live::begin(joint, RingLimits::default());
    let payload = b"rate_hz=250\ntorque_side=rotor".to_vec();
    live.frame(vec![PipeItem { kind: PipeKind::Described, payload, ..pipe_item("motor", 0) }]);
    let mut recorded = crate::xray::stage(stand(telemetry()), joint);
    let (mut compared, mut in_gap) = (0, 0);
    for number in 0..ROWS / PAYLOAD_ROWS {
        live.frame(both(number, &ALL));
        let t_ns = live.app.world().resource::<Playhead>().t_ns;
        if t_ns < START_NS {
            continue;
        }
        recorded.world_mut().resource_mut::<Playhead>().t_ns = t_ns;
        recorded.update();
        let [mine, theirs] = [&live.app, &recorded].map(|app| app.world().resource::<Moment>());
        assert_eq!(mine.drives, theirs.drives, "payload {number}");
        let (mut figures, notes) = told(&recorded, Lang::En);
        figures.iter_mut().for_each(|figure| figure.name = figure.name.replace("· recorded", "· received"));
        assert_eq!(told(&live.app, Lang::En), (figures, notes), "payload {number}");
        let gap = row_at(GAP_ROW) + 1..row_at(GAP_ROW + GAP_ROWS + 1);
        assert_eq!(mine.is_stale(0), gap.contains(&t_ns), "payload {number}");
        in_gap += usize::from(mine.is_stale(0));
        compared += 1;
    }
    assert!(compared > 60 && in_gap >= 4, "{compared} instants, {in_gap} in the gap");
}

#[test]
fn a_running_drive_shows_what_its_recording_would() {
    as_recorded("waist");
}

#[test]
fn a_running_joint_of_two_motors_shows_what_its_recording_would() {
    as_recorded("pitch");
}

#[test]
fn a_motor_that_is_not_sent_is_computed_and_said_to_be() {
    let mut live = Live::begin("waist", RingLimits::default());
    for number in 0..20 {
        live.frame(both(number, &ALL).split_off(1));
    }
    let moment = live.app.world().resource::<Moment>();
    assert_eq!((moment.drives[0].source, moment.is_stale(0), moment.drives[0].held), (RotorSource::Computed, false, None));
    let (lines, notes) = told(&live.app, Lang::En);
    assert!(notes.iter().any(|note| note == "· the motor is not sent: its angle is computed from the joint"), "{notes:?}");
    assert!(!notes.join("\n").contains("record") && lines.iter().all(|line| !line.name.contains("record")), "{notes:?} {lines:?}");
    assert!(lines.iter().any(|line| line.name == "wind-up" && line.value == "- (no motor rows)"), "{lines:?}");
    let torque = |line: &Figure| line.name == "torque" && line.value == "12.00 N·m";
    assert!(lines.iter().any(torque), "the joint's own torque is shown: {lines:?}");
    let (_, notes) = told(&live.app, Lang::Zh);
    assert!(notes.iter().any(|note| note == "· 电机数据未发送：转角由关节计算"), "{notes:?}");
}

#[test]
fn what_is_not_sent_is_not_shown_and_other_quantities_begin_anew() {
    let mut live = Live::begin("waist", RingLimits::default());
    let mut said = String::new();
    for number in 0..20 {
        said += &live.frame(both(number, &["pos"]));
    }
    assert!(!said.contains("quantities"), "{said}");
    let (lines, _) = told(&live.app, Lang::En);
    let line = |lines: &[Figure], name: &str| lines.iter().find(|line| line.name == name).cloned();
    assert_eq!((line(&lines, "current"), line(&lines, "rotor torque"), line(&lines, "temperature")), (None, None, None), "{lines:?}");
    assert_eq!(line(&lines, "efficiency").unwrap().value, "- (no torques)");
    assert_eq!(live.rows(), (200, 200));
    let said = live.frame(both(20, &ALL));
    assert_eq!(live.rows(), (10, 210), "rows of other quantities are not those before");
    assert!(said.contains("tin-01 motor: its quantities have changed"), "{said}");
    for number in 21..30 {
        live.frame(both(number, &ALL));
    }
    assert_eq!(live.rows(), (100, 300));
    let (lines, _) = told(&live.app, Lang::En);
    assert_eq!(line(&lines, "current").unwrap().value, "9.50 A", "{lines:?}");
    assert_eq!(line(&lines, "torque (side?)").unwrap().limit, "", "nobody has said on which side: {lines:?}");
}

#[test]
fn rows_of_drives_are_bounded_in_time_and_bytes() {
    let mut live = Live::begin("waist", RingLimits { hold_ns: 400_000_000, bytes_max: usize::MAX });
    for number in 0..ROWS / PAYLOAD_ROWS {
        live.frame(both(number, &ALL));
        let (held, lane) = live.rows();
        assert_eq!(held, lane, "payload {number}");
    }
    let (held, _) = live.rows();
    assert!(held < 650, "{held} rows of 700");
    let held = live.app.world().resource::<Subject>().shown.as_ref().unwrap().telemetry.motor.clone().unwrap();
    assert_eq!(held.t_ns(held.rows() - 1), Some(row_at(ROWS - 1)));
    let truth = telemetry().motor.unwrap();
    let last = truth.pick(&held.names).unwrap().value("pos", 0, truth.rows() - 1);
    assert_eq!(held.value("pos", 0, held.rows() - 1), last, "values stay with their rows");

    // A row of seven motors has 28 values of 8 bytes, one of the joints 14, and their positions once more.
    let row_bytes = 24 + 28 * 8 + 24 + 14 * 8 + 7 * 8;
    let mut live = Live::begin("waist", RingLimits { hold_ns: i64::MAX / 4, bytes_max: 100 * row_bytes });
    for number in 0..40 {
        live.frame(both(number, &ALL));
        assert!(live.rows().1 <= 100 + PAYLOAD_ROWS, "{:?} rows", live.rows());
    }
}
