use std::f64::consts::{PI, TAU};

use super::*;
use crate::DriveTable;

const ARCSEC: f64 = PI / 648_000.0;

fn exact() -> EncoderModel {
    EncoderModel::default()
}

/// A size 20 strain-wave gear 100:1 against the motor; nothing disturbs what sensors read.
fn quiet() -> DriveParameters {
    DriveParameters {
        signed_ratio: -100.0,
        stiffness: Stiffness { t1_nm: 7.0, t2_nm: 25.0, k1_nm_per_rad: 16_000.0, k2_nm_per_rad: 25_000.0, k3_nm_per_rad: 29_000.0 },
        hysteresis_rad: 0.0,
        backlash_rad: 0.0,
        play_torque_nm: 0.0,
        orders: vec![
            Harmonic { order: 1.0, amplitude_rad: 2.0 * ARCSEC, phase_rad: 1.0 },
            Harmonic { order: 2.0, amplitude_rad: 4.9 * ARCSEC, phase_rad: 0.2 },
            Harmonic { order: 2.02, amplitude_rad: 2.7 * ARCSEC, phase_rad: -0.9 },
            Harmonic { order: 4.0, amplitude_rad: 0.7 * ARCSEC, phase_rad: 2.0 },
        ],
        tooth_order: Some(2.02),
        tooth_phase_rad: 0.5,
        friction: Friction { mesh_efficiency: 0.85, constant_nm: 0.01, speed_nm: 0.001, temperature_k: 60.0, presliding_rad: 0.02 },
        rotor_inertia_kg_m2: 2e-5,
        torque_constant_nm_per_a: 0.09,
        thermal: Thermal {
            winding_j_per_k: 60.0,
            housing_j_per_k: 600.0,
            winding_to_housing_k_per_w: 1.0,
            housing_to_air_k_per_w: 2.0,
            loss_w_per_a2: 0.3,
            ambient_c: 25.0,
            start_c: 25.0,
        },
        motor_encoder: exact(),
        output_encoder: exact(),
        load_noise_nm: 0.0,
        current_noise_a: 0.0,
        temperature_step_c: 0.0,
    }
}

#[track_caller]
fn check_sum(simulation: &DriveSimulation, truth: &DriveTruth) {
    let own = sum(&simulation.parameters.orders, truth.motor_rad).0;
    assert!((truth.transmission_error_rad - own).abs() < 1e-13, "{truth:?}: error {own}");
    let parts = truth.elastic_rad + truth.play_rad + truth.transmission_error_rad;
    assert!((truth.windup_rad - parts).abs() < 1e-12, "{truth:?}: parts {parts}");
}

#[test]
fn outputs_lead_to_rotors_and_rotors_back_to_outputs() {
    let parameters = DriveParameters { hysteresis_rad: 2.6e-4, backlash_rad: 4e-4, play_torque_nm: 0.2, ..quiet() };
    let (mut there, mut back) = (DriveSimulation::new(parameters.clone(), 1).unwrap(), DriveSimulation::new(parameters, 2).unwrap());
    for row in 0..4000_u32 {
        let time_s = f64::from(row) * 0.002;
        let (output, load) = (1.2 * (1.7 * time_s).sin(), 30.0 * (2.9 * time_s).sin());
        let truth = there.move_output(0.002, output, load).unwrap().truth;
        assert_eq!(truth.output_rad, output);
        check_sum(&there, &truth);
        let step = back.turn_motor(0.002, truth.motor_rad, load).unwrap();
        check_sum(&back, &step.truth);
        assert!((step.truth.output_rad - output).abs() < 1e-12, "row {row}: {} against {output}", step.truth.output_rad);
        assert!((step.truth.motor_torque_nm - truth.motor_torque_nm).abs() < 1e-6);
        // Exact sensors read what is.
        assert_eq!((step.reading.motor_rad, step.reading.load_nm), (step.truth.motor_rad, load));
    }
}

/// Least squares on cosine and sine of the orders over rotor angles.
fn amplitudes(motor: &[f64], error: &[f64], orders: &[f64]) -> Vec<f64> {
    let columns = 2 * orders.len() + 1;
    let row = |angle: f64| {
        let pairs = orders.iter().flat_map(|order| [(order * angle).cos(), (order * angle).sin()]).collect::<Vec<f64>>();
        nalgebra::DVector::from_iterator(columns, pairs.into_iter().chain([1.0]))
    };
    let (mut normal, mut right) = (nalgebra::DMatrix::zeros(columns, columns), nalgebra::DVector::zeros(columns));
    for (angle, error) in motor.iter().zip(error) {
        let row = row(*angle);
        normal += &row * row.transpose();
        right += row * *error;
    }
    let found = normal.cholesky().unwrap().solve(&right);
    (0..orders.len()).map(|index| f64::hypot(found[2 * index], found[2 * index + 1])).collect()
}

