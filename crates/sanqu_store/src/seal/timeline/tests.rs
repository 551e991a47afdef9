use super::*;

const S: i64 = 1_000_000_000;
const MS: i64 = 1_000_000;

/// Samples of one row, ten a second: what the robot's clock said and when each arrived, both in ms.
fn clock(samples: impl IntoIterator<Item = (i64, i64)>) -> Clock {
    let mut clock = Clock::default();
    for (seq, (t_ms, recv_ms)) in (0..).zip(samples) {
        let recv_ns = 1000 * S + recv_ms * MS;
        clock.row((0, seq), 1000 * S + t_ms * MS, recv_ns);
        clock.sample(recv_ns);
    }
    clock
}

fn tenths(range: Range<i64>) -> impl Iterator<Item = i64> + Clone {
    range.map(|tenth| tenth * 100)
}

/// Ten seconds with a clock that is behind by `wrong` ms; every row takes `delay` ms.
fn at(delay: i64, wrong: i64) -> Clock {
    clock(tenths(0..100).map(move |t| (t - wrong, t + delay)))
}

fn laid(clocks: &[(u16, Clock)]) -> Vec<Laid> {
    let robot = Id::new("robot", "a").unwrap();
    let all: Vec<Followed<'_>> = clocks.iter().map(|(id, clock)| Followed { robot: &robot, id: *id, clock }).collect();
    all.iter().map(|of| lay(*of, &all)).collect()
}

/// First row, offset and uncertainty in ms: `0 300003 ±6`, or `0 unrelated`.
fn offsets(laid: &Laid) -> Vec<String> {
    let text = |offset: &ClockOffset| match offset.uncertainty_ns {
        Some(uncertainty_ns) => format!("{} {} ±{}", offset.from_seq, offset.offset_ns / MS, uncertainty_ns / MS),
        None => {
            assert_eq!(offset.offset_ns, 0, "what is not known is not moved");
            format!("{} unrelated", offset.from_seq)
        }
    };
    assert!(laid.offsets.iter().all(|offset| offset.run == 0 && offset.offset_ns % MS == 0));
    laid.offsets.iter().map(text).collect()
}

/// The offsets of the streams of one robot with one clock, and words that occur in their doubts.
#[track_caller]
fn check<const N: usize>(clocks: [Clock; N], expect: [(&[&str], &str); N]) {
    for (laid, (expect, doubt)) in laid(&clocks.map(|clock| (1, clock))).iter().zip(expect) {
        assert_eq!(offsets(laid), expect, "{laid:?}");
        match &laid.doubts {
            None => assert_eq!(doubt, "", "nothing is in doubt"),
            Some(doubts) => assert!(!doubt.is_empty() && doubts.contains(doubt), "{doubts}"),
        }
    }
}

#[test]
fn what_transport_explains_is_no_wrong_clock() {
    check([at(3, 0)], [(&[], "")]);
    check([clock(tenths(0..100).map(|t| (t, t + 250 - t % 200)))], [(&[], "")]);
    // A clock that is a little ahead.
    check([at(0, -200)], [(&[], "")]);
    check([Clock::default()], [(&[], "")]);
}

#[test]
fn rows_that_were_sent_again_say_nothing() {
    // For two seconds nothing came through; it was asked for at the end.
    let late = tenths(0..100).map(|t| (t, if (3000..5000).contains(&t) { 10_000 + t / 100 } else { t + 2 }));
    check([clock(late)], [(&[], "")]);
    // Cut off from the beginning to the end, then everything at once.
    check([clock(tenths(0..100).map(|t| (t, 10_000 + t / 100)))], [(&[], "")]);
    // A pause of a minute, and late rows before it.
    let pause = tenths(0..20).map(|t| (t, t + 2)).chain(tenths(20..30).map(|t| (t, 3000))).chain(tenths(600..700).map(|t| (t, t + 2)));
    check([clock(pause)], [(&[], "")]);
}

#[test]
fn a_few_rows_that_all_came_late_are_no_wrong_clock() {
    // A second of rows, half a minute late, and nothing else of this clock.
    let late = || clock(tenths(0..10).map(|t| (t, 30_000 + t / 100)));
    check([late()], [(&["0 unrelated"], "too few rows")]);
    // A backlog that is worked off half as fast again as it came.
    check([clock(tenths(0..100).map(|t| (t, 30_000 + t * 2 / 3)))], [(&["0 unrelated"], "too few rows")]);
    // Another stream shows that the clock was right.
    check([late(), at(1, 0)], [(&[], "more than 29 s late"), (&[], "")]);
    // Or by how much it was wrong.
    let late = clock(tenths(0..10).map(|t| (t - 300_000, 30_000 + t / 100)));
    check([late, at(1, 300_000)], [(&["0 300001 ±0"], "more than 29 s late"), (&["0 300001 ±0"], "")]);
}

#[test]
fn a_constant_wrong_clock_is_moved() {
    check([clock(tenths(0..100).map(|t| (t - 300_000, t + 3 + t / 100 % 7)))], [(&["0 300003 ±3"], "")]);
    check([at(3, -300_000)], [(&["0 -299997 ±0"], "")]);
}

