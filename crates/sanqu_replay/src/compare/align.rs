//! Which instant of one recording is shown at which instant of another.

use std::fmt;
use std::str::FromStr;

use crate::ReplayError;
use crate::mark::{Mark, MarkKind};
use crate::timeline::seconds;

/// Which instants of two recordings belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Align {
    /// Their starts.
    Start,
    /// Those of the same time on the field timeline.
    Time,
    /// The event of this name (or with these words) in each.
    Event {
        /// What it is called: an event's name, its words, or both as the timeline shows them.
        name: String,
        /// Which of those that are called so, from 1.
        number: usize,
    },
}

impl FromStr for Align {
    type Err = String;

    /// `start`, `time`, or an event; `mark#2` is the second one called `mark`.
    fn from_str(text: &str) -> Result<Self, String> {
        let event = |name: &str, number: usize| Self::Event { name: name.to_owned(), number };
        match (text, text.rsplit_once('#').map(|(name, number)| (name, number.parse::<usize>()))) {
            ("", _) => Err("expected start, time or the name of an event".to_owned()),
            ("start", _) => Ok(Self::Start),
            ("time", _) => Ok(Self::Time),
            (_, Some((_, Ok(0)))) => Err("events are counted from 1".to_owned()),
            (_, Some((name, Ok(number)))) if !name.is_empty() => Ok(event(name, number)),
            _ => Ok(event(text, 1)),
        }
    }
}

impl fmt::Display for Align {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("start"),
            Self::Time => f.write_str("time"),
            Self::Event { name, number: 1 } => f.write_str(name),
            Self::Event { name, number } => write!(f, "{name}#{number}"),
        }
    }
}

/// When a recording was made and what happened in it.
#[derive(Clone, Copy, Debug)]
pub struct Recording<'a> {
    /// First instant, ns.
    pub start_ns: i64,
    /// Last instant, ns.
    pub end_ns: i64,
    /// Its marks.
    pub marks: &'a [Mark],
}

/// How two recordings lie beside each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aligned {
    /// By what.
    pub align: Align,
    /// What to add to an instant of the first to get that of the second, ns.
    pub shift_ns: i64,
}

/// Lays `second` beside `first`. Without `align`: by time where they overlap, else by their starts.
///
/// # Errors
/// [`ReplayError::Compare`] when they have no instant in common, or not both have the event.
pub fn align(align: Option<&Align>, first: &Recording<'_>, second: &Recording<'_>) -> Result<Aligned, ReplayError> {
    let simultaneous = first.start_ns < second.end_ns && second.start_ns < first.end_ns;
    let align = align.cloned().unwrap_or(if simultaneous { Align::Time } else { Align::Start });
    let shift_ns = match &align {
        Align::Start => second.start_ns.saturating_sub(first.start_ns),
        Align::Time => 0,
        Align::Event { name, number } => match (event(first, name, *number), event(second, name, *number)) {
            (Some(first), Some(second)) => second.saturating_sub(first),
            found => return Err(no_event(&align, (found.0.is_some(), found.1.is_some()), first, second)),
        },
    };
    let from_ns = first.start_ns.max(second.start_ns.saturating_sub(shift_ns));
    let to_ns = first.end_ns.min(second.end_ns.saturating_sub(shift_ns));
    if from_ns >= to_ns {
        let apart = seconds(from_ns.saturating_sub(to_ns));
        let reason = format!("aligned by {align} they have no instant in common ({apart:.3} s lie between them); try --align start");
        return Err(ReplayError::Compare { reason });
    }
    Ok(Aligned { align, shift_ns })
}

/// What an event can be called: as the timeline shows it, by its name, by its words.
fn names(mark: &Mark) -> impl Iterator<Item = &str> {
    let parts = mark.text.split_once(": ");
    std::iter::once(mark.text.as_str()).chain(parts.into_iter().flat_map(|(name, words)| [name, words]))
}

fn events<'a>(recording: &Recording<'a>) -> impl Iterator<Item = &'a Mark> {
    recording.marks.iter().filter(|mark| mark.kind == MarkKind::Event)
}

