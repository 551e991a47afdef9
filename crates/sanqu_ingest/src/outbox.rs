use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sanqu_model::SeqRanges;
use sanqu_wire::HEADER_BYTES;
use tracing::warn;
use zenoh::bytes::ZBytes;

use crate::announce::Counts;
use crate::held::{Held, Outage, RingConfig};
use crate::ring::{Entry, Popped, Ring};
use crate::spill::Spot;

/// What a sample costs beside its bytes: its header, its place in the ring, reference counts.
pub(crate) const SAMPLE_OVERHEAD_BYTES: usize = 256;

/// Handing over that took this long made zenoh give up the message, and the link with it (`wait_before_close`, 5 s), although
/// it says nothing of it.
const GIVEN_UP: Duration = Duration::from_millis(4900);

/// How long nothing is sent on a link that zenoh seems to have given up, unless it is replaced before. zenoh needs some
/// seconds to notice that it has closed one (2.6 s were seen); until then it throws away whatever it is given.
const DOUBT: Duration = Duration::from_secs(15);

/// The most samples that go to disk in one piece, and their bytes.
const SPILL_BATCH_SAMPLES: usize = 4096;
const SPILL_BATCH_BYTES: usize = 4 << 20;

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
    /// None while there is no link.
    link_up_since: Option<Instant>,
    /// Until when the link may be up in name only.
    doubted_until: Option<Instant>,
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
            link_up_since: link_is_up.then(Instant::now),
            doubted_until: None,
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
        let wake_sender = state.may_send(now) && state.lanes.get(lane).is_some_and(|lane| lane.waits);
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
            let now = Instant::now();
            let wait = until.map(|until| until.saturating_duration_since(now));
            if wait.is_some_and(|wait| wait.is_zero()) {
                return Turn::Due;
            }
            if let Some(job) = state.may_send(now).then(|| state.take(lane, now)).flatten() {
                state.lanes[lane].sends = true;
                return Turn::Send(job);
            }
            state.lanes[lane].waits = true;
            let trusted = state.doubted_until.filter(|until| *until > now).map(|until| until - now);
            state = match wait.into_iter().chain(trusted).min() {
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
        self.change(|state| {
            state.link_up_since = is_up.then(Instant::now);
            state.doubted_until = None;
        });
    }

    /// Whether zenoh has given up what was begun to be handed over then. If so, nothing leaves until the link is replaced, or
    /// is trusted again for lack of news.
    pub(crate) fn was_given_up(&self, begun: Instant) -> bool {
        let now = Instant::now();
        let given_up = now.duration_since(begun) >= GIVEN_UP;
        if given_up {
            warn!("the network stands: zenoh gives the link up; samples wait for the next one");
            self.change(|state| state.doubt(begun, now));
        }
        given_up
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
        while state.disk.front().is_some_and(|(entry, pending)| !pending && state.is_over(entry.since, &self.config, now)) {
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
    fn may_send(&self, now: Instant) -> bool {
        let is_trusted = self.doubted_until.is_none_or(|until| until <= now);
        (self.link_up_since.is_some() && is_trusted && self.outage == Outage::None) || self.outage == Outage::Lose
    }

    /// Doubts the link on which something was begun to be handed over then; not one that has replaced it in the meantime.
    fn doubt(&mut self, begun: Instant, now: Instant) {
        if self.link_up_since.is_none_or(|up| up <= begun) {
            self.doubted_until = Some(now + DOUBT);
        }
    }

    /// Whether a sample that was handed over at `since` has had its time. Without a link nobody can ask for it, so that time
    /// does not count; nor does it before a link came back: what was lost with the one before is asked for only then.
    fn is_over(&self, since: Instant, config: &RingConfig, now: Instant) -> bool {
        self.link_up_since.is_some_and(|up| now.saturating_duration_since(since.max(up)) > config.hold)
    }

    fn is_drained(&self) -> bool {
        self.memory.waiting() + self.disk.waiting() == 0 && self.lanes.iter().all(|lane| !lane.sends)
    }

    fn held_from(&self, stream: usize) -> Option<u64> {
        self.disk.held_from(stream).or_else(|| self.memory.held_from(stream))
    }

    /// The oldest pending sample of a lane: on disk, if there is one.
    fn take(&mut self, lane: usize, now: Instant) -> Option<Job> {
        let lose = self.outage == Outage::Lose;
        let job = if self.disk.is_pending(lane) {
            let (stream, entry) = self.disk.take(lane, now)?;
            entry.job(stream, Place::Disk(entry.place.clone()))
        } else {
            let (stream, entry) = self.memory.take(lane, now)?;
            entry.job(stream, Place::Memory(entry.place.clone()))
        };
        Some(Job { lose, ..job })
    }

    /// Brings memory within its bounds.
    fn make_room(&mut self, config: &RingConfig, now: Instant) {
        while let Some((entry, pending)) = self.memory.front() {
            let is_over = self.is_over(entry.since, config, now);
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
mod tests;
