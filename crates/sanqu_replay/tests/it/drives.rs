//! A leg stand with one drive of every kind that an x-ray draws, all moving, with recorded motors.

use std::f64::consts::TAU;
use std::sync::Arc;

use sanqu_model::FieldConfig;
use sanqu_replay::body::Looks;
use sanqu_replay::mesh_file::MeshSearch;
use sanqu_replay::replay::{Replay, RobotRecord};
use sanqu_replay::scene::layout::world_from_station;
use sanqu_replay::track::{Breaks, Gap, Track};
use sanqu_replay::xray::{Log, RobotDrives, Telemetry};
use sanqu_robot::{DriveTable, Drivetrain, RobotModel};
use sanqu_store::Series;

use crate::synthetic::{FIELD, START_NS};

/// Time between rows, ns, and their number: three seconds at 250 Hz.
pub(crate) const PERIOD_NS: i64 = 4_000_000;
pub(crate) const ROWS: usize = 750;
/// The motors' rows after this one are missing, so many.
pub(crate) const GAP_ROW: usize = 500;
pub(crate) const GAP_ROWS: usize = 50;

/// Joints with axis, place, range.
const JOINTS: [(&str, &str, &str, [f64; 2]); 7] = [
    ("waist", "0 0 1", "0 0 0.95", [-2.0, 2.0]),
    ("hip", "0 1 0", "0 0.12 0", [-1.0, 1.0]),
    ("hip_two", "0 1 0", "0 0.10 0", [-1.0, 1.0]),
    ("knee", "0 1 0", "0 0 -0.36", [0.0, 2.0]),
    ("pitch", "0 1 0", "0 0 -0.36", [-0.8, 0.34]),
    ("roll", "1 0 0", "0 0 0", [-0.26, 0.26]),
    ("elbow", "0 1 0", "0 -0.3 0.4", [-0.35, 1.0]),
];

/// The drives: every number is of a gear that can be built.
pub(crate) const TABLE: &str = r#"
[[drive]]
motor = "waist_motor"
joints = ["waist"]
sign = -1
reducer = "strain_wave"
arrangement = "cs_fixed"
linkage = "direct"
current_limit_a = 10
efficiency = 0.7
assumed = ["efficiency"]
source = "test"
[drive.strain_wave]
flexspline_teeth = 100
circular_spline_teeth = 102
pitch_radius_m = 0.03
ratcheting_torque_nm = 200
source = "test"

[[drive]]
motor = "hip_motor"
joints = ["hip"]
sign = 1
reducer = "planetary"
linkage = "direct"
source = "test"
[drive.planetary]
stages = [ { sun = 24, planet = 24, ring = 72, planets = 4 } ]
source = "test"

[[drive]]
motor = "hip_two_motor"
joints = ["hip_two"]
sign = -1
reducer = "planetary"
linkage = "direct"
source = "test"
[drive.planetary]
stages = [ { sun = 12, planet = 24, ring = 60, planets = 3 }, { sun = 24, planet = 12, ring = 48, planets = 3 } ]
source = "test"

[[drive]]
motor = "knee_motor"
joints = ["knee"]
sign = 1
reducer = "roller_screw"
source = "test"
[drive.linkage.crank_slider]
a_m = 0.20
b_m = 0.05
gamma0_rad = 0.6
anchor_m = [-0.06, 0, 0.190787840]
[drive.roller_screw]
design = "standard"
pitch_m = 0.001
starts = 5
rollers = 9
screw_over_roller = 3
screw_diameter_m = 0.016
source = "test"

[[drive]]
motor = "ankle_left"
joints = ["pitch", "roll"]
sign = 1
ratio = 36
reducer = "planetary"
source = "test"
[drive.linkage.parallel_ankle]
crank_pivot_m = [0.0, 0.0318, -0.104]
crank_tip_m = [-0.056027, -0.0085, 0.015]
foot_socket_m = [-0.056027, 0.0255, 0.015]
ankle_centre_m = [0.0, 0.0, -0.36]
rod_m = 0.256
[drive.planetary]
stages = [ { sun = 12, planet = 24, ring = 60, planets = 3 }, { sun = 12, planet = 24, ring = 60, planets = 3 } ]
source = "test"

