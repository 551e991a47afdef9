//! The shipped robots: totals, order, colours, poses, and that nothing in them contradicts itself.

use nalgebra::{Isometry3, Translation3, Vector3};
use sanqu_robot::{DriveTable, LinkPoses, ReducerKind, RobotModel, Severity, Shape, check_description};

use crate::robot_folder;

const ROBOTS: [&str; 2] = ["kuavo-s45", "walker-s"];

fn load(robot: &str) -> (RobotModel, DriveTable) {
    let folder = robot_folder(robot);
    let model = RobotModel::from_urdf_file(&folder.join("robot.urdf")).unwrap();
    (model, DriveTable::from_toml_file(&folder.join("drives.toml")).unwrap())
}

#[test]
fn descriptions_check_clean_but_for_the_undriven_hands() {
    for robot in ROBOTS {
        let folder = robot_folder(robot);
        let report = check_description(&folder.join("robot.urdf"), Some(&folder.join("drives.toml"))).unwrap();
        assert!(report.is_ok(), "{robot}: {:#?}", report.issues);
        let [warning] = &report.issues[..] else { panic!("{robot}: {:#?}", report.issues) };
        assert_eq!(warning.severity, Severity::Warning);
        assert!(warning.detail.contains("without a drive"), "{warning:?}");
    }
}

#[test]
fn masses_are_the_published_totals() {
    assert!((load("kuavo-s45").0.mass_kg() - 51.715).abs() < 0.000_5);
    assert!((load("walker-s").0.mass_kg() - 71.68).abs() < 0.005);
}

#[test]
fn kuavo_joints_are_in_the_order_of_its_28_vectors() {
    let (model, table) = load("kuavo-s45");
    let limb = |prefix: &'static str, count: usize| (1..=count).map(move |index| format!("{prefix}{index}_joint"));
    let body = limb("leg_l", 6).chain(limb("leg_r", 6)).chain(limb("zarm_l", 7)).chain(limb("zarm_r", 7)).chain(limb("zhead_", 2));
    let names: Vec<&str> = model.joints().iter().map(|joint| joint.name.as_str()).collect();
    assert_eq!(names[..28], body.collect::<Vec<_>>()[..]);
    assert_eq!((names.len(), model.mimics().len(), table.drives().len()), (28 + 12, 8, 28));
}

#[test]
fn walker_has_52_joints_the_body_first() {
    let (model, table) = load("walker-s");
    assert_eq!((model.joints().len(), model.mimics().len(), table.drives().len()), (30 + 22, 0, 30));
    let body = &model.joints()[..30];
    assert!(body.iter().all(|joint| !joint.name.starts_with("hand3")), "hand joints come after the body's");
    assert_eq!((body[0].name.as_str(), body[29].name.as_str()), ("waist_yaw_joint", "R_ankle_roll_joint"));
    let all_assumed = |drive: &sanqu_robot::Drive| drive.is_assumed("ratio") && drive.is_assumed("sign") && drive.is_assumed("reducer");
    assert!(table.drives().iter().all(all_assumed), "nothing about its drives is public");
    let strain_wave = table.drives().iter().filter(|drive| drive.reducer == ReducerKind::StrainWave);
    assert!(strain_wave.clone().count() > 0 && strain_wave.clone().all(|drive| drive.is_assumed("arrangement")));
}

#[test]
fn limits_are_reported_with_their_excess() {
    let (model, _) = load("kuavo-s45");
    let mut q = vec![0.0; model.joints().len()];
    assert_eq!(model.check_limits(&q), []);
    (q[3], q[12], q[27]) = (-0.5, 1.6, f64::NAN);
    let found = model.check_limits(&q);
    let names: Vec<&str> = found.iter().map(|violation| violation.name.as_str()).collect();
    assert_eq!(names, ["leg_l4_joint", "zarm_l1_joint", "zhead_2_joint"]);
    assert_eq!(found[0].excess, -0.5);
    assert!((found[1].excess - (1.6 - model.joints()[12].upper)).abs() < 1e-12 && found[2].excess.is_nan());
}

#[test]
fn every_link_is_drawn_or_a_bare_frame() {
    let bare_words = ["toe", "heel", "sole", "imu", "radar", "livox", "optical", "end_effector", "head_stereo"];
    for robot in ROBOTS {
        let (model, _) = load(robot);
        for link in model.links() {
            let bare = bare_words.iter().any(|word| link.name.contains(word));
            assert_eq!(link.visuals.is_empty(), bare, "{robot}: link {}", link.name);
            assert!(link.visuals.iter().all(|visual| visual.rgba.is_some()), "{robot}: link {} has an uncoloured shape", link.name);
            assert!(!link.visuals.iter().any(|visual| matches!(visual.shape, Shape::Mesh { .. })), "{robot}: only primitives ship");
        }
    }
}

/// Lowest drawn point above the floor, and the highest: spheres exactly, boxes and cylinders by their corners.
fn drawn_heights(model: &RobotModel, poses: &LinkPoses) -> (f64, f64) {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for (link, pose) in model.links().iter().zip(poses.iter()) {
        for visual in &link.visuals {
            let frame = pose * visual.link_from_visual;
            let up = frame.rotation.inverse() * Vector3::z();
            let reach = match visual.shape {
                Shape::Sphere { radius_m } => radius_m,
                Shape::Cylinder { radius_m, length_m } => radius_m * up.x.hypot(up.y) + 0.5 * length_m * up.z.abs(),
                Shape::Box { size_m } => 0.5 * (0..3).map(|axis| size_m[axis] * up[axis].abs()).sum::<f64>(),
                _ => panic!("only primitives ship"),
            };
            low = low.min(frame.translation.z - reach);
            high = high.max(frame.translation.z + reach);
        }
    }
    (low, high)
}

