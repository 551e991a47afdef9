//! What goes wrong with simulated robots, and when: `sanqu sim --fault KIND@T`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, Error, Result, bail, ensure};
use sanqu_ingest::{Outage, RobotPublisher};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::signals::stopped;

/// The longest time that a fault may name: a day.
const SECONDS_MAX: f64 = 86_400.0;

/// One fault of all robots, `KIND@T[:S]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fault {
    at: Duration,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// The network fails for a time.
    Outage(Outage, Duration),
    /// The robot crashes and begins anew, with a new boot id.
    Restart,
}

impl FromStr for Fault {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let form = "expected mute@T:S, lose@T:S or restart@T";
        let (kind, when) = text.split_once('@').with_context(|| format!("{text:?}: {form}"))?;
        let (at, length) = when.split_once(':').map_or((when, None), |(at, length)| (at, Some(length)));
        let outage =
            |outage| Ok::<_, Error>(Kind::Outage(outage, seconds(length.with_context(|| format!("{text:?} names no length; {form}"))?)?));
        let kind = match kind {
            "mute" => outage(Outage::Mute)?,
            "lose" => outage(Outage::Lose)?,
            "restart" => {
                ensure!(length.is_none(), "{text:?}: a restart has no length");
                Kind::Restart
            }
            _ => bail!("{text:?}: {form}"),
        };
        Ok(Self { at: seconds(at)?, kind })
    }
}

fn seconds(text: &str) -> Result<Duration> {
    let seconds: f64 = text.parse().ok().with_context(|| format!("{text:?} is not a number of seconds"))?;
    ensure!((0.0..=SECONDS_MAX).contains(&seconds), "{text} is not within 0..{SECONDS_MAX} seconds");
    Ok(Duration::from_secs_f64(seconds))
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
            match fault.kind {
                Kind::Outage(outage, length) => {
                    steps.push((fault.at, Step::Outage(outage)));
                    steps.push((fault.at + length, Step::Outage(Outage::None)));
                }
                Kind::Restart => steps.push((fault.at, Step::Restart)),
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
        check(&["mute@1:2", "lose@3:1"], &[(1000, mute), (3000, none), (3000, lose), (4000, none)]);
    }

    #[test]
    fn what_is_no_fault_is_named() {
        for (text, part) in [
            ("mute", "expected mute@T:S"),
            ("cut@3", "expected mute@T:S"),
            ("mute@3", "no length"),
            ("restart@3:1", "no length"),
            ("lose@soon:1", "\"soon\" is not a number"),
            ("lose@1:-1", "-1 is not within"),
            ("lose@1:NaN", "NaN is not within"),
            ("restart@1e300", "not within"),
        ] {
            let error = text.parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
