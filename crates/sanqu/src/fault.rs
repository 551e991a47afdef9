//! What goes wrong with simulated robots, and when: `sanqu sim --fault KIND@T`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, Error, Result, bail, ensure};
use sanqu_ingest::{Outage, RobotPublisher};
use sanqu_robot::simulate::DriveFault;
use sanqu_sim::PlannedFault;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::signals::stopped;

/// The longest time that a fault may name: a day.
const SECONDS_MAX: f64 = 86_400.0;

/// What is expected on the command line.
const FORM: &str = "expected mute@T:S, lose@T:S, restart@T, or backlash, stiffness, tooth or hot as KIND@T:DRIVE[:SIZE]";
/// How long play and lost stiffness grow, s.
const GROWTH_SECS: f64 = 10.0;

/// One fault, `KIND@T[:S]` of all robots or `KIND@T:DRIVE[:SIZE]` of those with such a drive.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    at: Duration,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// The network fails for a time.
    Outage(Outage, Duration),
    /// The robot crashes and begins anew, with a new boot id.
    Restart,
    /// A motor or joint, or `all`.
    Drive(DriveFault, String),
}

impl FromStr for Fault {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (kind, when) = text.split_once('@').with_context(|| format!("{text:?}: {FORM}"))?;
        let (at, rest) = when.split_once(':').map_or((when, None), |(at, rest)| (at, Some(rest)));
        let outage =
            |outage| Ok::<_, Error>(Kind::Outage(outage, seconds(rest.with_context(|| format!("{text:?} names no length; {FORM}"))?)?));
        let kind = match kind {
            "mute" => outage(Outage::Mute)?,
            "lose" => outage(Outage::Lose)?,
            "restart" => {
                ensure!(rest.is_none(), "{text:?}: a restart has no length");
                Kind::Restart
            }
            kind => {
                let rest = rest.with_context(|| format!("{text:?}: {FORM}"))?;
                let (place, size) = rest.split_once(':').map_or((rest, None), |(place, size)| (place, Some(size)));
                ensure!(!place.is_empty(), "{text:?} names no joint or motor; {FORM}");
                Kind::Drive(drive_fault(kind, size).with_context(|| format!("{text:?}"))?, place.to_owned())
            }
        };
        Ok(Self { at: seconds(at)?, kind })
    }
}

/// A fault of a drive, of the usual size where none is given.
fn drive_fault(kind: &str, size: Option<&str>) -> Result<DriveFault> {
    let size = |usual: f64, most: f64| match size {
        None => Ok(usual),
        Some(text) => {
            let size: f64 = text.parse().ok().with_context(|| format!("{text:?} is not a number"))?;
            ensure!(size > 0.0 && size <= most, "{text} is not above 0 and at most {most}");
            Ok(size)
        }
    };
    Ok(match kind {
        "backlash" => DriveFault::Backlash { add_rad: size(0.003, 0.1)? },
        "stiffness" => DriveFault::Stiffness { share: size(0.6, 1.0)? },
        "tooth" => DriveFault::Tooth { peak_rad: size(3e-4, 1e-3)? },
        "hot" => DriveFault::HotMotor { extra_w: size(30.0, 10_000.0)? },
        _ => bail!("{FORM}"),
    })
}

fn seconds(text: &str) -> Result<Duration> {
    let seconds: f64 = text.parse().ok().with_context(|| format!("{text:?} is not a number of seconds"))?;
    ensure!((0.0..=SECONDS_MAX).contains(&seconds), "{text} is not within 0..{SECONDS_MAX} seconds");
    Ok(Duration::from_secs_f64(seconds))
}

impl Fault {
    /// What of it concerns drives, for a robot that starts now.
    pub(crate) fn of_drives(&self) -> Option<PlannedFault> {
        let Kind::Drive(fault, place) = &self.kind else { return None };
        let grows = matches!(fault, DriveFault::Backlash { .. } | DriveFault::Stiffness { .. });
        let growth_secs = if grows { GROWTH_SECS } else { 0.0 };
        Some(PlannedFault { place: place.clone(), fault: *fault, at_secs: self.at.as_secs_f64(), growth_secs })
    }
}

/// What ends a run of a robot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It was told to stop.
    Stop,
    /// It crashed.
    Restart,
}

/// The faults of one robot in order of time, counted from now.
pub(crate) struct Faults {
    begun: Instant,
    /// The next one last.
    steps: Vec<(Duration, Step)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Outage(Outage),
    Restart,
}

