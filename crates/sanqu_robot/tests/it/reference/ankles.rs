use nalgebra::{Matrix2, Vector2, Vector3};
use sanqu_robot::{AnkleLeg, CrankAnkle, DriveTable, LinearAnkle, LinkageKind, RobotError, Universal, condition};

use super::Row;
use crate::robot_folder;

/// Three numbers.
type Point = [f64; 3];

fn point(row: &Row, name: &str, leg: usize) -> Point {
    let list = row.inputs[name][leg].as_array().unwrap_or_else(|| panic!("{}: no input {name:?}", row.case));
    [0, 1, 2].map(|axis| list[axis].as_f64().unwrap())
}

/// The legs of the shipped table for the KUAVO's left foot; else those of the row, about the ankle's centre.
fn crank_ankle(row: &Row) -> CrankAnkle {
    let legs = match row.text("robot") {
        "kuavo_s45_left" => {
            let table = DriveTable::from_toml_file(&robot_folder("kuavo-s45").join("drives.toml")).unwrap();
            let legs = table.drives_of_joint("leg_l5_joint").filter_map(|drive| match &drive.linkage {
                LinkageKind::ParallelAnkle(leg) => Some(*leg),
                _ => None,
            });
            <[AnkleLeg; 2]>::try_from(legs.collect::<Vec<_>>()).unwrap()
        }
        _ => [0, 1].map(|leg| AnkleLeg {
            crank_pivot_m: point(row, "A", leg),
            crank_tip_m: point(row, "b0", leg),
            foot_socket_m: point(row, "c", leg),
            ankle_centre_m: [0.0; 3],
            rod_m: row.inputs["l"][leg].as_f64().unwrap(),
        }),
    };
    CrankAnkle::new(Universal::yx(Vector3::from(legs[0].ankle_centre_m)), legs).unwrap()
}

pub(super) fn cranks(row: &Row) -> Option<f64> {
    if row.output == "error_of_swapped_order" {
        let joint = Universal::yx(Vector3::zeros());
        let (pitch, roll) = (row.need("pitch"), row.need("roll"));
        let swapped = joint.shank_from_foot([0.0, roll]) * joint.shank_from_foot([pitch, 0.0]);
        return Some(joint.shank_from_foot([pitch, roll]).angle_to(&swapped).to_degrees());
    }
    let ankle = crank_ankle(row);
    if row.get("m1").is_some() {
        let found = ankle.pose([row.need("m1"), row.need("m2")], [0.0; 2]);
        return match (row.output.as_str(), found) {
            ("closes", found) => Some(f64::from(u8::from(found.is_ok()))),
            ("smallest_max_rod_gap", Err(RobotError::NoPose { best_gap_m, .. })) => Some(best_gap_m),
            (_, found) => panic!("{}: {found:?}", row.case),
        };
    }
    if matches!(row.output.as_str(), "plantar_pitch_limit_of_closure" | "first_leg_lost") {
        let (pitch, leg) = plantar_limit(&ankle, row.need("roll"));
        return Some(if row.output == "first_leg_lost" { leg } else { pitch });
    }
    let pose = [row.need("pitch"), row.need("roll")];
    let jacobian = ankle.jacobian(pose).unwrap();
    if let Some(entry) = entry(&row.output, "m", &jacobian) {
        return Some(entry);
    }
    for (joint, name) in ["pitch", "roll"].into_iter().enumerate() {
        if let Some(torques) = row.pair_in_name(&format!("tau_{name}_for_m(")) {
            return Some((jacobian.transpose() * Vector2::from(torques))[joint]);
        }
    }
    let angles = ankle.cranks(pose).unwrap();
    Some(match row.output.as_str() {
        "m1" => angles[0],
        "m2" => angles[1],
        "cond_J" => condition(&jacobian),
        "newton_iterations_from_zero" => f64::from(ankle.pose(angles, [0.0; 2]).unwrap().iterations),
        "fd_max_error" => slope_error(&jacobian, pose, |pose| ankle.cranks(pose).unwrap()),
        _ => return None,
    })
}

pub(super) fn actuators(row: &Row) -> Option<f64> {
    let [anchors, sockets] = ["A", "c"].map(|name| [0, 1].map(|leg| Vector3::from(point(row, name, leg))));
    let ankle = LinearAnkle::new(Universal::yx(Vector3::zeros()), anchors, sockets);
    let pose = [row.need("pitch"), row.need("roll")];
    let jacobian = ankle.jacobian(pose).unwrap();
    if let Some(entry) = entry(&row.output, "L", &jacobian) {
        return Some(entry);
    }
    for (joint, name) in ["pitch", "roll"].into_iter().enumerate() {
        if let Some(forces) = row.pair_in_name(&format!("tau_{name}_for_F(")) {
            return Some((jacobian.transpose() * Vector2::from(forces))[joint]);
        }
    }
    Some(match row.output.as_str() {
        "L1" => ankle.lengths(pose).unwrap()[0],
        "L2" => ankle.lengths(pose).unwrap()[1],
        "cond_J" => condition(&jacobian),
        "newton_iterations_from_zero" => f64::from(ankle.pose(ankle.lengths(pose).unwrap(), [0.0; 2]).unwrap().iterations),
        "fd_max_error" => slope_error(&jacobian, pose, |pose| ankle.lengths(pose).unwrap()),
        _ => return None,
    })
}

/// `dm1_dpitch`, `dL2_droll`, …
fn entry(output: &str, what: &str, jacobian: &Matrix2<f64>) -> Option<f64> {
    let (leg, joint) = output.strip_prefix('d')?.strip_prefix(what)?.split_once("_d")?;
    let row = leg.parse::<usize>().ok()?.checked_sub(1)?;
    let column = ["pitch", "roll"].iter().position(|name| *name == joint)?;
    jacobian.get((row, column)).copied()
}

fn slope_error(jacobian: &Matrix2<f64>, pose: [f64; 2], value: impl Fn([f64; 2]) -> [f64; 2]) -> f64 {
    const STEP: f64 = 1e-6;
    let mut most: f64 = 0.0;
    for joint in 0..2 {
        let moved = |side: f64| {
            let mut pose = pose;
            pose[joint] += side * STEP;
            value(pose)
        };
        let (more, less) = (moved(1.0), moved(-1.0));
        for leg in 0..2 {
            most = most.max(((more[leg] - less[leg]) / (2.0 * STEP) - jacobian[(leg, joint)]).abs());
        }
    }
    most
}

/// The pitch at which a rod first cannot close when the foot points down, and which leg that is.
fn plantar_limit(ankle: &CrankAnkle, roll: f64) -> (f64, f64) {
    let lost = |pitch: f64| match ankle.cranks([pitch, roll]) {
        Ok(_) => None,
        Err(RobotError::CannotClose { leg, .. }) => Some(leg),
        Err(other) => panic!("{other}"),
    };
    let mut closed = 0.0;
    while lost(closed - 0.01).is_none() {
        closed -= 0.01;
    }
    let mut open = closed - 0.01;
    for _ in 0..60 {
        let middle = 0.5 * (closed + open);
        if lost(middle).is_some() { open = middle } else { closed = middle }
    }
    let leg = lost(open).unwrap();
    (open, if leg == 0 { 0.0 } else { 1.0 })
}
