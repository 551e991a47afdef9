use std::sync::Arc;
use std::time::{Duration, Instant};

use sanqu_ingest::Counts;
use sanqu_model::{LossTotals, SeqRanges, StreamKey};
use sanqu_wire::SampleHeader;

use crate::StreamStatus;
use crate::share::Share;

/// Boots of one stream that are remembered; a publisher that restarts more often than this loses its oldest.
const BOOTS_MAX: usize = 16;
/// Rates are measured over at least this long.
const RATE_WINDOW: Duration = Duration::from_secs(1);

/// What was heard of one stream.
#[derive(Debug)]
pub(crate) struct StreamTrack {
    pub(crate) key: Arc<StreamKey>,
    /// In order of first appearance.
    pub(crate) boots: Vec<BootTrack>,
    rows: u64,
    bytes: u64,
    unnumbered: u64,
    last_capture_ns: Option<i64>,
    last_recv_ns: i64,
    window: (Instant, u64),
    rate_hz: f64,
}

/// What was heard of one boot of a stream's publisher.
#[derive(Clone, Debug)]
pub(crate) struct BootTrack {
    /// The boot id.
    pub(crate) boot: u64,
    /// First sequence that was sent while we listened.
    pub(crate) baseline: u64,
    /// One past the highest sequence that arrived, or was refused.
    pub(crate) next_seq: u64,
    /// The lowest sequence that arrived.
    pub(crate) first_seq: Option<u64>,
    /// What the robot last said its next sequence is.
    pub(crate) heard: u64,
    /// The robot counts what it sends.
    pub(crate) is_counted: bool,
    /// The robot said that nothing follows.
    pub(crate) ended: bool,
    received: u64,
    /// The lowest sequence that the robot can send again; none where it cannot, or has not said so.
    pub(crate) held_from: Option<u64>,
    /// Rows that the robot gave up before they ever left.
    pub(crate) unsent: SeqRanges,
    /// What the open episode holds of it.
    pub(crate) share: Option<Share>,
}

impl StreamTrack {
    pub(crate) fn new(key: Arc<StreamKey>) -> Self {
        Self {
            key,
            boots: Vec::new(),
            rows: 0,
            bytes: 0,
            unnumbered: 0,
            last_capture_ns: None,
            last_recv_ns: 0,
            window: (Instant::now(), 0),
            rate_hz: 0.0,
        }
    }

    /// Counts a sample that arrived; `header` is none when it has none that can be read. Returns its boot.
    pub(crate) fn sample(&mut self, header: Option<&SampleHeader>, bytes: usize, recv_ns: i64) -> Option<&mut BootTrack> {
        self.bytes += bytes as u64;
        self.last_recv_ns = self.last_recv_ns.max(recv_ns);
        let Some(header) = header else {
            self.rows += 1;
            self.unnumbered += 1;
            return None;
        };
        self.rows += u64::from(header.rows);
        self.last_capture_ns = self.last_capture_ns.max(Some(header.capture_ns));
        let boot = self.boot_mut(header.boot, header.seq, false);
        boot.baseline = boot.baseline.min(header.seq);
        boot.first_seq = Some(boot.first_seq.map_or(header.seq, |first| first.min(header.seq)));
        boot.next_seq = boot.next_seq.max(header.next_seq());
        boot.received += u64::from(header.rows);
        Some(boot)
    }

    /// Notes what the robot says it has sent. A heartbeat may overtake the rows it counts.
    pub(crate) fn heartbeat(&mut self, counts: &Counts, next_seq: u64, restarted: bool) -> &mut BootTrack {
        // A ring ends with its publisher.
        self.boots.iter_mut().filter(|boot| boot.boot != counts.boot).for_each(|boot| boot.held_from = None);
        let stream = self.key.stream.clone();
        let boot = self.boot_mut(counts.boot, next_seq, restarted);
        boot.heard = boot.heard.max(next_seq);
        boot.is_counted = true;
        boot.ended |= counts.last;
        // An orderly end leaves nobody to ask.
        boot.held_from = counts.held_from.get(&stream).copied().filter(|_| !counts.last);
        for (from, to) in counts.unsent.get(&stream).into_iter().flatten() {
            boot.unsent.insert(&(*from..*to));
            if let Some(share) = &mut boot.share {
                share.asking.give_up(&(*from..*to));
            }
        }
        crate::share::bound(&mut boot.unsent);
        boot
    }

    /// Rows that arrived and were not taken: they are lost, and not on their way.
    pub(crate) fn refused(&mut self, boot: u64, from_seq: u64, to_seq: u64) -> &mut BootTrack {
        let boot = self.boot_mut(boot, from_seq, false);
        boot.baseline = boot.baseline.min(from_seq);
        boot.next_seq = boot.next_seq.max(to_seq);
        boot
    }

    pub(crate) fn last_recv_ns(&self) -> i64 {
        self.last_recv_ns
    }

    /// Takes up a boot that an earlier recorder has heard.
    pub(crate) fn recall(&mut self, boot: u64, begin: u64, rows: &SeqRanges) -> &mut BootTrack {
        let boot = self.boot_mut(boot, begin, false);
        (boot.baseline, boot.first_seq) = (begin, rows.start());
        (boot.next_seq, boot.received) = (rows.end().unwrap_or(begin), rows.count());
        boot
    }

