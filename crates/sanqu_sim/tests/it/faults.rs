use arrow_array::types::{Float32Type, Float64Type};
use sanqu_robot::simulate::DriveFault;
use sanqu_robot::{DriveTable, Drivetrain, RobotModel};
use sanqu_sim::{PlannedFault, SimRobot, SimSpec};

use crate::support::{ROBOTS, Rows, SECOND_NS, START_NS, spec};

const ARCSEC: f64 = std::f64::consts::PI / 648_000.0;

fn planned(place: &str, fault: DriveFault, at_secs: f64) -> PlannedFault {
    PlannedFault { place: place.to_owned(), fault, at_secs, growth_secs: 0.0 }
}

fn made_with(which: (&str, &str), faults: &[PlannedFault]) -> SimRobot {
    SimRobot::new(SimSpec { faults: faults.to_vec(), rate_hz: 100.0, ..spec(which, &[]) }, START_NS).unwrap()
}

/// Which motors differ from those of a sound robot, before and after a fault at second 2 of 6.
#[track_caller]
fn differing(which: (&str, &str), fault: &PlannedFault, quantity: &str) -> [Vec<String>; 2] {
    let motor = |robot: &mut SimRobot| {
        let samples = robot.advance(START_NS + 6 * SECOND_NS).unwrap();
        let rows = Rows::of(&samples, "motor");
        match quantity {
            "temp" => rows.values::<Float32Type>(quantity).into_iter().map(|row| row.into_iter().map(f64::from).collect()).collect(),
            _ => rows.values::<Float64Type>(quantity),
        }
    };
    let (sound, ill) = (motor(&mut made_with(which, &[])), motor(&mut made_with(which, std::slice::from_ref(fault))));
    let table = DriveTable::from_toml_file(&spec(which, &[]).model_dir.join("drives.toml")).unwrap();
    let differs = |rows: std::ops::Range<usize>| {
        let differs = |index: &usize| rows.clone().any(|row| sound[row][*index] != ill[row][*index]);
        (0..table.drives().len()).filter(differs).map(|index| table.drives()[index].motor.clone()).collect::<Vec<String>>()
    };
    [differs(0..199), differs(200..sound.len())]
}

#[test]
fn a_fault_changes_its_drive_from_its_time_on_and_no_other() {
    let [walker, kuavo] = ROBOTS;
    for (which, place, fault, quantity, concerned) in [
        (kuavo, "leg_l4", DriveFault::Backlash { add_rad: 0.003 }, "pos", vec!["leg_l4"]),
        (kuavo, "leg_r5_joint", DriveFault::Stiffness { share: 0.4 }, "pos", vec!["ankle_r_l", "ankle_r_r"]),
        (walker, "R_elbow_roll_joint", DriveFault::Tooth { peak_rad: 60.0 * ARCSEC }, "pos", vec!["R_elbow_roll"]),
        (walker, "waist_yaw", DriveFault::HotMotor { extra_w: 30.0 }, "temp", vec!["waist_yaw"]),
    ] {
        assert_eq!(differing(which, &planned(place, fault, 2.0), quantity), [vec![], concerned], "{place}: {fault}");
    }
}

#[test]
fn lost_stiffness_shows_in_the_wind_up_by_its_share() {
    let which = ROBOTS[1];
    let folder = spec(which, &[]).model_dir;
    let model = RobotModel::from_urdf_file(&folder.join("robot.urdf")).unwrap();
    let table = DriveTable::from_toml_file(&folder.join("drives.toml")).unwrap();
    let train = Drivetrain::new(&table, &model).unwrap();
    let index = table.drives().iter().position(|drive| drive.motor == "leg_l4").unwrap();
    let drive = &table.drives()[index];
    // The knee carries the robot: its wind-up under a load that never changes sides.
    let mean_windup = |faults: &[PlannedFault]| {
        let samples = made_with(which, faults).advance(START_NS + 10 * SECOND_NS).unwrap();
        let (joint, motor) =
            (Rows::of(&samples, "joint").values::<Float64Type>("pos"), Rows::of(&samples, "motor").values::<Float64Type>("pos"));
        let mut rigid = vec![0.0; table.drives().len()];
        let windup = joint.iter().zip(&motor).map(|(joint, motor): (_, &Vec<f64>)| {
            train.motor_from_joint(joint, &mut rigid).unwrap();
            (motor[index] - rigid[index]) / drive.signed_ratio()
        });
        windup.sum::<f64>() / joint.len() as f64
    };
    let effort = Rows::of(&made_with(which, &[]).advance(START_NS + 10 * SECOND_NS).unwrap(), "joint").values::<Float64Type>("effort");
    let mean_load = effort.iter().map(|row| row[model.joint_index("leg_l4_joint").unwrap()]).sum::<f64>() / effort.len() as f64;
    let sound = mean_windup(&[]);
    let soft = mean_windup(&[planned("leg_l4", DriveFault::Stiffness { share: 0.5 }, -1.0)]);
    let expect = mean_load / drive.stiffness().unwrap().k1_nm_per_rad;
    assert!(((soft - sound) / expect - 1.0).abs() < 0.05, "{sound} sound, {soft} soft, expected {expect} more");
}

#[test]
fn a_recording_says_what_was_injected_and_faults_nowhere_are_refused() {
    let robot = made_with(ROBOTS[0], &[planned("all", DriveFault::Tooth { peak_rad: 1e-4 }, 2.0)]);
    let motor = robot.descriptions().into_iter().find(|description| description.stream.as_str() == "motor").unwrap();
    let said = &motor.facts["injected_faults"];
    assert!(said.starts_with("all from 2 s on") && said.contains("tooth"), "{said}");
    let sound = made_with(ROBOTS[0], &[]).descriptions();
    assert!(sound.iter().all(|description| !description.facts.contains_key("injected_faults")));

    let refused = |place: &str, fault| {
        let spec = SimSpec { faults: vec![planned(place, fault, 0.0)], ..spec(ROBOTS[1], &[]) };
        SimRobot::new(spec, START_NS).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let error = refused("tail", DriveFault::HotMotor { extra_w: 1.0 });
    assert!(error.contains("\"tail\""), "{error}");
    let error = refused("leg_l4", DriveFault::Tooth { peak_rad: 1e-4 });
    assert!(error.contains("strain-wave"), "{error}");
}
