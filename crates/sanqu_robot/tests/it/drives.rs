//! Drive tables: the motor side of the shipped robots, and what is refused.

use sanqu_robot::{DriveTable, Drivetrain, LinkageKind, RobotError, RobotModel};

use crate::robot_folder;

fn load(robot: &str) -> (RobotModel, DriveTable) {
    let folder = robot_folder(robot);
    let model = RobotModel::from_urdf_file(&folder.join("robot.urdf")).unwrap();
    (model, DriveTable::from_toml_file(&folder.join("drives.toml")).unwrap())
}

fn motor(robot: &str, joints: &[(&str, f64)], name: &str) -> f64 {
    let (model, table) = load(robot);
    let mut q = vec![0.0; model.joints().len()];
    for (joint, value) in joints {
        q[model.joint_index(joint).unwrap()] = *value;
    }
    let mut motors = vec![f64::NAN; table.drives().len()];
    Drivetrain::new(&table, &model).unwrap().motor_from_joint(&q, &mut motors).unwrap();
    assert!(motors.iter().all(|position| position.is_finite()));
    motors[table.drives().iter().position(|drive| drive.motor == name).unwrap()]
}

#[test]
fn direct_and_rod_drives_multiply_by_ratio_and_sign() {
    assert_eq!(motor("kuavo-s45", &[("leg_r1_joint", 0.25)], "leg_r1"), 18.0 * 0.25);
    assert_eq!(motor("kuavo-s45", &[("leg_l4_joint", 0.5)], "leg_l4"), -18.0 * 0.5);
    assert_eq!(motor("kuavo-s45", &[("zarm_l7_joint", -0.5)], "zarm_l7"), -25.0 * 0.5);
    assert_eq!(motor("walker-s", &[("waist_pitch_joint", 0.5)], "waist_pitch"), -160.0 * 0.5);
}

#[test]
fn kuavo_ankles_follow_the_published_pairs_on_both_legs() {
    let rows = [
        (0.0, 0.0, -0.0002, -0.0002),
        (0.3, 0.0, 0.2998, 0.2997),
        (-0.8, 0.0, -0.8002, -0.8003),
        (0.0, 0.2618, 0.1102, -0.1253),
        (0.0, -0.2618, -0.1261, 0.1080),
        (0.2, 0.2, 0.2920, 0.1009),
        (-0.5, 0.2, -0.4265, -0.5846),
    ];
    for (pitch, roll, left, right) in rows {
        // The right leg is the left one reflected: rolls change sign, the motors change sides.
        for (leg, roll, [inner_first, second]) in [("l", roll, ["l", "r"]), ("r", -roll, ["r", "l"])] {
            let joints = [(format!("leg_{leg}5_joint"), pitch), (format!("leg_{leg}6_joint"), roll)];
            let joints: Vec<(&str, f64)> = joints.iter().map(|(name, value)| (name.as_str(), *value)).collect();
            for (side, expect) in [(inner_first, left), (second, right)] {
                let crank = motor("kuavo-s45", &joints, &format!("ankle_{leg}_{side}")) / 36.0;
                assert!((crank - expect).abs() < 6e-5, "{leg} leg, {side} motor, {pitch} {roll}: {crank}, expected {expect}");
            }
        }
    }
}

#[test]
fn walker_ankles_honour_the_telemetry_sign_of_pitch() {
    // Its pitch axis is -y: both motors follow +pitch alike, and roll turns them against each other.
    let [left, right] = ["ankle_L_L", "ankle_L_R"].map(|name| motor("walker-s", &[("L_ankle_pitch_joint", 0.3)], name) / 36.0);
    assert!((left - 0.3).abs() < 1e-3 && (right - 0.3).abs() < 1e-3, "{left} {right}");
    let [left, right] = ["ankle_L_L", "ankle_L_R"].map(|name| motor("walker-s", &[("L_ankle_roll_joint", 0.2)], name) / 36.0);
    assert!(left < -0.05 && right > 0.05, "{left} {right}");
}

#[test]
fn wrong_lengths_are_refused_before_anything_is_written() {
    let (model, table) = load("kuavo-s45");
    let mut out = vec![7.0; table.drives().len()];
    let train = Drivetrain::new(&table, &model).unwrap();
    let error = train.motor_from_joint(&[0.0; 3], &mut out).unwrap_err();
    assert!(matches!(error, RobotError::JointCount { expected: 40, found: 3 }), "{error}");
    assert!(out.iter().all(|value| *value == 7.0));
    let error = train.motor_from_joint(&[0.0; 40], &mut out[..5]).unwrap_err();
    assert!(matches!(error, RobotError::MotorCount { expected: 28, found: 5 }), "{error}");
}