    pub(crate) fn has_heard(&self, boot: u64) -> bool {
        self.boots.iter().any(|track| track.boot == boot)
    }

    pub(crate) fn boot(&mut self, boot: u64) -> Option<&mut BootTrack> {
        self.boots.iter_mut().find(|track| track.boot == boot)
    }

    /// A boot that begins while we listen begins at 0. Of the first one we only know what it says when first heard.
    fn boot_mut(&mut self, boot: u64, first: u64, restarted: bool) -> &mut BootTrack {
        let index = self.boots.iter().rposition(|track| track.boot == boot).unwrap_or_else(|| {
            let baseline = if self.boots.is_empty() && !restarted { first } else { 0 };
            if self.boots.len() >= BOOTS_MAX {
                self.boots.remove(0);
            }
            let next_seq = baseline;
            self.boots.push(BootTrack {
                boot,
                baseline,
                next_seq,
                first_seq: None,
                heard: 0,
                is_counted: false,
                ended: false,
                received: 0,
                held_from: None,
                unsent: SeqRanges::default(),
                share: None,
            });
            self.boots.len() - 1
        });
        &mut self.boots[index]
    }

    pub(crate) fn status(&mut self, now: Instant) -> StreamStatus {
        let (since, rows) = self.window;
        let elapsed = now.duration_since(since);
        if elapsed >= RATE_WINDOW {
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            let passed = (self.rows - rows) as f64;
            self.rate_hz = passed / elapsed.as_secs_f64();
            self.window = (now, self.rows);
        }
        let lost = LossTotals::default();
        let (missing, lost) = self.boots.iter().fold((0, lost), |(missing, lost), boot| (missing + boot.missing(), boot.add_lost(lost)));
        StreamStatus {
            stream: self.key.stream.clone(),
            rows: self.rows,
            bytes: self.bytes,
            last_capture_ns: self.last_capture_ns,
            last_recv_ns: self.last_recv_ns,
            rate_hz: self.rate_hz,
            missing,
            lost,
            unnumbered: self.unnumbered,
        }
    }
}

impl BootTrack {
    /// One past the last row that the robot is known to have numbered.
    pub(crate) fn frontier(&self) -> u64 {
        self.next_seq.max(self.heard)
    }

    /// Rows that have not arrived: those of the open episode, or all since they are counted.
    fn missing(&self) -> u64 {
        match &self.share {
            Some(share) => share.kept().missing_in(&share.span(self.frontier())).iter().map(|range| range.end - range.start).sum(),
            None => (self.frontier() - self.baseline).saturating_sub(self.received),
        }
    }

    fn add_lost(&self, mut totals: LossTotals) -> LossTotals {
        if let Some(share) = &self.share {
            totals.add_totals(&share.lost_so_far(&share.span(self.frontier()), &self.unsent));
        }
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(boot: u64, seq: u64, rows: u32) -> SampleHeader {
        SampleHeader { boot, seq, rows, ..SampleHeader::default() }
    }

    fn track() -> StreamTrack {
        StreamTrack::new(Arc::new("sanqu/desk/kuavo-01/joint".parse().unwrap()))
    }

    #[track_caller]
    fn check(track: &mut StreamTrack, boot: u64, baseline_next: (u64, u64)) {
        let boot = track.boot(boot).unwrap();
        assert_eq!((boot.baseline, boot.next_seq), baseline_next);
    }

    #[test]
    fn a_recorder_that_comes_late_does_not_miss_the_past() {
        let mut track = track();
        track.sample(Some(&header(7, 500, 10)), 1, 0);
        track.sample(Some(&header(7, 520, 10)), 1, 0);
        check(&mut track, 7, (500, 530));
        assert_eq!(track.status(Instant::now()).missing, 10);
    }

    #[test]
    fn heartbeats_give_the_beginning_and_may_overtake_rows() {
        let mut track = track();
        track.heartbeat(&Counts { boot: 7, ..Counts::default() }, 100, false);
        check(&mut track, 7, (100, 100));
        track.sample(Some(&header(7, 110, 10)), 1, 0);
        assert_eq!(track.status(Instant::now()).missing, 10, "100..110 was sent while we listened");
        track.sample(Some(&header(7, 90, 10)), 1, 0);
        check(&mut track, 7, (90, 120));
    }

    #[test]
    fn a_restart_begins_at_zero() {
        let mut track = track();
        track.sample(Some(&header(7, 500, 10)), 1, 0);
        track.sample(Some(&header(8, 3, 1)), 1, 0);
        check(&mut track, 8, (0, 4));
        let mut track = self::track();
        track.heartbeat(&Counts { boot: 9, last: true, ..Counts::default() }, 40, true);
        check(&mut track, 9, (0, 0));
        assert!(track.boot(9).unwrap().ended);
    }

    #[test]
    fn samples_without_header_are_counted_as_such() {
        let mut track = track();
        track.sample(None, 30, 5);
        let status = track.status(Instant::now());
        assert_eq!((status.rows, status.bytes, status.unnumbered, status.missing), (1, 30, 1, 0));
    }
}
