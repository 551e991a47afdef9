//! `sanqu robot check` and `sanqu robot fk`.

mod ratios;

use anyhow::{Context as _, Result, ensure};
use nalgebra::{Isometry3, Quaternion, Translation3, UnitQuaternion};
use sanqu_robot::{LinkPoses, RobotModel, Severity};
use serde_json::{Map, json};

use crate::cli::{RobotCheck, RobotFk};
use crate::outcome::Outcome;
use crate::table::table;

/// A quaternion's length may differ from 1 by this much and still be meant as a rotation.
const UNIT_TOLERANCE: f64 = 1e-3;

/// Validates a description, and its ratios against a recording; exit code 3 when either has errors.
///
/// # Errors
/// When the URDF, the drive table or the episode cannot be read at all.
pub(crate) fn check(args: &RobotCheck) -> Result<Outcome> {
    let mut report = sanqu_robot::check_description(&args.urdf, args.drives.as_deref())?;
    let ratios = match (&args.episode, &args.drives) {
        (Some(episode), Some(drives)) if report.is_ok() => {
            let episode = super::info::find(episode, &args.store)?;
            let (rows, issues) = ratios::check(&args.urdf, drives, &episode, args.robot.as_deref())?;
            report.issues.extend(issues);
            Some(rows)
        }
        _ => None,
    };
    if args.json {
        let mut json = serde_json::to_value(&report)?;
        json["ratios"] = json!(ratios.as_ref().map(|rows| rows.iter().map(ratios::Row::json).collect::<Vec<_>>()));
        super::print(&serde_json::to_string_pretty(&json)?)?;
        return Ok(Outcome::defects(!report.is_ok()));
    }
    if let Some(rows) = &ratios {
        super::print(&ratios::as_table(rows))?;
    }
    for issue in &report.issues {
        let word = if issue.severity == Severity::Error { "error" } else { "warning" };
        super::print(&format!("{word}: {}: {}", issue.subject, issue.detail))?;
    }
    super::print(&format!(
        "{}: {} links, {} joints, {} mimic joints, {:.3} kg, {} drives, {} cameras: {}",
        report.robot,
        report.links,
        report.joints,
        report.mimics,
        report.mass_kg,
        report.drives,
        report.cameras,
        if report.is_ok() { "ok" } else { "not ok" },
    ))?;
    Ok(Outcome::defects(!report.is_ok()))
}

/// Prints the pose of every link in the world frame (z up, metres).
///
/// # Errors
/// When the URDF is refused, or a joint name, a value or the base pose is.
pub(crate) fn fk(args: &RobotFk) -> Result<Outcome> {
    let model = RobotModel::from_urdf_file(&args.urdf)?;
    let q = sanqu_robot::parse_q(&model, &args.q)?;
    let world_from_base = args.base.as_deref().map_or(Ok(Isometry3::identity()), base_pose)?;
    let mut poses = LinkPoses::default();
    model.link_poses(&q, &world_from_base, &mut poses)?;
    let each = model.links().iter().zip(poses.iter()).map(|(link, pose)| {
        let [qx, qy, qz, qw]: [f64; 4] = pose.rotation.coords.into();
        (link.name.as_str(), [pose.translation.x, pose.translation.y, pose.translation.z], [qx, qy, qz, qw])
    });
    if args.json {
        let links: Map<_, _> = each.map(|(name, xyz, quat)| (name.to_owned(), json!({ "xyz": xyz, "quat_xyzw": quat }))).collect();
        super::print(sanqu_model::canonical_json(&json!({ "links": links }))?.trim_end())?;
    } else {
        let numbers = |values: &[f64]| values.iter().map(|value| format!("{value:.6}")).collect::<Vec<_>>().join(" ");
        let rows = each.map(|(name, xyz, quat)| vec![name.to_owned(), numbers(&xyz), numbers(&quat)]);
        super::print(&table(&["link", "xyz (m)", "quaternion x y z w"], &[], rows).to_string())?;
    }
    Ok(Outcome::Ok)
}

/// `x,y,z,qx,qy,qz,qw`.
fn base_pose(text: &str) -> Result<Isometry3<f64>> {
    let numbers: Vec<f64> = text
        .split(',')
        .map(|item| {
            item.trim()
                .parse::<f64>()
                .ok()
                .filter(|number| number.is_finite())
                .with_context(|| format!("--base: {item:?} is not a finite number"))
        })
        .collect::<Result<_>>()?;
    let [x, y, z, qx, qy, qz, qw] = numbers[..] else {
        anyhow::bail!("--base has {} numbers; expected x,y,z,qx,qy,qz,qw", numbers.len());
    };
    let quaternion = Quaternion::new(qw, qx, qy, qz);
    ensure!(
        (quaternion.norm() - 1.0).abs() <= UNIT_TOLERANCE,
        "--base: the quaternion {qx},{qy},{qz},{qw} has length {}, expected 1",
        quaternion.norm()
    );
    Ok(Isometry3::from_parts(Translation3::new(x, y, z), UnitQuaternion::from_quaternion(quaternion)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_poses_are_read_or_refused() {
        let pose = base_pose("1,2,3,0,0,0.70710678,0.70710678").unwrap();
        assert!((pose.rotation.euler_angles().2 - std::f64::consts::FRAC_PI_2).abs() < 1e-6);
        for (text, part) in [("1,2,3", "3 numbers"), ("a,0,0,0,0,0,1", "\"a\""), ("0,0,0,0,0,0,2", "length 2")] {
            let error = base_pose(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
