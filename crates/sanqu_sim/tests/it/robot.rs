use std::f64::consts::TAU;

use arrow_array::types::{Float32Type, Float64Type, UInt32Type};
use sanqu_robot::{DriveTable, Drivetrain, RatioSamples, RatioVerdict, RobotModel, fit_ratio};
use sanqu_sim::SimRobot;

use crate::support::{ROBOTS, Rows, SECOND_NS, START_NS, cameras, robot, spec};

#[test]
fn the_same_spec_gives_the_same_bytes_however_it_is_asked() {
    for which in ROBOTS {
        let cameras = cameras(96, 64);
        let mut whole = robot(which, &cameras);
        let at_once = whole.advance(START_NS + 2 * SECOND_NS).unwrap();
        let mut stepped = robot(which, &cameras);
        let mut in_steps = Vec::new();
        let mut until_ns = START_NS - SECOND_NS;
        while until_ns < START_NS + 2 * SECOND_NS {
            until_ns = (until_ns + 37_000_001).min(START_NS + 2 * SECOND_NS);
            in_steps.extend(stepped.advance(until_ns).unwrap());
        }
        in_steps.sort_by(|a, b| a.due_ns.cmp(&b.due_ns).then_with(|| a.stream.cmp(&b.stream)));
        assert_eq!(at_once.len(), in_steps.len());
        assert!(at_once == in_steps, "{which:?} differs when it is asked in steps");
        let mut other_seed = SimRobot::new(sanqu_sim::SimSpec { seed: 8, ..spec(which, &cameras) }, START_NS).unwrap();
        assert!(at_once != other_seed.advance(START_NS + 2 * SECOND_NS).unwrap(), "{which:?} ignores its seed");
    }
}

#[test]
fn payloads_fit_their_descriptions_and_follow_each_other() {
    for which in ROBOTS {
        let mut robot = robot(which, &cameras(96, 64));
        let samples = robot.advance(START_NS + 3 * SECOND_NS).unwrap();
        for description in robot.descriptions() {
            assert_eq!(description.facts["evidence"], "simulated", "{}", description.stream);
            let mine: Vec<_> = samples.iter().filter(|sample| sample.stream == description.stream).collect();
            assert!(mine.len() > 80, "{}: {} payloads", description.stream, mine.len());
            if description.quantities.is_empty() {
                assert!(mine.iter().all(|sample| sample.rows == 1 && sample.due_ns == sample.capture_ns));
                continue;
            }
            let period_ns = 1e9 / description.rate_hz;
            let mut index = 0_u32;
            for sample in mine {
                let batch = sanqu_wire::decode_rows(&sample.payload).unwrap();
                assert_eq!(batch.schema().as_ref(), &description.payload_schema(), "{}", description.stream);
                assert_eq!((batch.num_rows(), sample.rows), (sample.rows as usize, (description.rate_hz * 0.02).round() as u32));
                let rows = Rows::of(std::slice::from_ref(sample), description.stream.as_str());
                assert_eq!((rows.t_ns[0], *rows.t_ns.last().unwrap()), (sample.capture_ns, sample.due_ns));
                for t_ns in rows.t_ns {
                    let expected_ns = START_NS + (f64::from(index) * period_ns).round() as i64;
                    assert_eq!(t_ns, expected_ns, "{} row {index}", description.stream);
                    index += 1;
                }
            }
        }
        assert!(samples.windows(2).all(|pair| pair[0].due_ns <= pair[1].due_ns));
    }
}

