//! What an x-ray shows is what was recorded: angles, travel, rod ends, and that nothing is shown where nothing is known.

use std::f64::consts::TAU;
use std::path::Path;
use std::time::Duration;

use bevy::MinimalPlugins;
use bevy::app::App;
use bevy::asset::Handle;
use bevy::input::ButtonInput;
use bevy::input::keyboard::KeyCode;
use bevy::input::mouse::MouseButton;
use bevy::math::Vec3;
use bevy::prelude::{Transform, TransformPlugin};
use bevy::time::TimeUpdateStrategy;
use bevy::transform::components::GlobalTransform;
use sanqu_replay::bar::Focus;
use sanqu_replay::inspector::{Level, PickingPlugin, figures};
use sanqu_replay::lang::Lang;
use sanqu_replay::load::{LoadOptions, load};
use sanqu_replay::replay::Replay;
use sanqu_replay::robots::{ReplayRobot, RobotsPlugin};
use sanqu_replay::scene::ReplayFont;
use sanqu_replay::timeline::{Playhead, TimelinePlugin};
use sanqu_replay::track::Blend;
use sanqu_replay::xray::{Moment, PartName, RotorSource, Subject, Telemetry, Xray, XrayPart, XrayPlugin, find_joint, notes};

use crate::drives::{GAP_ROW, GAP_ROWS, PERIOD_NS, ROWS, joints, model, motors, stand, table, telemetry, windup, wrapped};
use crate::synthetic::START_NS;

/// One frame: five rows.
const FRAME_NS: i64 = 20_000_000;

pub(crate) fn stage(replay: Replay, joint: &str) -> App {
    let playhead = Playhead::new(replay.start_ns, replay.end_ns);
    let joint = find_joint(&replay, joint).unwrap();
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, TransformPlugin))
        .insert_resource(TimeUpdateStrategy::ManualDuration(Duration::from_nanos(FRAME_NS.cast_unsigned())))
        .insert_resource(playhead)
        .insert_resource(Xray { joint: Some(joint), at_once: true })
        .insert_resource(replay)
        .add_plugins((TimelinePlugin, RobotsPlugin, XrayPlugin));
    // bevy's first frame has no duration.
    app.update();
    app
}

fn go(app: &mut App, t_ns: i64) {
    app.world_mut().resource_mut::<Playhead>().t_ns = t_ns;
    app.update();
}

fn at(row: usize) -> i64 {
    START_NS + PERIOD_NS * i64::try_from(row).unwrap()
}

/// A part's place in its gear's or linkage's frame, and in the world.
fn part(app: &mut App, drive: usize, name: PartName) -> (Transform, Transform) {
    let world = app.world_mut();
    let mut parts = world.query::<(&XrayPart, &Transform, &GlobalTransform)>();
    let found = parts.iter(world).find(|(part, ..)| **part == XrayPart { drive, name });
    let (_, local, global) = found.unwrap_or_else(|| panic!("no {name:?}"));
    (*local, global.compute_transform())
}

/// z up, as the robot has it.
fn robot_axes(v: Vec3) -> [f64; 3] {
    [f64::from(v.x), f64::from(-v.z), f64::from(v.y)]
}

/// How far a part is turned about the axis of its gear, rad.
fn spin(local: &Transform) -> f64 {
    let [x, y, _] = robot_axes(local.rotation * Vec3::X);
    y.atan2(x)
}

/// In which direction from the gear's axis a part is, rad.
fn bearing(local: &Transform) -> f64 {
    let [x, y, _] = robot_axes(local.translation);
    y.atan2(x)
}

#[track_caller]
fn near(found: f64, expect: f64, what: &str) {
    let off = wrapped(found - expect);
    assert!(off.abs() < 2e-4, "{what}: {found}, expected {expect}, off by {off}");
}

