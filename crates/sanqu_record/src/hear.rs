use sanqu_ingest::{Arrived, Batch, Counts, Refused, RefusedReason};
use sanqu_model::{DetectedBy, Id, LossCause, StreamDescription, StreamKey, StreamKind, now_ns};
use sanqu_store::Control;
use sanqu_wire::SampleHeader;
use tracing::warn;

use crate::errand::Errand;
use crate::pre_roll::Mark;
use crate::robot::STREAMS_MAX;
use crate::station::Station;
use crate::take::Take;
use crate::track::BootTrack;

/// Refused ranges that are remembered for the pre-roll of the next episode.
const REFUSED_MAX: usize = 4096;

impl Station {
    /// Takes a batch: counts its samples, appends them to the open episode, and holds them back for the next one.
    pub(crate) fn hear(&mut self, batch: Batch) {
        if batch.is_empty() {
            return self.desk.queue.give_back(batch);
        }
        let marks = batch.iter().map(|sample| self.sample(&sample)).collect();
        let queue = &self.desk.queue;
        self.pre_roll.push(batch, marks).for_each(|gone| queue.give_back(gone));
    }

    fn sample(&mut self, sample: &Arrived<'_>) -> Mark {
        let (robot, stream) = (&sample.key.robot, &sample.key.stream);
        let is_known = self.robots.get(robot).is_some_and(|watch| watch.streams.contains_key(stream));
        if !is_known && !self.meet(sample) {
            return Mark::default();
        }
        let Some(watch) = self.robots.get_mut(robot) else { return Mark::default() };
        // A damaged header must not move the counts that losses are told by; the sample itself is kept as it came.
        let header = SampleHeader::decode_checked(sample.attachment, sample.payload).ok();
        let track = watch.track(sample.key, stream);
        if sample.resent && !header.is_some_and(|header| track.has_heard(header.boot)) {
            // It was asked for, but its boot is forgotten meanwhile.
            return Mark::default();
        }
        let boot = track.sample(header.as_ref(), sample.payload.len(), sample.recv_ns);
        self.figures.corrupt_samples += u64::from(header.is_none() && !sample.attachment.is_empty());
        if let Some(take) = self.take.as_mut().filter(|take| take.records(robot)) {
            match (&header, boot) {
                (Some(header), Some(boot)) => take.sample_of(sample, header, boot),
                _ => _ = take.sample(sample, None),
            }
        }
        if watch.asks_for(header.map(|header| header.boot)) {
            self.ask_what_it_sends(robot);
        }
        Mark { header, is_data: true }
    }

    /// Takes the first sample of a stream, or a heartbeat; true when it is data that is recorded.
    fn meet(&mut self, sample: &Arrived<'_>) -> bool {
        let key = sample.key;
        self.admit(&key.robot);
        if key.stream.kind() == StreamKind::Status {
            self.heartbeat(sample);
            return false;
        }
        self.has_place(key)
    }

    /// A robot that was not expected belongs to the episodes that start from now on.
    pub(crate) fn admit(&mut self, robot: &Id) {
        if let Err(place) = self.names.binary_search(robot) {
            self.names.insert(place, robot.clone());
        }
        if !self.robots.contains_key(robot) {
            self.robots.insert(robot.clone(), Default::default());
        }
    }

    fn heartbeat(&mut self, sample: &Arrived<'_>) {
        let Some(counts) = Counts::parse(sample.payload) else { return };
        let robot = &sample.key.robot;
        let Some(watch) = self.robots.get_mut(robot) else { return };
        let mut take = self.take.as_mut().filter(|take| take.records(robot));
        let ask = watch.heartbeat(sample.key, &counts, |key, boot| {
            if let Some(take) = &mut take {
                take.begin_boot(key, boot);
            }
        });
        if ask {
            self.ask_what_it_sends(robot);
        }
    }

    fn ask_what_it_sends(&self, robot: &Id) {
        self.context.errand(Errand::Describe { robot: robot.clone(), desk: self.desk.clone() });
    }