#[test]
fn an_ankle_has_two_drives() {
    let table = load("kuavo-s45").1;
    let motors: Vec<&str> = table.drives_of_joint("leg_l6_joint").map(|drive| drive.motor.as_str()).collect();
    assert_eq!(motors, ["ankle_l_l", "ankle_l_r"]);
    assert_eq!(table.for_joint("leg_l6_joint").unwrap().motor, "ankle_l_l");
    assert!(matches!(table.for_joint("leg_l6_joint").unwrap().linkage, LinkageKind::ParallelAnkle(_)));
    assert!(table.for_joint("l_indexMCP").is_none());
}

const KNEE: &str = r#"
[[drive]]
motor = "knee"
joints = ["knee_joint"]
ratio = 18
sign = 1
reducer = "planetary"
linkage = "direct"
source = "test"
"#;

fn check_refused(change: (&str, &str), expect: &str) {
    let text = KNEE.replace(change.0, change.1);
    assert_ne!(text, KNEE, "{change:?} changes nothing");
    let error = DriveTable::from_toml_str(&text).unwrap_err().to_string();
    assert!(error.contains(expect), "{change:?}: {error}");
}

#[test]
fn bad_tables_are_refused_with_the_place() {
    assert_eq!(DriveTable::from_toml_str(KNEE).unwrap().drives().len(), 1);
    check_refused(("ratio = 18", "ratio = 0"), "drive \"knee\": ratio is 0, expected a finite number above 0");
    check_refused(("ratio = 18", "ratio = inf"), "ratio is inf");
    check_refused(("ratio = 18", "ratio = -18"), "ratio is -18");
    check_refused(("sign = 1", "sign = 2"), "sign is 2, expected 1 or -1");
    check_refused(("sign = 1", "sign = 1\nefficiency = 1.2"), "efficiency is 1.2");
    check_refused(("ratio = 18", "ratio = 18\ngear = 3"), "line 6, column 1");
    check_refused(("ratio = 18", "ratio = \"18\""), "line 5");
    check_refused(("reducer = \"planetary\"", "reducer = \"strain_wave\""), "needs an arrangement");
    check_refused(("[\"knee_joint\"]", "[\"knee_joint\", \"ankle_joint\"]"), "expected 1 joint(s) for this linkage, found 2");
    check_refused(("source = \"test\"", "source = \"test\"\nassumed = [\"ratios\"]"), "\"ratios\", which is not a field of a drive");
    let twice = format!("{KNEE}{KNEE}");
    check_refused((KNEE, &twice), "motor name \"knee\" is used twice");
    check_refused(("[[drive]]", "[poses.stand]\nbase_height_m = nan\nsource = \"\"\n[[drive]]"), "pose \"stand\"");
}

#[test]
fn an_ankle_rod_that_cannot_close_is_refused_with_its_gap() {
    let ankle = r#"linkage = { parallel_ankle = { crank_pivot_m = [0, 0.03, -0.09], crank_tip_m = [-0.056, 0, 0.015],
        foot_socket_m = [-0.056, 0.025, 0.015], ankle_centre_m = [0, 0, -0.346], rod_m = 0.1 } }"#
        .replace("\n        ", " ");
    let text = KNEE.replace("[\"knee_joint\"]", "[\"pitch\", \"roll\"]").replace("linkage = \"direct\"", &ankle);
    let error = DriveTable::from_toml_str(&text).unwrap_err();
    let RobotError::InTable { line: 8, column: 13, problem } = error else { panic!("{error}") };
    let RobotError::AtDrive { element, problem } = *problem else { panic!("{problem}") };
    assert!(
        element == "drive \"knee\"" && matches!(*problem, RobotError::CannotClose { gap_m, .. } if (0.01..0.2).contains(&gap_m)),
        "{problem}"
    );
}

#[test]
fn tables_inside_old_recordings_stay_readable() {
    let robots = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recordings/golden/v1/store/robots");
    let folders: Vec<_> = std::fs::read_dir(&robots).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(folders.len() >= 2, "{folders:?}");
    for folder in folders {
        let model = RobotModel::from_urdf_file(&folder.join("robot.urdf")).unwrap();
        let table = DriveTable::from_toml_file(&folder.join("drives.toml")).unwrap();
        assert!(table.drives().len() >= 28, "{}", folder.display());
        Drivetrain::new(&table, &model).unwrap();
    }
}
