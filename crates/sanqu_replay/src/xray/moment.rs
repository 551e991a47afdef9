//! What the recording says about the drives at the instant shown, and what aliases.

use bevy::prelude::{Query, Res, ResMut, Resource};
use bevy::time::Time;
use sanqu_robot::{Apparent, DriveState, Encoder, EncoderSide, RobotError, turns_from_joint};

use super::log::HeldRow;
use super::subject::{Shown, Subject, own_joints};
use crate::lang::Lang;
use crate::replay::{Replay, RobotRecord};
use crate::robots::ReplayRobot;
use crate::timeline::Playhead;
use crate::track::{Blend, STALE_AGE_NS};

/// Pictures a second before any was measured.
const FRAME_HZ: f64 = 60.0;
/// Most decimals of a speed.
const SPEED_PLACES_MAX: usize = 5;
/// Weight of a new picture in the measured rate.
const FRAME_WEIGHT: f64 = 0.05;

/// Where a rotor's angle comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotorSource {
    /// Recorded by the motor's encoder.
    Recorded,
    /// Recorded within one turn; whole turns follow from the joint.
    TurnsFromJoint,
    /// The motor was not recorded: computed from the joint, without wind-up.
    Computed,
}

/// One drive at the instant shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DriveMoment {
    /// Everything that turns.
    pub state: DriveState,
    /// The rotor's angle, as the motor counts, rad.
    pub rotor_rad: f64,
    /// Where it comes from.
    pub source: RotorSource,
    /// The motor's row that is held.
    pub held: Option<HeldRow>,
    /// Whether motor rows are missing here, or the last one is too old or no number.
    pub motor_stale: bool,
    /// Speed of the rotor, rad/s, where it is known.
    pub rotor_rate: Option<f64>,
}

/// All drives of the subject at the instant shown.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub struct Moment {
    /// Capture time of the episode, ns.
    pub t_ns: i64,
    /// The drives, in the subject's order.
    pub drives: Vec<DriveMoment>,
    /// Whether the robot's joints are not its state here.
    pub joint_stale: bool,
    /// Why the drives cannot be shown here.
    pub problem: Option<String>,
}

impl Moment {
    /// Whether a drive is not in the state that is drawn.
    pub fn is_stale(&self, drive: usize) -> bool {
        self.joint_stale || self.problem.is_some() || self.drives.get(drive).is_none_or(|drive| drive.motor_stale)
    }
}

/// How many pictures a second there are.
#[derive(Resource, Clone, Copy, Debug, PartialEq)]
pub struct FrameRate(pub f64);

impl Default for FrameRate {
    fn default() -> Self {
        Self(FRAME_HZ)
    }
}

/// Follows the pictures' rate; a rendered film has one rate from its first picture on.
pub(super) fn measure(time: Res<'_, Time>, mut rate: ResMut<'_, FrameRate>, mut first: bevy::prelude::Local<'_, bool>) {
    let seconds = time.delta_secs_f64();
    if seconds > 0.0 {
        let weight = if *first { FRAME_WEIGHT } else { 1.0 };
        *first = true;
        rate.0 += (1.0 / seconds - rate.0) * weight;
    }
}

/// Looks the instant up.
pub(super) fn sample(
    playhead: Res<'_, Playhead>,
    replay: Res<'_, Replay>,
    subject: Res<'_, Subject>,
    robots: Query<'_, '_, &ReplayRobot>,
    mut moment: ResMut<'_, Moment>,
) {
    let Some(shown) = &subject.shown else {
        let problem = subject.problem.clone();
        *moment = Moment { problem, ..Moment::default() };
        return;
    };
    let Some(robot) = robots.iter().find(|robot| robot.index == shown.joint.robot) else { return };
    let record = &replay.robots[shown.joint.robot];
    let t_ns = playhead.t_ns.saturating_add(record.shift_ns);
    let joint_stale = robot.held.is_none_or(|held| held.is_stale());
    match drives_at(record, shown, (t_ns, playhead.blend), &robot.posture.q) {
        Ok(drives) => {
            let unread = shown.telemetry.motor.as_ref().and_then(super::log::Log::problem);
            *moment = Moment { t_ns, drives, joint_stale, problem: unread.map(|reason| reason.to_string()) };
        }
        // What was drawn stays, grey, and the inspector says why.
        Err(problem) => (moment.t_ns, moment.problem) = (t_ns, Some(problem.to_string())),
    }
}