    /// Whether a stream of a robot is recorded. If not, its sample is counted.
    fn has_place(&mut self, key: &StreamKey) -> bool {
        let Some(watch) = self.robots.get_mut(&key.robot) else { return false };
        if watch.has_place(&key.stream) {
            return true;
        }
        self.refused_samples += 1;
        if !std::mem::replace(&mut watch.is_crowded, true) {
            let text = format!("{key} and further streams are not recorded: a robot has at most {STREAMS_MAX}");
            warn!(text);
            if let Some(take) = &mut self.take {
                take.control(Control::Event { t_ns: now_ns(), name: "streams_refused".to_owned(), text });
            }
        }
        false
    }

    /// Takes a robot's descriptions, for the open episode and for the next ones.
    pub(crate) fn described(&mut self, robot: &Id, descriptions: Vec<StreamDescription>) {
        let Some(watch) = self.robots.get_mut(robot) else { return };
        if let Some(take) = self.take.as_mut().filter(|take| take.records(robot)) {
            descriptions.iter().for_each(|description| take.describe(robot, description));
        }
        watch.descriptions = descriptions.into_iter().map(|description| (description.stream.clone(), description)).collect();
    }

    /// Accounts for what the queue has refused so far: in the open episode, and for the pre-roll of the next one.
    pub(crate) fn take_refused(&mut self) {
        for refused in self.desk.queue.take_refused() {
            let key = &refused.key;
            self.admit(&key.robot);
            if !key.stream.kind().is_recorded() || !self.has_place(key) {
                continue;
            }
            warn!(%key, samples = refused.samples, reason = ?refused.reason, "samples were refused");
            self.refused_samples += refused.samples;
            let Some(watch) = self.robots.get_mut(&key.robot) else { continue };
            let track = watch.track(key, &key.stream);
            let mut take = self.take.as_mut().filter(|take| take.records(&key.robot));
            if let (Some(boot), Some(from), Some(to)) = (refused.boot, refused.from_seq, refused.to_seq) {
                let boot = track.refused(boot, from, to);
                if let Some(take) = &mut take {
                    take.begin_boot(key, boot);
                    write_refused(take, &refused, boot);
                }
            } else if let Some(take) = &mut take {
                write_unnumbered(take, &refused);
            }
            if self.refused.len() >= REFUSED_MAX {
                self.refused.pop_front();
            }
            self.refused.push_back((now_ns(), refused));
        }
    }

    /// Writes into the episode that has just begun what was refused since `since_ns`.
    pub(crate) fn repeat_refused(&mut self, since_ns: i64) {
        self.refused.retain(|(noticed_ns, _)| *noticed_ns >= since_ns);
        let Some(take) = &mut self.take else { return };
        for (_, refused) in &self.refused {
            let watch = self.robots.get_mut(&refused.key.robot);
            match refused.boot {
                Some(boot) => {
                    let track = watch.and_then(|watch| watch.streams.get_mut(&refused.key.stream));
                    if let Some(boot) = track.and_then(|track| track.boot(boot)) {
                        write_refused(take, refused, boot);
                    }
                }
                None => write_unnumbered(take, refused),
            }
        }
    }
}

fn write_refused(take: &mut Take, refused: &Refused, boot: &mut BootTrack) {
    let (Some(share), Some(from), Some(to)) = (&mut boot.share, refused.from_seq, refused.to_seq) else { return };
    // What lies before the episode's first row is not the episode's loss.
    if to > share.begin {
        share.refuse(&(from..to));
        take.lost((&refused.key, boot.boot), Some(from), Some(to), (LossCause::Recorder, DetectedBy::Queue));
    }
}

/// Without a header there is no sequence that a ledger row could name.
fn write_unnumbered(take: &mut Take, refused: &Refused) {
    let why = match refused.reason {
        RefusedReason::QueueFull => "the recorder's queue was full",
        RefusedReason::TooLarge => "the payload was too large",
    };
    let text = format!("{} samples of {} without sequence were refused: {why}", refused.samples, refused.key);
    take.control(Control::Event { t_ns: now_ns(), name: "samples_refused".to_owned(), text });
}