#[test]
fn after_n_frames_the_wave_generator_stands_where_the_motor_was_recorded() {
    let mut app = stage(stand(telemetry()), "waist");
    app.world_mut().resource_mut::<Playhead>().playing = true;
    let (table, model) = (table(), model());
    let train = sanqu_robot::Drivetrain::new(&table, &model).unwrap();
    for frame in 1..=40 {
        app.update();
        let row = 5 * frame;
        // The waist's axis is the world's z and its parent does not move: world angles are angles about the joint's axis.
        let world = |app: &mut App, name: PartName| {
            let [x, y, _] = robot_axes(part(app, 0, name).1.rotation * Vec3::X);
            y.atan2(x)
        };
        let motor = motors(&train, &table, row)[0];
        near(world(&mut app, PartName::WaveGenerator), motor, "the motor counts like the axis: sign -1 with a fixed circular spline");
        near(motor, -50.0 * (joints(row)[0] + windup(0, row)), "and turns fifty times as far against the joint");
        near(world(&mut app, PartName::FlexsplineWall), motor, "the flexspline's shape follows the wave generator");
        near(world(&mut app, PartName::Flange), joints(row)[0], "its material follows the joint");
        near(world(&mut app, PartName::CircularSpline), 0.0, "the circular spline is fixed");
        // A tooth is at most w0/2r from where the undeformed material has it: 0.01 rad for 50:1.
        let place = part(&mut app, 0, PartName::FlexsplineTooth(0)).1.translation - part(&mut app, 0, PartName::Flange).1.translation;
        let [x, y, _] = robot_axes(place);
        assert!(wrapped(y.atan2(x) - joints(row)[0]).abs() < 0.0101, "tooth 0 at {}, joint at {}", y.atan2(x), joints(row)[0]);
    }
}

#[test]
fn teeth_of_the_flexspline_are_out_on_the_major_axis_and_in_on_the_minor_one() {
    let mut app = stage(stand(telemetry()), "waist");
    go(&mut app, at(77));
    let major = spin(&part(&mut app, 0, PartName::WaveGenerator).0);
    let mut extremes = [0.0_f64, 1.0];
    for tooth in 0..100 {
        let place = part(&mut app, 0, PartName::FlexsplineTooth(tooth)).0;
        let [x, y, _] = robot_axes(place.translation);
        let expect = 0.03 + 0.03 * 0.1 * (2.0 * (y.atan2(x) - major)).cos();
        assert!((x.hypot(y) - expect).abs() < 1e-4, "tooth {tooth}: {} m from the axis, expected {expect}", x.hypot(y));
        extremes = [extremes[0].max(x.hypot(y)), extremes[1].min(x.hypot(y))];
    }
    assert!((extremes[0] - 0.033).abs() < 2e-5 && (extremes[1] - 0.027).abs() < 2e-5, "{extremes:?}");
}

#[test]
fn planets_orbit_with_the_carrier_and_roll_on_sun_and_ring() {
    for (joint, drive, stages) in [("hip", 1, vec![(24.0, 24.0, 72.0)]), ("hip_two", 2, vec![(12.0, 24.0, 60.0), (24.0, 12.0, 48.0)])] {
        let mut app = stage(stand(telemetry()), joint);
        let (table, model) = (table(), model());
        let train = sanqu_robot::Drivetrain::new(&table, &model).unwrap();
        let facing = app.world().resource::<Subject>().shown.as_ref().unwrap().facings[0];
        for row in [3, 111, 312] {
            go(&mut app, at(row));
            // The motor of the second counts backwards.
            let mut input = facing * table.drives()[drive].sign * motors(&train, &table, row)[drive];
            for (stage, (sun, planet, ring)) in (0..).zip(&stages) {
                near(spin(&part(&mut app, 0, PartName::Sun(stage)).0), input, "sun");
                let carrier = input / (1.0 + ring / sun);
                near(spin(&part(&mut app, 0, PartName::Carrier(stage)).0), carrier, "carrier");
                near(spin(&part(&mut app, 0, PartName::Ring(stage)).0), 0.0, "ring");
                let wheels = [0, 1].map(|number| part(&mut app, 0, PartName::Planet(stage, number)).0);
                near(bearing(&wheels[0]), carrier, "planet 0 is on the carrier's first arm");
                // Put in so that a tooth stands opposite to the sun's gap; from there it rolls on the ring.
                let rolled = carrier - (input - carrier) * sun / planet;
                let put_in = std::f64::consts::PI - 0.5 * TAU / planet;
                near(spin(&wheels[0]), rolled + put_in, "planet");
                input = carrier;
            }
            near(input, facing * (joints(row)[drive] + windup(drive, row)), "the last carrier is the joint, but for the wind-up");
        }
    }
}