impl Faults {
    pub(crate) fn new(faults: &[Fault]) -> Self {
        let mut steps = Vec::new();
        for fault in faults {
            match &fault.kind {
                Kind::Outage(outage, length) => {
                    steps.push((fault.at, Step::Outage(*outage)));
                    steps.push((fault.at + *length, Step::Outage(Outage::None)));
                }
                Kind::Restart => steps.push((fault.at, Step::Restart)),
                // The simulation lets these happen.
                Kind::Drive(..) => {}
            }
        }
        // Steps of the same moment keep their order: what is at the end comes first.
        steps.reverse();
        steps.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        Self { begun: Instant::now(), steps }
    }

    /// Lets faults happen to a robot until it crashes or is told to stop.
    pub(crate) async fn until_end(&mut self, robot: &RobotPublisher, stop: watch::Receiver<bool>) -> Next {
        while let Some((at, step)) = self.steps.last().copied() {
            tokio::select! {
                () = stopped(stop.clone()) => return Next::Stop,
                () = tokio::time::sleep_until(self.begun + at) => {}
            }
            self.steps.pop();
            tracing::warn!(%step, "a fault, as ordered");
            match step {
                Step::Outage(outage) => robot.set_outage(outage),
                Step::Restart => return Next::Restart,
            }
        }
        stopped(stop).await;
        Next::Stop
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outage(Outage::None) => "the network is back",
            Self::Outage(Outage::Mute) => "mute",
            Self::Outage(Outage::Lose) => "lose",
            Self::Restart => "restart",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(faults: &[&str], expect: &[(u64, Step)]) {
        let faults: Vec<Fault> = faults.iter().map(|text| text.parse().unwrap()).collect();
        let mut steps: Vec<(u64, Step)> =
            Faults::new(&faults).steps.iter().map(|(at, step)| (u64::try_from(at.as_millis()).unwrap(), *step)).collect();
        steps.reverse();
        assert_eq!(steps, expect);
    }

    #[test]
    fn faults_happen_in_the_order_of_their_times() {
        let (mute, lose, none) = (Step::Outage(Outage::Mute), Step::Outage(Outage::Lose), Step::Outage(Outage::None));
        check(&[], &[]);
        check(&["mute@5:1.5"], &[(5000, mute), (6500, none)]);
        check(&["restart@8", "lose@2:1"], &[(2000, lose), (3000, none), (8000, Step::Restart)]);
        check(&["restart@8", "backlash@1:leg_l4"], &[(8000, Step::Restart)]);
        check(&["mute@1:2", "lose@3:1"], &[(1000, mute), (3000, none), (3000, lose), (4000, none)]);
    }

    #[track_caller]
    fn check_drive(text: &str, place: &str, fault: DriveFault, growth_secs: f64) {
        let found = text.parse::<Fault>().unwrap();
        let expect = PlannedFault { place: place.to_owned(), fault, at_secs: 5.5, growth_secs };
        assert_eq!(found.of_drives(), Some(expect), "{text}");
    }

    #[test]
    fn faults_of_drives_have_a_place_and_a_size() {
        check_drive("backlash@5.5:leg_l4", "leg_l4", DriveFault::Backlash { add_rad: 0.003 }, 10.0);
        check_drive("backlash@5.5:leg_l4_joint:0.01", "leg_l4_joint", DriveFault::Backlash { add_rad: 0.01 }, 10.0);
        check_drive("stiffness@5.5:all:0.5", "all", DriveFault::Stiffness { share: 0.5 }, 10.0);
        check_drive("tooth@5.5:waist_yaw", "waist_yaw", DriveFault::Tooth { peak_rad: 3e-4 }, 0.0);
        check_drive("hot@5.5:waist_yaw:12", "waist_yaw", DriveFault::HotMotor { extra_w: 12.0 }, 0.0);
        assert_eq!("mute@5:1".parse::<Fault>().unwrap().of_drives(), None);
    }

    #[test]
    fn what_is_no_fault_is_named() {
        for (text, part) in [
            ("mute", "expected mute@T:S"),
            ("cut@3", "expected mute@T:S"),
            ("cut@3:1", "expected mute@T:S"),
            ("backlash@3", "KIND@T:DRIVE"),
            ("backlash@3:", "names no joint"),
            ("tooth@3:waist_yaw:big", "\"big\" is not a number"),
            ("stiffness@3:waist_yaw:1.5", "1.5 is not above 0 and at most 1"),
            ("hot@3:waist_yaw:NaN", "NaN is not above 0"),
            ("mute@3", "no length"),
            ("restart@3:1", "no length"),
            ("lose@soon:1", "\"soon\" is not a number"),
            ("lose@1:-1", "-1 is not within"),
            ("lose@1:NaN", "NaN is not within"),
            ("restart@1e300", "not within"),
        ] {
            let error = format!("{:#}", text.parse::<Fault>().unwrap_err());
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
