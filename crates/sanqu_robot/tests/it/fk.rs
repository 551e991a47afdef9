//! Forward kinematics against Pinocchio's, whose results are in CSV files: joint, base and pose records per sample.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use nalgebra::{Isometry3, Quaternion, Translation3, UnitQuaternion};
use proptest::prelude::*;
use sanqu_robot::{LinkPoses, RobotError, RobotModel};

use crate::{robot_folder, shared_folder};

const TOLERANCE: f64 = 1e-9;

#[derive(Default)]
struct Sample {
    joints: BTreeMap<String, f64>,
    base: Isometry3<f64>,
    poses: Vec<(String, Isometry3<f64>)>,
}

fn read_samples(path: &Path) -> Vec<Sample> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut samples: BTreeMap<usize, Sample> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.trim_end().split(',').collect();
        if cells[0] == "meta" {
            continue;
        }
        let sample = samples.entry(cells[1].parse().unwrap()).or_default();
        let name = cells[2].to_owned();
        let values: Vec<f64> = cells[3..].iter().filter(|cell| !cell.is_empty()).map(|cell| cell.parse().unwrap()).collect();
        match cells[0] {
            "joint" => _ = sample.joints.insert(name, values[0]),
            "base" => sample.base = pose(&values),
            "pose" => sample.poses.push((name, pose(&values))),
            other => panic!("record {other}"),
        }
    }
    samples.into_values().collect()
}

fn pose(values: &[f64]) -> Isometry3<f64> {
    let [x, y, z, i, j, k, w] = values[..] else { panic!("{} values", values.len()) };
    Isometry3::from_parts(Translation3::new(x, y, z), UnitQuaternion::from_quaternion(Quaternion::new(w, i, j, k)))
}

fn check(model: &RobotModel, csv: &Path) {
    let samples = read_samples(csv);
    assert!(!samples.is_empty(), "{} holds no samples", csv.display());
    let mut poses = LinkPoses::default();
    for sample in &samples {
        let q: Vec<f64> = model.joints().iter().map(|joint| sample.joints[&joint.name]).collect();
        for mimic in model.mimics() {
            let followed = mimic.multiplier * q[mimic.joint] + mimic.offset;
            assert!((followed - sample.joints[&mimic.name]).abs() < TOLERANCE, "mimic {}", mimic.name);
        }
        model.link_poses(&q, &sample.base, &mut poses).unwrap();
        assert_eq!(sample.poses.len(), model.links().len());
        for (name, expect) in &sample.poses {
            let found = poses[model.link_index(name).unwrap()];
            let offset = (found.translation.vector - expect.translation.vector).norm();
            let (a, b) = (found.rotation.coords, expect.rotation.coords);
            let turn = (a - b).norm().min((a + b).norm());
            assert!(offset < TOLERANCE && turn < TOLERANCE, "{name}: {offset} m, {turn}");
        }
    }
}

fn shipped(robot: &str) -> RobotModel {
    RobotModel::from_urdf_file(&robot_folder(robot).join("robot.urdf")).unwrap()
}

#[test]
fn shipped_robots_match_pinocchio() {
    for robot in ["kuavo-s45", "walker-s"] {
        let csv = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/data/{robot}_fk.csv"));
        check(&shipped(robot), &csv);
    }
}

fn public_robot(test: &str, urdf: &str, csv: &str) -> Option<(RobotModel, PathBuf)> {
    let urdfs = shared_folder(test, "SANQU_FK_URDFS")?;
    let shared = shared_folder(test, "SANQU_SHARED")?;
    Some((RobotModel::from_urdf_file(&urdfs.join(urdf)).unwrap(), shared.join("reference/fk").join(csv)))
}

#[test]
fn jvrc_matches_pinocchio() {
    if let Some((model, csv)) = public_robot("jvrc_matches_pinocchio", "jvrc1.urdf", "jvrc.csv") {
        check(&model, &csv);
    }
}

#[test]
fn g1_matches_pinocchio() {
    if let Some((model, csv)) = public_robot("g1_matches_pinocchio", "g1_29dof_with_hand_rev_1_0.urdf", "g1_29dof_with_hand.csv") {
        check(&model, &csv);
    }
}

#[test]
fn a_wrong_q_is_refused_and_changes_nothing() {
    let model = shipped("kuavo-s45");
    let count = model.joints().len();
    let mut poses = LinkPoses::default();
    model.link_poses(&vec![0.1; count], &Isometry3::identity(), &mut poses).unwrap();
    let before = poses.clone();
    for found in [0, count - 1, count + 1] {
        let error = model.link_poses(&vec![0.0; found], &Isometry3::identity(), &mut poses).unwrap_err();
        assert!(matches!(error, RobotError::JointCount { expected, found: f } if expected == count && f == found), "{error}");
    }
    let mut q = vec![0.0; count];
    q[3] = f64::NAN;
    let error = model.link_poses(&q, &Isometry3::identity(), &mut poses).unwrap_err();
    assert!(matches!(&error, RobotError::NotFinite { joint, .. } if joint == "leg_l4_joint"), "{error}");
    assert_eq!(poses, before);
}

proptest! {
    /// Whatever the joints do, rotations stay orthonormal and neighbouring joint centres keep their distance.
    #[test]
    fn poses_are_rigid(seed in proptest::collection::vec(-4.0..4.0_f64, 52), x in -10.0..10.0_f64, yaw in -3.0..3.0_f64) {
        static MODEL: LazyLock<RobotModel> = LazyLock::new(|| shipped("walker-s"));
        let model = &*MODEL;
        let base = Isometry3::new(nalgebra::Vector3::new(x, 1.0, 0.9), nalgebra::Vector3::z() * yaw);
        let (mut moved, mut zero) = (LinkPoses::default(), LinkPoses::default());
        model.link_poses(&seed, &base, &mut moved).unwrap();
        model.link_poses(&[0.0; 52], &Isometry3::identity(), &mut zero).unwrap();
        prop_assert_eq!(moved[0], base);
        for (index, link) in model.links().iter().enumerate() {
            let rotation = moved[index].rotation.to_rotation_matrix().into_inner();
            prop_assert!((rotation * rotation.transpose() - nalgebra::Matrix3::identity()).norm() < 1e-12);
            prop_assert!((rotation.determinant() - 1.0).abs() < 1e-12);
            if let Some(parent) = link.parent {
                let apart = |poses: &LinkPoses| (poses[index].translation.vector - poses[parent].translation.vector).norm();
                prop_assert!((apart(&moved) - apart(&zero)).abs() < 1e-12);
            }
        }
    }
}
