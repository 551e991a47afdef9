use std::f64::consts::TAU;

use sanqu_robot::{step_rad, turns_ambiguous_beyond_rad, turns_from_joint, unwraps, windup_sigma_rad};

use super::Row;
use super::reducers::{ARCMIN, ARCSEC};

pub(super) fn encoder(row: &Row) -> Option<f64> {
    if let Some(sigma) = quantised(row) {
        return Some(sigma);
    }
    if row.get("motor_rpm").is_some() {
        let step = row.need("motor_rpm") / 60.0 * TAU / row.need("sample_hz");
        return match row.output.as_str() {
            "step" => Some(step),
            "plain_unwrap_ok" => Some(f64::from(u8::from(unwraps(step)))),
            _ => None,
        };
    }
    let (ratio, offset, joint) = (row.need("R"), row.need("offset"), row.need("q_joint"));
    let full = ratio * (joint + row.need("windup_arcmin") * ARCMIN) + offset;
    let single = full.rem_euclid(TAU);
    let turns = || turns_from_joint(single, joint, ratio, offset).unwrap() as f64;
    Some(match row.output.as_str() {
        "theta_single_turn" => single,
        "turns" => turns(),
        "theta_full" => single + turns() * TAU,
        "max_windup_for_unambiguous" => turns_ambiguous_beyond_rad(ratio).to_degrees(),
        _ => return None,
    })
}

fn quantised(row: &Row) -> Option<f64> {
    if row.get("motor_bits").is_none() || row.get("joint_bits").is_none() {
        return None;
    }
    let (motor, joint, ratio) = (step_rad(row.count("motor_bits")), step_rad(row.count("joint_bits")), row.need("R"));
    let sigma = windup_sigma_rad(motor, joint, ratio);
    match row.output.as_str() {
        "motor_lsb_at_joint" => Some(motor / ratio / ARCSEC),
        "joint_lsb" => Some(joint / ARCSEC),
        "windup_sigma" => Some(sigma / ARCSEC),
        name => {
            let (column, size) = name.strip_prefix("torque_sigma_")?.split_once("_size")?;
            Some(sigma * catalogue_stiffness(size, column))
        }
    }
}

/// A stiffness (K1, K2, K3) of the catalogue's gears of a size with a ratio above 50.
fn catalogue_stiffness(size: &str, column: &str) -> f64 {
    let text = include_str!("../data/drives_catalogue.csv");
    let header: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    let place = header.iter().position(|name| *name == format!("{column}_Nm_rad")).unwrap();
    let row = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>()).find(|row| row[1] == size && row[2] == "100");
    row.unwrap()[place].parse().unwrap()
}
