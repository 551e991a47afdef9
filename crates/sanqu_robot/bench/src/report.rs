//! What was measured, for the terminal and for `docs/benchmarks-drives.md`.

use std::path::Path;
use std::process::Command;

use sanqu_robot::RobotModel;

use crate::{PASSES, ROBOTS};

/// The row that others are compared with.
pub(crate) const OURS: &str = "sanqu_robot: links";
pub(crate) const K: &str = "k: links";
pub(crate) const PINOCCHIO: &str = "Pinocchio 4.1.0 called from Python in batches (31 calls, one a robot): links";
/// What links and drive state of all robots may take, ms.
const TARGET_MS: f64 = 0.5;
/// How many times as fast as `k` links must be.
const TARGET_FACTOR: f64 = 3.0;

/// One program, or one part of one.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Median and 99th percentile of a pass over all robots, ms.
    pub(crate) times: [f64; 2],
}

pub(crate) struct Report {
    rows: Vec<Row>,
    robot: String,
}

impl Report {
    pub(crate) fn new(rows: Vec<Row>, model: &RobotModel, drives: usize) -> Self {
        let robot = format!(
            "{ROBOTS} robots `walker-s`: {} links, {} joints ({} more that mimic), {drives} drives each",
            model.links().len(),
            model.joints().len(),
            model.mimics().len()
        );
        Self { rows, robot }
    }

    fn median(&self, name: &str) -> Option<f64> {
        self.rows.iter().find(|row| row.name == name).map(|row| row.times[0])
    }

    /// Markdown, readable on a terminal, too.
    pub(crate) fn table(&self) -> String {
        let ours = self.median(OURS);
        let mut text = format!("{}; milliseconds for one pass over all robots, one thread, {PASSES} passes\n\n", self.robot);
        text += "| what | median ms | 99 % ms | times sanqu_robot's links |\n| --- | --- | --- | --- |\n";
        for Row { name, times: [median, slow] } in &self.rows {
            let factor = ours.map_or("-".to_owned(), |ours| format!("{:.1}", median / ours));
            text += &format!("| {name} | {median:.4} | {slow:.4} | {factor} |\n");
        }
        let verdict = |met| if met { "met" } else { "MISSED" };
        let whole = self.rows[0].times[0];
        text += &format!("\nLinks and drive state within {TARGET_MS} ms: {}.", verdict(whole <= TARGET_MS));
        if let (Some(ours), Some(k)) = (ours, self.median(K)) {
            text +=
                &format!(" Links at least {TARGET_FACTOR} times as fast as `k`: {} ({:.1}).", verdict(k / ours >= TARGET_FACTOR), k / ours);
        }
        text + "\n"
    }

    pub(crate) fn page(&self) -> String {
        let said = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).current_dir(Path::new(env!("CARGO_MANIFEST_DIR"))).output();
            output.ok().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
        };
        let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpu = file("/proc/cpuinfo")
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name.to_owned()));
        let load = file("/proc/loadavg").split_whitespace().next().unwrap_or("unknown").to_owned();
        let k = include_str!("../Cargo.lock").split("name = \"k\"\nversion = \"").nth(1).and_then(|rest| rest.split('"').next());
        format!(
            "# Benchmark of drive kinematics\n\n\
             Made by `cargo xtask bench drives --write-docs` (program: `crates/sanqu_robot/bench`, outside the workspace, because `k` brings other\n\
             versions of nalgebra and urdf-rs). Before anything is timed all programs must agree on the place of every link within 1e-9 m.\n\n\
             *Links*: poses of all links from joint positions. *Drive state*: what `Drivetrain::states` gives for drawing and for estimates: output, wind-up,\n\
             every angle inside the gears, ends of the linkages' bars. *A step of all simulated drives*: `DriveSimulation::move_output`, encoders and noise\n\
             included. `k`: `set_joint_positions_unchecked` and `update_transforms`. Pinocchio: `framesForwardKinematics` in a Python loop over the robots of a\n\
             pass, which is how a Python program would use it (Python's own cost included).\n\n\
             {}, {} cores, load {load} at the end; {}, {}, {}; k {}\n\n{}",
            cpu.unwrap_or_default(),
            std::thread::available_parallelism().map_or(0, usize::from),
            said("date", &["-I"]),
            said("git", &["rev-parse", "--short", "HEAD"]),
            said("rustc", &["--version"]),
            k.unwrap_or("of unknown version"),
            self.table()
        )
    }
}
