//! Estimators on recordings of real drives.

use std::f64::consts::PI;

use sanqu_robot::{DriveFigures, DriveHealth, DriveSample, DriveSamples, Footprint, Refusal, Stiffness, windup};

use crate::ratio::recording;
use crate::shared_folder;

const ARCMIN: f64 = PI / 10_800.0;
const ARCSEC: f64 = ARCMIN / 60.0;

/// A LARA8's drive: size 25, ratio above 50 (Harmonic Drive CHA manual), flexspline fixed.
fn figures(ratio: f64) -> DriveFigures {
    let stiffness = Stiffness { t1_nm: 14.0, t2_nm: 48.0, k1_nm_per_rad: 31_000.0, k2_nm_per_rad: 50_000.0, k3_nm_per_rad: 57_000.0 };
    DriveFigures {
        stiffness: Some(stiffness),
        rated_torque_nm: Some(67.0),
        orders: vec![1.0, 2.0 - 2.0 / ratio, 2.0, 4.0],
        ..DriveFigures::of_ratio(ratio)
    }
}

fn samples(folder: &std::path::Path, file: &str, joint: usize) -> DriveSamples {
    let [t_s, motor, output, torque] = recording(folder, file, joint);
    let mut samples = DriveSamples::default();
    for at in 0..motor.len() {
        samples.push(DriveSample {
            t_s: t_s[at],
            motor: motor[at],
            output: output[at],
            torque_nm: Some(torque[at]),
            motor_torque_nm: None,
            current_a: None,
            temperature_c: None,
        });
    }
    samples
}

#[test]
fn a_real_drive_has_the_windup_and_the_orders_of_the_reference() {
    let Some(folder) = shared_folder("lara8 health", "SANQU_SHARED") else { return };
    let mut samples = samples(&folder, "validate.csv", 3);
    let health = DriveHealth::assess(&mut samples, &figures(101.0), None);
    let ratio = health.ratio.unwrap();
    assert!((ratio.value - 101.0).abs() < 0.002 * 101.0, "{ratio:?}");
    // The recording's own numbers, computed outside: greatest less smallest of θ/101 − q.
    let windup = health.windup.unwrap();
    assert!((windup.value / ARCMIN - 18.284).abs() < 0.01 && windup.sigma < ARCMIN, "{windup:?}");
    // Reference page, 1.3: order 2 4.9″, order 2 − 2/101 2.7″, order 1 2.0″, order 4 0.7″.
    for (order, expect) in [(2.0, 4.9), (2.0 - 2.0 / 101.0, 2.7), (1.0, 2.0), (4.0, 0.7)] {
        let found = health.orders.iter().find(|found| found.order == order).unwrap().amplitude.clone().unwrap();
        eprintln!("order {order:.3}: {:.2}″ ± {:.2}″", found.value / ARCSEC, found.sigma / ARCSEC);
        assert!((found.value / ARCSEC - expect).abs() < 0.4 + 2.0 * found.sigma / ARCSEC, "order {order}: {found:?}");
        assert!(found.sigma < 2.0 * ARCSEC, "order {order}: {found:?}");
    }
    let second = health.orders.iter().find(|found| found.order == 2.0).unwrap().amplitude.clone().unwrap();
    assert!((second.value / ARCSEC - 4.9).abs() < 0.3, "{second:?}");
}

#[test]
fn stiffness_from_gravity_alone_is_refused() {
    let Some(folder) = shared_folder("lara8 stiffness", "SANQU_SHARED") else { return };
    for (file, joint, ratio) in [("validate.csv", 3, 101.0), ("jogging_joint_mass.csv", 2, 121.0)] {
        let mut samples = samples(&folder, file, joint);
        let health = DriveHealth::assess(&mut samples, &figures(ratio), None);
        for answer in &health.torsion.stiffness {
            let refusal = answer.clone().unwrap_err();
            eprintln!("{file} joint {joint}: {refusal}");
            assert!(refusal.is_unidentifiable() && refusal.to_string().starts_with("not identifiable"), "{refusal}");
        }
        assert!(health.torsion.lost_motion.is_err(), "{:?}", health.torsion.lost_motion);
    }
    let mut samples = samples(&folder, "validate.csv", 3);
    let torsion = DriveHealth::assess(&mut samples, &figures(101.0), None).torsion;
    assert!(matches!(torsion.stiffness[0], Err(Refusal::LoadFollowsPosition { .. })), "{:?}", torsion.stiffness);
    // Nor is a sweep under gravity, or in one direction, a calibration.
    assert!(Footprint::calibrate(&samples, &figures(101.0)).is_err());
}

