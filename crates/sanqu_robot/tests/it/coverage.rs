//! Simulated drives with injected faults: estimates are as close to the truth as they say, and are refused where the motion or the
//! load cannot tell.

use std::f64::consts::{PI, TAU};

use sanqu_robot::simulate::{DriveFault, DriveParameters, DriveSimulation, EncoderModel, Friction, Harmonic, Thermal};
use sanqu_robot::{Answer, CurrentConvention, DriveFigures, DriveHealth, DriveSample, DriveSamples, Footprint, Refusal, Stiffness};

const ARCMIN: f64 = PI / 10_800.0;
const ARCSEC: f64 = ARCMIN / 60.0;
const RATIO: f64 = -100.0;
const RATE_HZ: f64 = 500.0;
const RATED_NM: f64 = 40.0;
const SEEDS: u64 = 20;
const ORDERS: [f64; 4] = [1.0, 2.0, 2.02, 4.0];
/// Size 20, ratio above 50 (Harmonic Drive CHA manual).
const SIZE_20: Stiffness = Stiffness { t1_nm: 7.0, t2_nm: 25.0, k1_nm_per_rad: 16_000.0, k2_nm_per_rad: 25_000.0, k3_nm_per_rad: 29_000.0 };

/// A number between two others that a seed and a name make.
fn drawn(seed: u64, name: u64, low: f64, high: f64) -> f64 {
    let mut mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(name.wrapping_mul(0xbf58_476d_1ce4_e5b9));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    low + (high - low) * ((mixed ^ (mixed >> 31)) >> 11) as f64 / 9_007_199_254_740_992.0
}

fn parameters(seed: u64) -> DriveParameters {
    let order = |order: f64, name: u64, low: f64, high: f64| Harmonic {
        order,
        amplitude_rad: drawn(seed, name, low, high) * ARCSEC,
        phase_rad: drawn(seed, name + 100, 0.0, TAU),
    };
    DriveParameters {
        signed_ratio: RATIO,
        stiffness: SIZE_20,
        hysteresis_rad: drawn(seed, 1, 0.3, 0.9) * ARCMIN,
        backlash_rad: 0.0,
        play_torque_nm: 0.2,
        orders: vec![order(1.0, 2, 1.0, 5.0), order(2.0, 3, 3.0, 15.0), order(2.02, 4, 1.0, 7.0), order(4.0, 5, 1.0, 2.0)],
        tooth_order: Some(2.02),
        tooth_phase_rad: drawn(seed, 6, 0.0, TAU),
        friction: Friction { mesh_efficiency: 0.85, constant_nm: 0.01, speed_nm: 0.0005, temperature_k: 60.0, presliding_rad: 0.02 },
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
        motor_encoder: EncoderModel::of_bits(17),
        output_encoder: EncoderModel::of_bits(20),
        load_noise_nm: 0.1,
        current_noise_a: 0.02,
        temperature_step_c: 0.1,
    }
}

fn figures() -> DriveFigures {
    DriveFigures {
        stiffness: Some(SIZE_20),
        rated_torque_nm: Some(RATED_NM),
        peak_torque_nm: Some(74.0),
        torque_constant_nm_per_a: Some(0.09),
        current: CurrentConvention::QAxis,
        resistance_ohm: Some(0.4),
        inertia_kg_m2: Some(0.2),
        orders: ORDERS.to_vec(),
        ..DriveFigures::of_ratio(RATIO)
    }
}

/// Moves the output by `motion(t)` under `load(t)`; what was read, and the span of the true wind-up.
fn record(simulation: &mut DriveSimulation, seconds: f64, motion: impl Fn(f64) -> f64, load: impl Fn(f64) -> f64) -> (DriveSamples, f64) {
    let (mut samples, mut low, mut high) = (DriveSamples::default(), f64::MAX, f64::MIN);
    let mut row = 0_u32;
    while f64::from(row) / RATE_HZ < seconds {
        let t_s = f64::from(row) / RATE_HZ;
        let step = simulation.move_output(1.0 / RATE_HZ, motion(t_s), load(t_s)).unwrap();
        (low, high) = (low.min(step.truth.windup_rad), high.max(step.truth.windup_rad));
        samples.push(DriveSample {
            t_s,
            motor: step.reading.motor_rad,
            output: step.reading.output_rad,
            torque_nm: Some(step.reading.load_nm),
            motor_torque_nm: None,
            current_a: Some(step.reading.current_a),
            temperature_c: Some(step.reading.winding_c),
        });
        row += 1;
    }
    (samples, high - low)
}

