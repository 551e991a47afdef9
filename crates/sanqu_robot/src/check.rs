use std::path::Path;

use serde::Serialize;

use crate::table::{DriveTable, placed, read_text};
use crate::train::closure_problems;
use crate::{JointKind, RobotError, RobotModel};

/// How bad an issue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The description must not be used as it is.
    Error,
    /// The description can be used; something is missing or unusual.
    Warning,
}

/// One finding of [`check_description`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckIssue {
    /// How bad it is.
    pub severity: Severity,
    /// What it is about: `joint "knee"`, `drives`, `mesh`, …
    pub subject: String,
    /// What is wrong and what was expected; findings in a drive table begin with line and column.
    pub detail: String,
    /// Line of the drive table, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column of that line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
}

/// What a robot description holds, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckReport {
    /// The robot's name in the URDF.
    pub robot: String,
    /// Links.
    pub links: usize,
    /// Independent movable joints.
    pub joints: usize,
    /// Joints that follow another one.
    pub mimics: usize,
    /// Sum of all link masses, kg.
    pub mass_kg: f64,
    /// Motors of the drive table; 0 without one.
    pub drives: usize,
    /// Cameras of the drive table; 0 without one.
    pub cameras: usize,
    /// Findings, errors and warnings mixed, in the order of the files.
    pub issues: Vec<CheckIssue>,
}

impl CheckReport {
    /// Whether there is no error among the issues; warnings do not count.
    pub fn is_ok(&self) -> bool {
        self.issues.iter().all(|issue| issue.severity != Severity::Error)
    }
}

/// Validates a URDF and, if given, its drive table, collecting every finding.
///
/// Looked at: names, limits in order, masses, meshes (missing ones are warnings), drives' numbers, joints and motors,
/// camera links, poses against limits, gears and linkages against themselves, and whether every linkage closes both ways over
/// the whole range of its joints.
///
/// # Errors
/// A file that cannot be read, or that is so wrong that no tree (or no table) can be built from it.
pub fn check_description(urdf: &Path, drives: Option<&Path>) -> Result<CheckReport, RobotError> {
    let model = RobotModel::from_urdf_file(urdf)?;
    let mut issues = model_issues(&model);
    let mut table = DriveTable::default();
    if let Some(path) = drives {
        let text = read_text(path)?;
        table = DriveTable::parse(&text).map_err(|source| RobotError::File { path: path.to_owned(), source: Box::new(source) })?;
        let problems = [table.problems(), table.untold(), table.problems_with(&model)].into_iter().flatten();
        issues.extend(problems.map(|problem| in_table(&placed(problem, &text))));
        if issues.iter().all(|found| found.subject != "drives") {
            issues.extend(closure_problems(&table, &model).into_iter().map(|problem| in_table(&placed(problem, &text))));
        }
        issues.extend(undriven(&model, &table));
    }
    Ok(CheckReport {
        robot: model.name().to_owned(),
        links: model.links().len(),
        joints: model.joints().len(),
        mimics: model.mimics().len(),
        mass_kg: model.mass_kg(),
        drives: table.drives().len(),
        cameras: table.cameras().len(),
        issues,
    })
}

fn issue(severity: Severity, subject: &str, detail: String) -> CheckIssue {
    CheckIssue { severity, subject: subject.to_owned(), detail, line: None, column: None }
}

fn in_table(error: &RobotError) -> CheckIssue {
    let place = if let RobotError::InTable { line, column, .. } = error { Some((*line, *column)) } else { None };
    let (line, column) = place.unzip();
    CheckIssue { line, column, ..issue(Severity::Error, "drives", error.to_string()) }
}

fn model_issues(model: &RobotModel) -> Vec<CheckIssue> {
    let mut issues = Vec::new();
    if model.name().is_empty() {
        issues.push(issue(Severity::Warning, "robot", "the robot has no name".to_owned()));
    }
    for joint in model.joints() {
        let subject = format!("joint {:?}", joint.name);
        if joint.name.trim().is_empty() {
            issues.push(issue(Severity::Error, &subject, "a joint has no name".to_owned()));
        }
        if joint.kind != JointKind::Continuous && joint.lower >= joint.upper {
            let detail = format!("lower limit {} is not below upper limit {}", joint.lower, joint.upper);
            issues.push(issue(Severity::Error, &subject, detail));
        }
        for (what, value) in [("velocity", joint.velocity), ("effort", joint.effort)] {
            if value <= 0.0 {
                issues.push(issue(Severity::Warning, &subject, format!("{what} limit is {value}, expected a number above 0")));
            }
        }
    }
    for link in model.links().iter().filter(|link| link.name.trim().is_empty()) {
        issues.push(issue(Severity::Error, &format!("link {:?}", link.name), "a link has no name".to_owned()));
    }
    if model.mass_kg() <= 0.0 {
        issues.push(issue(Severity::Warning, "robot", "no link has a mass".to_owned()));
    }
    for name in model.missing_meshes() {
        issues.push(issue(Severity::Warning, "mesh", format!("{name}: no such file")));
    }
    issues
}

/// Joints without a drive, in one warning: their motor side cannot be shown.
fn undriven(model: &RobotModel, table: &DriveTable) -> Option<CheckIssue> {
    let without = model.joints().iter().filter(|joint| table.for_joint(&joint.name).is_none());
    let names: Vec<&str> = without.map(|joint| joint.name.as_str()).collect();
    let detail = format!("{} joint(s) without a drive: {}", names.len(), names.join(", "));
    (!names.is_empty()).then(|| issue(Severity::Warning, "drives", detail))
}
