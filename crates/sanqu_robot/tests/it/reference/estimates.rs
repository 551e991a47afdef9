//! Rows about recordings: each is made into one, and an estimator reads it.

use std::f64::consts::TAU;

use sanqu_robot::{
    DriveFigures, DriveSample, DriveSamples, HeatPath, Quadrant, Stiffness, beat_turns, efficiency_of, orders_condition, step_rad, torsion,
    winding_resistance_ohm, windup_scatter,
};

use super::Row;
use super::reducers::{ARCMIN, ARCSEC};

/// SplitMix64, uniform in 0..1, as the file's note says.
fn random(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / 9_007_199_254_740_992.0
}

/// Wind-up of a stiff drive that both encoders read at random poses: its scatter, arc seconds.
pub(super) fn scatter(row: &Row) -> f64 {
    let (motor, joint, ratio) = (step_rad(row.count("motor_bits")), step_rad(row.count("joint_bits")), row.need("R"));
    let mut seed = u64::from(row.count("seed"));
    let counted = |angle: f64, step: f64| (angle / step).round() * step;
    let windup: Vec<f64> = (0..row.count("n"))
        .map(|_| {
            let pose = random(&mut seed) * TAU;
            counted(pose * ratio, motor) / ratio - counted(pose, joint)
        })
        .collect();
    windup_scatter(&windup).unwrap().value / ARCSEC
}

pub(super) fn estimator(row: &Row) -> Option<f64> {
    if row.get("hysteresis_arcmin").is_some() {
        return torsion_loop(row);
    }
    if row.get("turns").is_some() {
        return separation(row);
    }
    if row.get("iq").is_some() {
        let quadrant = if row.text("quadrant") == "motoring" { Quadrant::Motoring } else { Quadrant::BackDriven };
        return Some(efficiency_of(quadrant, row.need("tau_out"), row.need("R") * row.need("kt") * row.need("iq")));
    }
    if row.get("R20_ohm").is_some() {
        return Some(winding_resistance_ohm(row.need("R20_ohm"), row.need("alpha"), row.need("T_C")));
    }
    let path = HeatPath { winding_to_housing: row.need("R_wh"), housing_to_air: row.need("R_ha") };
    let (winding, housing) = path.steady(row.need("P_W"), row.need("T_amb"));
    match row.output.as_str() {
        "T_housing" => Some(housing),
        "T_winding" => Some(winding),
        _ => None,
    }
}

/// Two loops between ±T_max with the joint held, as a recording.
fn torsion_loop(row: &Row) -> Option<f64> {
    let real = Stiffness {
        t1_nm: row.need("T1"),
        t2_nm: row.need("T2"),
        k1_nm_per_rad: row.need("K1"),
        k2_nm_per_rad: row.need("K2"),
        k3_nm_per_rad: row.need("K3"),
    };
    // The description has other stiffnesses: only where they bend is taken from it.
    let described = Stiffness { k1_nm_per_rad: 10_000.0, k2_nm_per_rad: 11_000.0, k3_nm_per_rad: 12_000.0, ..real };
    let (top, radius, mut held) = (row.need("T_max"), 0.5 * row.need("hysteresis_arcmin") * ARCMIN, 0.0);
    let mut samples = DriveSamples::default();
    for step in 0..8000_u32 {
        let torque = top * (f64::from(step) * TAU / 4000.0).sin();
        let twist = real.twist(torque);
        held = f64::clamp(held, twist - radius, twist + radius);
        samples.push(DriveSample {
            t_s: f64::from(step) * 0.002,
            motor: 100.0 * held,
            output: 0.4,
            torque_nm: Some(torque),
            motor_torque_nm: None,
            current_a: None,
            temperature_c: None,
        });
    }
    let figures = DriveFigures { stiffness: Some(described), rated_torque_nm: Some(row.need("TN")), ..DriveFigures::of_ratio(100.0) };
    let found = torsion(&samples, &figures, None);
    let answer = match row.output.as_str() {
        "K1_fit" => return Some(found.stiffness[0].clone().unwrap().value),
        "K2_fit" => return Some(found.stiffness[1].clone().unwrap().value),
        "K3_fit" => return Some(found.stiffness[2].clone().unwrap().value),
        "hysteresis_loss" => found.hysteresis,
        "lost_motion_4pct" => found.lost_motion,
        _ => return None,
    };
    Some(answer.unwrap().value / ARCMIN)
}

/// How well travel separates the orders of a strain-wave gear whose circular spline is fixed.
fn separation(row: &Row) -> Option<f64> {
    let ratio = row.get("R").unwrap_or(100.0);
    let partner = 2.0 * (1.0 + 1.0 / ratio);
    let motor: Vec<f64> = (0..row.count("n")).map(|at| TAU * row.need("turns") * f64::from(at) / f64::from(row.count("n"))).collect();
    Some(match row.output.as_str() {
        "condition_number" => orders_condition(&[1.0, 2.0, partner, 4.0], &motor),
        "beat_turns_wg" => beat_turns(2.0, partner),
        "beat_output_turns" => beat_turns(2.0, partner) / ratio,
        _ => return None,
    })
}