fn event(recording: &Recording<'_>, name: &str, number: usize) -> Option<i64> {
    let mut times: Vec<i64> = events(recording).filter(|mark| names(mark).any(|known| known == name)).map(|mark| mark.t_ns).collect();
    times.sort_unstable();
    times.get(number.checked_sub(1)?).copied()
}

fn no_event(align: &Align, has: (bool, bool), first: &Recording<'_>, second: &Recording<'_>) -> ReplayError {
    let mut both: Vec<&str> = events(first).flat_map(names).filter(|name| event(second, name, 1).is_some()).collect();
    both.sort_unstable();
    both.dedup();
    let who = match has {
        (false, false) => "neither recording has",
        (false, true) => "the first recording does not have",
        _ => "the second recording does not have",
    };
    let known = match both.as_slice() {
        [] => "no event is in both".to_owned(),
        both => format!("events of both: {}", both.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")),
    };
    ReplayError::Compare { reason: format!("--align {align}: {who} this event; {known}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(t_ns: i64, text: &str) -> Mark {
        Mark { t_ns, kind: MarkKind::Event, text: text.to_owned() }
    }

    /// 100..200 and 1000..1080.
    fn shift(align_by: &str, first: &[Mark], second: &[Mark]) -> Result<i64, String> {
        let first = Recording { start_ns: 100, end_ns: 200, marks: first };
        let second = Recording { start_ns: 1000, end_ns: 1080, marks: second };
        let by = (!align_by.is_empty()).then(|| align_by.parse().unwrap());
        align(by.as_ref(), &first, &second).map(|aligned| aligned.shift_ns).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_simultaneous_is_aligned_by_start_and_what_is_by_time() {
        assert_eq!(shift("", &[], &[]), Ok(900));
        assert_eq!(shift("start", &[], &[]), Ok(900));
        let first = Recording { start_ns: 0, end_ns: 100, marks: &[] };
        let second = Recording { start_ns: 99, end_ns: 300, marks: &[] };
        assert_eq!(align(None, &first, &second).unwrap(), Aligned { align: Align::Time, shift_ns: 0 });
        assert!(shift("time", &[], &[]).unwrap_err().contains("no instant in common"));
    }

    #[test]
    fn events_are_found_by_name_words_and_number() {
        let first = [mark(110, "mark: grasp"), mark(150, "mark: place"), mark(160, "bell")];
        let second = [mark(1030, "mark: place"), mark(1010, "mark: grasp"), mark(1070, "horn")];
        assert_eq!(shift("mark", &first, &second), Ok(900), "the first of each, by time");
        assert_eq!(shift("mark#2", &first, &second), Ok(880));
        assert_eq!(shift("place", &first, &second), Ok(880));
        assert_eq!(shift("mark: grasp", &first, &second), Ok(900));
    }

    #[test]
    fn an_event_that_is_not_in_both_is_an_error_that_lists_those_that_are() {
        let first = [mark(110, "mark: grasp"), mark(160, "bell")];
        let second = [mark(1010, "mark: place"), mark(1070, "horn")];
        let decision = Mark { kind: MarkKind::Decision, ..mark(1011, "bell") };
        let error = shift("bell", &first, &[second[0].clone(), decision]).unwrap_err();
        assert!(error.contains("the second recording does not have") && error.ends_with("events of both: \"mark\""), "{error}");
        let error = shift("mark#2", &first, &second).unwrap_err();
        assert!(error.contains("--align mark#2: neither"), "{error}");
        assert!(shift("x", &first[1..], &second).unwrap_err().ends_with("no event is in both"));
    }

    #[test]
    fn words_on_the_command_line() {
        for (text, expect) in [("start", "start"), ("time", "time"), ("a#1", "a"), ("a#2", "a#2"), ("#2", "#2"), ("a#b", "a#b")] {
            assert_eq!(text.parse::<Align>().map(|align| align.to_string()), Ok(expect.to_owned()));
        }
        assert!("".parse::<Align>().is_err() && "a#0".parse::<Align>().is_err());
    }
}