#[test]
fn a_steady_sweep_has_the_orders_and_a_damaged_tooth_adds_its_own() {
    let sweep = |fault: Option<DriveFault>| {
        let mut simulation = DriveSimulation::new(quiet(), 1).unwrap();
        fault.iter().for_each(|fault| simulation.inject(*fault, 0.0, 0.0).unwrap());
        let steps: Vec<DriveTruth> =
            (0..20_000_u32).map(|row| simulation.move_output(0.002, f64::from(row) * 0.000_3, 0.0).unwrap().truth).collect();
        let (motor, error): (Vec<f64>, Vec<f64>) = steps.iter().map(|step| (step.motor_rad, step.windup_rad)).unzip();
        let orders = [1.0, 2.0, 2.02, 4.0, 4.04, 6.06, 8.08, 10.1, 12.12];
        let found = amplitudes(&motor, &error, &orders);
        for (order, found) in orders.iter().zip(&found) {
            let told = simulation.order_amplitude_rad(*order);
            assert!((found - told).abs() < 1e-9, "order {order}: {found} found, {told} told");
        }
        found
    };
    let sound = sweep(None);
    assert!((sound[1] / ARCSEC - 4.9).abs() < 1e-3 && sound[4] < 1e-9, "{sound:?}");
    let damaged = sweep(Some(DriveFault::Tooth { peak_rad: 60.0 * ARCSEC }));
    assert!(damaged[2] > 20.0 * ARCSEC && damaged[4] > 10.0 * ARCSEC && (damaged[1] - sound[1]).abs() < 1e-9, "{damaged:?}");
}

#[test]
fn faults_come_at_their_time_and_are_told() {
    let mut simulation = DriveSimulation::new(DriveParameters { orders: Vec::new(), ..quiet() }, 1).unwrap();
    simulation.inject(DriveFault::Backlash { add_rad: 0.002 }, 1.0, 2.0).unwrap();
    simulation.inject(DriveFault::Stiffness { share: 0.5 }, 1.0, 0.0).unwrap();
    simulation.inject(DriveFault::HotMotor { extra_w: 30.0 }, 1.0, 0.0).unwrap();
    let mut at = |time_s: f64| loop {
        let truth = simulation.move_output(0.25, 0.3, 20.0).unwrap().truth;
        if truth.time_s >= time_s {
            break (truth, simulation.stiffness().k2_nm_per_rad, simulation.backlash_rad());
        }
    };
    let (sound, k2, backlash) = at(0.75);
    assert_eq!((k2, backlash), (25_000.0, 0.0));
    // Case SW11_20: 0.0009575 rad at 20 N·m.
    assert!((sound.windup_rad - 0.000_957_5).abs() < 1e-12, "{sound:?}");
    let (begun, k2, backlash) = at(2.0);
    assert_eq!((k2, backlash), (12_500.0, 0.001));
    assert!((begun.windup_rad - (2.0 * 0.000_957_5 + 0.0005)).abs() < 1e-12, "{begun:?}");
    let (grown, _, backlash) = at(100.0);
    assert!(backlash == 0.002 && grown.winding_c > sound.winding_c + 15.0, "{grown:?}");
    let lost = simulation.lost_motion_rad(40.0, 0.04);
    assert!((lost - (2.0 * 0.687_549_354_156_988 * 60.0 * ARCSEC + 0.002)).abs() < 1e-12, "{lost}");
}

#[test]
fn torque_and_current_follow_load_friction_and_inertia() {
    let mut simulation = DriveSimulation::new(DriveParameters { orders: Vec::new(), ..quiet() }, 1).unwrap();
    // 1 rad/s against 20 N·m: motoring. The rotor counts the other way.
    let step = |simulation: &mut DriveSimulation, row: u32, load| simulation.move_output(0.01, f64::from(row) * 0.01, load).unwrap().truth;
    let motoring = (0..50).map(|row| step(&mut simulation, row, 20.0)).last().unwrap();
    let no_load = simulation.parameters.friction.no_load_nm(100.0, 25.0);
    assert!((motoring.motor_torque_nm + 0.2 / 0.85 + no_load).abs() < 1e-4, "{motoring:?}");
    assert!((motoring.current_a - motoring.motor_torque_nm / 0.09).abs() < 1e-12);
    let driven = (50..100).map(|row| step(&mut simulation, row, -20.0)).last().unwrap();
    assert!((driven.motor_torque_nm - 0.2 * 0.85 + no_load).abs() < 1e-4, "{driven:?}");
    // Standing still keeps what friction held.
    let standing = (0..50).map(|_| simulation.move_output(0.01, 0.99, -20.0).unwrap().truth).last().unwrap();
    assert!((standing.motor_torque_nm - 0.2 * 0.85 + simulation.parameters.friction.no_load_nm(0.0, 25.0)).abs() < 1e-4, "{standing:?}");
    // 10 rad/s² of the output without friction and load: J N² q̈ / N.
    let free = Friction { mesh_efficiency: 1.0, constant_nm: 0.0, speed_nm: 0.0, temperature_k: 60.0, presliding_rad: 0.02 };
    let mut simulation = DriveSimulation::new(DriveParameters { orders: Vec::new(), friction: free, ..quiet() }, 1).unwrap();
    let faster = (0..50_u32).map(|row| simulation.move_output(0.01, 5.0 * (f64::from(row) * 0.01).powi(2), 0.0).unwrap().truth);
    let faster = faster.last().unwrap();
    assert!((faster.motor_torque_nm + 2e-5 * 10.0 * 100.0).abs() < 1e-9, "{faster:?}");
}

