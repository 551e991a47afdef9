//! Two recordings, or commands and what was measured, in one place: from files to ghosts and tables.

use std::ops::Range;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use bevy::MinimalPlugins;
use bevy::app::App;
use bevy::input::ButtonInput;
use bevy::input::keyboard::KeyCode;
use bevy::prelude::{Transform, Visibility};
use bevy::time::TimeUpdateStrategy;
use nalgebra::Translation3;
use sanqu_model::StreamDescription;
use sanqu_replay::compare::{
    Align, CompareKeysPlugin, CompareOptions, ComparePlugin, CompareView, Ghost, GhostKind, GhostState, Progress, load_compared,
};
use sanqu_replay::frame::bevy_from_world;
use sanqu_replay::load::Loaded;
use sanqu_replay::replay::Replay;
use sanqu_replay::robots::{ReplayRobot, RobotsPlugin};
use sanqu_replay::timeline::{Playhead, TimelinePlugin};
use sanqu_replay::window::KeysPlugin;
use sanqu_robot::LinkPoses;
use sanqu_store::{Control, JournalWriter};

use crate::episodes::{Bench, append, id, positions, sealed, start};
use crate::synthetic::{ELEMENTS, PERIOD_NS, START_NS, row_values};

const ROWS: usize = 1000;
/// The second episode begins so much later.
const LATER_NS: i64 = 60_000_000_000;
/// In the second episode everything happens so many rows earlier after its start.
const AHEAD_ROWS: usize = 150;
/// A joint follows its command by so many rows.
const LAG_ROWS: usize = 40;

/// Rows of a stream; those of `lost` never arrive.
struct Stream<'a> {
    name: &'a str,
    elements: &'a [&'a str],
    lost: Range<usize>,
    values: &'a dyn Fn(usize) -> Vec<f64>,
}

impl Stream<'_> {
    fn append(&self, journal: &mut JournalWriter, start_ns: i64, rows: Range<usize>) {
        let at = |row: u64| start_ns + PERIOD_NS * i64::try_from(row).unwrap();
        let values = rows.clone().flat_map(self.values).collect();
        append(journal, &self.description(), (7, rows.start as u64..rows.end as u64), at, values);
    }

    fn description(&self) -> StreamDescription {
        positions(self.name, self.elements)
    }
}

