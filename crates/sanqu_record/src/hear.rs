use std::sync::Arc;

use sanqu_ingest::{Counts, Received};
use sanqu_model::{Id, StreamDescription, StreamKey, StreamKind, now_ns};
use sanqu_wire::SampleHeader;
use tracing::warn;

use crate::RefusedRobot;
use crate::config::PRE_ROLL_BYTES_MAX;
use crate::engine::Engine;
use crate::errand::Errand;
use crate::pre_roll::PreRoll;
use crate::robot::RobotWatch;

/// Robots that are recorded at most, where robots that the field does not know are recorded too: each has its pre-roll.
const ROBOTS_MAX: usize = 256;
/// Robots that are refused by name; further ones are not shown.
const REFUSED_ROBOTS_MAX: usize = 1024;

impl Engine {
    /// Takes a sample: counts it, holds it back for the next episode, and appends it to the open one.
    pub(crate) fn sample(&mut self, sample: &Received) {
        let robot = &sample.key.robot;
        if !self.robots.contains_key(robot) && !self.admit(robot) {
            return;
        }
        let Some(watch) = self.robots.get_mut(robot) else { return };
        let Some(station) = self.stations.get_mut(&watch.station) else { return };
        if sample.key.stream.kind().is_recorded() && !watch.has_place(&sample.key.stream) {
            return station.refuse_stream(&sample.key, !std::mem::replace(&mut watch.is_crowded, true));
        }
        let take = station.take.as_mut().filter(|take| take.records(robot));
        let ask = if sample.key.stream.kind() == StreamKind::Status {
            let Some(counts) = Counts::parse(&sample.payload) else { return };
            let ask = watch.heartbeat(&counts);
            if let Some(take) = take {
                for stream in counts.next_seq.keys() {
                    let Some(boot) = watch.streams.get(stream).and_then(|track| track.boot(counts.boot)) else { continue };
                    let key = StreamKey { stream: stream.clone(), ..(*sample.key).clone() };
                    take.baseline(&Arc::new(key), counts.boot, boot.baseline);
                }
            }
            ask
        } else {
            // A damaged header must not move the counts that losses are told by; the sample itself is kept as it came.
            let header = SampleHeader::decode_checked(&sample.attachment, &sample.payload).ok();
            let ask = watch.sample(sample, header);
            if let Some(take) = take {
                let boot = header.and_then(|header| watch.streams.get(&sample.key.stream)?.boot(header.boot));
                if let Some(boot) = boot {
                    take.baseline(&sample.key, boot.boot, boot.baseline);
                }
                let ours = |h: &SampleHeader| take.stopping.as_ref().is_none_or(|stop| stop.takes(&sample.key, h.boot, h.seq));
                if header.as_ref().is_none_or(ours) {
                    take.sample(sample, header.as_ref());
                }
            }
            ask
        };
        if ask {
            let robot = robot.clone();
            self.errand(Errand::Describe { robot });
        }
    }

    /// Whether a robot that was not heard before is recorded, and where.
    fn admit(&mut self, robot: &Id) -> bool {
        let known = self.config.field.robot(robot).is_some();
        let home = self.config.field.station_of(robot).map(|place| place.station.id.clone());
        let has_place = self.robots.len() < ROBOTS_MAX;
        let home = home.or_else(|| self.home_of_unknown.clone().filter(|_| !known && has_place));
        if let Some(home) = home {
            if let Some(station) = self.stations.get_mut(&home)
                && let Err(place) = station.robots.binary_search(robot)
            {
                station.robots.insert(place, robot.clone());
            }
            let span_ns = i64::try_from(self.config.pre_roll.as_nanos()).unwrap_or(i64::MAX);
            self.robots.insert(robot.clone(), RobotWatch::new(home, PreRoll::new(span_ns, PRE_ROLL_BYTES_MAX)));
            return true;
        }
        if let Some(refused) = self.refused_robots.get_mut(robot) {
            refused.samples += 1;
        } else if self.refused_robots.len() < REFUSED_ROBOTS_MAX {
            let field = &self.config.field.field;
            let reason = match (known, has_place || self.home_of_unknown.is_none()) {
                (true, _) => format!("it stands at no station of field {field}"),
                (false, true) => format!("field {field} does not know it"),
                (false, false) => format!("field {field} does not know it, and {ROBOTS_MAX} robots are recorded already"),
            };
            warn!(%robot, reason, "this robot is not recorded");
            self.refused_robots.insert(robot.clone(), RefusedRobot { robot: robot.clone(), samples: 1, reason });
        }
        false
    }

    /// Takes a robot's descriptions, for the open episode and for the next ones.
    pub(crate) fn described(&mut self, robot: &Id, descriptions: Vec<StreamDescription>) {
        let Some(watch) = self.robots.get_mut(robot) else { return };
        let take = self.stations.get_mut(&watch.station).and_then(|station| station.take.as_mut());
        if let Some(take) = take.filter(|take| take.records(robot)) {
            descriptions.iter().for_each(|description| take.describe(robot, description));
        }
        watch.descriptions = descriptions.into_iter().map(|description| (description.stream.clone(), description)).collect();
    }

    /// Accounts for what the queue has refused so far.
    pub(crate) fn take_refused(&mut self) {
        for refused in self.intake.take_refused() {
            if !refused.key.stream.kind().is_recorded() {
                continue;
            }
            let robot = refused.key.robot.clone();
            if !self.robots.contains_key(&robot) && !self.admit(&robot) {
                continue;
            }
            let Some(watch) = self.robots.get_mut(&robot) else { continue };
            if !watch.has_place(&refused.key.stream) {
                continue;
            }
            let track = watch.track(&refused.key.stream);
            if let (Some(boot), Some(from), Some(to)) = (refused.boot, refused.from_seq, refused.to_seq) {
                track.refused(boot, from, to);
            }
            let baseline = refused.boot.and_then(|boot| track.boot(boot)).map(|boot| (boot.boot, boot.baseline));
            let Some(station) = self.stations.get_mut(&watch.station) else { continue };
            warn!(key = %refused.key, samples = refused.samples, reason = ?refused.reason, "samples were refused");
            if let (Some(take), Some((boot, baseline))) = (&mut station.take, baseline) {
                take.baseline(&refused.key, boot, baseline);
            }
            station.refuse(now_ns(), refused);
        }
    }
}
