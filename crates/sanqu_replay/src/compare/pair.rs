//! What is compared with what: robots, their joints, their outermost links.

use sanqu_robot::{JointKind, LinkPoses, RobotError, RobotModel};

use crate::ReplayError;
use crate::replay::{Posture, RobotRecord};
use crate::track::{Blend, Held, short_name};

/// Most joints of a finger, and how far it reaches from the joint of its hand at most, m.
const FINGER_JOINTS_MAX: usize = 3;
const FINGER_REACH_M: f64 = 0.3;

/// A robot of the replay and what it is compared with.
#[derive(Debug)]
pub struct Pair {
    /// Index in [`crate::replay::Replay::robots`].
    pub robot: usize,
    /// What it is compared with, at the same place. Its `shift_ns` is how it is aligned.
    pub ghost: RobotRecord,
    /// What the ghost is.
    pub kind: GhostKind,
    /// The joints that both have recorded.
    pub joints: Vec<JointPair>,
    /// The outermost links that both have.
    pub tips: Vec<TipPair>,
}

/// Where a ghost's postures come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GhostKind {
    /// Another recording: all of it is that recording's.
    Recording,
    /// The commands that the robot was given: what they say nothing of (its base, other joints) is as it was measured.
    Command,
}

/// A joint of both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JointPair {
    /// Its name in the robot's description.
    pub name: String,
    /// Index in the joints of the robot's model.
    pub robot: usize,
    /// Index in those of the ghost's.
    pub ghost: usize,
    /// Whether it slides: differences are m, else rad.
    pub linear: bool,
    /// Whether it turns without end: the short way round is its difference.
    pub endless: bool,
}

/// A link of both sides that carries no other moving one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TipPair {
    /// Its name in the robot's description.
    pub name: String,
    /// Index in the links of the robot's model.
    pub robot: usize,
    /// Index in those of the ghost's.
    pub ghost: usize,
}

impl JointPair {
    /// Ghost minus robot, rad or m.
    pub fn difference(&self, robot_q: &[f64], ghost_q: &[f64]) -> f64 {
        self.shortest(ghost_q[self.ghost] - robot_q[self.robot])
    }

    /// A difference, the short way round for a joint that turns without end.
    pub(super) fn shortest(&self, difference: f64) -> f64 {
        use std::f64::consts::{PI, TAU};
        if self.endless { (difference + PI).rem_euclid(TAU) - PI } else { difference }
    }
}

/// Joint positions of both sides at an instant, reused.
#[derive(Clone, Debug, Default)]
pub struct Sides {
    /// The robot's, in the order of its model.
    pub robot_q: Vec<f64>,
    /// The ghost's, in the order of its own.
    pub ghost_q: Vec<f64>,
}

impl Pair {
    /// Pairs the joints and tips of `robot` (at `index` in the replay) and `ghost`.
    pub(super) fn new(index: usize, robot: &RobotRecord, ghost: RobotRecord, kind: GhostKind) -> Self {
        let joints = joint_pairs(robot, &ghost);
        // What was not commanded is where it was measured: its distance would be 0 and say nothing.
        let moved = |link: &usize| joints.iter().any(|joint| is_below(&robot.model, *link, robot.model.joints()[joint.robot].child));
        let tips = tips(robot)
            .into_iter()
            .filter(|link| kind == GhostKind::Recording || moved(link))
            .filter_map(|link| {
                let name = robot.model.links()[link].name.clone();
                Some(TipPair { robot: link, ghost: ghost.model.link_index(&name)?, name })
            })
            .collect();
        Self { robot: index, ghost, kind, joints, tips }
    }

    /// Reads both sides at the timeline's instant `t_ns`, the ghost `nudge_ns` later than it is aligned, on the straight
    /// way between rows. Whether both are known there: only then there is a difference.
    pub fn sides_at(&self, robot: &RobotRecord, t_ns: i64, nudge_ns: i64, sides: &mut Sides) -> bool {
        let ghost_ns = t_ns.saturating_sub(nudge_ns).saturating_add(self.ghost.shift_ns);
        let held = robot.track.joints_at(t_ns.saturating_add(robot.shift_ns), Blend::Interpolate, &mut sides.robot_q);
        if held.is_stale() {
            return false;
        }
        !self.ghost.track.joints_at(ghost_ns, Blend::Interpolate, &mut sides.ghost_q).is_stale()
    }

