//! The stage follows the recording, frame by frame, without window or renderer.

use std::time::Duration;

use bevy::MinimalPlugins;
use bevy::app::App;
use bevy::input::ButtonInput;
use bevy::input::keyboard::KeyCode;
use bevy::input::mouse::MouseButton;
use bevy::math::{DVec2, UVec2};
use bevy::prelude::{Transform, TransformPlugin, World};
use bevy::time::TimeUpdateStrategy;
use bevy::transform::components::GlobalTransform;
use bevy::window::{PrimaryWindow, Window};
use nalgebra::Translation3;
use sanqu_replay::bar::{BarLayout, PointerTaken, ScrubPlugin};
use sanqu_replay::frame::bevy_from_world;
use sanqu_replay::replay::Replay;
use sanqu_replay::robots::{ReplayRobot, RobotsPlugin, Stale};
use sanqu_replay::timeline::{Playhead, TimelinePlugin};
use sanqu_replay::track::Blend;
use sanqu_replay::window::{KeysPlugin, StepLane};
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
        .init_resource::<ButtonInput<MouseButton>>()
        .init_resource::<BarLayout>()
        .add_plugins((TimelinePlugin, RobotsPlugin, KeysPlugin, ScrubPlugin));
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
    shows(app, row_values(row));
}

/// Every link of every robot stands where forward kinematics of these positions puts it.
#[track_caller]
fn shows(app: &mut App, positions: [f64; 4]) {
    for index in 0..robots(app.world_mut()).len() {
        robot_shows(app, index, positions);
    }
}

