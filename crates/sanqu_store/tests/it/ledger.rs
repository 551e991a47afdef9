use std::collections::BTreeSet;

use proptest::prelude::*;
use sanqu_model::{DetectedBy, LossCause, Manifest, StreamDescription};
use sanqu_store::Control;
use sanqu_wire::SampleHeader;

use crate::fixture::{BOOT, Bench, Message, baseline, describe, final_count, id, joint_entry, ledger, stop};

/// What happens in a journal, in order.
enum Step {
    /// Boot, first sequence, rows.
    Sample(u64, u64, u64),
    Control(Box<Control>),
}

fn sample(boot: u64, seq: u64, rows: u64) -> Step {
    Step::Sample(boot, seq, rows)
}

fn control(control: Control) -> Step {
    Step::Control(Box::new(control))
}

fn lost(boot: u64, from_seq: Option<u64>, to_seq: Option<u64>, cause: LossCause, detected_by: DetectedBy) -> Step {
    let (robot, stream) = (id("walker-s-01"), "joint".parse().unwrap());
    control(Control::Lost { robot, stream, boot, from_seq, to_seq, cause, detected_by })
}

fn run(bench: &Bench, steps: &[Step]) -> Manifest {
    let mut journal = bench.journal(1);
    journal.control(&describe()).unwrap();
    for step in steps {
        match step {
            Step::Sample(boot, seq, rows) => Message::joint(*boot, *seq, *rows).append(&mut journal),
            Step::Control(control) => journal.control(control).unwrap(),
        }
    }
    journal.control(&stop()).unwrap();
    let path = journal.finish().unwrap();
    bench.seal(&path)
}

#[track_caller]
fn check(steps: &[Step], expected: Option<u64>, received: u64, duplicates: u64, rows: &[&str]) {
    let bench = Bench::new();
    let manifest = run(&bench, steps);
    let entry = joint_entry(&manifest);
    assert_eq!((entry.expected, entry.received, entry.duplicates), (expected, received, duplicates));
    assert_eq!(ledger(&bench.last()), rows);
}

#[test]
fn a_gap_a_late_arrival_and_a_duplicate() {
    let ours = |next| control(baseline(BOOT, next));
    let all = |next| control(final_count(BOOT, next));
    // A begin or an end that is told again never hides rows.
    check(&[ours(5), sample(BOOT, 8, 2), ours(9), all(10)], Some(5), 2, 0, &["0 5..8 network gap"]);
    check(&[ours(0), sample(BOOT, 0, 5), all(9), all(7)], Some(9), 5, 0, &["0 5..9 network final_count"]);
    check(&[ours(0), sample(BOOT, 0, 5), sample(BOOT, 10, 5), all(15)], Some(15), 10, 0, &["0 5..10 network gap"]);
    check(&[ours(0), sample(BOOT, 0, 5), sample(BOOT, 10, 5), sample(BOOT, 5, 5), all(15)], Some(15), 15, 0, &[]);
    check(&[ours(0), sample(BOOT, 0, 5), sample(BOOT, 0, 5), all(5)], Some(5), 5, 5, &[]);
    check(&[ours(3), sample(BOOT, 3, 5), all(11)], Some(8), 5, 0, &["0 8..11 network final_count"]);
}

#[test]
fn a_restart_begins_a_run_at_zero() {
    let steps = [sample(BOOT, 40, 5), sample(9, 2, 3), sample(BOOT, 45, 5), control(final_count(9, 6))];
    check(&steps, Some(16), 13, 0, &["1 0..2 network gap", "1 5..6 network final_count"]);
}

#[test]
fn the_recorders_own_losses_keep_their_cause() {
    let queue = lost(BOOT, Some(5), Some(8), LossCause::Recorder, DetectedBy::Queue);
    let steps = [control(baseline(BOOT, 0)), sample(BOOT, 0, 5), queue, sample(BOOT, 10, 5)];
    check(&steps, Some(15), 10, 0, &["0 5..8 recorder queue", "0 8..10 network gap"]);
    let disk = lost(BOOT, Some(5), None, LossCause::Disk, DetectedBy::Write);
    check(&[control(baseline(BOOT, 0)), sample(BOOT, 0, 5), disk], None, 5, 0, &["0 5.. disk write"]);
}

#[test]
fn a_stream_that_never_arrived_is_in_the_manifest() {
    let steps = [control(baseline(BOOT, 7)), control(final_count(BOOT, 20))];
    check(&steps, Some(13), 0, 0, &["0 7..20 network final_count"]);
}

#[test]
fn partly_new_samples_give_their_new_rows_and_are_kept_aside() {
    let bench = Bench::new();
    let steps = [control(baseline(BOOT, 0)), sample(BOOT, 0, 5), sample(BOOT, 3, 5), control(final_count(BOOT, 8))];
    let manifest = run(&bench, &steps);
    let entry = joint_entry(&manifest);
    assert_eq!((entry.expected, entry.received, entry.lost.total(), entry.duplicates), (Some(8), 8, 0, 0));
    assert_eq!(entry.facts["conflicting_samples"], "1");
    assert!(bench.last().dir().join("unparsed.mcap").exists());
    // New in front of what came before: compared with that, not with itself.
    let bench = Bench::new();
    let manifest = run(&bench, &[control(baseline(BOOT, 0)), sample(BOOT, 3, 5), sample(BOOT, 0, 5), control(final_count(BOOT, 8))]);
    let entry = joint_entry(&manifest);
    assert_eq!((entry.expected, entry.received, entry.duplicates, entry.facts["conflicting_samples"].as_str()), (Some(8), 8, 0, "1"));
}