fn drives_at(record: &RobotRecord, shown: &Shown, (t_ns, blend): (i64, Blend), q: &[f64]) -> Result<Vec<DriveMoment>, RobotError> {
    let Some(described) = &record.drives else { return Ok(Vec::new()) };
    let own = own_joints(record, &shown.drives, q);
    let mut motors = vec![0.0; described.table.drives().len()];
    described.train.motor_from_joint(&own, &mut motors)?;
    let log = shown.telemetry.motor.as_ref();
    let held = log.and_then(|log| log.held(t_ns));
    let mut rotors = Vec::new();
    for (element, index) in shown.drives.iter().enumerate() {
        let drive = &described.table.drives()[*index];
        let recorded = log.and_then(|log| log.at("pos", element, t_ns, blend));
        let source = match recorded {
            Some(recorded) => {
                let (angle, source) = unwrapped(recorded, motors[*index], &drive.encoders);
                motors[*index] = angle;
                source
            }
            None => RotorSource::Computed,
        };
        rotors.push((source, log.is_some() && recorded.is_none()));
    }
    let mut states = Vec::new();
    described.train.states(&own, Some(&motors), &mut states)?;
    let old = log.is_some_and(|log| log.in_gap(t_ns)) || held.is_some_and(|held| held.age_ns > STALE_AGE_NS);
    let moments = shown.drives.iter().enumerate().zip(rotors).map(|((element, index), (source, missing))| DriveMoment {
        state: states[*index],
        rotor_rad: motors[*index],
        source,
        held,
        motor_stale: missing || old,
        rotor_rate: rate(shown, element, held),
    });
    Ok(moments.collect())
}

/// The recorded angle, or with the turns that its encoder does not tell.
fn unwrapped(recorded: f64, ideal: f64, encoders: &[Encoder]) -> (f64, RotorSource) {
    let one_turn = encoders.iter().any(|encoder| encoder.side == EncoderSide::Motor && encoder.multi_turn == Some(false));
    match turns_from_joint(recorded, ideal, 1.0, 0.0).filter(|_| one_turn) {
        #[expect(clippy::cast_precision_loss, reason = "turns_from_joint answers only within the exact range of f64")]
        Some(turns) => (recorded + std::f64::consts::TAU * turns as f64, RotorSource::TurnsFromJoint),
        None => (recorded, RotorSource::Recorded),
    }
}

/// The rotor's recorded speed, or the slope of its last two rows.
fn rate(shown: &Shown, element: usize, held: Option<HeldRow>) -> Option<f64> {
    let (log, held) = (shown.telemetry.motor.as_ref()?, held?);
    log.value("vel", element, held.row).or_else(|| {
        let before = held.row.checked_sub(1)?;
        let span = crate::timeline::seconds(log.t_ns(held.row)? - log.t_ns(before)?);
        (span > 0.0).then_some((log.value("pos", element, held.row)? - log.value("pos", element, before)?) / span)
    })
}

/// How the fastest parts of a drive look in the pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aliasing {
    /// The part that repeats within a turn: lobes, planets, rollers.
    pub repeating: Apparent,
    /// The dot on the rotor.
    pub dot: Apparent,
    /// The rotor as the pictures are played, rad/s.
    pub rotor_rate: f64,
    /// Greatest playing speed at which the repeating part is shown as it turns.
    pub true_speed: f64,
}

/// What aliases when the recording is played at `speed` with `frame_hz` pictures a second; none where the rotor's speed is not known.
pub fn aliasing(record: &RobotRecord, shown: &Shown, drive: usize, moment: &DriveMoment, speed: f64, frame_hz: f64) -> Option<Aliasing> {
    let rate = moment.rotor_rate?;
    let train = &record.drives.as_ref()?.train;
    let index = *shown.drives.get(drive)?;
    let repeating = train.apparent(index, rate * speed, frame_hz)?;
    // The limit is in turns of the repeating part; what it is per turn of the rotor does not depend on the speed.
    let slow = train.apparent(index, 1e-3, frame_hz)?.seen_rad_per_s / 1e-3;
    let true_speed = repeating.limit_rad_per_s / (rate * slow).abs().max(1e-12);
    Some(Aliasing { repeating, dot: Apparent::new(rate * speed, 1, frame_hz), rotor_rate: rate * speed, true_speed })
}

