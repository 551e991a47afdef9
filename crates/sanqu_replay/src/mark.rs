//! What happened at an instant of the timeline: events, decisions, the recording's ends.

/// What kind of thing a [`Mark`] tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MarkKind {
    /// Somebody or the recorder noted something while recording.
    Event,
    /// Somebody decided about the episode: keep, discard, outcome.
    Decision,
    /// An episode was sealed here: its recording ended.
    Seal,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// When, on the timeline, ns. May lie outside: a decision is often taken after the recording.
    pub t_ns: i64,
    /// What kind.
    pub kind: MarkKind,
    /// What, in words.
    pub text: String,
}

/// The nearest instant after (or before) `t_ns` at which something is marked or a gap begins; only within `start_ns..=end_ns`.
pub fn jump(instants: impl IntoIterator<Item = i64>, t_ns: i64, forward: bool) -> Option<i64> {
    let instants = instants.into_iter();
    if forward { instants.filter(|t| *t > t_ns).min() } else { instants.filter(|t| *t < t_ns).max() }
}
