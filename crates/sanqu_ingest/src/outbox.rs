use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sanqu_model::SeqRanges;
use sanqu_wire::HEADER_BYTES;
use zenoh::bytes::ZBytes;

use crate::announce::Counts;
use crate::ring::{Entry, Popped, Ring};
use crate::spill::Spot;

/// How long a sample can be asked for again after it was numbered.
pub const RING_HOLD: Duration = Duration::from_secs(30);

/// The most bytes that a robot's ring takes in memory.
pub const RING_BYTES_MAX: usize = 256 << 20;

/// What a sample costs beside its bytes: its header, its place in the ring, reference counts.
pub(crate) const SAMPLE_OVERHEAD_BYTES: usize = 256;

/// The most samples that go to disk in one piece, and their bytes.
const SPILL_BATCH_SAMPLES: usize = 4096;
const SPILL_BATCH_BYTES: usize = 4 << 20;

/// What a robot keeps of what it numbered, so that it can be sent again.
///
/// A sample that has left is kept for `hold`. One that could not leave yet is kept until it does. Both only as far as the
/// bytes allow; then the oldest goes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingConfig {
    /// How long a sample is kept.
    pub hold: Duration,
    /// The most bytes in memory, all streams together. A payload larger than this can neither be kept nor sent.
    pub bytes_max: usize,
    /// Where samples go for the rest of their time when memory is full; none: they are gone then.
    pub spill: Option<Spill>,
}

impl Default for RingConfig {
    fn default() -> Self {
        Self { hold: RING_HOLD, bytes_max: RING_BYTES_MAX, spill: None }
    }
}

/// Disk for what the memory of a ring cannot keep. Its files have no name after they were made, so that nothing is left
/// of them when the robot stops, however it stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spill {
    /// An own folder on a disk that has the room; made if absent.
    pub folder: std::path::PathBuf,
    /// The most bytes on disk.
    pub bytes_max: u64,
}

/// What a robot's ring holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Held {
    /// Samples in memory.
    pub samples: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Samples on disk.
    pub spilled_samples: usize,
    /// Their bytes.
    pub spilled_bytes: usize,
    /// Samples, in memory and on disk, that have not left yet.
    pub waiting_samples: usize,
    /// Samples that went before their time although a spill is configured: it was full, too slow, or failed.
    pub spill_lost_samples: u64,
    /// Rows that never left and are held no more.
    pub unsent_rows: u64,
}

/// A network that fails on purpose, to see what a recorder does about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outage {
    /// No fault.
    #[default]
    None,
    /// Nothing leaves: no samples, no heartbeats, no answers. Samples wait.
    Mute,
    /// As `Mute`, but samples are taken for sent: only asking for them brings them back.
    Lose,
}

/// Where a sample's payload is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Memory(ZBytes),
    Disk(Spot),
}

/// A sample on its way out.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) stream: usize,
    pub(crate) rows: Range<u64>,
    pub(crate) header: [u8; HEADER_BYTES],
    pub(crate) place: Place,
    /// To be taken for sent.
    pub(crate) lose: bool,
}

/// What a sender does next.
pub(crate) enum Turn {
    Send(Job),
    /// The time that it asked to be woken at.
    Due,
    End,
}

/// Samples that are asked for, in order.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) samples: Vec<Job>,
    /// There are further ones.
    pub(crate) more: bool,
    pub(crate) held_from: Option<u64>,
}

/// What a robot has numbered and still holds, and what of it has to leave. Nobody keeps its lock during network or disk
/// operations: a `put` never waits for either.
pub(crate) struct Outbox {
    config: RingConfig,
    state: Mutex<State>,
    /// Per lane: something may leave.
    due: Vec<Condvar>,
    spill_due: Condvar,
    drained: Condvar,
}

struct State {
    /// Everything here is younger than everything on disk.
    memory: Ring<ZBytes>,
    disk: Ring<Spot>,
    /// Per stream: rows that never left and are held no more.
    unsent: Vec<SeqRanges>,
    lanes: Vec<Lane>,
    link_is_up: bool,
    outage: Outage,
    spiller_waits: bool,
    spill_lost_samples: u64,
    ended: bool,
}

#[derive(Clone, Copy, Default)]
struct Lane {
    /// Its sender sleeps: only then is a wake-up worth its system call.
    waits: bool,
    /// Its sender hands a sample to the network.
    sends: bool,
}