fn check_standing(robot: &str, height_m: f64, soles: [&str; 2]) {
    let (model, table) = load(robot);
    let stand = table.pose("stand").unwrap();
    let q = stand.q(&model).unwrap();
    assert_eq!(model.check_limits(&q), [], "{robot}");
    let base = |height| Isometry3::from_parts(Translation3::new(0.0, 0.0, height), Default::default());
    let mut poses = LinkPoses::default();
    model.link_poses(&q, &base(stand.base_height_m), &mut poses).unwrap();
    let (low, _) = drawn_heights(&model, &poses);
    assert!(low.abs() < 2e-4, "{robot}: lowest shape at {low} m");
    for sole in soles {
        let pose = poses[model.link_index(sole).unwrap()];
        assert!(pose.translation.z.abs() < 2e-4 && pose.rotation.angle() < 2e-4, "{robot}: {sole} {pose}");
    }
    model.link_poses(&vec![0.0; q.len()], &base(0.0), &mut poses).unwrap();
    let (low, high) = drawn_heights(&model, &poses);
    assert!((high - low - height_m).abs() < 0.03, "{robot}: {} m tall", high - low);
}

#[test]
fn robots_stand_flat_on_the_floor_and_are_as_tall_as_published() {
    check_standing("kuavo-s45", 1.66, ["l_foot_sole", "r_foot_sole"]);
    check_standing("walker-s", 1.76, ["L_sole", "R_sole"]);
}

#[test]
fn known_positions_of_the_published_poses() {
    let at = |robot: &str, joints: &[(&str, f64)], link: &str| {
        let model = load(robot).0;
        let mut q = vec![0.0; model.joints().len()];
        for (name, value) in joints {
            q[model.joint_index(name).unwrap()] = *value;
        }
        let mut poses = LinkPoses::default();
        model.link_poses(&q, &Isometry3::identity(), &mut poses).unwrap();
        poses[model.link_index(link).unwrap()].translation.vector
    };
    let elbow_up = at("kuavo-s45", &[("zarm_l4_joint", -std::f64::consts::FRAC_PI_2)], "zarm_l7_end_effector");
    assert!((elbow_up - Vector3::new(0.427, 0.263, 0.121)).norm() < 2e-3, "{elbow_up}");
    let (model, table) = load("walker-s");
    let mut poses = LinkPoses::default();
    model.link_poses(&table.pose("stand").unwrap().q(&model).unwrap(), &Isometry3::identity(), &mut poses).unwrap();
    for (link, side) in [("L_sixforce_link", 1.0), ("R_sixforce_link", -1.0)] {
        let hand = poses[model.link_index(link).unwrap()].translation.vector;
        assert!((hand - Vector3::new(0.389, side * 0.343, 0.400)).norm() < 1e-3, "{link}: {hand}");
    }
}

#[test]
fn cameras_look_where_the_robot_looks() {
    for robot in ROBOTS {
        let (model, table) = load(robot);
        let names: Vec<&str> = table.cameras().iter().map(|camera| camera.name.as_str()).collect();
        assert_eq!(names, ["head", "wrist-left", "wrist-right"], "{robot}");
        let mut poses = LinkPoses::default();
        model.link_poses(&vec![0.0; model.joints().len()], &Isometry3::identity(), &mut poses).unwrap();
        let head = &table.cameras()[0];
        let base_from_camera = poses[model.link_index(&head.link).unwrap()] * head.link_from_camera();
        let forward = base_from_camera.rotation * Vector3::x();
        assert!(forward.x > 0.8 && base_from_camera.translation.z > 0.7, "{robot}: {base_from_camera}");
    }
}

#[test]
fn drive_tables_are_complete_and_say_what_is_assumed() {
    for robot in ROBOTS {
        for drive in load(robot).1.drives() {
            let motor = &drive.motor;
            assert!(drive.electric.is_some() && !drive.encoders.is_empty(), "{robot} {motor}");
            let kinds = (drive.reducer, drive.strain_wave.is_some(), drive.planetary.is_some());
            let known = matches!(kinds, (ReducerKind::StrainWave, true, false) | (ReducerKind::Planetary, false, true));
            assert!(known, "{robot} {motor}: {kinds:?}");
            assert!(!drive.source.trim().is_empty() && drive.is_assumed("reducer"), "{robot} {motor}: no page names its reducer");
            if drive.strain_wave.is_some() {
                assert!(
                    drive.is_assumed("strain_wave.hysteresis_rad") && drive.is_assumed("strain_wave.flexspline_teeth"),
                    "{robot} {motor}"
                );
            } else {
                assert!(drive.is_assumed("planetary.stages"), "{robot} {motor}");
            }
            let all_assumed = drive.is_assumed("electric.torque_constant_nm_per_a");
            assert_eq!(all_assumed, robot == "walker-s", "{robot} {motor}");
        }
    }
}
