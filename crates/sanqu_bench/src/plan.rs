//! What the generator sends and when: a pure function of its specification, so that whoever counts afterwards knows what
//! was due at any instant without asking the generator.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use sanqu_model::{FieldConfig, Id, StreamName};
use serde::{Deserialize, Serialize};

/// Joints and motors of a robot.
pub(crate) const JOINTS: usize = 40;
/// Rows of joint and motor telemetry in one payload: 20 ms at 500 Hz.
pub(crate) const ROWS_PER_PAYLOAD: u32 = 10;
/// Cameras of a robot.
pub(crate) const CAMERAS: [&str; 3] = ["head", "wrist-l", "wrist-r"];
/// Bytes of one picture.
pub(crate) const PICTURE_BYTES: usize = 20_000;
/// Pictures from one key frame to the next: one second.
pub(crate) const GOP: u64 = 30;

/// Samples of one robot a second: two streams of rows, three cameras.
pub(crate) const SAMPLES_PER_S: u64 = 2 * 50 + 3 * 30;

const ROWS_PERIOD_NS: i64 = 20_000_000;
const PICTURE_PERIOD_NS: i64 = 33_333_333;

/// A part of the run at a constant rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Thousandths of the nominal rate of every stream.
    pub(crate) permille: u32,
    /// How long, ms.
    pub(crate) millis: u32,
}

/// Everything that the generator is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LoadSpec {
    /// Where the sink listens.
    pub(crate) connect: String,
    /// The field's file.
    pub(crate) field: PathBuf,
    /// How many of its robots send, in the order of its stations.
    pub(crate) robots: usize,
    /// Decides phases and payloads.
    pub(crate) seed: u64,
    /// One after the other.
    pub(crate) steps: Vec<Step>,
    /// End when samples had to be given up, or the generator itself is late.
    pub(crate) until_loss: bool,
}

/// What a stream is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// `pos, vel, effort`.
    Joint,
    /// `pos, vel, current, torque, temp, err`.
    Motor,
    /// H.264.
    Camera,
}

/// One stream of one robot.
#[derive(Clone, Debug)]
pub(crate) struct StreamPlan {
    pub(crate) robot: Id,
    pub(crate) stream: StreamName,
    pub(crate) kind: Kind,
    pub(crate) schedule: Schedule,
}

impl Kind {
    /// Rows (or pictures) in one sample.
    pub(crate) fn rows(self) -> u32 {
        if self == Self::Camera { 1 } else { ROWS_PER_PAYLOAD }
    }

    /// Nominal time from one sample to the next.
    pub(crate) fn period_ns(self) -> i64 {
        if self == Self::Camera { PICTURE_PERIOD_NS } else { ROWS_PERIOD_NS }
    }
}

impl StreamPlan {
    /// `sanqu/<field>/<robot>/<stream>`.
    pub(crate) fn key(&self, field: &Id) -> String {
        format!("sanqu/{field}/{}/{}", self.robot, self.stream)
    }
}

/// When the samples of one stream are due, from the start of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    period_ns: i64,
    phase_ns: i64,
    steps: Vec<Step>,
}

/// A sample that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due {
    /// From the start of the run.
    pub(crate) after_ns: i64,
    /// The step it belongs to.
    pub(crate) step: usize,
    /// Time from this sample to the next of its step.
    pub(crate) period_ns: i64,
}

impl Schedule {
    /// * `phase_ns`: when the first sample is due; less than a period.
    pub(crate) fn new(period_ns: i64, phase_ns: i64, steps: &[Step]) -> Self {
        Self { period_ns, phase_ns: phase_ns.rem_euclid(period_ns), steps: steps.to_vec() }
    }

    /// All samples in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Due> + use<'_> {
        let mut start_ns = 0;
        self.steps.iter().enumerate().filter(|(_, step)| step.permille > 0).flat_map(move |(number, step)| {
            let begin_ns = start_ns;
            let end_ns = begin_ns + i64::from(step.millis) * 1_000_000;
            start_ns = end_ns;
            let scaled = |ns: i64| ns * 1000 / i64::from(step.permille);
            let (period_ns, first_ns) = (scaled(self.period_ns), begin_ns + scaled(self.phase_ns));
            (0..).map(move |n| first_ns + n * period_ns).take_while(move |after_ns| *after_ns < end_ns).map(move |after_ns| Due {
                after_ns,
                step: number,
                period_ns,
            })
        })
    }

    /// Samples that were due up to this instant, inclusive.
    pub(crate) fn due_by(&self, after_ns: i64) -> u64 {
        self.iter().take_while(|due| due.after_ns <= after_ns).count() as u64
    }
}

