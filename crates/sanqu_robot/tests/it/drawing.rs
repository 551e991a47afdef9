//! What a replay draws inside a drive: angles and bars of every kind, and what aliases.

use std::f64::consts::{PI, TAU};

use sanqu_robot::{Apparent, DriveState, Drivetrain, GearState, LinkPoses, RobotModel, readable_joint_rate};

use crate::every_kind::{TABLE, train};
use crate::robot_folder;

const Q: [f64; 7] = [0.5, 0.3, 0.8, 0.4, -0.3, 0.2, 1.0];

fn states(train: &Drivetrain, q: &[f64], motor: Option<&[f64]>) -> Vec<DriveState> {
    let mut out = Vec::new();
    train.states(q, motor, &mut out).unwrap();
    out
}

#[test]
fn gears_show_their_inner_angles() {
    let train = train().2;
    let states = states(&train, &Q, None);
    assert!(states.iter().enumerate().all(|(index, state)| state.drive == index && state.windup == 0.0));
    // The flexspline's material is the joint; the wave generator turns a hundred times as far against it.
    let GearState::StrainWave(splines) = states[0].gear else { panic!("{:?}", states[0]) };
    assert!((splines.wave_generator + 50.0).abs() < 1e-9 && splines.flexspline == 0.5 && splines.circular_spline == 0.0, "{splines:?}");
    let GearState::Planetary { stages, count: 2 } = states[1].gear else { panic!("{:?}", states[1]) };
    assert!((stages[0].sun - 18.0 * 0.3).abs() < 1e-12 && (stages[0].carrier - stages[1].sun).abs() < 1e-12);
    assert!((stages[1].carrier - 0.3).abs() < 1e-12 && stages[2].carrier == 0.0, "{stages:?}");
    // An inverted screw: the nut turns, the rod comes out by the actuator's change of length.
    let GearState::RollerScrew(screw) = states[2].gear else { panic!("{:?}", states[2]) };
    assert!((screw.nut_travel_m + states[2].output).abs() < 1e-12 && screw.screw_rad == 0.0, "{screw:?}");
    assert!((screw.nut_rad - states[2].output * TAU / 0.003).abs() < 1e-9);
    // The elbow's sign is the gear's own: the eccentric turns against the crank.
    let GearState::Cycloid { eccentric, disc } = states[3].gear else { panic!("{:?}", states[3]) };
    assert!((eccentric + 29.0 * disc).abs() < 1e-9 && disc == states[3].output);
    assert_eq!(states[6].gear, GearState::Direct { rotor: 1.0 });
}

#[test]
fn recorded_motors_show_their_windup() {
    let train = train().2;
    let mut motor = vec![0.0; 7];
    train.motor_from_joint(&Q, &mut motor).unwrap();
    motor[0] += -100.0 * 0.001;
    let states = states(&train, &Q, Some(&motor));
    assert!((states[0].windup - 0.001).abs() < 1e-12 && states[1].windup.abs() < 1e-12);
    let GearState::StrainWave(splines) = states[0].gear else { panic!("{:?}", states[0]) };
    assert!((splines.wave_generator + 50.1).abs() < 1e-9 && splines.flexspline == 0.5, "{splines:?}");
}

#[test]
fn a_drive_that_counts_backwards_is_drawn_the_same() {
    let (model, _, forwards) = train();
    let table = sanqu_robot::DriveTable::from_toml_str(&TABLE.replacen("sign = -1", "sign = 1", 1)).unwrap();
    let backwards = Drivetrain::new(&table, &model).unwrap();
    assert_eq!(states(&forwards, &Q, None)[0].gear, states(&backwards, &Q, None)[0].gear);
}

