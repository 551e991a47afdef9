//! The ratio and sign of real drives, from both their encoders.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use sanqu_robot::{RatioFit, RatioSamples, RatioVerdict, Stiffness, fit_ratio};

use crate::shared_folder;

/// Counts per turn of both encoders.
const COUNTS: f64 = 16_777_216.0;

/// Joint `joint` (from 1) of a recording of a LARA8 arm: time (s), motor and load encoder (rad), torque of the joint (N·m).
pub(crate) fn recording(folder: &std::path::Path, file: &str, joint: usize) -> [Vec<f64>; 4] {
    let text = std::fs::read_to_string(folder.join("data/lara8").join(file)).unwrap();
    let mut lines = text.lines();
    let columns: BTreeMap<&str, usize> = lines.next().unwrap().split(',').enumerate().map(|(place, name)| (name, place)).collect();
    let rows: Vec<Vec<f64>> = lines.map(|line| line.split(',').map(|cell| cell.parse().unwrap_or(f64::NAN)).collect()).collect();
    let column = |name: String| rows.iter().map(|row| row[columns[name.as_str()]]).collect::<Vec<f64>>();
    let angle = |name: &str| column(format!("{name}_{joint}")).into_iter().map(|counts| counts * TAU / COUNTS).collect();
    [column("Timestamp".to_owned()), angle("encoder_motorinc"), angle("encoder_loadinc"), column(format!("joint_torque_current_{joint}"))]
}

fn fit(data: &[Vec<f64>; 4], signed_ratio: f64) -> Option<RatioFit> {
    let [_, motor, output, torque] = data;
    // Size 25, ratio above 50: the catalogue's first stiffness.
    fit_ratio(&RatioSamples { motor, output, torque }, signed_ratio, Some(Stiffness::linear(31_000.0)))
}

#[test]
fn the_lara8_s_ratios_are_one_more_than_the_catalogue_s() {
    let Some(folder) = shared_folder("lara8 ratios", "SANQU_SHARED") else { return };
    for (file, joint, ratio) in [("validate.csv", 3, 101.0), ("jogging_joint_mass.csv", 2, 121.0)] {
        let data = recording(&folder, file, joint);
        let fit = fit(&data, ratio).unwrap();
        eprintln!("{file} joint {joint}: {fit:?}");
        assert_eq!(fit.verdict(ratio), RatioVerdict::Fits, "{file} joint {joint}: {fit:?}");
        for other in [ratio - 1.0, -ratio, ratio + 1.0] {
            let fit = self::fit(&data, other).unwrap();
            assert_eq!(fit.verdict(other), RatioVerdict::Wrong, "{file} joint {joint} as {other}: {fit:?}");
        }
    }
}

#[test]
fn joints_that_hardly_move_say_so() {
    let Some(folder) = shared_folder("lara8 standing joints", "SANQU_SHARED") else { return };
    for (file, moving) in [("validate.csv", 3), ("jogging_joint_mass.csv", 2)] {
        for joint in (1..=6).filter(|joint| *joint != moving) {
            let found = fit(&recording(&folder, file, joint), 101.0);
            let verdict = found.map_or(RatioVerdict::NotEnoughMotion, |fit| fit.verdict(101.0));
            assert_eq!(verdict, RatioVerdict::NotEnoughMotion, "{file} joint {joint}: {found:?}");
        }
    }
}