#[test]
fn limits_speeds_and_efforts_are_kept_for_a_minute_and_arms_move() {
    for which in ROBOTS {
        let model = RobotModel::from_urdf_file(&spec(which, &[]).model_dir.join("robot.urdf")).unwrap();
        let mut robot = robot(which, &[]);
        let samples = robot.advance(START_NS + 60 * SECOND_NS).unwrap();
        let joint = Rows::of(&samples, "joint");
        let (pos, vel, effort) =
            (joint.values::<Float64Type>("pos"), joint.values::<Float64Type>("vel"), joint.values::<Float64Type>("effort"));
        assert!(pos.len() >= 29_990);
        let mut moved = 0;
        for (index, limits) in model.joints().iter().enumerate() {
            let column = |rows: &[Vec<f64>]| {
                rows.iter().map(|row| row[index]).fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)))
            };
            let (low, high) = column(&pos);
            assert!(low >= limits.lower && high <= limits.upper, "{}: {low}..{high} of {}..{}", limits.name, limits.lower, limits.upper);
            let (slow, fast) = column(&vel);
            assert!(-slow <= limits.velocity && fast <= limits.velocity, "{}: {slow}..{fast} of {}", limits.name, limits.velocity);
            let (weak, strong) = column(&effort);
            assert!(-weak <= limits.effort && strong <= limits.effort, "{}: {weak}..{strong} of {} N·m", limits.name, limits.effort);
            moved += usize::from(high - low > 0.3);
        }
        assert!(moved >= 8, "{which:?}: only {moved} joints move by more than 0.3 rad");
    }
}

#[test]
fn speeds_are_the_derivatives_of_positions() {
    for which in ROBOTS {
        let mut robot = robot(which, &[]);
        let samples = robot.advance(START_NS + 20 * SECOND_NS).unwrap();
        for (stream, resolution) in [("joint", TAU / 1_048_576.0), ("motor", TAU / 131_072.0)] {
            let rows = Rows::of(&samples, stream);
            let (pos, vel) = (rows.values::<Float64Type>("pos"), rows.values::<Float64Type>("vel"));
            let (mut beyond, mut looked) = (0, 0);
            // Differences over 12 ms: counts and noise of the encoder, and the curvature of the fastest move.
            for row in (3..pos.len() - 3).step_by(7) {
                for element in 0..pos[row].len() {
                    let slope = (pos[row + 3][element] - pos[row - 3][element]) / 0.012;
                    let allowed = 4.0 * resolution / 0.012 + 0.005 * vel[row][element].abs() + if stream == "joint" { 5e-4 } else { 0.5 };
                    looked += 1;
                    beyond += usize::from((slope - vel[row][element]).abs() > allowed);
                }
            }
            // Rotors that cross their play do so within a few rows.
            let most = if stream == "joint" { 0 } else { looked / 500 };
            assert!(beyond <= most, "{which:?} {stream}: {beyond} of {looked} speeds are not their positions' derivatives");
        }
    }
}

#[test]
fn motors_turn_by_the_signed_ratio_and_wind_up_a_little() {
    for which in ROBOTS {
        let folder = spec(which, &[]).model_dir;
        let model = RobotModel::from_urdf_file(&folder.join("robot.urdf")).unwrap();
        let table = DriveTable::from_toml_file(&folder.join("drives.toml")).unwrap();
        let train = Drivetrain::new(&table, &model).unwrap();
        let mut robot = robot(which, &[]);
        let samples = robot.advance(START_NS + 40 * SECOND_NS).unwrap();
        let (joint, motor) = (Rows::of(&samples, "joint"), Rows::of(&samples, "motor"));
        let effort = joint.values::<Float64Type>("effort");
        let (joint, motor) = (joint.values::<Float64Type>("pos"), motor.values::<Float64Type>("pos"));
        let (mut checked, count) = (0, table.drives().len());
        let (mut rigid, mut load) = (vec![0.0; count], vec![0.0; count]);
        let (mut output, mut torque) = (vec![Vec::new(); count], vec![Vec::new(); count]);
        for row in 0..joint.len() {
            train.motor_from_joint(&joint[row], &mut rigid).unwrap();
            train.motor_torques(&joint[row], &effort[row], &mut load).unwrap();
            for (index, drive) in table.drives().iter().enumerate() {
                output[index].push(rigid[index] / drive.signed_ratio());
                torque[index].push(load[index] * drive.signed_ratio());
            }
        }
        for (index, drive) in table.drives().iter().enumerate() {
            let (angles, signed) = (motor.iter().map(|row| row[index]).collect::<Vec<f64>>(), drive.signed_ratio());
            // Against the rigid drive (through the linkage), seen at the output.
            let wound = angles.iter().zip(&output[index]).map(|(angle, output)| (angle / signed - output).abs());
            let wound_most = wound.fold(0.0, f64::max);
            assert!(wound_most > 1e-6 && wound_most < 0.015, "{}: wind-up of {wound_most} rad", drive.motor);
            let samples = RatioSamples { motor: &angles, output: &output[index], torque: &torque[index] };
            let fit = fit_ratio(&samples, signed, drive.stiffness());
            let verdict = fit.map_or(RatioVerdict::NotEnoughMotion, |fit| fit.verdict(signed));
            assert_ne!(verdict, RatioVerdict::Wrong, "{}: {fit:?} against {signed}", drive.motor);
            checked += usize::from(verdict == RatioVerdict::Fits);
        }
        assert!(checked >= 8, "{which:?}: only {checked} drives move enough");
    }
}