impl Bench {
    /// Seals an episode of tin-01 at a station, with a mark `wave` after `mark_rows`; its id.
    fn record(&self, station: &str, start_ns: i64, mark_rows: usize, streams: &[Stream<'_>]) -> String {
        let (start, robot) = (start(station, start_ns), id("tin-01"));
        let at = |rows: usize| start_ns + PERIOD_NS * i64::try_from(rows).unwrap();
        sealed(&self.store, &start, |journal| {
            for stream in streams {
                let description = stream.description();
                let name = description.stream.clone();
                journal.control(&Control::Describe { robot: robot.clone(), description }).unwrap();
                journal.control(&Control::Baseline { robot: robot.clone(), stream: name.clone(), boot: 7, next_seq: 0 }).unwrap();
                for rows in [0..stream.lost.start, stream.lost.end..ROWS].into_iter().filter(|rows| !rows.is_empty()) {
                    stream.append(journal, start_ns, rows);
                }
                journal.control(&Control::Final { robot: robot.clone(), stream: name, boot: 7, next_seq: ROWS as u64 }).unwrap();
            }
            journal.control(&Control::Event { t_ns: at(mark_rows), name: "mark".to_owned(), text: "wave".to_owned() }).unwrap();
            at(ROWS)
        });
        start.episode.to_string()
    }

    /// An episode, and one at another station in which all happens [`AHEAD_ROWS`] earlier and 50 rows are lost.
    fn two(&self) -> [String; 2] {
        let stream = |lost, values| Stream { name: "joint", elements: &ELEMENTS, lost, values };
        [
            self.record("a01", START_NS, 400, &[stream(ROWS..ROWS, &|row| row_values(row).to_vec())]),
            self.record("c01", START_NS + LATER_NS, 400 - AHEAD_ROWS, &[stream(300..350, &|row| row_values(row + AHEAD_ROWS).to_vec())]),
        ]
    }

    /// An episode whose neck and shoulder follow commands; other joints have none.
    fn commanded(&self) -> String {
        let commanded = |row: usize| {
            let values = row_values(row + LAG_ROWS);
            vec![values[2], values[0]]
        };
        let joint = Stream { name: "joint", elements: &ELEMENTS, lost: ROWS..ROWS, values: &|row| row_values(row).to_vec() };
        let command = Stream { name: "command", elements: &["l_shoulder", "neck"], lost: ROWS..ROWS, values: &commanded };
        self.record("a01", START_NS, 0, &[joint, command])
    }

    fn load(&self, episodes: &[String], align: &str) -> Loaded {
        let align = (!align.is_empty()).then(|| align.parse::<Align>().unwrap());
        load_compared(&self.options(episodes), &CompareOptions { align, nudge_ns: 0 }).unwrap()
    }
}

fn stage(replay: Replay) -> App {
    let mut app = App::new();
    app.add_plugins(MinimalPlugins)
        .insert_resource(TimeUpdateStrategy::ManualDuration(Duration::from_millis(20)))
        .insert_resource(Playhead::new(replay.start_ns, replay.end_ns))
        .insert_resource(replay)
        .init_resource::<ButtonInput<KeyCode>>()
        .add_plugins((TimelinePlugin, RobotsPlugin, ComparePlugin, KeysPlugin, CompareKeysPlugin));
    app.update();
    app
}

/// Shows the instant of row `row` of the robot.
fn show(app: &mut App, row: usize) {
    app.world_mut().resource_mut::<Playhead>().seek_ns(START_NS + PERIOD_NS * i64::try_from(row).unwrap());
    app.update();
}

/// The ghost's state, and the transform of each of its links, which are hidden or not as the state says.
fn ghost(app: &mut App) -> (GhostState, Vec<Transform>) {
    let world = app.world_mut();
    let (ghost, state) = world.query::<(&Ghost, &GhostState)>().single(world).unwrap();
    let (links, state) = (ghost.links.clone(), *state);
    for link in &links {
        assert_eq!(*world.get::<Visibility>(*link).unwrap() == Visibility::Hidden, state == GhostState::Hidden);
    }
    (state, links.iter().map(|link| *world.get::<Transform>(*link).unwrap()).collect())
}

/// The ghost's links stand at the robot's place, where kinematics puts them for these positions.
#[track_caller]
fn ghost_shows(app: &mut App, [neck, waist, shoulder, elbow]: [f64; 4]) {
    let (state, links) = ghost(app);
    assert_eq!(state, GhostState::Live);
    let record = &app.world().resource::<Replay>().robots[0];
    let mut q = vec![0.0; record.model.joints().len()];
    for (joint, value) in [("neck", neck), ("waist", waist), ("l_shoulder", shoulder), ("l_elbow", elbow)] {
        q[record.model.joint_index(&format!("{joint}_joint")).unwrap()] = value;
    }
    // The soles are 0.88 m below the base, and nothing reaches lower.
    let world_from_base = record.world_from_station * Translation3::new(0.0, 0.0, 0.88);
    let mut poses = LinkPoses::default();
    record.model.link_poses(&q, &world_from_base, &mut poses).unwrap();
    for ((pose, found), link) in poses.iter().zip(links).zip(record.model.links()) {
        let expect = bevy_from_world(pose);
        assert!(expect.translation.abs_diff_eq(found.translation, 1e-5), "{}: {expect:?}, found {found:?}", link.name);
        assert!(expect.rotation.angle_between(found.rotation) < 1e-3, "{}: {expect:?}, found {found:?}", link.name);
    }
}

fn press(app: &mut App, keys: &[KeyCode]) {
    keys.iter().for_each(|key| app.world_mut().resource_mut::<ButtonInput<KeyCode>>().press(*key));
    app.update();
    let mut input = app.world_mut().resource_mut::<ButtonInput<KeyCode>>();
    input.release_all();
    input.clear();
}

#[test]
fn a_second_episode_stands_as_a_ghost_in_the_robots_place() {
    let bench = Bench::new();
    let Loaded { replay, .. } = bench.load(&bench.two(), "");
    assert_eq!((replay.robots.len(), replay.lanes.len()), (1, 1), "a ghost is no robot and has no lane");
    assert_eq!(replay.comparison.as_ref().map(|comparison| comparison.align.clone()), Some(Align::Start), "recorded a minute apart");
    let tips: Vec<&str> = replay.comparison.iter().flat_map(|c| &c.pairs[0].tips).map(|tip| tip.name.as_str()).collect();
    assert_eq!(tips, ["head", "l_lower", "r_lower"], "arms of two joints are no fingers");
    let mut app = stage(replay);
    for row in [0, 100, 299, 350, 700] {
        show(&mut app, row);
        ghost_shows(&mut app, row_values(row + AHEAD_ROWS));
    }
    show(&mut app, 320);
    assert_eq!(ghost(&mut app).0, GhostState::Stale, "rows of the ghost are missing");
    let robots = app.world_mut().query::<&ReplayRobot>().iter(app.world()).count();
    assert_eq!(robots, 1);
}

#[test]
fn aligned_by_an_event_both_do_the_same_and_before_its_first_row_there_is_no_ghost() {
    let bench = Bench::new();
    let Loaded { replay, .. } = bench.load(&bench.two(), "wave");
    let mut app = stage(replay);
    for row in [AHEAD_ROWS, 400, 900] {
        show(&mut app, row);
        ghost_shows(&mut app, row_values(row));
    }
    show(&mut app, AHEAD_ROWS - 1);
    assert_eq!(ghost(&mut app).0, GhostState::Hidden);
    while !app.world().resource::<Progress>().is_done() {
        app.update();
    }
    let progress = app.world().resource::<Progress>();
    let table = progress.walk(0).unwrap().table();
    assert!(table.joints.iter().all(|joint| joint.rms().unwrap() < 1e-12), "{:?}", table.joints[0].max());
    // The gap of 50 rows takes the way to its first missing and from its last missing row along.
    assert_eq!((table.rows, table.compared_ns), (850 - 50, (849 - 51) * PERIOD_NS));
}

#[test]
fn keys_move_the_ghost_in_time_and_hide_it_and_leave_the_playhead_alone() {
    let bench = Bench::new();
    let mut app = stage(bench.load(&bench.two(), "wave").replay);
    show(&mut app, 400);
    press(&mut app, &[KeyCode::AltLeft, KeyCode::ArrowLeft]);
    press(&mut app, &[KeyCode::AltLeft, KeyCode::ShiftLeft, KeyCode::ArrowLeft]);
    press(&mut app, &[KeyCode::ControlRight, KeyCode::ShiftLeft, KeyCode::ArrowLeft]);
    assert_eq!(app.world().resource::<CompareView>().nudge_ns, -12_000_000);
    assert_eq!(app.world().resource::<Playhead>().t_ns, START_NS + 400 * PERIOD_NS);
    ghost_shows(&mut app, row_values(406));
    press(&mut app, &[KeyCode::AltLeft, KeyCode::ArrowDown]);
    press(&mut app, &[KeyCode::AltLeft, KeyCode::ArrowRight]);
    ghost_shows(&mut app, row_values(395));
    press(&mut app, &[KeyCode::KeyK]);
    assert_eq!(ghost(&mut app).0, GhostState::Hidden);
    press(&mut app, &[KeyCode::KeyK]);
    assert_eq!(ghost(&mut app).0, GhostState::Live);
    let place = |app: &App| app.world().resource::<CompareView>().place;
    press(&mut app, &[KeyCode::KeyJ]);
    assert_eq!(place(&app), 1);
    (0..3).for_each(|_| press(&mut app, &[KeyCode::ShiftLeft, KeyCode::KeyJ]));
    assert_eq!(place(&app), ELEMENTS.len() - 2, "before the first comes the last");
    press(&mut app, &[KeyCode::ArrowRight]);
    assert_eq!(app.world().resource::<Playhead>().t_ns, START_NS + 400 * PERIOD_NS + 1_000_000_000, "arrows alone are the playhead's");
}

#[test]
fn commands_are_a_ghost_that_is_measured_where_nothing_was_commanded() {
    let bench = Bench::new();
    let Loaded { replay, warnings } = bench.load(&[bench.commanded()], "");
    assert!(warnings.iter().any(|warning| warning.ends_with("measured, but not commanded: waist_joint, l_elbow_joint")), "{warnings:?}");
    assert_eq!(replay.comparison.as_ref().map(|comparison| comparison.kind), Some(GhostKind::Command));
    let tips: Vec<&str> = replay.comparison.iter().flat_map(|c| &c.pairs[0].tips).map(|tip| tip.name.as_str()).collect();
    assert_eq!(tips, ["head", "l_lower"], "nothing that moves the right arm was commanded");
    let mut app = stage(replay);
    for row in [0, 333, 950] {
        show(&mut app, row);
        let ([_, waist, _, elbow], [neck, _, shoulder, _]) = (row_values(row), row_values(row + LAG_ROWS));
        ghost_shows(&mut app, [neck, waist, shoulder, elbow]);
    }
    while !app.world().resource::<Progress>().is_done() {
        app.update();
    }
    let pair = &app.world().resource::<Replay>().comparison.as_ref().unwrap().pairs[0];
    let (ms, joints) = app.world().resource::<Progress>().delay(0).unwrap().overall_ms(pair).unwrap();
    assert!((ms - 80.0).abs() < 0.5 && joints == 2, "{ms} ms of {joints} joints");
}

#[test]
fn what_cannot_be_compared_is_refused_with_what_there_is() {
    let bench = Bench::new();
    let two = bench.two();
    let refused = |episodes: &[String], align: &str| {
        let align = (!align.is_empty()).then(|| align.parse::<Align>().unwrap());
        load_compared(&bench.options(episodes), &CompareOptions { align, nudge_ns: 0 }).unwrap_err().to_string()
    };
    let error = refused(&two[..1], "");
    assert!(error.contains("tin-01: no rows in a stream \"command\"; its streams are joint"), "{error}");
    let error = refused(&two, "bell");
    assert!(error.contains("\"mark\", \"mark: wave\", \"wave\""), "{error}");
    assert!(refused(&two, "time").contains("no instant in common"));
    assert!(refused(&two[..1], "wave").contains("only be aligned by time"));
    assert!(refused(&[two[0].clone(), two[1].clone(), two[0].clone()], "").contains("not 3"));
}

#[test]
fn the_program_prints_the_differences_as_json() {
    let bench = Bench::new();
    let two = bench.two();
    let root: PathBuf = bench.folder.path().to_path_buf();
    let run = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sanqu-replay"));
        command.current_dir(&root).arg("--store").arg(bench.store.root()).args(["--compare", "--json"]).args(more).output().unwrap()
    };
    let output = run(&[&two[0], &two[1], "--align", "mark", "--nudge", "0.02"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let says = |part: &str| assert!(text.contains(part), "{part} is not in {text}");
    says("\"align\": \"mark\"");
    says("\"compared_with\": \"episode\"");
    says("\"nudge_s\": 0.02");
    says("\"shift_s\": 59.7");
    says("\"joint\": \"l_shoulder_joint\"");
    says("\"unit\": \"deg\"");
    assert!(!text.contains("delay"), "{text}");
    let output = run(&[&two[0]]);
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(String::from_utf8(output.stderr).unwrap().contains("its streams are joint"));
}
