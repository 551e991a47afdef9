//! A table with one drive of every kind: motion, speeds and torques both ways, and everything that `check` refuses.

use std::path::PathBuf;

use proptest::prelude::*;
use sanqu_robot::{DriveTable, Drivetrain, RobotError, RobotModel, Severity, check_description};

pub(crate) const TABLE: &str = include_str!("data/every_kind.toml");

/// Joints with their lower and upper limits, rad.
const JOINTS: [(&str, f64, f64); 7] = [
    ("waist", -3.0, 3.0),
    ("hip", -1.0, 1.0),
    ("knee", 0.0, 2.3),
    ("elbow", -0.35, 1.0),
    ("pitch", -0.8, 0.5),
    ("roll", -0.35, 0.35),
    ("wrist", -2.0, 2.0),
];

fn urdf() -> String {
    let mut xml = "<robot name=\"every-kind\"><link name=\"base\"><inertial><mass value=\"1\"/>\
        <inertia ixx=\"1\" ixy=\"0\" ixz=\"0\" iyy=\"1\" iyz=\"0\" izz=\"1\"/></inertial></link>"
        .to_owned();
    let mut parent = "base".to_owned();
    for (name, lower, upper) in JOINTS {
        let axis = if name == "roll" { "1 0 0" } else { "0 1 0" };
        xml += &format!(
            "<link name=\"{name}_link\"/><joint name=\"{name}\" type=\"revolute\"><parent link=\"{parent}\"/><child link=\"{name}_link\"/>\
             <axis xyz=\"{axis}\"/><limit lower=\"{lower}\" upper=\"{upper}\" velocity=\"5\" effort=\"50\"/></joint>"
        );
        parent = format!("{name}_link");
    }
    xml + "</robot>"
}

pub(crate) fn train() -> (RobotModel, DriveTable, Drivetrain) {
    let model = RobotModel::from_urdf_str(&urdf()).unwrap();
    let table = DriveTable::from_toml_str(TABLE).unwrap();
    let train = Drivetrain::new(&table, &model).unwrap();
    (model, table, train)
}

fn pose() -> impl Strategy<Value = Vec<f64>> {
    JOINTS.map(|(_, lower, upper)| lower + 1e-3..upper - 1e-3).to_vec()
}

#[test]
fn ratios_follow_from_teeth_stages_and_leads() {
    let table = train().1;
    let ratios: Vec<f64> = table.drives().iter().map(|drive| drive.ratio).collect();
    let screw = |lead: f64| std::f64::consts::TAU / lead;
    for (found, expect) in ratios.iter().zip([100.0, 18.0, screw(0.003), 29.0, screw(0.002), screw(0.002), 1.0]) {
        assert!((found / expect - 1.0).abs() < 1e-12, "{ratios:?}");
    }
    let waist = &table.drives()[0];
    assert!(waist.is_assumed("sign") && waist.is_assumed("electric.pole_pairs") && !waist.is_assumed("electric.current"));
}

proptest! {
    #[test]
    fn joints_and_motors_are_inverse_over_the_whole_range(q in pose()) {
        let train = train().2;
        let mut motors = vec![0.0; 7];
        train.motor_from_joint(&q, &mut motors).unwrap();
        let mut back = vec![0.0; q.len()];
        train.joint_from_motor(&motors, &mut back).unwrap();
        prop_assert!(q.iter().zip(&back).all(|(q, back)| (q - back).abs() < 1e-10), "{q:?} came back as {back:?}");
        let mut again = vec![0.0; 7];
        train.motor_from_joint(&back, &mut again).unwrap();
        // Rotor angles: 1e-10 at the output.
        let (_, table, _) = self::train();
        for ((motor, again), drive) in motors.iter().zip(&again).zip(table.drives()) {
            prop_assert!((motor - again).abs() < 1e-10 * drive.ratio, "{}: {motor} came back as {again}", drive.motor);
        }
    }

    #[test]
    fn speeds_are_slopes_and_power_passes_through(
        q in pose(), rates in prop::collection::vec(-3.0..3.0_f64, 7), torques in prop::collection::vec(-2.0..2.0_f64, 7),
    ) {
        let train = train().2;
        let mut motor_rates = vec![0.0; 7];
        train.motor_rates(&q, &rates, &mut motor_rates).unwrap();
        const STEP: f64 = 1e-6;
        let at = |side: f64| {
            let moved: Vec<f64> = q.iter().zip(&rates).map(|(q, rate)| q + side * STEP * rate).collect();
            let mut motors = vec![0.0; 7];
            train.motor_from_joint(&moved, &mut motors).unwrap();
            motors
        };
        for ((more, less), rate) in at(1.0).iter().zip(at(-1.0)).zip(&motor_rates) {
            let slope = (more - less) / (2.0 * STEP);
            prop_assert!((slope - rate).abs() < 2e-6 * rate.abs().max(100.0), "{slope} against {rate}");
        }
        let mut back = vec![0.0; 7];
        train.joint_rates(&q, &motor_rates, &mut back).unwrap();
        prop_assert!(rates.iter().zip(&back).all(|(rate, back)| (rate - back).abs() < 1e-9), "{rates:?} against {back:?}");
        let (mut joint_torques, mut motor_torques) = (vec![0.0; 7], vec![0.0; 7]);
        train.joint_torques(&q, &torques, &mut joint_torques).unwrap();
        train.motor_torques(&q, &joint_torques, &mut motor_torques).unwrap();
        prop_assert!(torques.iter().zip(&motor_torques).all(|(torque, back)| (torque - back).abs() < 1e-9));
        let power = |rates: &[f64], torques: &[f64]| rates.iter().zip(torques).map(|(rate, torque)| rate * torque).sum::<f64>();
        let (motor_side, joint_side) = (power(&motor_rates, &torques), power(&rates, &joint_torques));
        prop_assert!((motor_side - joint_side).abs() < 1e-9 * motor_side.abs().max(1e4), "{motor_side} W became {joint_side} W");
    }
}