impl LoadSpec {
    /// Length of the run.
    pub(crate) fn millis(&self) -> u64 {
        self.steps.iter().map(|step| u64::from(step.millis)).sum()
    }

    /// Reads the field's file.
    pub(crate) fn read_field(&self) -> Result<FieldConfig> {
        let text = std::fs::read_to_string(&self.field).with_context(|| format!("cannot read {}", self.field.display()))?;
        FieldConfig::parse(&text).with_context(|| self.field.display().to_string())
    }

    /// The robots that send, in the order of the field's stations.
    pub(crate) fn robots(&self, field: &FieldConfig) -> Vec<Id> {
        field.stations().flat_map(|place| place.station.robots.clone()).take(self.robots).collect()
    }

    /// The streams of one robot, with phases that no two of the field share.
    pub(crate) fn streams(&self, robot: &Id, number: usize) -> Result<Vec<StreamPlan>> {
        let names = [("joint".to_owned(), Kind::Joint), ("motor".to_owned(), Kind::Motor)];
        let cameras = CAMERAS.iter().map(|camera| (format!("camera/{camera}"), Kind::Camera));
        let mut plans = Vec::new();
        for (index, (name, kind)) in names.into_iter().chain(cameras).enumerate() {
            // Multiples of the golden section lie apart from each other however many there are.
            let place = self.seed.wrapping_add(((number * 8 + index) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let share = i64::try_from(place >> 44).unwrap_or(0);
            let phase_ns = kind.period_ns() * share / (1 << 20);
            let schedule = Schedule::new(kind.period_ns(), phase_ns, &self.steps);
            plans.push(StreamPlan { robot: robot.clone(), stream: name.parse()?, kind, schedule });
        }
        Ok(plans)
    }

    /// All streams of all robots.
    pub(crate) fn all_streams(&self, field: &FieldConfig) -> Result<Vec<StreamPlan>> {
        let mut all = Vec::new();
        for (number, robot) in self.robots(field).iter().enumerate() {
            all.extend(self.streams(robot, number)?);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spec(robots: usize) -> LoadSpec {
        let field = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/field/qingdao.toml"));
        LoadSpec { connect: String::new(), field, robots, seed: 7, steps: vec![Step { permille: 1000, millis: 1000 }], until_loss: false }
    }

    #[test]
    fn a_second_of_the_whole_field() {
        let spec = spec(31);
        let plans = spec.all_streams(&spec.read_field().unwrap()).unwrap();
        assert_eq!(plans.len(), 31 * 5);
        let of = |kind| plans.iter().filter(move |plan| plan.kind == kind);
        assert!(of(Kind::Joint).chain(of(Kind::Motor)).all(|plan| plan.schedule.iter().count() == 50));
        assert!(of(Kind::Camera).all(|plan| [30, 31].contains(&plan.schedule.iter().count())));
        let mut firsts: Vec<i64> = of(Kind::Camera).filter_map(|plan| Some(plan.schedule.iter().next()?.after_ns)).collect();
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts.len(), 93, "no two cameras fire at the same instant");
    }

    proptest! {
        #[test]
        fn samples_follow_each_other_at_the_rate_of_their_step(
            phase_ns in 0i64..20_000_000, steps in proptest::collection::vec((100u32..4000, 1u32..500), 1..5)
        ) {
            let steps: Vec<Step> = steps.into_iter().map(|(permille, millis)| Step { permille, millis }).collect();
            let schedule = Schedule::new(20_000_000, phase_ns, &steps);
            let due: Vec<Due> = schedule.iter().collect();
            let mut begin_ns = 0;
            for (number, step) in steps.iter().enumerate() {
                let end_ns = begin_ns + i64::from(step.millis) * 1_000_000;
                let own: Vec<&Due> = due.iter().filter(|due| due.step == number).collect();
                prop_assert!(own.iter().all(|due| (begin_ns..end_ns).contains(&due.after_ns)));
                let period_ns = 20_000_000_000 / i64::from(step.permille);
                prop_assert!(own.windows(2).all(|pair| pair[1].after_ns - pair[0].after_ns == period_ns));
                // Nothing is left out at either end.
                let (first_ns, last_ns) = (own.first().map_or(end_ns, |d| d.after_ns), own.last().map_or(begin_ns, |d| d.after_ns));
                prop_assert!(first_ns - begin_ns <= period_ns && end_ns - last_ns <= period_ns);
                begin_ns = end_ns;
            }
            for (number, sample) in due.iter().enumerate() {
                prop_assert_eq!(schedule.due_by(sample.after_ns), number as u64 + 1);
                prop_assert_eq!(schedule.due_by(sample.after_ns - 1), number as u64);
            }
        }
    }
}