#[test]
fn the_nut_travels_by_the_lead_and_rollers_orbit_and_spin() {
    let mut app = stage(stand(telemetry()), "knee");
    let (table, model) = (table(), model());
    let train = sanqu_robot::Drivetrain::new(&table, &model).unwrap();
    let mut seen = Vec::new();
    for row in [20, 33] {
        go(&mut app, at(row));
        let motor = motors(&train, &table, row)[3];
        near(spin(&part(&mut app, 0, PartName::Screw).0), motor, "screw");
        let roller = part(&mut app, 0, PartName::Roller(0)).0;
        near(bearing(&roller), 0.375 * motor, "a roller orbits with (k)/(2k+2) of the screw");
        near(spin(&roller), -1.5 * motor, "and spins with k + 1 less than that");
        let nut = part(&mut app, 0, PartName::Nut).0;
        assert_eq!(nut.translation.y.to_bits(), roller.translation.y.to_bits(), "rollers stay with the nut");
        let tube = part(&mut app, 0, PartName::Tube).0;
        seen.push((motor, f64::from(nut.translation.y), f64::from(tube.translation.y)));
    }
    let [(motor, nut, tube), (motor_later, nut_later, tube_later)] = seen[..] else { panic!() };
    let expect = 0.005 / TAU * (motor_later - motor);
    assert!(expect.abs() > 2e-3 && (nut_later - nut - expect).abs() < 1e-6, "the nut moved {}, expected {expect}", nut_later - nut);
    assert!((tube_later - tube - expect).abs() < 1e-4, "the joint moved along, but for play: {}", tube_later - tube);
}

/// Ends of rods, cranks and sockets of both legs at one instant: crank tip off the rod's end, and the socket in the foot's frame.
fn ankle(app: &mut App, foot: usize) -> [(f32, Vec3, f32); 2] {
    let robot = {
        let world = app.world_mut();
        let mut robots = world.query::<&ReplayRobot>();
        let shown = world.resource::<Subject>().shown.as_ref().unwrap().joint.robot;
        robots.iter(world).find(|robot| robot.index == shown).unwrap().links[foot]
    };
    let foot = app.world().get::<GlobalTransform>(robot).unwrap().affine().inverse();
    [0, 1].map(|drive| {
        let ends = |bar: &Transform| [-0.5, 0.5].map(|share| bar.transform_point(Vec3::Y * share));
        let (crank, rod) = (part(app, drive, PartName::Crank).1, part(app, drive, PartName::Rod).1);
        let joints = [0, 1].map(|end| part(app, drive, PartName::RodEnd(end)).1.translation);
        let horn = ends(&part(app, drive, PartName::Horn).1)[1];
        let off = [ends(&crank)[1] - joints[0], ends(&rod)[0] - joints[0], ends(&rod)[1] - joints[1], horn - joints[1]];
        let worst = off.iter().map(|off| off.length()).fold(0.0, f32::max);
        (worst, foot.transform_point3(joints[1]), joints[0].distance(joints[1]))
    })
}

#[track_caller]
fn rods_stay_on_their_joints(mut app: App, foot: usize, times: impl Iterator<Item = i64>, moved_m: f32) {
    let first = ankle(&mut app, foot);
    let mut swing = 0.0_f32;
    let start = part(&mut app, 0, PartName::RodEnd(1)).0.translation;
    for t_ns in times {
        go(&mut app, t_ns);
        assert_eq!(app.world().resource::<Moment>().problem, None);
        for (leg, (now, first)) in ankle(&mut app, foot).iter().zip(&first).enumerate() {
            assert!(now.0 < 1e-4, "leg {leg}: bars are {} m off their joints", now.0);
            assert!(now.1.distance(first.1) < 1e-4, "leg {leg}: the socket moved {} m on the foot", now.1.distance(first.1));
            assert!((now.2 - first.2).abs() < 1e-4, "leg {leg}: the rod is {} m long, was {}", now.2, first.2);
        }
        swing = swing.max(part(&mut app, 0, PartName::RodEnd(1)).0.translation.distance(start));
    }
    assert!(swing > moved_m, "the rods moved {swing} m only: nothing was tested");
}

#[test]
fn rod_ends_stay_on_their_joints_along_a_whole_episode() {
    let replay = stand(telemetry());
    let foot = replay.robots[0].model.link_index("roll_link").unwrap();
    rods_stay_on_their_joints(stage(replay, "pitch"), foot, (0..ROWS).step_by(3).map(at), 0.02);
}