#[test]
fn poses_that_a_linkage_cannot_take_name_the_drive() {
    let train = train().2;
    let mut motors = vec![0.0; 7];
    let error = train.motor_from_joint(&[0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0], &mut motors).unwrap_err();
    assert!(error.to_string().contains("drive \"knee\"") && error.to_string().contains("past the linkage's dead point"), "{error}");
    let mut q = vec![0.0; 7];
    let error = train.joint_from_motor(&[0.0, 0.0, 1e4, 0.0, 0.0, 0.0, 0.0], &mut q).unwrap_err();
    let RobotError::AtDrive { problem, .. } = error else { panic!("{error}") };
    assert!(matches!(*problem, RobotError::OutOfReach { by_m, .. } if by_m > 4.0), "{problem}");
    let error = train.joint_from_motor(&[0.0, 0.0, 0.0, 0.0, 400.0, -400.0, 0.0], &mut q).unwrap_err();
    assert!(error.to_string().contains("ankle_a") && error.to_string().contains("no pose closes both legs"), "{error}");
    for position in [f64::NAN, f64::INFINITY] {
        for joint in 0..7 {
            let mut q = vec![0.0; 7];
            q[joint] = position;
            assert!(train.motor_from_joint(&q, &mut motors).is_err(), "joint {joint} at {position}");
        }
    }
}

fn report(name: &str, table: &str) -> sanqu_robot::CheckReport {
    report_of(name, &urdf(), table)
}

fn report_of(name: &str, urdf: &str, table: &str) -> sanqu_robot::CheckReport {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("every-kind-{name}"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("robot.urdf"), urdf).unwrap();
    std::fs::write(folder.join("drives.toml"), table).unwrap();
    check_description(&folder.join("robot.urdf"), Some(&folder.join("drives.toml"))).unwrap()
}

/// Replaces the first `from` of the table; the finding must say `detail` and point at the line and column of `at`.
#[track_caller]
fn refused(name: &str, from: &str, to: &str, (at, detail): (&str, &str)) {
    let text = TABLE.replacen(from, to, 1);
    assert_ne!(text, TABLE, "{from:?} is not in the table");
    let byte = text.find(at).unwrap();
    let line = text[..byte].matches('\n').count() + 1;
    let column = byte - text[..byte].rfind('\n').map_or(0, |end| end + 1) + 1;
    let report = report(name, &text);
    let place = format!("line {line}, column {column}: ");
    let found = report.issues.iter().any(|issue| {
        let here = issue.line == Some(line) && issue.column == Some(column) && issue.detail.starts_with(&place);
        here && issue.severity == Severity::Error && issue.detail.contains(detail)
    });
    assert!(found, "{name}: no {detail:?} at {place}in {:#?}", report.issues);
}

