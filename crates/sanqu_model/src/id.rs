use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ModelError;

/// A name that is safe in a zenoh key, a file name and SQL: 1 to 32 characters of `a-z`, `0-9` and `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(String);

impl Id {
    /// The longest id, in bytes.
    pub const BYTES_MAX: usize = 32;

    /// Checks `value`; `what` ("robot", "station") goes into the error.
    ///
    /// # Errors
    /// [`ModelError::BadId`] when a character or the length is not allowed.
    pub fn new(what: &'static str, value: &str) -> Result<Self, ModelError> {
        let good = (1..=Self::BYTES_MAX).contains(&value.len())
            && value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if good { Ok(Self(value.to_owned())) } else { Err(ModelError::BadId { what, value: value.to_owned() }) }
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Id {
    type Error = ModelError;
    fn try_from(value: String) -> Result<Self, ModelError> {
        Self::new("id", &value)
    }
}

impl FromStr for Id {
    type Err = ModelError;
    fn from_str(value: &str) -> Result<Self, ModelError> {
        Self::new("id", value)
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An episode's id: a ULID, so that ids sort by start time and never collide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EpisodeId(ulid::Ulid);

impl EpisodeId {
    /// An id for an episode that starts at `start_ns` (ns since the Unix epoch; times before it count as 0);
    /// `random` (80 bits are used) is given by the caller, so that tests repeat.
    pub fn new(start_ns: i64, random: u128) -> Self {
        Self(ulid::Ulid::from_parts(u64::try_from(start_ns / 1_000_000).unwrap_or(0), random))
    }

    /// A fresh id with random bits of the operating system.
    pub fn random(start_ns: i64) -> Self {
        Self::new(start_ns, ulid::Ulid::new().random())
    }
}

impl FromStr for EpisodeId {
    type Err = ModelError;
    fn from_str(value: &str) -> Result<Self, ModelError> {
        ulid::Ulid::from_string(value).map(Self).map_err(|_| ModelError::BadEpisodeId { value: value.to_owned() })
    }
}

impl TryFrom<String> for EpisodeId {
    type Error = ModelError;
    fn try_from(value: String) -> Result<Self, ModelError> {
        value.parse()
    }
}

impl From<EpisodeId> for String {
    fn from(id: EpisodeId) -> Self {
        id.0.to_string()
    }
}

impl fmt::Display for EpisodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_accept_only_what_keys_and_files_can_carry() {
        for good in ["a", "walker-s-01", "kuavo-01", "0"] {
            assert_eq!(Id::new("robot", good).unwrap().as_str(), good);
        }
        for bad in ["", "Walker", "a/b", "a b", "夸父", "..", &"x".repeat(33)] {
            let error = Id::new("robot", bad).unwrap_err().to_string();
            assert!(error.contains("robot") && error.contains(&format!("{bad:?}")), "{error}");
        }
    }

    #[test]
    fn episode_ids_sort_by_start_time() {
        let early = EpisodeId::new(1_000_000_000, u128::MAX);
        let late = EpisodeId::new(2_000_000_000, 0);
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse::<EpisodeId>().unwrap(), early);
    }
}
