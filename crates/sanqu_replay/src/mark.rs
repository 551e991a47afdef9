//! What happened at an instant of the timeline: events, decisions, the recording's ends.

use sanqu_model::Id;

/// The most events of robots that are marked: of an episode the first, live the last.
pub const EVENT_MARKS_MAX: usize = 4096;
/// The most that is shown of an event's words, characters.
const WORDS_CHARS_MAX: usize = 120;

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

impl Mark {
    /// Something that a robot said: its words as they are, on one line, of long ones the beginning.
    pub fn of_robot(robot: &Id, t_ns: i64, words: &str) -> Self {
        let mut line = words.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        let mut text = format!("{robot}:");
        let mut room = WORDS_CHARS_MAX;
        while room > 0
            && let Some(word) = line.next()
        {
            text.push(' ');
            let shown = word.chars().take(room);
            room = room.saturating_sub(shown.clone().count() + 1);
            text.extend(shown);
        }
        if room == 0 {
            text.push('…');
        }
        Self { t_ns, kind: MarkKind::Event, text }
    }
}

/// The nearest instant after (or before) `t_ns` at which something is marked or a gap begins; only within `start_ns..=end_ns`.
pub fn jump(instants: impl IntoIterator<Item = i64>, t_ns: i64, forward: bool) -> Option<i64> {
    let instants = instants.into_iter();
    if forward { instants.filter(|t| *t > t_ns).min() } else { instants.filter(|t| *t < t_ns).max() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &str, expect: &str) {
        let mark = Mark::of_robot(&"tin-01".parse().unwrap(), 7, words);
        assert_eq!((mark.t_ns, mark.kind, mark.text.as_str()), (7, MarkKind::Event, expect));
    }

    #[test]
    fn words_of_robots_are_one_short_line() {
        check(r#"{"text": "抓取"}"#, r#"tin-01: {"text": "抓取"}"#);
        check("{\n  \"a\":\t1,\u{1b}[0m }", "tin-01: { \"a\": 1, [0m }");
        check("", "tin-01:");
        check(&"三区".repeat(1 << 20), &format!("tin-01: {}…", "三区".repeat(60)));
        check(&"ab ".repeat(200), &format!("tin-01: {}…", "ab ".repeat(40).trim_end()));
    }
}
