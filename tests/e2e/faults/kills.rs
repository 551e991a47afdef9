//! SIGKILL at any moment.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sanqu_model::{EpisodeId, now_ns};

use super::bus::{Dice, Operator, Recorder, Shelf, pass, runtime};
use super::talker::{CAMERA, JOINT, Log, PERIOD, Talker};
use super::truth::{Checked, check};
use crate::program::sanqu;

/// Kills in all, and how many recorders are killed beside each other.
const KILLS: u64 = 50;
const LANES: u64 = 3;
/// What the recorder promises: what it received is in the journal's file this much later.
const FLUSH_MS: f64 = 100.0;

/// What one kill cost a stream.
struct Loss {
    stream: &'static str,
    /// From the first lost sample's numbering to the kill.
    lost_ms: f64,
    /// The longest that a sample took from receipt to the file before the kill.
    flush_ms: f64,
    /// The longest that this computer let the robot wait between two samples just before the kill.
    stood_ms: f64,
    at: &'static str,
}

#[test]
fn fifty_kills_cost_a_flush_each_and_no_sealed_episode() {
    let seed = std::env::var("SANQU_FAULT_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| now_ns().unsigned_abs());
    eprintln!("seed {seed} (again: SANQU_FAULT_SEED={seed})");
    let begin = Instant::now();
    let losses: Vec<Loss> = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|lane| scope.spawn(move || kills_in_a_row(seed + lane, (KILLS + lane) / LANES))).collect();
        lanes.into_iter().flat_map(|lane| lane.join().expect("a lane")).collect()
    });
    for stream in [JOINT, CAMERA] {
        for at in ["recording", "stopping"] {
            let mut lost: Vec<f64> = losses.iter().filter(|loss| loss.stream == stream && loss.at == at).map(|loss| loss.lost_ms).collect();
            lost.sort_by(f64::total_cmp);
            let at_share = |share: usize| lost.get(lost.len().saturating_sub(1) * share / 100).copied().unwrap_or(0.0);
            eprintln!(
                "{stream:12} killed while {at:9}: {:3} kills, {:3} without loss, lost p50 {:6.1} ms, p90 {:6.1} ms, max {:6.1} ms",
                lost.len(),
                lost.iter().filter(|ms| **ms == 0.0).count(),
                at_share(50),
                at_share(90),
                at_share(100),
            );
            assert!(at_share(50) <= FLUSH_MS, "{stream}: half of the kills cost more than a flush period");
        }
    }
    eprintln!("{} kills in {:.1} s", losses.len() / 2, begin.elapsed().as_secs_f64());
    assert_eq!(losses.len() as u64, KILLS * 2);
    for Loss { stream, lost_ms, flush_ms, stood_ms, at } in &losses {
        // The flush in progress: what was taken from the queue and not yet written when the kill came. It can be as long as
        // the longest one before it took; never less than a period on a machine that also runs the robots and this test.
        // Where the computer stood still for a while, the recorder did, too.
        let limit_ms = FLUSH_MS + flush_ms.max(FLUSH_MS) + stood_ms;
        assert!(*lost_ms <= limit_ms, "{stream}, killed while {at}: {lost_ms:.1} ms lost, at most {limit_ms:.1} are promised");
    }
}

/// Records, kills and repairs in one store again and again.
fn kills_in_a_row(seed: u64, kills: u64) -> Vec<Loss> {
    let (shelf, runtime, log, mut dice) = (Shelf::new(), runtime(), Log::default(), Dice::new(seed));
    let mut sealed: BTreeMap<EpisodeId, Vec<u8>> = BTreeMap::new();
    let mut losses = Vec::new();
    for _ in 0..kills {
        let boot = dice.below(1 << 53);
        let mut recorder = Recorder::start(&shelf.path);
        let operator = Operator::join(&runtime, &recorder.endpoint, "c01");
        let mut talker = Talker::start(&runtime, &recorder.endpoint, ("kuavo-01", boot), &log);
        operator.heard("kuavo-01");
        let episode = operator.start();
        let status = operator.recording("kuavo-01", 1);
        // The moment of the kill is the fault itself: a time, not a condition.
        let moment = Duration::from_micros(dice.below(700_000));
        pass(&runtime, moment);
        let at = if dice.below(4) > 0 { "recording" } else { "stopping" };
        if at == "stopping" {
            operator.stop();
            pass(&runtime, Duration::from_micros(dice.below(400_000)));
        }
        let kill_ns = now_ns();
        recorder.running.kill();
        drop(talker.fall_silent());
        drop((talker, operator));

        let repaired = sanqu(["repair", shelf.text()]);
        assert!([0, 3].contains(&repaired.code), "{}{}", repaired.stdout, repaired.stderr);
        let verified = sanqu(["verify", shelf.text()]);
        assert!([0, 3].contains(&verified.code), "{}{}", verified.stdout, verified.stderr);
        let checked = check(&shelf.store(), &log);
        for (known, manifest) in &sealed {
            let dir = shelf.store().find(&known.to_string()).unwrap().dir().to_path_buf();
            assert_eq!(&std::fs::read(dir.join("manifest.json")).unwrap(), manifest, "a sealed episode changed");
        }
        let dir = shelf.store().find(&episode.to_string()).unwrap().dir().to_path_buf();
        sealed.insert(episode, std::fs::read(dir.join("manifest.json")).unwrap());
        let this = checked.iter().find(|checked| checked.manifest.episode == episode).unwrap();
        let flush_ms = status.figures.written_lag.max_ns as f64 / 1e6;
        let stood_ms = stood_ms(boot, &log, kill_ns);
        let lost_ms = |stream| lost_ms(this, stream, boot, &log, kill_ns);
        losses.extend([JOINT, CAMERA].map(|stream| Loss { stream, lost_ms: lost_ms(stream), flush_ms, stood_ms, at }));
    }
    losses
}

/// How long before the kill the first row was numbered that is not in the episode.
fn lost_ms(checked: &Checked, stream: &str, boot: u64, log: &Log, kill_ns: i64) -> f64 {
    let received = checked.streams.get(stream).and_then(|stream| stream.received.get(&boot));
    let end_ns = if checked.manifest.ended_by == "recovered" { i64::MAX } else { checked.manifest.stop_ns };
    let is_lost = |sample: &&super::talker::Sent| {
        let rows = sample.seq..sample.seq + sample.rows;
        let within = sample.capture_ns >= checked.manifest.start_ns && sample.capture_ns(rows.end - 1) < end_ns;
        sample.stream == stream && sample.boot == boot && sample.put_ns < kill_ns && within && !received.is_some_and(|r| r.contains(&rows))
    };
    log.sent().iter().find(is_lost).map_or(0.0, |first| (kill_ns - first.put_ns) as f64 / 1e6)
}

/// The longest pause between two joint samples in the second before the kill, beyond the robot's own period.
fn stood_ms(boot: u64, log: &Log, kill_ns: i64) -> f64 {
    let late = |sample: &&super::talker::Sent| {
        sample.stream == JOINT && sample.boot == boot && (kill_ns - 1_000_000_000..kill_ns).contains(&sample.put_ns)
    };
    let mut times: Vec<i64> = log.sent().iter().filter(late).map(|sample| sample.put_ns).collect();
    times.push(kill_ns);
    let longest_ns = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
    (longest_ns as f64 / 1e6 - PERIOD.as_secs_f64() * 1e3).max(0.0)
}