/// A joint that swings while its load goes up and down at another pace.
fn lively(seed: u64) -> (impl Fn(f64) -> f64, impl Fn(f64) -> f64) {
    let [pace, other, phase] = [1, 2, 3].map(|name| drawn(seed, 20 + name, 0.0, 1.0));
    let top = drawn(seed, 24, 38.0, 46.0);
    let motion = move |t: f64| 0.9 * ((0.7 + 0.4 * pace) * t).sin();
    let load = move |t: f64| top * ((1.9 + other) * t + TAU * phase).sin() * (0.75 + 0.25 * (0.31 * t).sin());
    (motion, load)
}

/// How many standard deviations estimates are off, by quantity.
#[derive(Default)]
struct Offs(std::collections::BTreeMap<String, Vec<(f64, f64)>>);

impl Offs {
    fn add(&mut self, name: &str, answer: &Answer, truth: f64) {
        let found = answer.as_ref().unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        assert!(found.value.is_finite() && found.sigma > 0.0, "{name}: {found:?}");
        self.0.entry(name.to_owned()).or_default().push(((found.value - truth) / found.sigma, found.sigma / truth.abs()));
    }

    /// Nine of ten within 2σ, all within 4σ; no doubt so wide that it says nothing.
    fn check(&self) {
        let mut wrong = Vec::new();
        for (name, offs) in &self.0 {
            let within = offs.iter().filter(|(off, _)| off.abs() <= 2.0).count();
            let worst = offs.iter().map(|(off, _)| off.abs()).fold(0.0, f64::max);
            let rms = (offs.iter().map(|(off, _)| off * off).sum::<f64>() / offs.len() as f64).sqrt();
            let width = offs.iter().map(|(_, width)| *width).sum::<f64>() / offs.len() as f64;
            let line =
                format!("{name}: {within} of {} within 2σ, worst {worst:.1}σ, rms {rms:.2}σ, σ is {:.1} %", offs.len(), 100.0 * width);
            eprintln!("{line}");
            if within * 10 < offs.len() * 9 || worst > 4.0 || width > 0.5 {
                wrong.push(line);
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[test]
fn estimates_are_as_close_to_the_truth_as_they_say() {
    let mut offs = Offs::default();
    for seed in 0..SEEDS {
        let mut simulation = DriveSimulation::new(parameters(seed), seed).unwrap();
        // Faults that were there before the recording: play, lost stiffness.
        let play = if seed % 2 == 0 { drawn(seed, 10, 0.5, 3.0) * ARCMIN } else { 0.0 };
        simulation.inject(DriveFault::Backlash { add_rad: play }, -1.0, 0.0).unwrap();
        simulation.inject(DriveFault::Stiffness { share: drawn(seed, 11, 0.6, 1.0) }, -1.0, 0.0).unwrap();
        let (motion, load) = lively(seed);
        let (mut samples, span) = record(&mut simulation, 40.0, motion, load);
        let health = DriveHealth::assess(&mut samples, &figures(), None);
        let real = simulation.stiffness();
        offs.add("windup", &health.windup, span);
        for (region, truth) in [real.k1_nm_per_rad, real.k2_nm_per_rad, real.k3_nm_per_rad].into_iter().enumerate() {
            offs.add(&format!("stiffness {}", region + 1), &health.torsion.stiffness[region], truth);
        }
        offs.add("hysteresis", &health.torsion.hysteresis, simulation.parameters().hysteresis_rad);
        offs.add("lost motion", &health.torsion.lost_motion, simulation.lost_motion_rad(RATED_NM, 0.04));
        if play > 0.0 {
            offs.add("play", &health.torsion.play, simulation.backlash_rad());
        }
        for found in &health.orders {
            offs.add(&format!("order {}", found.order), &found.amplitude, simulation.order_amplitude_rad(found.order));
        }
        offs.add("ratio", &health.ratio, RATIO);
    }
    offs.check();
}

#[test]
fn a_damaged_tooth_shows_in_its_order() {
    let mut offs = Offs::default();
    for seed in 0..SEEDS {
        let mut simulation = DriveSimulation::new(parameters(seed), seed).unwrap();
        simulation.inject(DriveFault::Tooth { peak_rad: drawn(seed, 12, 40.0, 80.0) * ARCSEC }, -1.0, 0.0).unwrap();
        let (motion, load) = lively(seed);
        let (mut samples, _) = record(&mut simulation, 40.0, motion, load);
        let health = DriveHealth::assess(&mut samples, &figures(), None);
        let found = health.orders.iter().find(|found| found.order == 2.02).unwrap();
        offs.add("order 2.02", &found.amplitude, simulation.order_amplitude_rad(2.02));
    }
    offs.check();
}

#[test]
fn what_was_not_excited_is_not_identifiable() {
    for seed in 0..4 {
        // Gravity alone, and an encoder that is not mounted to the centre.
        let footprint = vec![Harmonic { order: 1.0, amplitude_rad: 2.0 * ARCMIN, phase_rad: drawn(seed, 30, 0.0, TAU) }];
        let mounted = EncoderModel { footprint, ..EncoderModel::of_bits(20) };
        let mut simulation = DriveSimulation::new(DriveParameters { output_encoder: mounted, ..parameters(seed) }, seed).unwrap();
        let (motion, _) = lively(seed);
        let (mut samples, _) = record(&mut simulation, 30.0, &motion, |t| 30.0 * (motion(t) + 0.3).sin());
        let health = DriveHealth::assess(&mut samples, &figures(), None);
        for answer in &health.torsion.stiffness {
            assert!(answer.as_ref().is_err_and(Refusal::is_unidentifiable), "seed {seed}: {answer:?}");
        }
        assert!(health.torsion.lost_motion.is_err(), "seed {seed}: {:?}", health.torsion.lost_motion);
        // The joint held, no load: neither motion nor torsion.
        let mut simulation = DriveSimulation::new(parameters(seed), seed).unwrap();
        let (mut samples, _) = record(&mut simulation, 10.0, |_| 0.2, |_| 0.0);
        let health = DriveHealth::assess(&mut samples, &figures(), None);
        let torsion = &health.torsion;
        for answer in torsion.stiffness.iter().chain([&torsion.lost_motion, &health.ratio, &health.direction_split, &health.efficiency]) {
            assert!(answer.as_ref().is_err_and(Refusal::is_unidentifiable), "seed {seed}: {answer:?}");
        }
        assert!(health.orders.iter().all(|found| found.amplitude.is_err()), "seed {seed}: {:?}", health.orders);
    }
}

#[test]
fn a_calibrated_footprint_takes_the_encoder_out() {
    let mut offs = Offs::default();
    for seed in 0..6 {
        let footprint = vec![
            Harmonic { order: 1.0, amplitude_rad: drawn(seed, 31, 0.5, 3.0) * ARCMIN, phase_rad: drawn(seed, 32, 0.0, TAU) },
            Harmonic { order: 2.0, amplitude_rad: 0.3 * ARCMIN, phase_rad: drawn(seed, 33, 0.0, TAU) },
        ];
        let mounted = EncoderModel { footprint, ..EncoderModel::of_bits(20) };
        let parameters = DriveParameters { output_encoder: mounted.clone(), load_noise_nm: 0.05, ..parameters(seed) };
        let mut simulation = DriveSimulation::new(parameters, seed).unwrap();
        let (sweep, _) = record(&mut simulation, 20.0, |t| 1.5 * (0.63 * t).sin(), |_| 0.0);
        let calibration = Footprint::calibrate(&sweep, &figures()).unwrap();
        let errors =
            (-15..=15).map(|place| f64::from(place) * 0.09).map(|q| calibration.footprint.at(q).unwrap() - mounted.footprint_rad(q));
        let errors: Vec<f64> = errors.collect();
        // Up to a constant, which no wind-up knows.
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        let worst = errors.iter().map(|error| (error - mean).abs()).fold(0.0, f64::max);
        assert!(worst < 4.0 * calibration.sigma.max(0.5 * ARCSEC), "seed {seed}: {} of {}", worst / ARCSEC, calibration.sigma / ARCSEC);
        assert_eq!(calibration.footprint.at(2.5), None);
        // With it, gravity alone tells the stiffness.
        let (mut samples, span) = record(&mut simulation, 30.0, |t| (0.9 * t).sin(), |t| 38.0 * (1.4 * (0.9 * t).sin()).sin());
        let health = DriveHealth::assess(&mut samples, &figures(), Some(&calibration.footprint));
        offs.add("windup", &health.windup, span);
        offs.add("stiffness 2", &health.torsion.stiffness[1], SIZE_20.k2_nm_per_rad);
    }
    offs.check();
}
