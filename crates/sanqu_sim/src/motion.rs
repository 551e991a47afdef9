//! Where the joints of a simulated robot are at any moment: minimum-jerk moves between key poses plus a slow sway.

use std::f64::consts::TAU;

use sanqu_robot::RobotModel;

use crate::gesture::Gesture;
use crate::noise::Noise;

/// Speed that no move exceeds, rad/s, whatever the URDF would allow: these are demonstrations beside people.
const SPEED_MAX: f64 = 2.0;
/// Share of the URDF's speed limit that a move uses at most.
const SPEED_SHARE_MAX: f64 = 0.6;
/// Distance kept from every joint limit, rad.
const MARGIN: f64 = 0.005;
/// Amplitude of the sway of each joint that is not in a leg, rad.
const SWAY: f64 = 0.012;
/// Amplitude of the weight shift from foot to foot, rad, and its frequency, Hz.
const SHIFT: (f64, f64) = (0.022, 0.11);

/// Positions, speeds and accelerations of all joints, model order; rad, rad/s, rad/s² (m for prismatic joints).
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct JointState {
    pub(crate) pos: Vec<f64>,
    pub(crate) vel: Vec<f64>,
    pub(crate) acc: Vec<f64>,
}

/// One move of all joints followed by a hold.
struct Segment {
    start_secs: f64,
    move_secs: f64,
    from: Vec<f64>,
    to: Vec<f64>,
}

struct Sway {
    joint: usize,
    amplitude: f64,
    omega: f64,
    phase: f64,
}

/// A robot's motion as a function of time; the same model, pose and seed give the same motion.
pub(crate) struct Motion {
    segments: Vec<Segment>,
    cycle_secs: f64,
    sways: Vec<Sway>,
}

impl Motion {
    /// * `stand`: standing pose in model order.
    /// * `in_leg`: which joints carry the robot: they only move together, so that the feet stay flat.
    pub(crate) fn new(model: &RobotModel, gesture: &Gesture, stand: &[f64], in_leg: &[bool], seed: u64) -> Self {
        let mut noise = Noise::new(seed, 1);
        let mut sways = Vec::new();
        for (joint, limits) in model.joints().iter().enumerate() {
            let room = (stand[joint] - limits.lower).min(limits.upper - stand[joint]) - MARGIN;
            if !in_leg[joint] && room > 0.0 {
                let omega = TAU * (0.22 + 0.08 * noise.uniform());
                sways.push(Sway { joint, amplitude: room.min(SWAY), omega, phase: TAU * noise.uniform() });
            }
        }
        let shift_phase = TAU * noise.uniform();
        for (name, sign) in gesture.weight_shift {
            sways.extend(model.joint_index(name).map(|joint| Sway {
                joint,
                amplitude: sign * SHIFT.0,
                omega: TAU * SHIFT.1,
                phase: shift_phase,
            }));
        }
        let mut swing = vec![0.0; stand.len()];
        for sway in &sways {
            swing[sway.joint] += sway.amplitude.abs();
        }
        let inside = |joint: usize, target: f64| {
            let limits = &model.joints()[joint];
            let room = swing[joint] + MARGIN;
            target.min(limits.upper - room).max(limits.lower + room)
        };
        let poses: Vec<Vec<f64>> = gesture
            .keys
            .iter()
            .map(|key| {
                let mut pose = stand.to_vec();
                for (joint, offset) in key.offsets.iter().filter_map(|(name, offset)| Some((model.joint_index(name)?, offset))) {
                    pose[joint] += offset;
                }
                pose.iter().enumerate().map(|(joint, target)| inside(joint, *target)).collect()
            })
            .collect();
        let (mut segments, mut start_secs) = (Vec::new(), 0.0);
        for (index, key) in gesture.keys.iter().enumerate() {
            let (from, to) = (poses[(index + poses.len() - 1) % poses.len()].clone(), poses[index].clone());
            let move_secs = (key.move_secs * (1.1 + 0.1 * noise.uniform())).max(shortest_secs(model, &from, &to));
            segments.push(Segment { start_secs, move_secs, from, to });
            start_secs += move_secs + key.hold_secs * (1.1 + 0.3 * noise.uniform());
        }
        Self { segments, cycle_secs: start_secs, sways }
    }

    /// The state at `t_secs` after the start; negative times are the end of the cycle before.
    pub(crate) fn at(&self, t_secs: f64, out: &mut JointState) {
        let in_cycle = t_secs.rem_euclid(self.cycle_secs);
        let index = self.segments.partition_point(|segment| segment.start_secs <= in_cycle).saturating_sub(1);
        let Some(segment) = self.segments.get(index) else { return };
        let share = ((in_cycle - segment.start_secs) / segment.move_secs).clamp(0.0, 1.0);
        let (s, ds, dds) = minimum_jerk(share);
        let joints = segment.from.len();
        for list in [&mut out.pos, &mut out.vel, &mut out.acc] {
            list.resize(joints, 0.0);
        }
        for joint in 0..joints {
            let way = segment.to[joint] - segment.from[joint];
            out.pos[joint] = segment.from[joint] + way * s;
            out.vel[joint] = way * ds / segment.move_secs;
            out.acc[joint] = way * dds / segment.move_secs.powi(2);
        }
        for sway in &self.sways {
            let (sin, cos) = (sway.omega * t_secs + sway.phase).sin_cos();
            out.pos[sway.joint] += sway.amplitude * sin;
            out.vel[sway.joint] += sway.amplitude * sway.omega * cos;
            out.acc[sway.joint] -= sway.amplitude * sway.omega.powi(2) * sin;
        }
    }
}

/// Shortest duration at which no joint exceeds its speed: a minimum-jerk move peaks at 15/8 of its mean speed.
fn shortest_secs(model: &RobotModel, from: &[f64], to: &[f64]) -> f64 {
    let peak = model.joints().iter().zip(from.iter().zip(to)).map(|(joint, (from, to))| {
        let limit = if joint.velocity > 0.0 { (joint.velocity * SPEED_SHARE_MAX).min(SPEED_MAX) } else { SPEED_MAX };
        1.875 * (to - from).abs() / limit
    });
    peak.fold(0.1, f64::max)
}

/// Position, speed and acceleration at `x` in 0..1 of the smoothest move from 0 to 1.
fn minimum_jerk(x: f64) -> (f64, f64, f64) {
    let square = x * x;
    (square * x * (10.0 - 15.0 * x + 6.0 * square), square * (30.0 - 60.0 * x + 30.0 * square), x * (60.0 - 180.0 * x + 120.0 * square))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minimum_jerk_starts_and_ends_at_rest() {
        assert_eq!(minimum_jerk(0.0), (0.0, 0.0, 0.0));
        let (s, ds, dds) = minimum_jerk(1.0);
        assert!((s - 1.0).abs() < 1e-12 && ds.abs() < 1e-12 && dds.abs() < 1e-12);
        assert!((minimum_jerk(0.5).1 - 1.875).abs() < 1e-12);
    }
}