#[test]
fn a_jittered_line_hides_no_wrong_clock() {
    // Every other row takes up to 200 ms, now and then one more than a second.
    let jitter = |t: i64| t / 100 * 7919 % 200 + if t % 2300 == 0 { 1500 } else { 0 };
    let least = tenths(0..100).map(jitter).min().unwrap();
    let found = laid(&[(1, clock(tenths(0..100).map(|t| (t - 300_000, t + 3 + jitter(t)))))]);
    let offset = found[0].offsets[0];
    assert_eq!((found[0].offsets.len(), offset.offset_ns), (1, (300_003 + least) * MS), "the fastest row decides");
    assert!((50 * MS..150 * MS).contains(&offset.uncertainty_ns.unwrap()), "and the others say how far it can be off: {offset:?}");
}

#[test]
fn steps_are_followed_both_ways() {
    let t_ms = |t: i64| if (3000..6000).contains(&t) { t + 60_000 } else { t };
    check([clock(tenths(0..100).map(|t| (t_ms(t), t + 3)))], [(&["30 -60000 ±0", "60 0 ±250"], "")]);
    let t_ms = |t: i64| if (3000..6000).contains(&t) { t - 2000 } else { t };
    check([clock(tenths(0..100).map(|t| (t_ms(t), t + 3)))], [(&["30 2000 ±0", "60 0 ±250"], "")]);
}

#[test]
fn a_step_within_a_sample_divides_it() {
    for step_ms in [60_000, -60_000] {
        let mut clock = Clock::default();
        // Samples of five rows.
        for row in 0..500 {
            let (t_ms, recv_ns) = (row * 20 + if row >= 203 { step_ms } else { 0 }, 1000 * S + (row / 5 * 100 + 83) * MS);
            clock.row((0, row.unsigned_abs()), 1000 * S + t_ms * MS, recv_ns);
            if row % 5 == 4 {
                clock.sample(recv_ns);
            }
        }
        check([clock], [(&[&format!("203 {} ±0", -step_ms)], "")]);
    }
}

#[test]
fn too_few_rows_are_left_where_they_are() {
    let few = |count| clock(tenths(0..count).map(|t| (t - 300_000, t + 3)));
    check([few(7)], [(&["0 unrelated"], "from row 0 of run 0: too few rows")]);
    check([few(8)], [(&["0 300003 ±0"], "")]);
    // Eight samples, but all within a moment.
    check([clock((0..8).map(|t| (t * 10 - 300_000, t * 10 + 3)))], [(&["0 unrelated"], "too few rows")]);
    // A single row without a stamp.
    let unstamped = clock(tenths(0..100).map(|t| (if t == 3000 { -1_000_000 } else { t }, t + 3)));
    check([unstamped], [(&[], "from row 30 of run 0: every row came more than 1003 s late")]);
    // A clock that stepped twice, the second time shortly before the end.
    let t_ms = |t: i64| t + if t >= 9700 { 90_000 } else { i64::from(t >= 5000) * 60_000 };
    let twice = clock(tenths(0..100).map(|t| (t_ms(t), t + 3)));
    check([twice], [(&["50 -60000 ±0", "97 unrelated"], "from row 97 of run 0: the clock stepped")]);
}

#[test]
fn the_streams_of_a_robot_stay_together() {
    // A camera whose pictures take half a second; a plan whose rows are for the next second.
    check([at(1, 0), at(2, 0), at(500, 0), at(-1000, 0)], [(&[], ""); 4]);
    check([at(1, 9000), at(500, 9000), at(5, 9000)], [(&["0 9005 ±495"], ""); 3]);
    // Two are enough to move both, and the manifest says how far apart they were.
    check([at(1, 9000), at(600, 9000)], [(&["0 9001 ±599"], ""); 2]);
    // A stream that was stamped by another clock, whatever it says.
    check([at(1, 0), at(1, 300_000)], [(&[], ""), (&["0 unrelated"], "behind those of the robot's other streams")]);
    check([at(1, 0), at(1, 0), at(1, -300_000)], [(&[], ""), (&[], ""), (&["0 unrelated"], "ahead of those of the robot's other")]);
    // Nobody knows which one is right.
    check([at(1, 300_000), at(1, 600_000)], [(&["0 unrelated"], "streams disagree"); 2]);
}

#[test]
fn each_clock_is_looked_at_by_itself() {
    const RECEIVER: u16 = sanqu_wire::CLOCK_RECEIVER;
    let found = laid(&[(1, at(1, 0)), (2, at(1, 9000)), (RECEIVER, at(1, 9000)), (0, at(1, 9000)), (0, at(1, 0))]);
    let found: Vec<Vec<String>> = found.iter().map(offsets).collect();
    assert_eq!(found, [vec![], vec!["0 9001 ±0".to_owned()], vec![], vec!["0 9001 ±0".to_owned()], vec![]]);
}

#[test]
fn a_clock_that_is_mad_costs_no_memory() {
    let mut clock = Clock::default();
    for seq in 0..10_000 {
        let t_ns = if seq % 2 == 0 { i64::MIN } else { i64::MAX };
        clock.row((u32::try_from(seq / 100).unwrap(), seq), t_ns, i64::try_from(seq).unwrap());
        clock.sample(i64::try_from(seq).unwrap());
    }
    assert_eq!(clock.stretches.len(), STRETCHES_MAX);
    let found = laid(&[(1, clock)]).remove(0);
    assert!(found.offsets.len() <= STRETCHES_MAX && found.offsets.last().is_some_and(|last| !last.is_known()), "{:?}", found.doubts);
    assert!(found.doubts.unwrap().ends_with(&format!("and {} more", STRETCHES_MAX - DOUBTS_MAX)));
}