#[test]
fn seeds_repeat_and_differ() {
    let parameters = DriveParameters {
        motor_encoder: EncoderModel::of_bits(17),
        output_encoder: EncoderModel::of_bits(20),
        load_noise_nm: 0.1,
        current_noise_a: 0.05,
        ..quiet()
    };
    let run = |seed| {
        let mut simulation = DriveSimulation::new(parameters.clone(), seed).unwrap();
        (0..100_u32).map(|row| simulation.move_output(0.002, f64::from(row) * 0.001, 5.0).unwrap()).collect::<Vec<DriveStep>>()
    };
    let (one, same, other) = (run(1), run(1), run(2));
    assert_eq!(one, same);
    assert!(one.iter().zip(&other).all(|(one, other)| one.truth == other.truth));
    assert!(one.iter().zip(&other).any(|(one, other)| one.reading != other.reading));
    let counts = one.iter().map(|step| step.reading.motor_rad / (TAU / 131_072.0));
    assert!(counts.into_iter().all(|counts| (counts - counts.round()).abs() < 1e-6));
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    #[track_caller]
    fn refuses(change: impl Fn(&mut DriveParameters), part: &str) {
        let mut parameters = quiet();
        change(&mut parameters);
        let error = DriveSimulation::new(parameters, 1).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(part), "{error:?} should say {part:?}");
    }
    refuses(|parameters| parameters.signed_ratio = 0.0, "signed_ratio");
    refuses(|parameters| parameters.friction.mesh_efficiency = 1.2, "mesh_efficiency");
    refuses(|parameters| parameters.thermal.winding_j_per_k = f64::NAN, "winding_j_per_k");
    refuses(|parameters| parameters.stiffness.k2_nm_per_rad = -1.0, "stiffness");
    refuses(|parameters| parameters.orders[0].amplitude_rad = 0.1, "orders");
    refuses(|parameters| parameters.orders = vec![parameters.orders[0]; ORDERS_MAX + 1], "at most 64");
    let mut simulation = DriveSimulation::new(DriveParameters { tooth_order: None, ..quiet() }, 1).unwrap();
    let mut fault = |fault| simulation.inject(fault, 0.0, 0.0).unwrap_err().to_string();
    assert!(fault(DriveFault::Tooth { peak_rad: 1e-4 }).contains("needs a strain-wave gear"));
    assert!(fault(DriveFault::Stiffness { share: 0.0 }).contains("share"));
    assert!(fault(DriveFault::Backlash { add_rad: f64::NAN }).contains("add_rad"));
    for (dt_s, output, load) in [(0.0, 0.0, 0.0), (0.1, f64::NAN, 0.0), (0.1, 0.0, f64::INFINITY)] {
        assert!(simulation.move_output(dt_s, output, load).is_err() && simulation.turn_motor(dt_s, output, load).is_err());
    }
    assert_eq!(simulation.move_output(0.1, 0.0, 0.0).unwrap().truth.time_s, 0.0);
}

#[test]
fn described_drives_get_figures_that_can_be_and_stay_within_the_catalogue() {
    for robot in ["kuavo-s45", "walker-s"] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/robots").join(robot).join("drives.toml");
        let table = DriveTable::from_toml_file(&path).unwrap();
        for drive in table.drives() {
            for seed in 0..50 {
                let parameters = DriveParameters::of(drive, 100.0, seed);
                let peaks = 2.0 * parameters.orders.iter().map(|one| one.amplitude_rad).sum::<f64>();
                if let Some(gear) = &drive.strain_wave {
                    assert!(peaks <= gear.accuracy_rad.unwrap_or(60.0 * ARCSEC), "{}: {peaks}", drive.motor);
                    assert!(parameters.tooth_order.is_some() && parameters.backlash_rad == 0.0 && parameters.hysteresis_rad > 0.0);
                }
                // Its efficiency at the rated point is the described one, and so is the current.
                let rated = drive.rated_torque_nm.unwrap_or(40.0);
                let rate = drive.rated_speed_rad_per_s.map_or(209.4, |speed| speed * drive.ratio);
                let efficiency = parameters.friction.efficiency(rated / drive.ratio, rate, 20.0);
                if let (Some(described), None) = (drive.efficiency, drive.strain_wave.as_ref().and_then(|gear| gear.rated_torque_nm)) {
                    assert!((efficiency - described).abs() < 1e-9, "{}: {efficiency} against {described}", drive.motor);
                }
                DriveSimulation::new(parameters, seed).unwrap();
            }
        }
    }
}