#[test]
fn rod_ends_of_a_recorded_kuavo_stay_on_their_joints() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let options = LoadOptions {
        episodes: vec!["last".to_owned()],
        store: Some(repository.join("recordings/golden/v1/store")),
        assets: vec![repository.join("assets")],
        ..LoadOptions::default()
    };
    let replay = load(&options).unwrap().replay;
    let record = replay.robots.iter().find(|record| record.robot.as_str() == "kuavo-01").unwrap();
    let foot = record.model.link_index("leg_r6_link").unwrap();
    let times: Vec<i64> = record.track.t_ns().to_vec();
    rods_stay_on_their_joints(stage(replay, "kuavo-01:leg_r5"), foot, times.into_iter(), 2e-4);
}

#[test]
fn a_gap_of_the_motors_is_told_everywhere_and_ends() {
    let mut app = stage(stand(telemetry()), "waist");
    let told = |app: &mut App, t_ns: i64| {
        go(app, t_ns);
        let world = app.world();
        let (replay, subject, moment) = (world.resource::<Replay>(), world.resource::<Subject>(), world.resource::<Moment>());
        let lines = figures(replay, subject.shown.as_ref().unwrap(), moment, Lang::En);
        let rotor = lines.iter().find(|line| line.name == "rotor").unwrap().clone();
        let joint = lines.iter().find(|line| line.name == "joint").unwrap().clone();
        let noted = notes(replay, subject, moment, (1.0, 50.0), Lang::En).iter().any(|note| note.contains("gap: no motor rows"));
        (moment.is_stale(0), rotor.level, rotor.age, joint.level, noted)
    };
    assert_eq!(told(&mut app, at(GAP_ROW)), (false, Level::Fine, "0.0 ms".to_owned(), Level::Fine, false));
    let held = spin(&part(&mut app, 0, PartName::WaveGenerator).0);
    assert_eq!(told(&mut app, at(GAP_ROW + 10)), (true, Level::Gap, "gap 40.0 ms".to_owned(), Level::Fine, true));
    near(spin(&part(&mut app, 0, PartName::WaveGenerator).0), held, "the last known angle stays, nothing is invented");
    app.world_mut().resource_mut::<Playhead>().blend = Blend::Interpolate;
    told(&mut app, at(GAP_ROW + 25));
    near(spin(&part(&mut app, 0, PartName::WaveGenerator).0), held, "nor is a way drawn across the gap");
    assert!(!told(&mut app, at(GAP_ROW + GAP_ROWS + 1)).0);
}

#[test]
fn a_motor_that_was_not_recorded_is_computed_and_said_to_be() {
    let mut app = stage(stand(Telemetry { motor: None, ..telemetry() }), "waist");
    go(&mut app, at(90));
    let moment = app.world().resource::<Moment>().clone();
    assert_eq!((moment.drives[0].source, moment.is_stale(0)), (RotorSource::Computed, false));
    near(moment.drives[0].rotor_rad, -50.0 * joints(90)[0], "no wind-up");
    let world = app.world();
    let subject = world.resource::<Subject>();
    let written = notes(world.resource::<Replay>(), subject, &moment, (1.0, 50.0), Lang::En).join("\n");
    assert!(written.contains("computed from the joint"), "{written}");
    let lines = figures(world.resource::<Replay>(), subject.shown.as_ref().unwrap(), &moment, Lang::En);
    assert!(lines.iter().any(|line| line.name == "wind-up" && line.value.contains("no motor rows")), "{lines:?}");
}

#[test]
fn figures_have_units_limits_and_the_wind_up_that_was_put_in() {
    let mut app = stage(stand(telemetry()), "waist");
    go(&mut app, at(400) + 1_500_000);
    let world = app.world();
    let moment = world.resource::<Moment>();
    let lines = figures(world.resource::<Replay>(), world.resource::<Subject>().shown.as_ref().unwrap(), moment, Lang::En);
    let line = |name: &str| lines.iter().find(|line| line.name == name).unwrap_or_else(|| panic!("no {name} in {lines:?}"));
    let windup_arcmin = windup(0, 400) * 60.0 * 360.0 / TAU;
    assert_eq!(line("wind-up").value, format!("{windup_arcmin:.2} arcmin"));
    assert_eq!((line("wind-up").age.as_str(), line("joint").age.as_str()), ("1.5 ms", "1.5 ms"));
    assert_eq!(line("joint").value, format!("{:.3} °", joints(400)[0].to_degrees()));
    assert_eq!((line("current").value.as_str(), line("current").limit.as_str(), line("current").level), ("9.50 A", "≤ 10 A", Level::Near));
    assert!(line("efficiency").value.starts_with("80 %"), "{:?}", line("efficiency"));
    assert!(line("efficiency").limit.contains("table 70 % *"), "{:?}", line("efficiency"));
    assert_eq!(line("ratio").value, "-50 : 1");
}

