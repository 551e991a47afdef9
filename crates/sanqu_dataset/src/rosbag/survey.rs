//! The first pass over bags: how many messages, which clock, which numbering.

use std::collections::BTreeMap;

use super::bag::{Bag, RawMessage};
use super::topics::Role;
use crate::DatasetError;

/// What is known about one connection after the first pass.
#[derive(Debug, Default)]
pub(super) struct Surveyed {
    /// Messages.
    pub(super) count: u64,
    /// Receive time of the first message, ns.
    pub(super) first_recv_ns: i64,
    /// Earliest and latest capture time, as [`Surveyed::capture_ns`] gives it.
    pub(super) span_ns: Option<(i64, i64)>,
    /// Whether every message has a header stamp: then it is the capture time, else the receive time is.
    pub(super) is_stamped: bool,
    /// First and last header sequence, where it rises with every message; none where it says nothing.
    pub(super) numbers: Option<(u64, u64)>,
    /// Ranges of header sequences that no message has.
    pub(super) gaps: Vec<(u64, u64)>,
}

impl Surveyed {
    /// The capture time of a message of this connection.
    pub(super) fn capture_ns(&self, stamp_ns: i64, recv_ns: i64) -> i64 {
        if self.is_stamped { stamp_ns } else { recv_ns }
    }
}

/// One message's header, as far as it has one.
#[derive(Clone, Copy, Debug)]
struct Numbered {
    recv_ns: i64,
    stamp_ns: i64,
    seq: u64,
}

/// The beginning of `std_msgs/Header`: sequence and stamp. Zeroes when the message is shorter.
pub(super) fn header_of(data: &[u8]) -> (u64, i64) {
    let word = |at: usize| data.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
    (u64::from(word(0)), i64::from(word(4)) * 1_000_000_000 + i64::from(word(8)))
}

/// Reads all messages of a bag once.
///
/// # Errors
/// Damage in any chunk: nothing is written before a bag was read to its end.
pub(super) fn survey(bag: &Bag) -> Result<BTreeMap<u32, Surveyed>, DatasetError> {
    let mut numbered: BTreeMap<u32, Vec<Numbered>> = BTreeMap::new();
    bag.messages(&mut |RawMessage { connection, recv_ns, data }| {
        let (seq, stamp_ns) = header_of(data);
        numbered.entry(connection).or_default().push(Numbered { recv_ns, stamp_ns, seq });
        Ok(())
    })?;
    let mut surveyed = BTreeMap::new();
    for (number, connection) in &bag.connections {
        let messages = numbered.remove(number).unwrap_or_default();
        let has_header = Role::of(&connection.topic, &connection.message_type).is_some_and(Role::has_header);
        surveyed.insert(*number, judge(&messages, has_header));
    }
    Ok(surveyed)
}

fn judge(messages: &[Numbered], has_header: bool) -> Surveyed {
    let mut found = Surveyed {
        count: messages.len() as u64,
        first_recv_ns: messages.first().map_or(0, |m| m.recv_ns),
        is_stamped: has_header && messages.iter().all(|m| m.stamp_ns != 0),
        ..Surveyed::default()
    };
    let times = || messages.iter().map(|m| found.capture_ns(m.stamp_ns, m.recv_ns));
    found.span_ns = times().min().zip(times().max());
    let pairs = || messages.iter().zip(messages.iter().skip(1));
    if has_header && messages.len() > 1 && pairs().all(|(a, b)| b.seq > a.seq) {
        found.numbers = messages.first().zip(messages.last()).map(|(first, last)| (first.seq, last.seq));
        found.gaps = pairs().filter(|(a, b)| b.seq > a.seq + 1).map(|(a, b)| (a.seq + 1, b.seq)).collect();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(rows: &[(i64, u64)]) -> Vec<Numbered> {
        rows.iter().enumerate().map(|(i, (stamp_ns, seq))| Numbered { recv_ns: 100 + i as i64, stamp_ns: *stamp_ns, seq: *seq }).collect()
    }

    #[test]
    fn rising_sequences_number_the_rows_and_show_gaps() {
        let found = judge(&messages(&[(10, 5), (20, 6), (30, 9)]), true);
        assert_eq!((found.numbers, found.gaps, found.span_ns), (Some((5, 9)), vec![(7, 9)], Some((10, 30))));
    }

    #[test]
    fn sequences_that_stand_still_or_fall_say_nothing() {
        assert_eq!(judge(&messages(&[(10, 0), (20, 0)]), true).numbers, None);
        assert_eq!(judge(&messages(&[(10, 3), (20, 1)]), true).numbers, None);
        assert_eq!(judge(&messages(&[(10, 1), (20, 2)]), false).numbers, None);
    }

    #[test]
    fn one_missing_stamp_makes_the_receive_time_count() {
        let found = judge(&messages(&[(10, 1), (0, 2)]), true);
        assert_eq!((found.is_stamped, found.span_ns), (false, Some((100, 101))));
    }
}
