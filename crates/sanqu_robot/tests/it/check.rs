//! `check_description` on damaged copies of the shipped files: every damage must be found.

use std::path::PathBuf;

use sanqu_robot::{CheckReport, Severity, check_description};

use crate::robot_folder;

/// Checks the KUAVO with one piece of its URDF or drive table replaced.
fn check_changed(name: &str, file: &str, from: &str, to: &str) -> CheckReport {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("check-{name}"));
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["robot.urdf", "drives.toml"] {
        let mut text = std::fs::read_to_string(robot_folder("kuavo-s45").join(name)).unwrap();
        if name == file {
            assert!(text.contains(from), "{file} has no {from}");
            text = text.replacen(from, to, 1);
        }
        std::fs::write(folder.join(name), text).unwrap();
    }
    check_description(&folder.join("robot.urdf"), Some(&folder.join("drives.toml"))).unwrap()
}

fn expect_error(name: &str, file: &str, change: (&str, &str), detail: &str) {
    let report = check_changed(name, file, change.0, change.1);
    let found = report.issues.iter().any(|issue| issue.severity == Severity::Error && issue.detail.contains(detail));
    assert!(found && !report.is_ok(), "{name}: {:#?}", report.issues);
}

#[test]
fn every_damage_is_found() {
    let drives = "drives.toml";
    expect_error("joint", drives, ("[\"leg_l2_joint\"]", "[\"leg_l9_joint\"]"), "no independent joint \"leg_l9_joint\"");
    expect_error("ratio", drives, ("ratio = 10.0", "ratio = 0.0"), "drive \"leg_l2\": ratio is 0");
    expect_error("motor", drives, ("motor = \"leg_l2\"", "motor = \"leg_l1\""), "motor name \"leg_l1\" is used twice");
    expect_error("camera", drives, ("link = \"cam_l\"", "link = \"cam\""), "camera link \"cam\" does not exist");
    expect_error("pose", drives, ("leg_l4_joint = 0.4", "leg_l4_joint = 3.0"), "outside its limits");
    expect_error("limits", "robot.urdf", ("lower=\"-0.314159\"", "lower=\"0.9\""), "lower limit 0.9 is not below upper limit");
}

#[test]
fn a_missing_mesh_is_a_warning() {
    let mesh = r#"<geometry><mesh filename="package://kuavo/meshes/gone.stl"/></geometry>"#;
    let report = check_changed("mesh", "robot.urdf", "<geometry><sphere radius=\"0.06\"/></geometry>", mesh);
    assert!(report.is_ok());
    let found = report.issues.iter().any(|issue| issue.subject == "mesh" && issue.detail.contains("gone.stl"));
    assert!(found, "{:#?}", report.issues);
}