    /// Writes the ghost's posture at the timeline's instant `t_ns` into `out`, beside what the robot itself shows there.
    ///
    /// # Errors
    /// Those of [`RobotModel::link_poses`].
    pub fn ghost_at(&self, shown: (&Posture, &Held), t_ns: i64, blend: Blend, out: &mut Posture) -> Result<Held, RobotError> {
        if self.kind == GhostKind::Recording {
            return self.ghost.posture_between(t_ns, blend, out);
        }
        let (robot, robot_held) = shown;
        let mut held = self.ghost.track.joints_at(t_ns.saturating_add(self.ghost.shift_ns), blend, &mut out.q);
        held.base_stale = robot_held.base_stale;
        let commanded = |joint: usize| self.joints.iter().any(|pair| pair.ghost == joint);
        for (joint, q) in out.q.iter_mut().enumerate().filter(|(joint, _)| !commanded(*joint)) {
            *q = robot.q.get(joint).copied().unwrap_or(*q);
        }
        let root = self.ghost.model.links().iter().position(|link| link.parent.is_none()).unwrap_or_default();
        let base = robot.links.get(root).copied().unwrap_or(self.ghost.world_from_station);
        self.ghost.model.link_poses(&out.q, &base, &mut out.links)?;
        Ok(held)
    }

    /// How far each tip of the ghost is from the robot's at the timeline's instant `t_ns`, m, in the order of [`Self::tips`];
    /// none where one side is not known there.
    pub fn tips_at(&self, robot: &RobotRecord, t_ns: i64, nudge_ns: i64) -> Option<Vec<f64>> {
        let (mut own, mut ghost) = (Posture::default(), Posture::default());
        let held = robot.posture_between(t_ns, Blend::Interpolate, &mut own).ok().filter(|held| !held.is_stale())?;
        let ghost_ns = t_ns.saturating_sub(nudge_ns);
        self.ghost_at((&own, &held), ghost_ns, Blend::Interpolate, &mut ghost).ok().filter(|held| !held.is_stale())?;
        let place = |links: &LinkPoses, link: usize| links.get(link).map(|pose| pose.translation.vector);
        self.tips.iter().map(|tip| Some((place(&ghost.links, tip.ghost)? - place(&own.links, tip.robot)?).norm())).collect()
    }
}

/// Joints of one name and sort that both sides have recorded.
fn joint_pairs(robot: &RobotRecord, ghost: &RobotRecord) -> Vec<JointPair> {
    let (robot_lacks, ghost_lacks) = (robot.track.unrecorded(&robot.model), ghost.track.unrecorded(&ghost.model));
    let linear = |kind: JointKind| kind == JointKind::Prismatic;
    let recorded = robot.model.joints().iter().enumerate().filter(|(_, joint)| !robot_lacks.contains(&joint.name.as_str()));
    recorded
        .filter_map(|(index, joint)| {
            let others = ghost.model.joints().iter().enumerate();
            let mut same =
                others.filter(|(_, other)| short_name(&other.name) == short_name(&joint.name) && linear(other.kind) == linear(joint.kind));
            let (found, other) = same.next().filter(|(_, other)| !ghost_lacks.contains(&other.name.as_str()))?;
            let endless = joint.kind == JointKind::Continuous || other.kind == JointKind::Continuous;
            Some(JointPair { name: joint.name.clone(), robot: index, ghost: found, linear: linear(joint.kind), endless })
        })
        .collect()
}

/// The outermost links: of each joint that carries no other, the link that it moves which is farthest from it in the rest
/// pose. A hand counts as one: not its fingers, but what carries them.
fn tips(robot: &RobotRecord) -> Vec<usize> {
    let model = &robot.model;
    let mut poses = LinkPoses::default();
    if model.link_poses(robot.track.rest(), &nalgebra::Isometry3::identity(), &mut poses).is_err() {
        return Vec::new();
    }
    let carriers: Vec<Option<usize>> = (0..model.links().len()).map(|link| carrier(model, link)).collect();
    let parents: Vec<Option<usize>> =
        model.joints().iter().map(|joint| model.links()[joint.child].parent.and_then(|parent| carriers[parent])).collect();
    let carried = |joint: usize| parents.iter().filter(|parent| **parent == Some(joint)).count();
    let ends: Vec<usize> = (0..parents.len()).filter(|joint| carried(*joint) == 0).collect();
    let place = |joint: usize| poses[model.joints()[joint].child].translation.vector;
    // The joint that a short chain branches off from.
    let branch = |end: usize| {
        let mut chain = std::iter::successors(Some(end), |joint| parents[*joint]).skip(1).take(FINGER_JOINTS_MAX);
        chain.find(|joint| carried(*joint) > 1).filter(|joint| (place(end) - place(*joint)).norm() < FINGER_REACH_M)
    };
    let is_hand = |joint: usize| ends.iter().filter(|end| branch(**end) == Some(joint)).count() > 1;
    let mut last: Vec<usize> = ends.iter().map(|end| branch(*end).filter(|joint| is_hand(*joint)).unwrap_or(*end)).collect();
    last.sort_unstable();
    last.dedup();
    last.into_iter()
        .filter_map(|joint| {
            let reach = |link: &usize| (poses[*link].translation.vector - place(joint)).norm();
            let moved = (0..model.links().len()).filter(|link| carriers[*link] == Some(joint));
            moved.max_by(|a, b| reach(a).total_cmp(&reach(b)).then(b.cmp(a)))
        })
        .collect()
}

