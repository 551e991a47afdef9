//! What every part of a drive's description has: numbers in ranges, each with a source or named as assumed.

use crate::RobotError;

/// What a number must be, besides finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    Above0,
    AtLeast0,
    /// Above 0 and at most 1.
    Share,
    /// 1 or −1.
    Sign,
    Any,
}

/// A key, its value where given, and its range.
pub(crate) type Row = (&'static str, Option<f64>, Range);

impl Range {
    pub(crate) fn accepts(self, value: f64) -> bool {
        value.is_finite()
            && match self {
                Self::Above0 => value > 0.0,
                Self::AtLeast0 => value >= 0.0,
                Self::Share => value > 0.0 && value <= 1.0,
                Self::Sign => value.abs() == 1.0,
                Self::Any => true,
            }
    }

    pub(crate) fn expected(self) -> &'static str {
        match self {
            Self::Above0 => "a finite number above 0",
            Self::AtLeast0 => "a finite number of at least 0",
            Self::Share => "a number above 0 and at most 1",
            Self::Sign => "1 or -1",
            Self::Any => "a finite number",
        }
    }
}

/// Something wrong in a table, and the keys that lead to it: `drive.3.strain_wave.hysteresis_rad`.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) place: String,
    pub(crate) error: RobotError,
}

impl Problem {
    pub(crate) fn new(place: impl Into<String>, error: RobotError) -> Self {
        Self { place: place.into(), error }
    }

    pub(crate) fn entry(place: impl Into<String>, element: &str, reason: String) -> Self {
        Self::new(place, RobotError::BadEntry { element: element.to_owned(), reason })
    }
}

/// A table inside a drive's entry.
pub(crate) trait Part {
    /// Its numbers.
    fn rows(&self) -> Vec<Row>;

    /// Keys that are no single numbers but may be assumed, too.
    fn other_names(&self) -> &'static [&'static str] {
        &[]
    }

    /// What is assumed, and where the rest is from.
    fn evidence(&self) -> (&[String], &str);

    /// What contradicts itself: the key, and why.
    fn contradictions(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// Everything wrong with one part at `place`.
pub(crate) fn problems_of(part: &dyn Part, element: &str, place: &str) -> Vec<Problem> {
    let rows = part.rows();
    let mut problems = out_of_range(&rows, element, place);
    problems.extend(unknown_assumed(&rows, part.other_names(), part.evidence().0, element, place));
    let contradictions = part.contradictions();
    problems.extend(contradictions.into_iter().map(|(key, reason)| Problem::entry(format!("{place}.{key}"), element, reason)));
    problems
}

pub(crate) fn out_of_range(rows: &[Row], element: &str, place: &str) -> Vec<Problem> {
    let bad = |(field, value, range): &Row| {
        let value = value.filter(|value| !range.accepts(*value))?;
        let error = RobotError::BadNumber { element: element.to_owned(), field, value, expected: range.expected() };
        Some(Problem::new(format!("{place}.{field}"), error))
    };
    rows.iter().filter_map(bad).collect()
}

/// Assumed names that are no keys.
pub(crate) fn unknown_assumed(rows: &[Row], others: &[&str], assumed: &[String], element: &str, place: &str) -> Vec<Problem> {
    let known = |name: &str| others.contains(&name) || rows.iter().any(|(field, ..)| *field == name);
    let unknown = assumed.iter().filter(|name| !known(name));
    let reason = |name| format!("assumed names {name:?}, which is not a field of {}", what(place));
    unknown.map(|name| Problem::entry(format!("{place}.assumed"), element, reason(name))).collect()
}

/// Numbers that neither a source nor `assumed` covers.
pub(crate) fn untold(part: &dyn Part, element: &str, place: &str) -> Vec<Problem> {
    let (assumed, source) = part.evidence();
    if !source.trim().is_empty() {
        return Vec::new();
    }
    let rows = part.rows();
    let silent = rows.iter().filter(|(field, value, _)| value.is_some() && !assumed.iter().any(|name| name == field));
    let reason = |field| format!("{field} has no source and is not named as assumed");
    silent.map(|(field, ..)| Problem::entry(format!("{place}.source"), element, reason(field))).collect()
}

/// "a drive", "strain_wave", …: the last word of a place.
fn what(place: &str) -> &str {
    match place.rsplit('.').next() {
        Some(last) if last.parse::<usize>().is_err() => last,
        _ => "a drive",
    }
}