impl Outbox {
    /// `lane_of` has the lane of each stream; there are `lanes` of them.
    pub(crate) fn new(config: RingConfig, lane_of: &[usize], lanes: usize, link_is_up: bool) -> Self {
        let state = State {
            memory: Ring::new(lane_of),
            disk: Ring::new(lane_of),
            unsent: vec![SeqRanges::default(); lane_of.len()],
            lanes: vec![Lane::default(); lanes],
            link_is_up,
            outage: Outage::None,
            spiller_waits: false,
            spill_lost_samples: 0,
            ended: false,
        };
        let due = (0..lanes).map(|_| Condvar::new()).collect();
        Self { config, state: Mutex::new(state), due, spill_due: Condvar::new(), drained: Condvar::new() }
    }

    /// Nothing under this lock can panic half-way, so a poisoned lock still guards a whole state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn config(&self) -> &RingConfig {
        &self.config
    }

    /// Takes a sample that was just numbered.
    pub(crate) fn push(&self, stream: usize, lane: usize, entry: Entry<ZBytes>) {
        let now = entry.since;
        let mut state = self.lock();
        if state.ended || entry.bytes > self.config.bytes_max {
            state.give_up(stream, &entry.rows);
            return;
        }
        state.memory.push(stream, entry, true);
        state.make_room(&self.config, now);
        let wake_sender = state.may_send() && state.lanes.get(lane).is_some_and(|lane| lane.waits);
        let wake_spiller = state.spiller_waits && state.memory.bytes() > self.spill_from();
        drop(state);
        if wake_sender {
            self.due[lane].notify_one();
        }
        if wake_spiller {
            self.spill_due.notify_one();
        }
    }

    /// The next sample of a lane, waiting for it; the one taken before has left. At `until` at the latest something else.
    pub(crate) fn turn(&self, lane: usize, until: Option<Instant>) -> Turn {
        let mut state = self.lock();
        state.lanes[lane].sends = false;
        if state.is_drained() {
            self.drained.notify_all();
        }
        loop {
            if state.ended {
                return Turn::End;
            }
            let wait = until.map(|until| until.saturating_duration_since(Instant::now()));
            if wait.is_some_and(|wait| wait.is_zero()) {
                return Turn::Due;
            }
            if let Some(job) = state.may_send().then(|| state.take(lane)).flatten() {
                state.lanes[lane].sends = true;
                return Turn::Send(job);
            }
            state.lanes[lane].waits = true;
            state = match wait {
                Some(wait) => self.due[lane].wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0,
                None => self.due[lane].wait(state).unwrap_or_else(PoisonError::into_inner),
            };
            state.lanes[lane].waits = false;
        }
    }

    /// A sample could not be handed over: it is the next one again, or lost if the ring has let it go meanwhile.
    pub(crate) fn untake(&self, job: &Job) {
        let mut state = self.lock();
        let State { memory, disk, .. } = &mut *state;
        if !(memory.untake(job.stream, job.rows.start) || disk.untake(job.stream, job.rows.start)) {
            state.give_up(job.stream, &job.rows);
        }
    }

    /// A sample that can neither be sent nor kept.
    pub(crate) fn give_up(&self, job: &Job) {
        self.lock().give_up(job.stream, &job.rows);
    }

    /// What is held of `range`, up to `bytes_max` (one sample at least) and `samples_max`.
    pub(crate) fn find(&self, stream: usize, range: &Range<u64>, bytes_max: usize, samples_max: usize) -> Found {
        let state = self.lock();
        let on_disk = state.disk.find(stream, range).map(|entry| (entry.job(stream, Place::Disk(entry.place.clone())), entry.bytes));
        let in_memory = state.memory.find(stream, range).map(|entry| (entry.job(stream, Place::Memory(entry.place.clone())), entry.bytes));
        let mut found = Found { held_from: state.held_from(stream), ..Found::default() };
        let mut bytes = 0_usize;
        for (job, cost) in on_disk.chain(in_memory) {
            bytes = bytes.saturating_add(cost);
            found.more = !found.samples.is_empty() && (bytes > bytes_max || found.samples.len() >= samples_max);
            if found.more {
                break;
            }
            found.samples.push(job);
        }
        found
    }

    /// Lowest row held and rows given up, per stream.
    pub(crate) fn account(&self) -> Vec<(Option<u64>, SeqRanges)> {
        let state = self.lock();
        state.unsent.iter().enumerate().map(|(stream, unsent)| (state.held_from(stream), unsent.clone())).collect()
    }

    pub(crate) fn held(&self) -> Held {
        let state = self.lock();
        Held {
            samples: state.memory.len(),
            bytes: state.memory.bytes(),
            spilled_samples: state.disk.len(),
            spilled_bytes: state.disk.bytes(),
            waiting_samples: state.memory.waiting() + state.disk.waiting(),
            spill_lost_samples: state.spill_lost_samples,
            unsent_rows: state.unsent.iter().map(SeqRanges::count).sum(),
        }
    }

    pub(crate) fn set_link(&self, is_up: bool) {
        self.change(|state| state.link_is_up = is_up);
    }

    pub(crate) fn set_outage(&self, outage: Outage) {
        self.change(|state| state.outage = outage);
    }

    pub(crate) fn outage(&self) -> Outage {
        self.lock().outage
    }

    /// Lets go what is over its time. Memory does so at every sample; here it does when no samples come.
    pub(crate) fn let_go(&self) {
        let now = Instant::now();
        let mut gone = Vec::new();
        let mut state = self.lock();
        state.make_room(&self.config, now);
        while state.disk.front().is_some_and(|(entry, pending)| !pending && now.duration_since(entry.since) > self.config.hold) {
            gone.extend(state.disk.pop());
        }
        drop(state);
        // The last sample of a file closes it, which takes a while: not under the lock.
        drop(gone);
    }

    /// Waits until everything has left; false when it has not after `patience`.
    pub(crate) fn drain(&self, patience: Duration) -> bool {
        let state = self.lock();
        let waits = |state: &mut State| !state.is_drained() && !state.ended;
        let (state, _) = self.drained.wait_timeout_while(state, patience, waits).unwrap_or_else(PoisonError::into_inner);
        state.is_drained()
    }

    /// Nothing leaves any more: what waits is given up.
    pub(crate) fn end(&self) {
        self.change(|state| {
            state.ended = true;
            for stream in 0..state.unsent.len() {
                let waiting = [state.disk.pending_rows(stream), state.memory.pending_rows(stream)];
                for rows in waiting.into_iter().flatten() {
                    state.give_up(stream, &rows);
                }
            }
        });
        self.spill_due.notify_all();
        self.drained.notify_all();
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.due.iter().for_each(Condvar::notify_all);
    }

    /// Above this many bytes the oldest samples go to disk, so that `put` finds room when it comes.
    fn spill_from(&self) -> usize {
        self.config.bytes_max / 4 * 3
    }

    /// The oldest samples of a memory that gets full, with the number of the first, waiting for them; none at the end.
    pub(crate) fn to_spill(&self) -> Option<(u64, Vec<Entry<ZBytes>>)> {
        let mut state = self.lock();
        while !state.ended && state.memory.bytes() <= self.spill_from() {
            state.spiller_waits = true;
            state = self.spill_due.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.spiller_waits = false;
        }
        if state.ended {
            return None;
        }
        let mut bytes = 0;
        let fits = |entry: &&Entry<ZBytes>| {
            bytes += entry.bytes;
            bytes <= SPILL_BATCH_BYTES.max(entry.bytes)
        };
        let batch = state.memory.iter().take(SPILL_BATCH_SAMPLES).take_while(fits).cloned().collect();
        Some((state.memory.popped(), batch))
    }

    /// Samples of [`Outbox::to_spill`] are on disk now. Those that memory has let go meanwhile are not taken up again.
    pub(crate) fn spilled(&self, first: u64, spots: Vec<Spot>) {
        let mut freed = Vec::with_capacity(spots.len());
        let mut state = self.lock();
        for (number, spot) in (first..).zip(spots) {
            if state.memory.popped() == number
                && let Some(Popped { stream, entry, pending }) = state.memory.pop()
            {
                let Entry { rows, header, since, bytes, place } = entry;
                freed.push(place);
                state.disk.push(stream, Entry { rows, header, since, bytes, place: spot }, pending);
            }
        }
        drop(state);
        // Not under the lock: these are megabytes.
        drop(freed);
    }

    /// Gives up the oldest sample on disk, and with it all of the same file.
    pub(crate) fn drop_oldest_file(&self) {
        let mut gone: Vec<Popped<Spot>> = Vec::new();
        let mut state = self.lock();
        while let Some((entry, _)) = state.disk.front() {
            if gone.first().is_some_and(|first| !first.entry.place.is_beside(&entry.place)) {
                break;
            }
            let Some(popped) = state.disk.pop() else { break };
            if popped.pending {
                state.give_up(popped.stream, &popped.entry.rows);
            }
            state.spill_lost_samples += 1;
            gone.push(popped);
        }
        drop(state);
        // This closes the file: not under the lock.
        drop(gone);
    }
}

