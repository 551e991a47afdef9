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
                    let Some(job) = outbox.lock().take(lane, now) else { continue };
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
fn a_sample_that_waited_long_can_still_be_asked_for() {
    let outbox = outbox(100, 1 << 20);
    let begun = Instant::now();
    outbox.push(1, 1, entry(0, 2, 100, begun));
    let mut state = outbox.lock();
    let later = |ms| begun + Duration::from_millis(ms);
    state.make_room(&outbox.config, later(1000));
    assert_eq!(state.take(1, later(1000)).map(|job| job.rows), Some(0..2), "it waited");
    state.make_room(&outbox.config, later(1100));
    assert_eq!(state.held_from(1), Some(0));
    state.make_room(&outbox.config, later(1101));
    assert_eq!(state.held_from(1), None);
}

#[test]
fn what_left_before_an_outage_can_be_asked_for_after_it() {
    let outbox = outbox(100, 1 << 20);
    let begun = Instant::now();
    let later = |ms| begun + Duration::from_millis(ms);
    outbox.push(1, 1, entry(0, 2, 100, begun));
    let mut state = outbox.lock();
    assert_eq!(state.take(1, later(10)).map(|job| job.rows), Some(0..2));
    state.link_up_since = None;
    state.make_room(&outbox.config, later(5_000));
    assert_eq!(state.held_from(1), Some(0), "nobody could ask for it");
    state.link_up_since = Some(later(5_000));
    state.make_room(&outbox.config, later(5_100));
    assert_eq!(state.held_from(1), Some(0), "it can be asked for now");
    state.make_room(&outbox.config, later(5_101));
    assert_eq!(state.held_from(1), None);
}

#[test]
fn a_link_is_not_doubted_for_what_was_given_up_on_the_one_before() {
    let outbox = outbox(100, 1 << 20);
    let begun = Instant::now() + Duration::from_secs(1);
    let later = |ms| begun + Duration::from_millis(ms);
    let mut state = outbox.lock();
    state.doubt(begun, later(5_000));
    assert!(!state.may_send(later(5_001)), "this link may be dead");
    assert!(state.may_send(later(30_000)), "no news is good news in the end");
    (state.link_up_since, state.doubted_until) = (Some(later(5_000)), None);
    state.doubt(begun, later(5_200));
    assert!(state.may_send(later(5_201)), "the dead one was replaced");
    state.link_up_since = None;
    state.doubt(begun, later(5_300));
    assert!(!state.may_send(later(60_000)), "there is no link");
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
