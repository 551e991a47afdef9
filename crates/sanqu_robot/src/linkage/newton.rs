//! Forward kinematics of two-joint linkages: Newton's method, with what it promises.

use nalgebra::{Matrix2, Vector2};

use crate::RobotError;

/// Most Newton steps before a pose is given up.
pub const ITERATIONS_MAX: u32 = 50;
/// A solved pose leaves no more than this of ½(|d|² − l²), m².
pub const RESIDUAL_M2: f64 = 1e-13;
/// Largest condition number at which speeds and torques are still passed through a linkage.
pub const COND_MAX: f64 = 1e4;
/// Longest Newton step in either joint, rad.
const STEP_MAX_RAD: f64 = 0.3;
/// Half width of the region in which the smallest gap is looked for when Newton's method fails, rad.
const SEARCH_RAD: f64 = 0.8;
/// Grid points per half width, and how often the search narrows.
const SEARCH_GRID: i32 = 8;
const SEARCH_ROUNDS: u32 = 40;

/// A joint pose found from motor angles or actuator lengths.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SolvedPose {
    /// Pitch and roll, rad.
    pub pose: [f64; 2],
    /// Newton steps until the residual was below [`RESIDUAL_M2`]; one more is taken to polish.
    pub iterations: u32,
    /// What is left of ½(|d|² − l²), the larger of both legs, m².
    pub residual_m2: f64,
    /// Condition number of the closure's Jacobian there.
    pub cond: f64,
}

/// How far both legs are from closing at a pose.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Closure {
    /// ½(|d|² − l²), m².
    pub(crate) residual: Vector2<f64>,
    /// Its derivative by pitch and roll.
    pub(crate) slope: Matrix2<f64>,
    /// |d| − l, m.
    pub(crate) gap: Vector2<f64>,
}

/// Finds the pose at which both legs close, from `start`.
///
/// At most [`ITERATIONS_MAX`] steps of at most 0.3 rad; the residual is below [`RESIDUAL_M2`]. Else [`RobotError::NoPose`] with
/// the smallest gap that any pose nearby leaves.
pub(crate) fn solve(start: [f64; 2], closure: impl Fn(Vector2<f64>) -> Closure) -> Result<SolvedPose, RobotError> {
    let mut pose = Vector2::from(start);
    for iterations in 0..=ITERATIONS_MAX {
        let now = closure(pose);
        if now.residual.amax() < RESIDUAL_M2 {
            let polished = pose - step(&now);
            let better = closure(polished);
            let (pose, now) = if better.residual.amax() <= now.residual.amax() { (polished, better) } else { (pose, now) };
            let (residual_m2, cond) = (now.residual.amax(), condition(&now.slope));
            return Ok(SolvedPose { pose: pose.into(), iterations, residual_m2, cond });
        }
        pose -= step(&now);
    }
    let (pose, best_gap_m) = smallest_gap(pose, Vector2::from(start), &closure);
    let cond = condition(&closure(pose).slope);
    Err(RobotError::NoPose { best_gap_m, iterations: ITERATIONS_MAX, pose: pose.into(), cond })
}

/// A Newton step; where the Jacobian is all but singular, a damped one.
fn step(closure: &Closure) -> Vector2<f64> {
    let Closure { residual, slope, .. } = closure;
    let size = slope.norm_squared().max(f64::MIN_POSITIVE);
    let determinant = slope.determinant();
    let full = if determinant.abs() > 1e-9 * size {
        Vector2::new(slope[(1, 1)] * residual.x - slope[(0, 1)] * residual.y, slope[(0, 0)] * residual.y - slope[(1, 0)] * residual.x)
            / determinant
    } else {
        let normal = slope.transpose() * slope + Matrix2::identity() * (1e-6 * size);
        normal.try_inverse().map_or(Vector2::zeros(), |inverse| inverse * (slope.transpose() * residual))
    };
    let longest = full.amax();
    if longest > STEP_MAX_RAD { full * (STEP_MAX_RAD / longest) } else { full }
}

/// The pose whose larger gap is the smallest, by a grid that narrows about its best point: both where Newton's method gave
/// up and where it began.
fn smallest_gap(end: Vector2<f64>, start: Vector2<f64>, closure: &impl Fn(Vector2<f64>) -> Closure) -> (Vector2<f64>, f64) {
    let gap_at = |pose| closure(pose).gap.amax();
    let mut best = (start, gap_at(start));
    for centre in [start, end] {
        let mut found = (centre, gap_at(centre));
        let mut half = SEARCH_RAD;
        for _ in 0..SEARCH_ROUNDS {
            let middle = found.0;
            for along in -SEARCH_GRID..=SEARCH_GRID {
                for across in -SEARCH_GRID..=SEARCH_GRID {
                    let pose = middle + Vector2::new(f64::from(along), f64::from(across)) * (half / f64::from(SEARCH_GRID));
                    let gap = gap_at(pose);
                    if gap < found.1 {
                        found = (pose, gap);
                    }
                }
            }
            half *= 0.6;
        }
        if found.1 < best.1 {
            best = found;
        }
    }
    best
}

/// Condition number of a 2×2 matrix, from its singular values; infinite where it is singular.
pub fn condition(matrix: &Matrix2<f64>) -> f64 {
    let squares = matrix.norm_squared();
    let determinant = matrix.determinant().abs();
    let difference = (squares * squares - 4.0 * determinant * determinant).max(0.0).sqrt();
    let largest = 0.5 * (squares + difference);
    if determinant > 0.0 { largest / determinant } else { f64::INFINITY }
}