#[test]
fn between_rows_motors_go_straight_when_asked_to() {
    let mut app = stage(stand(telemetry()), "waist");
    let (table, model) = (table(), model());
    let train = sanqu_robot::Drivetrain::new(&table, &model).unwrap();
    let [before, after] = [60, 61].map(|row| motors(&train, &table, row)[0]);
    go(&mut app, at(60) + PERIOD_NS / 4);
    near(spin(&part(&mut app, 0, PartName::WaveGenerator).0) * facing(&app), before, "held");
    app.world_mut().resource_mut::<Playhead>().blend = Blend::Interpolate;
    app.update();
    near(spin(&part(&mut app, 0, PartName::WaveGenerator).0) * facing(&app), before + 0.25 * (after - before), "on the way");
}

fn facing(app: &App) -> f64 {
    app.world().resource::<Subject>().shown.as_ref().unwrap().facings[0]
}

#[test]
fn joints_are_found_by_name_and_others_are_listed() {
    let replay = stand(telemetry());
    for name in ["knee", "knee_joint", "tin-01:knee", "tin-01:knee_joint"] {
        assert_eq!(find_joint(&replay, name).unwrap().joint, 3, "{name}");
    }
    let error = find_joint(&replay, "shoulder").unwrap_err().to_string();
    for part in ["\"shoulder\"", "tin-01:waist", "tin-01:elbow"] {
        assert!(error.contains(part), "{error}");
    }
    let two = crate::synthetic::replay();
    assert!(find_joint(&two, "neck").unwrap_err().to_string().contains("no robot of the replay has a drive table"));
}

#[test]
fn a_name_that_several_robots_have_needs_the_robot() {
    let mut replay = stand(telemetry());
    let mut other = stand(telemetry()).robots.remove(0);
    other.robot = "tin-02".parse().unwrap();
    replay.robots.push(other);
    let error = find_joint(&replay, "knee").unwrap_err().to_string();
    assert!(error.contains("several: tin-01:knee, tin-02:knee"), "{error}");
    let found = find_joint(&replay, "tin-02:knee").unwrap();
    assert_eq!((found.robot, found.joint), (1, 3));
}

#[test]
fn keys_go_from_joint_to_joint_and_leave() {
    let mut app = stage(stand(telemetry()), "waist");
    app.insert_resource(ReplayFont(Handle::default()))
        .init_resource::<ButtonInput<KeyCode>>()
        .init_resource::<ButtonInput<MouseButton>>()
        .init_resource::<Lang>()
        .init_resource::<Focus>()
        .add_plugins(PickingPlugin);
    go(&mut app, at(5));
    let mut press = |key: KeyCode| {
        app.world_mut().resource_mut::<ButtonInput<KeyCode>>().press(key);
        app.update();
        let mut keys = app.world_mut().resource_mut::<ButtonInput<KeyCode>>();
        keys.release(key);
        keys.clear();
        let parts = app.world_mut().query::<&XrayPart>().iter(app.world()).count();
        (app.world().resource::<Subject>().joint.map(|joint| joint.joint), parts, app.world().resource::<Playhead>().speed)
    };
    let slow = press(KeyCode::KeyT).2;
    assert!((0.3..0.7).contains(&slow), "18 turns a second at 50 pictures a second are true below 12.5: {slow}");
    assert!((press(KeyCode::KeyT).2 - 1.0).abs() < 1e-9);
    let (joint, parts, _) = press(KeyCode::Tab);
    assert_eq!((joint, parts), (Some(1), 7), "one stage of four planets: the strain-wave gear's parts are gone");
    assert_eq!(press(KeyCode::Escape).0, None);
    assert_eq!(press(KeyCode::KeyC).1, 0);
}