/// What aliases, in words; none when everything is seen as it turns.
pub fn aliasing_words(aliasing: &Aliasing, speed: f64, frame_hz: f64, lang: Lang) -> Option<String> {
    let turns = |rate: f64| rate / std::f64::consts::TAU;
    if !aliasing.repeating.aliases {
        return None;
    }
    let slower = speed_words(aliasing.true_speed);
    let (rotor, seen, dot) = (turns(aliasing.rotor_rate), turns(aliasing.repeating.seen_rad_per_s), turns(aliasing.dot.seen_rad_per_s));
    Some(match (lang, aliasing.dot.aliases) {
        (Lang::En, true) => format!(
            "aliasing: at ×{speed} the rotor turns {rotor:.1} times a second, too fast for {frame_hz:.0} pictures/s: nothing here turns as it \
             seems to. True from {slower} down"
        ),
        (Lang::En, false) => format!(
            "aliasing: at {frame_hz:.0} pictures/s the shape seems to turn at {seen:+.1} turns/s. Follow the dark dot: {dot:+.1}. True from \
             {slower} down"
        ),
        (Lang::Zh, true) => {
            format!("混叠：×{speed} 时转子每秒 {rotor:.1} 转，{frame_hz:.0} 帧/秒太慢，看到的转动不是真的。{slower} 以下为真")
        }
        (Lang::Zh, false) => format!("混叠：{frame_hz:.0} 帧/秒时形状看似 {seen:+.1} 转/秒；请看黑点：{dot:+.1}。{slower} 以下为真"),
    })
}

/// A speed rounded down to one digit.
fn speed_words(speed: f64) -> String {
    let mut digit = 1.0;
    let mut places = 0;
    while speed < digit && places < SPEED_PLACES_MAX {
        digit /= 10.0;
        places += 1;
    }
    format!("×{:.places$}", (speed / digit).floor() * digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn words(rotor_turns: f64, symmetry: u32, expect: &[&str]) {
        let rate = rotor_turns * std::f64::consts::TAU;
        let repeating = Apparent::new(rate, symmetry, 25.0);
        let aliasing =
            Aliasing { repeating, dot: Apparent::new(rate, 1, 25.0), rotor_rate: rate, true_speed: repeating.limit_rad_per_s / rate.abs() };
        let found = aliasing_words(&aliasing, 1.0, 25.0, Lang::En);
        match expect {
            [] => assert_eq!(found, None),
            parts => {
                let said = found.unwrap_or_default();
                assert!(parts.iter().all(|part| said.contains(part)), "{said:?} lacks one of {parts:?}");
            }
        }
    }

    #[test]
    fn what_aliases_is_said_with_the_speed_that_helps() {
        words(6.0, 2, &[]);
        // Half a turn a picture and a bit: the lobes seem to creep backwards, the dot still shows the truth.
        words(12.0, 2, &["seems to turn at -0.5 turns/s", "dark dot: +12.0", "×0.5"]);
        words(43.0, 2, &["43.0 times a second", "from ×0.1 down", "too fast for 25"]);
        words(200.0, 1, &["×0.06"]);
    }

    #[test]
    fn one_turn_encoders_get_their_turns_from_the_joint() {
        let encoder = |multi_turn| Encoder {
            side: EncoderSide::Motor,
            bits: 17,
            counts_per_turn: None,
            multi_turn,
            accuracy_rad: None,
            assumed: vec![],
            source: String::new(),
        };
        let (angle, source) = unwrapped(0.25, 62.9, &[encoder(Some(false))]);
        assert!((angle - (0.25 + 10.0 * std::f64::consts::TAU)).abs() < 1e-9);
        assert_eq!(source, RotorSource::TurnsFromJoint);
        assert_eq!(unwrapped(0.25, 62.9, &[encoder(None)]), (0.25, RotorSource::Recorded));
    }
}
