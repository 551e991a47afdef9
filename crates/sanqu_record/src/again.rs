use std::sync::Arc;
use std::time::Instant;

use crate::errand::{Errand, Resend, Resends};
use crate::robot::RobotWatch;
use crate::station::Station;

/// Questions for rows that a station has under way at most.
const UNDER_WAY_MAX: usize = 4;
/// While more than this waits in the queue nothing is asked for: what is sent now comes first.
const BUSY_BYTES: usize = 4 << 20;

impl Station {
    /// Asks robots for what the open episode misses, where that may still come.
    pub(crate) fn ask_again(&mut self, now: Instant) {
        let Some(take) = self.take.as_ref().filter(|take| take.problem().is_none()) else { return };
        let episode = take.start.episode;
        let is_busy = self.desk.queue.fill().bytes > BUSY_BYTES;
        for (key, boot) in self.robots.values_mut().flat_map(RobotWatch::boots) {
            let (frontier, held_from) = (boot.frontier(), boot.held_from);
            let Some(share) = boot.share.as_mut().filter(|share| share.is_written) else { continue };
            let span = share.span(frontier);
            share.asking.tell(now, span.end);
            if is_busy || self.asks_under_way >= UNDER_WAY_MAX {
                continue;
            }
            let ranges = share.plan(now, &span, held_from);
            if !ranges.is_empty() {
                self.asks_under_way += 1;
                let resend = &mut self.figures.resend;
                resend.questions += 1;
                resend.asked_rows += ranges.iter().map(|range| range.end - range.start).sum::<u64>();
                let resend = Resend { episode, key: Arc::clone(key), boot: boot.boot, ranges, desk: self.desk.clone() };
                if !self.context.errand(Errand::Resend(resend)) {
                    self.asks_under_way -= 1;
                    share.asking.cancel(now);
                }
            }
        }
    }

    /// Takes note of what came of a question. The rows themselves were taken before.
    pub(crate) fn resent(&mut self, resends: &Resends) {
        self.asks_under_way = self.asks_under_way.saturating_sub(1);
        self.figures.resend.got_rows += resends.came.count();
        if self.take.as_ref().is_none_or(|take| take.start.episode != resends.episode) {
            return;
        }
        let watch = self.robots.get_mut(&resends.key.robot);
        let track = watch.and_then(|watch| watch.streams.get_mut(&resends.key.stream));
        if let Some(share) = track.and_then(|track| track.boot(resends.boot)).and_then(|boot| boot.share.as_mut()) {
            let before = share.asking.gone().count();
            share.asking.answered(Instant::now(), &resends.asked, &resends.came);
            self.figures.resend.gone_rows += share.asking.gone().count() - before;
        }
    }
}
