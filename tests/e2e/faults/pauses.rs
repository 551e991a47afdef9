//! Recorders that stand still, and come back.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::bus::{Dice, Operator, Recorder, Shelf, pass, runtime};
use super::talker::{Log, Talker};
use super::truth::check_nothing_lost;
use crate::program::sanqu;

/// Longer than a session of zenoh lives without a sign of life, shorter than what the robots' rings hold.
const PAUSE: Duration = Duration::from_secs(20);
/// Kills within one episode.
const KILLS: usize = 6;

#[test]
fn a_recorder_that_stood_still_for_twenty_seconds_gets_what_it_missed() {
    let (shelf, runtime, log) = (Shelf::new(), runtime(), Log::default());
    let recorder = Recorder::start(&shelf.path);
    let operator = Operator::join(&runtime, &recorder.endpoint, "c01");
    let talker = Talker::start(&runtime, &recorder.endpoint, ("kuavo-01", 81), &log);
    operator.heard("kuavo-01");
    let episode = operator.start();
    operator.recording("kuavo-01", 50);
    let pid = Pid::from_raw(i32::try_from(recorder.running.child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    pass(&runtime, PAUSE);
    kill_process(pid, Signal::CONT).unwrap();
    let resumed = log.sent().last().unwrap().capture_ns;
    // As `sanqu episode` does, which opens a session for every question; the robot's session is the one that has to come back.
    let operator = Operator::join(&runtime, &recorder.endpoint, "c01");
    operator.wait_for("rows of after the pause", |station| {
        station.robots.iter().flat_map(|robot| &robot.streams).all(|stream| stream.last_capture_ns > Some(resumed))
    });
    operator.stop_and_seal();
    talker.close();
    check_nothing_lost(&shelf.store(), episode, &log);
    sanqu(["verify", shelf.text()]).exits(0);
}

#[test]
fn a_killed_recorder_that_is_started_again_goes_on_with_its_episode_and_loses_nothing() {
    let seed = sanqu_model::now_ns().unsigned_abs();
    eprintln!("seed {seed}");
    let (shelf, runtime, log, mut dice) = (Shelf::new(), runtime(), Log::default(), Dice::new(seed));
    let mut recorder = Recorder::start(&shelf.path);
    let endpoint = recorder.endpoint.clone();
    let operator = Operator::join(&runtime, &endpoint, "c01");
    let talker = Talker::start(&runtime, &endpoint, ("kuavo-01", 82), &log);
    operator.heard("kuavo-01");
    let episode = operator.start();
    for _ in 0..KILLS {
        operator.recording("kuavo-01", 20);
        pass(&runtime, Duration::from_micros(dice.below(500_000)));
        recorder.running.kill();
        recorder = Recorder::at(&shelf.path, &endpoint);
        let status = operator.recording("kuavo-01", 1);
        assert_eq!(status.episode, Some(episode), "the same episode goes on");
    }
    operator.stop_and_seal();
    talker.close();
    check_nothing_lost(&shelf.store(), episode, &log);
    sanqu(["verify", shelf.text()]).exits(0);
}