/// The joint that moves a link: the nearest one above it.
fn carrier(model: &RobotModel, link: usize) -> Option<usize> {
    let chain = std::iter::successors(Some(link), |link| model.links()[*link].parent);
    chain.into_iter().find_map(|link| model.joints().iter().position(|joint| joint.child == link))
}

/// Whether `link` is `above` or hangs on it.
fn is_below(model: &RobotModel, link: usize, above: usize) -> bool {
    std::iter::successors(Some(link), |link| model.links()[*link].parent).any(|link| link == above)
}

/// Gives each robot its ghost: the one of the same id, else one of the same model. Who has none, and what of a pair
/// cannot be compared, is told in `warnings`.
///
/// # Errors
/// [`ReplayError::Compare`] when no robot has a ghost.
pub(super) fn pair_robots(robots: &[RobotRecord], ghosts: Vec<RobotRecord>, warnings: &mut Vec<String>) -> Result<Vec<Pair>, ReplayError> {
    let said = |record: &RobotRecord| format!("{} (model {})", record.robot, record.model.name());
    let list = |records: &mut dyn Iterator<Item = &RobotRecord>| records.map(said).collect::<Vec<_>>().join(", ");
    let (all_robots, all_ghosts) = (list(&mut robots.iter()), list(&mut ghosts.iter()));
    let mut free: Vec<Option<RobotRecord>> = ghosts.into_iter().map(Some).collect();
    let mut found: Vec<Option<RobotRecord>> = robots
        .iter()
        .map(|robot| free.iter_mut().find(|ghost| ghost.as_ref().is_some_and(|ghost| ghost.robot == robot.robot))?.take())
        .collect();
    for (robot, found) in robots.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
        let same = |ghost: &&mut Option<RobotRecord>| ghost.as_ref().is_some_and(|ghost| ghost.model.name() == robot.model.name());
        *found = free.iter_mut().find(same).and_then(Option::take);
        if let Some(ghost) = found {
            warnings.push(format!("{} is compared with another robot of the same model: {}", robot.robot, ghost.robot));
        }
    }
    let mut pairs = Vec::new();
    let mut alone = Vec::new();
    for (index, (robot, ghost)) in robots.iter().zip(found).enumerate() {
        let Some(mut ghost) = ghost else {
            alone.push(format!("{}: the other recording has neither this robot nor one of its model", said(robot)));
            continue;
        };
        ghost.world_from_station = robot.world_from_station;
        let pair = Pair::new(index, robot, ghost, GhostKind::Recording);
        if pair.joints.is_empty() {
            alone.push(format!("{} and {}: no joint has rows in both", said(robot), said(&pair.ghost)));
            continue;
        }
        tell_left_out(robot, &pair, warnings);
        pairs.push(pair);
    }
    alone.extend(
        free.iter().flatten().map(|ghost| format!("{}: the first recording has neither this robot nor one of its model", said(ghost))),
    );
    if pairs.is_empty() {
        let reason =
            format!("no robot can be compared; the first recording has {all_robots}, the second {all_ghosts}: {}", alone.join("; "));
        return Err(ReplayError::Compare { reason });
    }
    warnings.extend(alone.into_iter().map(|who| format!("not compared: {who}")));
    Ok(pairs)
}

/// Says which recorded joints have nothing to be compared with.
pub(super) fn tell_left_out(robot: &RobotRecord, pair: &Pair, warnings: &mut Vec<String>) {
    if robot.model.name() != pair.ghost.model.name() {
        let (one, other) = (robot.model.name(), pair.ghost.model.name());
        warnings.push(format!("{}: its descriptions differ ({one}, {other}): joints of the same name are compared", robot.robot));
    }
    let unrecorded = robot.track.unrecorded(&robot.model);
    let compared = |name: &str| pair.joints.iter().any(|joint| joint.name == name);
    let names = robot.model.joints().iter().map(|joint| joint.name.as_str());
    let left_out: Vec<&str> = names.filter(|name| !compared(name) && !unrecorded.contains(name)).collect();
    if !left_out.is_empty() {
        let what = match pair.kind {
            GhostKind::Recording => "not recorded by both, not compared",
            GhostKind::Command => "measured, but not commanded",
        };
        warnings.push(format!("{}: {what}: {}", robot.robot, left_out.join(", ")));
    }
}