impl State {
    fn may_send(&self) -> bool {
        (self.link_is_up && self.outage == Outage::None) || self.outage == Outage::Lose
    }

    fn is_drained(&self) -> bool {
        self.memory.waiting() + self.disk.waiting() == 0 && self.lanes.iter().all(|lane| !lane.sends)
    }

    fn held_from(&self, stream: usize) -> Option<u64> {
        self.disk.held_from(stream).or_else(|| self.memory.held_from(stream))
    }

    /// The oldest pending sample of a lane: on disk, if there is one.
    fn take(&mut self, lane: usize) -> Option<Job> {
        let lose = self.outage == Outage::Lose;
        let job = if self.disk.is_pending(lane) {
            let (stream, entry) = self.disk.take(lane)?;
            entry.job(stream, Place::Disk(entry.place.clone()))
        } else {
            let (stream, entry) = self.memory.take(lane)?;
            entry.job(stream, Place::Memory(entry.place.clone()))
        };
        Some(Job { lose, ..job })
    }

    /// Brings memory within its bounds.
    fn make_room(&mut self, config: &RingConfig, now: Instant) {
        while let Some((entry, pending)) = self.memory.front() {
            let is_over = now.saturating_duration_since(entry.since) > config.hold;
            let is_full = self.memory.bytes() > config.bytes_max;
            if !(is_full || (is_over && !pending)) {
                break;
            }
            let Some(popped) = self.memory.pop() else { break };
            if popped.pending {
                self.give_up(popped.stream, &popped.entry.rows);
            }
            if config.spill.is_some() && (popped.pending || !is_over) {
                self.spill_lost_samples += 1;
            }
        }
    }