#[test]
fn joints_that_stand_are_answered() {
    let Some(folder) = shared_folder("lara8 standing joints", "SANQU_SHARED") else { return };
    for joint in [1, 2, 4, 5, 6] {
        let mut samples = samples(&folder, "validate.csv", joint);
        let health = DriveHealth::assess(&mut samples, &figures(101.0), None);
        assert!(matches!(health.ratio, Err(Refusal::NotEnoughMotion { .. })), "joint {joint}: {:?}", health.ratio);
        for line in health.quantities() {
            let finite = line.answer.as_ref().map_or(true, |found| found.value.is_finite() && found.sigma.is_finite());
            assert!(finite, "joint {joint}: {line:?}");
        }
        assert!(health.orders.iter().all(|order| order.amplitude.is_err()), "joint {joint}: {:?}", health.orders);
        assert!(windup(&samples, &figures(101.0), None).is_ok());
    }
}

/// Nothing that a recording can hold makes a panic or a number that is none.
#[test]
fn bad_recordings_are_answered() {
    let sample = |t_s: f64, motor: f64, output: f64, torque: f64| DriveSample {
        t_s,
        motor,
        output,
        torque_nm: Some(torque),
        motor_torque_nm: Some(torque / 100.0),
        current_a: Some(torque),
        temperature_c: Some(torque),
    };
    let (row, none) = (|at: u32| f64::from(at), f64::NAN);
    let recordings: Vec<Vec<DriveSample>> = vec![
        vec![],
        vec![sample(0.0, 1.0, 1.0, 1.0)],
        vec![sample(0.0, 1.0, 1.0, 1.0), sample(0.0, 2.0, 2.0, 2.0)],
        (0..500).map(|at| sample(row(at), none, 1.0, 1.0)).collect(),
        (0..500).map(|at| sample(row(at) * 0.002, 1.0, 1.0, 5.0)).collect(),
        (0..500).map(|at| sample(row(at) * 0.002, 101.0 * row(at), row(at), none)).collect(),
        (0..500).map(|at| sample(-row(at), 101.0 * row(at), row(at), f64::INFINITY)).collect(),
        (0..500).map(|at| sample(row(at) * 0.002, 1e300 * row(at), -1e300, 1e300)).collect(),
        (0..500).map(|at| sample(row(at) * 1e-12, 1e9 * row(at).sin(), 1e7 * row(at).sin(), 1e-300)).collect(),
        (0..500).map(|at| sample(row(at) * 0.002, if at % 3 == 0 { none } else { row(at) }, row(at) / 101.0, -3.0)).collect(),
        (0..2000).map(|at| sample(row(at) * 0.002, (row(at) * 3.1).rem_euclid(2.0 * PI), row(at) * 0.4, 1.0)).collect(),
    ];
    for (number, recording) in recordings.iter().enumerate() {
        for figures in [figures(101.0), DriveFigures::of_ratio(-101.0)] {
            let mut samples = DriveSamples::default();
            recording.iter().for_each(|sample| samples.push(*sample));
            let health = DriveHealth::assess(&mut samples, &figures, None);
            for line in health.quantities() {
                match line.answer {
                    Ok(found) => assert!(found.value.is_finite() && found.sigma.is_finite() && found.sigma >= 0.0, "{number}: {line:?}"),
                    Err(refusal) => assert!(!refusal.to_string().is_empty() && !refusal.code().is_empty()),
                }
            }
            assert!(Footprint::calibrate(&samples, &figures).is_err(), "{number}");
        }
    }
}
