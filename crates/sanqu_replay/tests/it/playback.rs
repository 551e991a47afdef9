//! The stage follows the recording, frame by frame, without window or renderer.

use std::time::Duration;

use bevy::MinimalPlugins;
use bevy::app::App;
use bevy::input::ButtonInput;
use bevy::input::keyboard::KeyCode;
use bevy::prelude::{Transform, TransformPlugin, World};
use bevy::time::TimeUpdateStrategy;
use bevy::transform::components::GlobalTransform;
use nalgebra::Translation3;
use sanqu_replay::frame::bevy_from_world;
use sanqu_replay::replay::Replay;
use sanqu_replay::robots::{ReplayRobot, RobotsPlugin, Stale};
use sanqu_replay::timeline::{Playhead, TimelinePlugin};
use sanqu_replay::window::KeysPlugin;
use sanqu_robot::LinkPoses;

use crate::synthetic::{PERIOD_NS, START_NS, replay, row_values};

/// One frame: 20 ms of viewer time.
const FRAME_NS: i64 = 20_000_000;

fn stage() -> App {
    let replay = replay();
    let playhead = Playhead::new(replay.start_ns, replay.end_ns);
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, TransformPlugin))
        .insert_resource(TimeUpdateStrategy::ManualDuration(Duration::from_nanos(FRAME_NS.cast_unsigned())))
        .insert_resource(playhead)
        .insert_resource(replay)
        .init_resource::<ButtonInput<KeyCode>>()
        .add_plugins((TimelinePlugin, RobotsPlugin, KeysPlugin));
    // bevy's first frame has no duration.
    app.update();
    app
}

fn playhead(app: &App) -> Playhead {
    *app.world().resource::<Playhead>()
}

fn robots(world: &mut World) -> Vec<(usize, Vec<bevy::prelude::Entity>, bool)> {
    let mut robots: Vec<_> =
        world.query::<(&ReplayRobot, &Stale)>().iter(world).map(|(robot, stale)| (robot.index, robot.links.clone(), stale.0)).collect();
    robots.sort();
    robots
}

/// Every link of every robot stands where forward kinematics of recorded row `row` puts it.
#[track_caller]
fn shows_row(app: &mut App, row: usize) {
    let [neck, waist, shoulder, elbow] = row_values(row);
    for (index, links, _) in robots(app.world_mut()) {
        let replay = app.world().resource::<Replay>();
        let record = &replay.robots[index];
        let model = &record.model;
        let mut q = vec![0.0; model.joints().len()];
        for (joint, value) in [
            ("neck_joint", neck),
            ("waist_joint", waist),
            ("l_shoulder_joint", shoulder),
            ("l_elbow_joint", elbow),
            ("r_elbow_joint", -0.6),
        ] {
            q[model.joint_index(joint).unwrap()] = value;
        }
        // The soles are 0.88 m below the base, and nothing reaches lower.
        let world_from_base = record.world_from_station * Translation3::new(0.0, 0.0, 0.88);
        let mut poses = LinkPoses::default();
        model.link_poses(&q, &world_from_base, &mut poses).unwrap();
        for (link, entity) in links.iter().enumerate() {
            let expect = bevy_from_world(&poses[link]);
            let found = *app.world().get::<Transform>(*entity).unwrap();
            let global = app.world().get::<GlobalTransform>(*entity).unwrap().compute_transform();
            for found in [found, global] {
                let name = &app.world().resource::<Replay>().robots[index].model.links()[link].name;
                assert!(expect.translation.abs_diff_eq(found.translation, 1e-5), "row {row}, {name}: {expect:?}, found {found:?}");
                assert!(expect.rotation.angle_between(found.rotation) < 1e-3, "row {row}, {name}: {expect:?}, found {found:?}");
            }
        }
    }
}

fn press(app: &mut App, key: KeyCode) {
    app.world_mut().resource_mut::<ButtonInput<KeyCode>>().press(key);
    app.update();
    let mut keys = app.world_mut().resource_mut::<ButtonInput<KeyCode>>();
    keys.release(key);
    keys.clear();
}

#[test]
fn after_n_frames_every_link_stands_where_kinematics_puts_it() {
    let mut app = stage();
    shows_row(&mut app, 0);
    app.world_mut().resource_mut::<Playhead>().playing = true;
    for frame in 1..=12 {
        app.update();
        assert_eq!(playhead(&app).t_ns, START_NS + i64::try_from(frame).unwrap() * FRAME_NS);
        shows_row(&mut app, frame * 10);
    }
}

#[test]
fn a_sample_is_held_until_the_next() {
    let mut app = stage();
    app.world_mut().resource_mut::<Playhead>().t_ns = START_NS + 7 * PERIOD_NS + PERIOD_NS - 1;
    app.update();
    shows_row(&mut app, 7);
    app.world_mut().resource_mut::<Playhead>().t_ns += 1;
    app.update();
    shows_row(&mut app, 8);
}

#[test]
fn keys_play_pause_seek_and_change_speed() {
    let mut app = stage();
    press(&mut app, KeyCode::Space);
    assert_eq!((playhead(&app).playing, playhead(&app).t_ns), (true, START_NS + FRAME_NS));
    press(&mut app, KeyCode::Equal);
    assert_eq!(playhead(&app).t_ns, START_NS + 3 * FRAME_NS, "twice as fast");
    press(&mut app, KeyCode::Space);
    let paused = playhead(&app).t_ns;
    app.update();
    assert_eq!(playhead(&app).t_ns, paused);
    press(&mut app, KeyCode::ArrowRight);
    assert_eq!(playhead(&app).t_ns, paused + 1_000_000_000);
    press(&mut app, KeyCode::End);
    assert_eq!(playhead(&app).t_ns, playhead(&app).end_ns);
    shows_row(&mut app, crate::synthetic::ROWS - 1);
    press(&mut app, KeyCode::Home);
    shows_row(&mut app, 0);
}

#[test]
fn playing_stops_at_the_end() {
    let mut app = stage();
    {
        let mut playhead = app.world_mut().resource_mut::<Playhead>();
        playhead.seek_secs(f64::INFINITY);
        playhead.step_secs(-0.03);
        playhead.playing = true;
    }
    app.update();
    assert!(playhead(&app).playing);
    app.update();
    assert_eq!((playhead(&app).playing, playhead(&app).t_ns), (false, playhead(&app).end_ns));
    shows_row(&mut app, crate::synthetic::ROWS - 1);
}

#[test]
fn a_robot_is_stale_in_its_own_gap_only() {
    let mut app = stage();
    let stale = |app: &mut App, row: i64, more_ns: i64| -> Vec<bool> {
        app.world_mut().resource_mut::<Playhead>().t_ns = START_NS + row * PERIOD_NS + more_ns;
        app.update();
        robots(app.world_mut()).into_iter().map(|(_, _, stale)| stale).collect()
    };
    assert_eq!(stale(&mut app, 499, 0), [false, false]);
    assert_eq!(stale(&mut app, 499, 1), [true, false]);
    shows_row(&mut app, 499);
    assert_eq!(stale(&mut app, 500, 0), [false, false]);
}