#[test]
fn currents_heat_and_errors_are_plausible() {
    for which in ROBOTS {
        let mut robot = robot(which, &[]);
        let samples = robot.advance(START_NS + 30 * SECOND_NS).unwrap();
        let motor = Rows::of(&samples, "motor");
        let current = motor.values::<Float64Type>("current").concat();
        assert!(current.iter().all(|ampere| ampere.abs() < 60.0), "{:?}", current.iter().fold(0.0_f64, |a, b| a.max(b.abs())));
        assert!(current.iter().any(|ampere| ampere.abs() > 0.5));
        assert!(motor.values::<Float32Type>("temp").concat().iter().all(|celsius| (15.0..=90.0).contains(celsius)));
        assert!(motor.values::<UInt32Type>("err").concat().iter().all(|error| *error == 0));
    }
}

#[test]
fn the_torso_feels_gravity_and_the_command_leads() {
    for which in ROBOTS {
        let mut robot = robot(which, &[]);
        let samples = robot.advance(START_NS + 30 * SECOND_NS).unwrap();
        let imu = Rows::of(&samples, "imu/torso");
        let acc = imu.values::<Float64Type>("acc");
        let mean: f64 = acc.iter().map(|a| a.iter().map(|x| x * x).sum::<f64>().sqrt()).sum::<f64>() / acc.len() as f64;
        assert!((mean - 9.807).abs() < 0.02, "{mean} m/s²");
        for quat in imu.values::<Float64Type>("quat").iter().step_by(100) {
            assert!((quat.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-9);
        }
        assert!(imu.values::<Float64Type>("gyro").concat().iter().all(|rate| rate.abs() < 1.0));

        let (joint, command) = (Rows::of(&samples, "joint"), Rows::of(&samples, "command"));
        let (joint, command) = (joint.values::<Float64Type>("pos"), command.values::<Float64Type>("pos"));
        for row in (0..command.len() - 10).step_by(10) {
            // 100 Hz against 500 Hz; the joints are where the command was 60 ms before, as their encoders see it.
            for (asked, came) in command[row].iter().zip(&joint[row * 5 + 30]) {
                assert!((asked - came).abs() < 0.7e-3, "row {row}: {asked} against {came}");
            }
        }
    }
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    #[track_caller]
    fn refuses(change: impl Fn(&mut sanqu_sim::SimSpec), part: &str) {
        let mut spec = spec(ROBOTS[0], &cameras(320, 240));
        change(&mut spec);
        let error = SimRobot::new(spec, START_NS).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(part), "{error:?} should say {part:?}");
    }
    refuses(|spec| spec.rate_hz = f64::NAN, "rate_hz is NaN");
    refuses(|spec| spec.cameras[1].width = 78, "width of camera wrist-left is 78");
    refuses(|spec| spec.cameras[0].height = 33, "height of camera head is 33");
    refuses(|spec| spec.cameras[2].fps = 0, "fps of camera wrist-right is 0");
    refuses(|spec| spec.cameras[0].name = "tail".to_owned(), "no camera \"tail\"");
    refuses(|spec| spec.model_dir = "/nowhere".into(), "/nowhere");
}