#[test]
fn every_contradiction_is_found_with_line_and_column() {
    assert_eq!(report("good", TABLE).issues, []);
    refused("teeth", "circular_spline_teeth = 202", "circular_spline_teeth = 200", ("circular_spline_teeth", "an even number more"));
    refused("ratio", "sign = -1\nreducer", "sign = -1\nratio = 101\nreducer", ("ratio = 101", "ratio is 101, but its gear makes 100"));
    refused("stages", "ring = 60", "ring = 61", ("stages =", "stage 1: ring is 61, expected sun + 2 planet = 60"));
    refused("starts", "starts = 3", "starts = 5", ("starts = 5", "expected 3: screw_over_roller for the inverted design"));
    refused("side", "side = \"motor\"\nbits = 17", "side = \"motor\"\nbits = 40", ("bits = 40", "expected at most 32"));
    refused(
        "range",
        "hysteresis_rad = 2.9e-4",
        "hysteresis_rad = -1",
        ("hysteresis_rad", "hysteresis_rad is -1, expected a finite number of at least 0"),
    );
    refused("order", "momentary_torque_nm = 147", "momentary_torque_nm = 14", ("momentary_torque_nm", "below rated_torque_nm 40"));
    refused("bend", "t1_nm = 7", "t1_nm = 70", ("stiffness =", "t1_nm is 70, expected it below t2_nm"));
    refused(
        "assumed",
        "assumed = [\"pole_pairs\"]",
        "assumed = [\"poles\"]",
        ("assumed = [\"poles\"]", "\"poles\", which is not a field of electric"),
    );
    refused(
        "source",
        "bits = 17\nsource = \"test\"",
        "bits = 17\nsource = \"\"",
        ("source = \"\"", "bits has no source and is not named as assumed"),
    );
    refused("table", "reducer = \"cycloidal\"", "reducer = \"planetary\"\nratio = 29", ("cycloid]", "does not fit reducer \"planetary\""));
    refused("anchor", "anchor_m = [0, 0, 0.26]", "anchor_m = [0, 0, 0.25]", ("crank_slider]", "length of anchor_m is 0.25"));
    refused("bars", "coupler_m = 0.285", "coupler_m = 0.1", ("four_bar]", "drive \"elbow\": leg 1 cannot close"));
    refused("screw", "a_m = 0.26", "a_m = -0.26", ("crank_slider]", "a_m is -0.26, expected a finite number above 0"));
    refused(
        "angle",
        "reducer = \"roller_screw\"",
        "reducer = \"planetary\"\nratio = 3",
        ("linkage.", "a screw moves lengths, others angles"),
    );
    refused("joint", "joints = [\"hip\"]", "joints = [\"hop\"]", ("\"hop\"", "no independent joint \"hop\""));
    refused(
        "twice",
        "motor = \"ankle_b\"",
        "motor = \"hip\"",
        ("motor = \"hip\"\njoints = [\"pitch\"", "motor name \"hip\" is used twice"),
    );
}

#[test]
fn linkages_that_do_not_close_over_the_joint_range_are_found() {
    refused("reach", "gamma0_rad = 0.43", "gamma0_rad = 1.43", ("linkage.crank_slider", "past the linkage's dead point"));
    refused("turn", "rocker_zero_rad = 0.95", "rocker_zero_rad = 2.2", ("linkage.four_bar", "drive \"elbow\""));
    refused(
        "pair",
        "joints = [\"pitch\", \"roll\"]",
        "joints = [\"pitch\", \"wrist\"]",
        ("joints = [\"pitch\", \"wrist\"]", "expected exactly one other drive"),
    );
}

#[test]
fn ranges_in_which_motors_turn_back_or_have_two_poses_are_found() {
    // The crank's zero is half-way between its two positions for a rocker: one is nearer at one end, the other at the other.
    refused("back", "crank_zero_rad = 0.9", "crank_zero_rad = 3.28", ("linkage.four_bar", "turn the other way"));
    let limits = ["lower=\"-0.35\" upper=\"0.35\"", "lower=\"-2.5\" upper=\"2.5\""];
    let wide = urdf().replace(limits[0], limits[1]);
    assert_ne!(wide, urdf());
    let report = report_of("two-poses", &wide, TABLE);
    let found = |part: &str| report.issues.iter().any(|issue| issue.line.is_some() && issue.detail.contains(part));
    assert!(found("another pose has the same motor positions") && found("drive \"ankle_a\""), "{:#?}", report.issues);
}

#[test]
fn unknown_keys_and_wrong_types_say_line_and_column() {
    let unknown = |from: &str, to: &str| DriveTable::from_toml_str(&TABLE.replacen(from, to, 1)).unwrap_err().to_string();
    let error = unknown("pole_pairs = 10", "pole_pair = 10");
    assert!(error.contains("line 16, column 1") && error.contains("unknown field `pole_pair`"), "{error}");
    let error = unknown("rod_m = [0, 0, -0.2]", "rods_m = [0, 0, -0.2]");
    assert!(error.contains("line 51, column") && error.contains("rods_m"), "{error}");
    let error = unknown("[drive.cycloid]", "[drive.cycloid]\nlobes = 3");
    assert!(error.contains("duplicate key"), "{error}");
}