[[drive]]
motor = "ankle_right"
joints = ["pitch", "roll"]
sign = 1
ratio = 36
reducer = "planetary"
source = "test"
[drive.linkage.parallel_ankle]
crank_pivot_m = [0.0, -0.0362, -0.167]
crank_tip_m = [-0.056027, 0.0085, 0.015]
foot_socket_m = [-0.056027, -0.0255, 0.015]
ankle_centre_m = [0.0, 0.0, -0.36]
rod_m = 0.193
[drive.planetary]
stages = [ { sun = 12, planet = 24, ring = 60, planets = 3 }, { sun = 12, planet = 24, ring = 60, planets = 3 } ]
source = "test"

[[drive]]
motor = "elbow_motor"
joints = ["elbow"]
sign = -1
reducer = "cycloidal"
source = "test"
[drive.linkage.four_bar]
ground_m = 0.28
crank_m = 0.045
coupler_m = 0.285
rocker_m = 0.055
assembly = "minus"
crank_zero_rad = 0.9
rocker_zero_rad = 0.95
ground_vector_m = [0.0, 0.0, -0.28]
[drive.cycloid]
lobes = 29
pins = 30
source = "test"
"#;

/// The stand: a hip, a leg of two parts, a foot, an arm.
pub(crate) fn urdf() -> String {
    let visual = |xyz: &str, shape: &str| {
        format!(
            r#"<visual><origin xyz="{xyz}"/><geometry>{shape}</geometry><material name="m"><color rgba="0.85 0.86 0.9 1"/></material></visual>"#
        )
    };
    let leg = r#"<cylinder radius="0.055" length="0.34"/>"#;
    let parents = ["base", "waist_link", "hip_link", "hip_two_link", "knee_link", "pitch_link", "base"];
    let bodies = [
        visual("0 0 0", r#"<box size="0.18 0.2 0.1"/>"#),
        visual("0 0.03 0", r#"<cylinder radius="0.06" length="0.1"/>"#),
        visual("0 0 -0.18", leg),
        visual("0 0 -0.18", leg),
        String::new(),
        visual("0.03 0 -0.05", r#"<box size="0.22 0.08 0.04"/>"#),
        visual("0 0 -0.12", r#"<cylinder radius="0.04" length="0.24"/>"#),
    ];
    let mut xml = format!(r#"<robot name="stand"><link name="base">{}</link>"#, visual("0 0 0.4", r#"<box size="0.08 0.16 0.1"/>"#));
    for (((name, axis, place, [lower, upper]), parent), body) in JOINTS.into_iter().zip(parents).zip(bodies) {
        xml += &format!(
            r#"<link name="{name}_link">{body}</link><joint name="{name}" type="revolute"><parent link="{parent}"/><child link="{name}_link"/>
               <origin xyz="{place}"/><axis xyz="{axis}"/><limit lower="{lower}" upper="{upper}" velocity="5" effort="60"/></joint>"#
        );
    }
    xml + "</robot>"
}

/// Recorded joint positions of a row, rad.
pub(crate) fn joints(row: usize) -> [f64; 7] {
    let t = f64::from(u32::try_from(row).unwrap()) * 0.004;
    let sway = |rate: f64, middle: f64, reach: f64| middle + reach * (rate * t).sin();
    [
        sway(2.1, 0.2, 1.1),
        sway(1.7, -0.1, 0.5),
        sway(1.3, 0.1, 0.4),
        sway(2.3, 0.7, 0.5),
        sway(1.9, -0.2, 0.35),
        sway(2.7, 0.0, 0.2),
        sway(1.5, 0.3, 0.3),
    ]
}

/// How far a motor's recorded angle is ahead of its joint at the output, rad or m.
pub(crate) fn windup(drive: usize, row: usize) -> f64 {
    let t = f64::from(u32::try_from(row).unwrap()) * 0.004;
    let reach = if drive == 3 { 2e-5 } else { 6e-4 };
    reach * (3.0 * t + f64::from(u32::try_from(drive).unwrap())).cos()
}

pub(crate) fn table() -> DriveTable {
    DriveTable::from_toml_str(TABLE).unwrap()
}

pub(crate) fn model() -> RobotModel {
    RobotModel::from_urdf_str(&urdf()).unwrap()
}

/// Recorded rotor angles of a row, rad.
pub(crate) fn motors(train: &Drivetrain, table: &DriveTable, row: usize) -> Vec<f64> {
    let mut motors = vec![0.0; table.drives().len()];
    train.motor_from_joint(&joints(row), &mut motors).unwrap();
    for (index, (motor, drive)) in motors.iter_mut().zip(table.drives()).enumerate() {
        *motor += drive.signed_ratio() * windup(index, row);
    }
    motors
}

fn at(row: usize) -> i64 {
    START_NS + PERIOD_NS * i64::try_from(row).unwrap()
}

/// What was recorded: joints of every row, motors without those of the gap; torques that mean an efficiency of 0.8.
pub(crate) fn telemetry() -> Telemetry {
    let (table, model) = (table(), model());
    let train = Drivetrain::new(&table, &model).unwrap();
    let rows: Vec<usize> = (0..ROWS).collect();
    let names: Vec<String> = JOINTS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    let times: Vec<i64> = rows.iter().map(|row| at(*row)).collect();
    let mut joint = Log::new(names.clone(), &times, Breaks::default());
    let series = |names: &[String], values: Vec<f64>| Series { t_ns: Vec::new(), names: names.to_vec(), values };
    assert!(joint.add("pos", "rad", series(&names, rows.iter().flat_map(|row| joints(*row)).collect())));
    assert!(joint.add("effort", "N·m", series(&names, vec![12.0; ROWS * names.len()])));
    let kept: Vec<usize> = rows.iter().copied().filter(|row| !(GAP_ROW + 1..=GAP_ROW + GAP_ROWS).contains(row)).collect();
    let names: Vec<String> = table.drives().iter().map(|drive| drive.motor.clone()).collect();
    let gap = Gap { from_ns: at(GAP_ROW), to_ns: at(GAP_ROW + GAP_ROWS + 1), rows: Some(GAP_ROWS as u64), cause: None };
    let times: Vec<i64> = kept.iter().map(|row| at(*row)).collect();
    let mut motor = Log::new(names.clone(), &times, Breaks { gaps: vec![gap], restarts: Vec::new() });
    assert!(motor.add("pos", "rad", series(&names, kept.iter().flat_map(|row| motors(&train, &table, *row)).collect())));
    let rate = |row: usize| {
        let (before, after) = (motors(&train, &table, row.max(1) - 1), motors(&train, &table, row + 1));
        before.into_iter().zip(after).map(|(before, after)| (after - before) / 0.008).collect::<Vec<f64>>()
    };
    assert!(motor.add("vel", "rad/s", series(&names, kept.iter().flat_map(|row| rate(*row)).collect())));
    let torque = |row: usize| {
        let mut torques = vec![0.0; names.len()];
        train.motor_torques(&joints(row), &[12.0; 7], &mut torques).unwrap();
        let rates = rate(row);
        // Driving costs a fifth more than is needed; driven back, four fifths come out.
        torques.iter().zip(rates).map(|(torque, rate)| if torque * rate > 0.0 { torque / 0.8 } else { torque * 0.8 }).collect::<Vec<f64>>()
    };
    assert!(motor.add("torque", "N·m", series(&names, kept.iter().flat_map(|row| torque(*row)).collect())));
    assert!(motor.add("current", "A", series(&names, vec![9.5; kept.len() * names.len()])));
    Telemetry { motor: Some(motor), joint: Some(joint), rotor_torque: true }
}

/// The stand at its station, with its drives recorded as `telemetry` says.
pub(crate) fn stand(telemetry: Telemetry) -> Replay {
    let field = FieldConfig::parse(FIELD).unwrap();
    let (table, model) = (table(), model());
    let train = Drivetrain::new(&table, &model).unwrap();
    let names = JOINTS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    let values = (0..ROWS).flat_map(joints).collect();
    let series = Series { t_ns: (0..ROWS).map(at).collect(), names, values };
    let track = Track::new(&model, series, vec![0.0; JOINTS.len()], Breaks::default());
    let place = field.station(&"a01".parse().unwrap()).unwrap();
    let record = RobotRecord {
        robot: "tin-01".parse().unwrap(),
        name: "铁皮 01".to_owned(),
        station: place.station.id.clone(),
        episode: "01KTEST".to_owned(),
        drives: Some(RobotDrives::with_telemetry(table, train, telemetry)),
        looks: Arc::new(Looks::new(&model, &[0.0; 7], &MeshSearch::default(), &mut Vec::new())),
        model,
        track,
        base: None,
        world_from_station: world_from_station(place.station),
        shift_ns: 0,
        lost_rows: 0,
    };
    Replay::new(field, vec![record], START_NS, at(ROWS - 1))
}

/// An angle brought into one turn around 0.
pub(crate) fn wrapped(angle: f64) -> f64 {
    angle - TAU * (angle / TAU).round()
}