#[track_caller]
fn robot_shows(app: &mut App, index: usize, [neck, waist, shoulder, elbow]: [f64; 4]) {
    let links = robots(app.world_mut()).swap_remove(index).1;
    let record = &app.world().resource::<Replay>().robots[index];
    let model = &record.model;
    let mut q = vec![0.0; model.joints().len()];
    let positions = [("neck", neck), ("waist", waist), ("l_shoulder", shoulder), ("l_elbow", elbow), ("r_elbow", -0.6)];
    for (joint, value) in positions {
        q[model.joint_index(&format!("{joint}_joint")).unwrap()] = value;
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
            let name = &model.links()[link].name;
            assert!(expect.translation.abs_diff_eq(found.translation, 1e-5), "robot {index}, {name}: {expect:?}, found {found:?}");
            assert!(expect.rotation.angle_between(found.rotation) < 1e-3, "robot {index}, {name}: {expect:?}, found {found:?}");
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

/// Positions at a share of the way from one row to the next.
fn between(row: usize, share: f64) -> [f64; 4] {
    let (from, to) = (row_values(row), row_values(row + 1));
    [0, 1, 2, 3].map(|joint| from[joint] + share * (to[joint] - from[joint]))
}

#[test]
fn interpolation_is_chosen_by_key_and_stops_at_a_gap() {
    let mut app = stage();
    app.world_mut().resource_mut::<Playhead>().t_ns = START_NS + 7 * PERIOD_NS + PERIOD_NS / 4;
    app.update();
    shows_row(&mut app, 7);
    press(&mut app, KeyCode::KeyI);
    assert_eq!(playhead(&app).blend, Blend::Interpolate);
    shows(&mut app, between(7, 0.25));
    // Between rows 499 and 500 the first robot has a gap, the second has none.
    app.world_mut().resource_mut::<Playhead>().t_ns = START_NS + 499 * PERIOD_NS + PERIOD_NS / 2;
    app.update();
    robot_shows(&mut app, 0, row_values(499));
    robot_shows(&mut app, 1, between(499, 0.5));
    press(&mut app, KeyCode::KeyI);
    shows_row(&mut app, 499);
}

#[test]
fn keys_step_by_the_rows_of_any_stream_or_of_the_chosen_one() {
    let mut app = stage();
    app.world_mut().resource_mut::<Playhead>().playing = true;
    let at = |app: &App| playhead(app).t_ns - START_NS;
    press(&mut app, KeyCode::Period);
    assert_eq!((at(&app), playhead(&app).playing), (1_000_000, false), "the slow stream's first row, and it pauses");
    press(&mut app, KeyCode::Period);
    assert_eq!(at(&app), PERIOD_NS);
    shows_row(&mut app, 1);
    press(&mut app, KeyCode::KeyS);
    press(&mut app, KeyCode::KeyS);
    assert_eq!(app.world().resource::<StepLane>(), &StepLane(Some(1)), "the slow stream");
    press(&mut app, KeyCode::Period);
    assert_eq!(at(&app), 101_000_000);
    press(&mut app, KeyCode::Comma);
    assert_eq!(at(&app), 1_000_000);
    press(&mut app, KeyCode::Comma);
    assert_eq!(at(&app), 1_000_000, "there is no row before the first");
    (0..3).for_each(|_| press(&mut app, KeyCode::KeyS));
    assert_eq!(app.world().resource::<StepLane>(), &StepLane(None), "after the last stream, any stream again");
}

#[test]
fn keys_jump_to_marks_and_gaps_and_repeat_a_span() {
    let mut app = stage();
    let at = |app: &App| playhead(app).t_ns - START_NS;
    press(&mut app, KeyCode::BracketRight);
    assert_eq!(at(&app), 499 * PERIOD_NS, "the gap's beginning");
    press(&mut app, KeyCode::KeyA);
    press(&mut app, KeyCode::BracketRight);
    assert_eq!(at(&app), 2_500_000_000, "the mark");
    press(&mut app, KeyCode::KeyB);
    press(&mut app, KeyCode::BracketRight);
    assert_eq!(at(&app), 2_500_000_000, "nothing is behind it");
    app.world_mut().resource_mut::<Playhead>().playing = true;
    app.update();
    assert_eq!((at(&app), playhead(&app).playing), (499 * PERIOD_NS + FRAME_NS, true), "from B it goes on at A");
    press(&mut app, KeyCode::BracketLeft);
    assert_eq!(at(&app), 499 * PERIOD_NS);
    press(&mut app, KeyCode::KeyL);
    assert_eq!(playhead(&app).repeat, None);
}

#[test]
fn the_mouse_on_the_bar_moves_the_playhead_and_not_the_view() {
    let mut app = stage();
    let layout = BarLayout::new(UVec2::new(1280, 720), 1.0, 4, 0.0);
    app.insert_resource(layout);
    let window = app.world_mut().spawn((Window::default(), PrimaryWindow)).id();
    let point = |app: &mut App, x: f32, y: f32| {
        let mut window = app.world_mut().get_mut::<Window>(window).unwrap();
        window.set_physical_cursor_position(Some(DVec2::new(f64::from(x), f64::from(y))));
        app.update();
        app.world_mut().resource_mut::<ButtonInput<MouseButton>>().clear();
    };
    let button = |app: &mut App, down: bool| {
        let mut buttons = app.world_mut().resource_mut::<ButtonInput<MouseButton>>();
        if down { buttons.press(MouseButton::Left) } else { buttons.release(MouseButton::Left) }
    };
    let (track, middle) = (layout.track(), playhead(&app).start_ns.midpoint(playhead(&app).end_ns));
    point(&mut app, track.center().x, track.center().y);
    assert_eq!(playhead(&app).t_ns, START_NS, "no button is down");
    button(&mut app, true);
    point(&mut app, track.center().x, track.center().y);
    assert!((playhead(&app).t_ns - middle).abs() < 5_000_000, "{}", playhead(&app).seconds());
    assert_eq!(app.world().resource::<PointerTaken>(), &PointerTaken(true));
    point(&mut app, track.max.x + 8.0, 10.0);
    assert_eq!(playhead(&app).t_ns, playhead(&app).end_ns, "dragging goes on beside the bar");
    button(&mut app, false);
    point(&mut app, track.min.x, track.center().y);
    assert_eq!((playhead(&app).t_ns, *app.world().resource::<PointerTaken>()), (playhead(&app).end_ns, PointerTaken(false)));
    button(&mut app, true);
    point(&mut app, track.min.x, 10.0);
    assert_eq!(*app.world().resource::<PointerTaken>(), PointerTaken(false), "a press above the bar is not the bar's");
}