#[test]
fn bars_keep_their_lengths_and_meet() {
    let train = train().2;
    let lengths: [(usize, Option<f64>, f64); 4] = [(1, Some(0.05), 0.2), (4, None, f64::NAN), (5, None, f64::NAN), (2, None, f64::NAN)];
    for step in 0..20 {
        let turn = f64::from(step) * 0.02;
        let q = Q.map(|angle| angle * (1.0 - turn));
        let states = states(&train, &q, None);
        for (drive, crank_m, rod_m) in lengths {
            let bars = states[drive].bars.unwrap();
            assert_eq!(bars.rod[1], bars.horn[1], "drive {drive}: rod and horn meet");
            match (crank_m, bars.crank) {
                (Some(length), Some(crank)) => assert!(((crank[1] - crank[0]).norm() - length).abs() < 1e-12 && crank[1] == bars.rod[0]),
                (None, None) => {}
                other => panic!("drive {drive}: {other:?}"),
            }
            if rod_m.is_finite() {
                assert!(((bars.rod[1] - bars.rod[0]).norm() - rod_m).abs() < 1e-12, "drive {drive}");
            }
        }
        // Actuators are as long as their outputs say.
        let length = |drive: usize| states[drive].bars.map(|bars| (bars.rod[1] - bars.rod[0]).norm()).unwrap();
        let zero = |q: [f64; 7]| self::states(&train, &q, None)[2].bars.map(|bars| (bars.rod[1] - bars.rod[0]).norm()).unwrap();
        assert!((length(2) - zero([0.0; 7]) - states[2].output).abs() < 1e-12);
        assert!((length(4) - 0.260_192_236_625_153_8 - states[4].output).abs() < 1e-12);
    }
    assert!(states(&train, &Q, None)[3].bars.is_none(), "its place is not described");
}

#[test]
fn kuavo_rods_end_on_the_foot_in_the_shank_s_frame() {
    let folder = robot_folder("kuavo-s45");
    let model = RobotModel::from_urdf_file(&folder.join("robot.urdf")).unwrap();
    let table = sanqu_robot::DriveTable::from_toml_file(&folder.join("drives.toml")).unwrap();
    let train = Drivetrain::new(&table, &model).unwrap();
    let q = table.pose("stand").unwrap().q(&model).unwrap();
    let mut poses = LinkPoses::default();
    model.link_poses(&q, &nalgebra::Isometry3::identity(), &mut poses).unwrap();
    let foot = poses[model.link_index("leg_l6_link").unwrap()];
    let rods: Vec<_> = states(&train, &q, None).into_iter().filter(|state| table.drives()[state.drive].moves("leg_l6_joint")).collect();
    assert_eq!(rods.len(), 2);
    for (state, side) in rods.iter().zip([1.0, -1.0]) {
        let bars = state.bars.unwrap();
        let shank = poses[bars.link];
        assert_eq!(model.links()[bars.link].name, "leg_l4_link");
        let socket = foot.inverse() * (shank * bars.rod[1]);
        // The socket of the published geometry; the foot's frame is 0.4 mm behind the ankle centre that the linkage states.
        let expect = nalgebra::Point3::new(-0.056_027 + 0.0004, side * 0.0255, 0.015);
        assert!((socket - expect).norm() < 2e-4, "{socket} against {expect}");
    }
}

#[test]
fn what_turns_too_fast_for_the_pictures_is_told() {
    // Two lobes at 60 pictures a second: readable below 15 turns a second, 0.94 rad/s at the joint of a 100:1 drive.
    let slow = Apparent::new(14.9 * TAU, 2, 60.0);
    assert!(!slow.aliases && (slow.seen_rad_per_s - 14.9 * TAU).abs() < 1e-9 && (slow.limit_rad_per_s - 15.0 * TAU).abs() < 1e-9);
    let fast = Apparent::new(29.0 * TAU, 2, 60.0);
    assert!(fast.aliases && (fast.seen_rad_per_s + 1.0 * TAU).abs() < 1e-9, "{fast:?}");
    assert!((readable_joint_rate(100.0, 2, 60.0) - 0.942_477_796).abs() < 1e-8);
    assert!((readable_joint_rate(100.0, 1, 60.0) - 60.0 * PI / 100.0).abs() < 1e-12);
    let train = train().2;
    assert!(train.apparent(0, 100.0, 60.0).unwrap().aliases && !train.apparent(0, 90.0, 60.0).unwrap().aliases);
    // Three planets on a carrier that turns a sixth as fast as the sun: the same limit in motor turns.
    let carrier = train.apparent(1, 100.0, 60.0).unwrap();
    assert!(!carrier.aliases && (carrier.seen_rad_per_s - 100.0 / 6.0).abs() < 1e-9, "{carrier:?}");
    assert_eq!(train.apparent(7, 1.0, 60.0), None);
}