    /// Notes rows that nobody will ever get. Beyond the limit the two ranges with the least between them become one.
    fn give_up(&mut self, stream: usize, rows: &Range<u64>) {
        let Some(unsent) = self.unsent.get_mut(stream) else { return };
        unsent.insert(rows);
        while unsent.len() > Counts::UNSENT_RANGES_MAX {
            let ends = unsent.iter().map(|range| range.end);
            let gaps = ends.zip(unsent.iter().skip(1)).map(|(end, next)| end..next.start);
            let Some(least) = gaps.min_by_key(|gap| gap.end - gap.start) else { return };
            unsent.insert(&least);
        }
    }
}

impl<P> Entry<P> {
    fn job(&self, stream: usize, place: Place) -> Job {
        Job { stream, rows: self.rows.clone(), header: self.header, place, lose: false }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LANES: [usize; 3] = [0, 1, 0];

    fn outbox(hold_ms: u64, bytes_max: usize) -> Outbox {
        let config = RingConfig { hold: Duration::from_millis(hold_ms), bytes_max, spill: None };
        Outbox::new(config, &LANES, 2, true)
    }

    fn entry(seq: u64, rows: u64, bytes: usize, since: Instant) -> Entry<ZBytes> {
        Entry { rows: seq..seq + rows, header: [7; HEADER_BYTES], since, bytes, place: ZBytes::from(seq.to_le_bytes()) }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push {
            stream: usize,
            rows: u64,
            bytes: usize,
            later_ms: u64,
        },
        /// Takes the next sample of a lane and hands it over, or fails to.
        Take {
            lane: usize,
            fails: bool,
        },
    }

    fn step() -> impl Strategy<Value = Step> {
        let push = (0usize..3, 1u64..5, 1usize..130, 0u64..40);
        prop_oneof![
            2 => push.prop_map(|(stream, rows, bytes, later_ms)| Step::Push { stream, rows, bytes, later_ms }),
            1 => (0usize..2, any::<bool>()).prop_map(|(lane, fails)| Step::Take { lane, fails }),
        ]
    }

    proptest! {
        #[test]
        fn every_row_is_held_or_has_left_or_is_given_up(steps in prop::collection::vec(step(), 0..150)) {
            let outbox = outbox(100, 1000);
            let (mut now, mut next, mut left) = (Instant::now(), [0; 3], vec![SeqRanges::default(); 3]);
            for step in steps {
                match step {
                    Step::Push { stream, rows, bytes, later_ms } => {
                        now += Duration::from_millis(later_ms);
                        // One in a hundred is larger than the ring.
                        let bytes = if bytes == 129 { 1001 } else { bytes };
                        outbox.push(stream, LANES[stream], entry(next[stream], rows, bytes, now));
                        next[stream] += rows;
                    }
                    Step::Take { lane, fails } => {
                        let Some(job) = outbox.lock().take(lane) else { continue };
                        prop_assert_eq!(LANES[job.stream], lane);
                        // The lane is in order: what follows in the stream has not left, what was before is not left behind.
                        prop_assert!(left[job.stream].end().is_none_or(|end| end <= job.rows.start));
                        if fails {
                            outbox.untake(&job);
                        } else {
                            left[job.stream].insert(&job.rows);
                        }
                    }
                }
                let mut state = outbox.lock();
                prop_assert!(state.memory.bytes() <= 1000);
                state.make_room(&outbox.config, now);
                let overdue = state.memory.front().filter(|(entry, pending)| !pending && now - entry.since > Duration::from_millis(100));
                prop_assert!(overdue.is_none(), "it should have gone: {:?}", overdue);
            }
            for ((stream, (held_from, unsent)), (next, left)) in outbox.account().into_iter().enumerate().zip(next.into_iter().zip(left)) {
                let found = outbox.find(stream, &(0..next), usize::MAX, usize::MAX);
                let mut held = SeqRanges::default();
                for job in &found.samples {
                    let Place::Memory(payload) = &job.place else { panic!("there is no disk") };
                    prop_assert_eq!((&payload.to_bytes()[..], job.header), (&job.rows.start.to_le_bytes()[..], [7; HEADER_BYTES]));
                    held.insert(&job.rows);
                }
                prop_assert_eq!((found.more, found.held_from, held.start()), (false, held_from, held_from));
                for row in 0..next {
                    let row = row..row + 1;
                    let is_lost = !held.contains(&row) && !left.contains(&row);
                    prop_assert_eq!(unsent.contains(&row), is_lost, "stream {} row {:?}", stream, row);
                }
            }
        }

        #[test]
        fn what_is_given_up_stays_given_up_in_few_ranges(gaps in prop::collection::vec(1u64..1000, 0..200)) {
            let outbox = outbox(0, 0);
            let (mut at, mut given_up) = (0, SeqRanges::default());
            for gap in gaps {
                let rows = at + gap..at + gap + 5;
                at = rows.end;
                given_up.insert(&rows);
                outbox.push(0, 0, entry(rows.start, 5, 1, Instant::now()));
            }
            let unsent = outbox.account()[0].1.clone();
            prop_assert_eq!(unsent.len(), given_up.len().min(Counts::UNSENT_RANGES_MAX));
            prop_assert!(given_up.iter().all(|rows| unsent.contains(rows)));
            // The widest gaps are still seen.
            let mut widths: Vec<u64> = given_up.missing_in(&(given_up.start().unwrap_or(0)..at)).iter().map(|gap| gap.end - gap.start).collect();
            widths.sort_unstable_by(|a, b| b.cmp(a));
            let seen: u64 = widths.iter().take(Counts::UNSENT_RANGES_MAX - 1).sum();
            prop_assert_eq!(unsent.missing_in(&(unsent.start().unwrap_or(0)..at)).iter().map(|gap| gap.end - gap.start).sum::<u64>(), seen);
        }
    }

    #[test]
    fn what_does_not_fit_into_one_answer_is_announced() {
        let outbox = outbox(1000, 1 << 20);
        for n in 0..10 {
            outbox.push(1, 1, entry(n * 2, 2, 100, Instant::now()));
        }
        let found = |range: Range<u64>, bytes_max, samples_max| {
            let found = outbox.find(1, &range, bytes_max, samples_max);
            (found.samples.iter().map(|job| job.rows.start).collect::<Vec<_>>(), found.more)
        };
        assert_eq!(found(3..9, 1000, 10), (vec![2, 4, 6, 8], false));
        assert_eq!(found(3..9, 300, 10), (vec![2, 4, 6], true));
        assert_eq!(found(3..9, 1000, 2), (vec![2, 4], true));
        assert_eq!(found(3..9, 1, 10), (vec![2], true), "one sample always");
        assert_eq!(found(19..99, 1, 10), (vec![18], false));
        assert_eq!(found(20..99, 1000, 10), (vec![], false));
        let (from, to) = (9, 3);
        assert_eq!(found(from..to, 1000, 10), (vec![], false));
    }
}