#[test]
fn what_is_kept_aside_is_in_order_of_arrival() {
    let bench = Bench::new();
    let mut journal = bench.journal(1);
    let mut again = Message::joint(BOOT, 0, 4);
    // The same rows with another header are no repetition.
    let header = SampleHeader { rows: 4, boot: BOOT, seq: 0, capture_ns: 1, clock: 1, ..SampleHeader::default() };
    again.attachment = header.encode(&again.payload).to_vec();
    let mut spoilt = Message::joint(BOOT, 4, 4);
    spoilt.payload[300] ^= 1;
    journal.control(&describe()).unwrap();
    // What is not recorded is no stream, whoever describes it.
    let preview = StreamDescription { stream: "preview/head".parse().unwrap(), ..crate::fixture::joint() };
    journal.control(&Control::Describe { robot: id("walker-s-01"), description: preview }).unwrap();
    for message in [Message::joint(BOOT, 0, 4), again, spoilt] {
        message.append(&mut journal);
    }
    journal.control(&stop()).unwrap();
    let manifest = bench.seal(&journal.finish().unwrap());
    assert_eq!((manifest.streams.len(), joint_entry(&manifest).facts["conflicting_samples"].as_str()), (1, "1"));
    let unparsed = std::fs::read(bench.last().dir().join("unparsed.mcap")).unwrap();
    let messages = mcap::MessageStream::new(&unparsed).unwrap().map(Result::unwrap).filter(|m| m.channel.topic.ends_with("#reason"));
    let reasons: Vec<String> = messages.map(|m| String::from_utf8_lossy(&m.data).into_owned()).collect();
    assert!(reasons.len() == 2 && reasons[0].contains("other content") && reasons[1].contains("checksum"), "{reasons:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_lost_is_in_the_ledger(fates in prop::collection::vec(0u8..6, 1..40), order in any::<prop::sample::Index>(),
                                         rows in 1u64..6, baseline_samples in 0u64..4) {
        // 0 and 1: lost; 2: duplicated; else: arrives once. Arrival order is rotated.
        let first = baseline_samples * rows;
        let mut arrivals: Vec<u64> = Vec::new();
        for (number, fate) in (0u64..).zip(&fates) {
            arrivals.extend(std::iter::repeat_n(number, match fate { 0 | 1 => 0, 2 => 2, _ => 1 }));
        }
        let middle = order.index(arrivals.len() + 1).min(arrivals.len());
        arrivals.rotate_left(middle);
        let mut steps = vec![control(baseline(BOOT, first))];
        steps.extend(arrivals.iter().map(|number| sample(BOOT, first + number * rows, rows)));
        let end = first + fates.len() as u64 * rows;
        steps.push(control(final_count(BOOT, end)));

        let bench = Bench::new();
        let manifest = run(&bench, &steps);
        let entry = joint_entry(&manifest);
        let arrived: BTreeSet<u64> = arrivals.iter().copied().collect();
        prop_assert_eq!(entry.expected, Some(fates.len() as u64 * rows));
        prop_assert_eq!(entry.received, arrived.len() as u64 * rows);
        prop_assert_eq!(entry.expected, Some(entry.received + entry.lost.total()));
        prop_assert_eq!(entry.duplicates, (arrivals.len() - arrived.len()) as u64 * rows);
        let expected: Vec<u64> = (0..fates.len() as u64).filter(|n| !arrived.contains(n)).flat_map(|n| first + n * rows..first + (n + 1) * rows).collect();
        let missing: Vec<u64> = ledger(&bench.last()).iter().flat_map(|line| {
            let range = line.split(' ').nth(1).unwrap().split_once("..").unwrap();
            range.0.parse::<u64>().unwrap()..range.1.parse::<u64>().unwrap()
        }).collect();
        prop_assert_eq!(missing, expected);
        let sealed = bench.last().series(entry, "err").unwrap();
        let stored: Vec<f64> = (0..fates.len() as u64).filter(|n| arrived.contains(n))
            .flat_map(|n| first + n * rows..first + (n + 1) * rows).map(|seq| (seq * 10) as f64).collect();
        prop_assert_eq!(sealed.values.iter().step_by(3).copied().collect::<Vec<f64>>(), stored);
    }
}

#[test]
fn no_claim_of_a_robot_can_keep_an_episode_from_being_sealed() {
    let steps = [
        control(baseline(BOOT, 0)),
        sample(BOOT, 0, 5),
        control(final_count(BOOT, u64::MAX)),
        sample(9, 0, 5),
        control(final_count(9, u64::MAX)),
        control(final_count(10, 3)),
    ];
    check(
        &steps,
        None,
        10,
        0,
        &["0 5..18446744073709551615 network final_count", "1 5..18446744073709551615 network final_count", "2 0..3 network final_count"],
    );
}

#[test]
fn a_count_below_what_came_hides_nothing() {
    let steps = [control(baseline(BOOT, 0)), sample(BOOT, 0, 5), sample(BOOT, 10, 5), control(final_count(BOOT, 3))];
    check(&steps, Some(15), 10, 0, &["0 5..10 network gap"]);
}
