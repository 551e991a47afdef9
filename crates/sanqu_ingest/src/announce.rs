use std::collections::BTreeMap;
use std::time::Duration;

use sanqu_model::{Id, StreamDescription, StreamName};
use sanqu_wire::SEQ_END;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::{IngestError, Node, ask};

/// How long robots have to answer a question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a robot may take to say its counts. A stop depends on them, often just when a network comes back.
const COUNTS_TIMEOUT: Duration = Duration::from_millis(2500);

/// The longest description of a robot's streams that is read, in bytes. It goes into every journal and manifest.
const DESCRIPTIONS_BYTES_MAX: usize = 1 << 20;

/// A robot's own count of what it numbered: the payload of its heartbeat on `status` and of its `@counts` reply, as JSON
/// `{"boot": 17, "next_seq": {"joint": 1000, "camera/head": 60}, "held_from": {"joint": 400}, "unsent": {"joint": [[100, 120]]}}`;
/// the farewell of an orderly end has `"last": true`. Of a publisher without a ring only boot and counts are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// The publisher's boot id.
    pub boot: u64,
    /// The sequence that the next row of each stream will get. What is numbered may still be on its way, or wait for the
    /// network.
    pub next_seq: BTreeMap<StreamName, u64>,
    /// Nothing will follow in this boot.
    #[serde(default)]
    pub last: bool,
    /// The lowest sequence of each stream that the robot can still send again; absent where it holds nothing.
    #[serde(default)]
    pub held_from: BTreeMap<StreamName, u64>,
    /// Rows (from, to exclusive) that never left and are held no more: nobody will ever get them. Sorted.
    #[serde(default)]
    pub unsent: BTreeMap<StreamName, Vec<(u64, u64)>>,
}

impl Counts {
    /// The longest JSON text that is read, in bytes: a hundred streams with all their ranges.
    pub const BYTES_MAX: usize = 512 * 1024;
    /// The most ranges of `unsent` per stream. A robot that gives up more often merges the two with the least between them.
    pub const UNSENT_RANGES_MAX: usize = 64;

    /// Reads a heartbeat or a reply; none when it is not one, or counts what no sample header can number.
    pub fn parse(json: &[u8]) -> Option<Self> {
        if json.len() > Self::BYTES_MAX {
            return None;
        }
        let counts: Self = serde_json::from_slice(json).ok()?;
        let mut seqs = counts.next_seq.values().chain(counts.held_from.values());
        let is_range = |(from, to): &(u64, u64)| from < to && *to <= SEQ_END;
        let mut unsent = counts.unsent.values();
        let possible =
            seqs.all(|seq| *seq <= SEQ_END) && unsent.all(|ranges| ranges.len() <= Self::UNSENT_RANGES_MAX && ranges.iter().all(is_range));
        possible.then_some(counts)
    }
}

/// Answered by each robot with its stream descriptions. The `@` chunk keeps it out of the recorder's wildcard.
pub(crate) fn describe_key(field: &Id, robot: &str) -> String {
    format!("sanqu/{field}/{robot}/@describe")
}

/// Answered by each robot with its [`Counts`].
pub(crate) fn counts_key(field: &Id, robot: &str) -> String {
    format!("sanqu/{field}/{robot}/@counts")
}

/// Answered by each robot with samples that it still holds; a stream's name follows.
pub(crate) fn resend_key(field: &Id, robot: &Id) -> String {
    format!("sanqu/{field}/{robot}/@resend")
}

/// The robot's liveliness token; each stream has one below it.
pub(crate) fn alive_key(field: &Id, robot: &str) -> String {
    format!("sanqu/{field}/{robot}/@alive")
}

/// The descriptions of every stream of every robot that answers, sorted by robot. Answers that are not readable are
/// logged and left out.
///
/// # Errors
/// [`IngestError::Send`] when the question cannot be asked. Nobody answering is an empty list.
pub async fn describe(node: &Node, field: &Id) -> Result<Vec<(Id, StreamDescription)>, IngestError> {
    descriptions(node, &describe_key(field, "*")).await
}

/// The descriptions of one robot's streams; empty when it does not answer or publishes without describing itself.
///
/// # Errors
/// As [`describe`].
pub async fn describe_robot(node: &Node, field: &Id, robot: &Id) -> Result<Vec<StreamDescription>, IngestError> {
    let described = descriptions(node, &describe_key(field, robot.as_str())).await?;
    Ok(described.into_iter().map(|(_, description)| description).collect())
}

async fn descriptions(node: &Node, key: &str) -> Result<Vec<(Id, StreamDescription)>, IngestError> {
    let mut described = Vec::new();
    for (key, reply) in answers(node, key, ANSWER_TIMEOUT).await? {
        if reply.len() > DESCRIPTIONS_BYTES_MAX {
            warn!(%key, bytes = reply.len(), bytes_max = DESCRIPTIONS_BYTES_MAX, "a robot's description is too long to be read");
            continue;
        }
        match (robot_of(&key), serde_json::from_slice::<Vec<StreamDescription>>(&reply)) {
            (Some(robot), Ok(streams)) => described.extend(streams.into_iter().map(|stream| (robot.clone(), stream))),
            (_, Err(error)) => warn!(%key, %error, "a robot's description is not readable"),
            (None, _) => warn!(%key, "a description came from a key that names no robot"),
        }
    }
    described.sort_by(|a, b| (&a.0, &a.1.stream).cmp(&(&b.0, &b.1.stream)));
    Ok(described)
}

/// What one robot says that it has numbered so far, holds and has given up; empty when it does not answer. Two answers
/// are of two publishers that run at the same time.
///
/// # Errors
/// [`IngestError::Send`] when the question cannot be asked.
pub async fn robot_counts(node: &Node, field: &Id, robot: &Id) -> Result<Vec<Counts>, IngestError> {
    let mut counts = Vec::new();
    for (key, reply) in answers(node, &counts_key(field, robot.as_str()), COUNTS_TIMEOUT).await? {
        match Counts::parse(&reply) {
            Some(reply) => counts.push(reply),
            None => warn!(%key, "a robot's final counts are not readable"),
        }
    }
    Ok(counts)
}

/// What one robot has numbered so far, as `(stream, boot, next sequence)`; empty when it does not answer.
///
/// # Errors
/// As [`robot_counts`].
pub async fn final_counts(node: &Node, field: &Id, robot: &Id) -> Result<Vec<(StreamName, u64, u64)>, IngestError> {
    let counts = robot_counts(node, field, robot).await?.into_iter();
    Ok(counts.flat_map(|reply| reply.next_seq.into_iter().map(move |(stream, next)| (stream, reply.boot, next))).collect())
}

/// The robots whose liveliness token is on the bus, sorted.
///
/// # Errors
/// [`IngestError::Send`] when the question cannot be asked.
pub async fn robots_alive(node: &Node, field: &Id) -> Result<Vec<Id>, IngestError> {
    let key = alive_key(field, "*");
    let failed = |e: zenoh::Error| IngestError::Send { key: key.clone(), reason: crate::error::reason(&e) };
    let replies = node.session().liveliness().get(&key).timeout(ANSWER_TIMEOUT).await.map_err(failed)?;
    let mut robots = Vec::new();
    while let Ok(reply) = replies.recv_async().await {
        robots.extend(reply.result().ok().and_then(|sample| robot_of(sample.key_expr().as_str())));
    }
    robots.sort();
    robots.dedup();
    Ok(robots)
}

async fn answers(node: &Node, key: &str, timeout: Duration) -> Result<Vec<(String, Vec<u8>)>, IngestError> {
    match ask(node, key, Vec::new(), timeout).await {
        Ok(answers) => Ok(answers),
        Err(IngestError::NoAnswer { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn robot_of(key: &str) -> Option<Id> {
    Id::new("robot", key.split('/').nth(2)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_a_heartbeat_says_it_counts_what_headers_can_number(
            edits in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(&b"0123456789-.eE[]{},:\"jt/ \x00\xff"[..])), 0..8),
        ) {
            let whole = br#"{"boot":17,"next_seq":{"joint":9007199254740990,"imu/a":60},"last":true,"held_from":{"joint":4},"unsent":{"joint":[[10,20],[30,40]]}}"#;
            let mut json = whole.to_vec();
            for (at, byte) in edits {
                let at = at.index(json.len());
                json[at] = byte;
            }
            if let Some(counts) = Counts::parse(&json) {
                prop_assert!(counts.next_seq.values().chain(counts.held_from.values()).all(|seq| *seq <= SEQ_END));
                prop_assert!(counts.unsent.values().flatten().all(|(from, to)| from < to && *to <= SEQ_END));
                prop_assert_eq!(Counts::parse(&serde_json::to_vec(&counts).unwrap()), Some(counts));
            }
        }
    }

    #[test]
    fn counts_are_small_json() {
        let counts = Counts::parse(br#"{"boot":17,"next_seq":{"joint":1000,"camera/head":60}}"#).unwrap();
        assert_eq!((counts.boot, counts.next_seq[&"camera/head".parse::<StreamName>().unwrap()]), (17, 60));
        assert_eq!(Counts::parse(br#"{"boot":17,"next_seq":{"wheels":1}}"#), None, "an unknown stream is no count");
        assert_eq!(Counts::parse(&vec![b' '; Counts::BYTES_MAX + 1]), None, "the length is bounded");
        let joint = |next_seq: u64| Counts::parse(format!(r#"{{"boot":17,"next_seq":{{"joint":{next_seq}}}}}"#).as_bytes());
        assert!(joint(SEQ_END).is_some() && joint(SEQ_END + 1).is_none(), "no robot has sent that much");
    }

    #[test]
    fn counts_say_what_is_held_and_what_was_given_up() {
        let counts =
            Counts::parse(br#"{"boot":17,"next_seq":{"joint":1000},"held_from":{"joint":400},"unsent":{"joint":[[100,120]]}}"#).unwrap();
        let joint: StreamName = "joint".parse().unwrap();
        assert_eq!((counts.held_from[&joint], &counts.unsent[&joint][..]), (400, &[(100, 120)][..]));
        let plain = Counts::parse(br#"{"boot":17,"next_seq":{"joint":1000}}"#).unwrap();
        assert!(plain.held_from.is_empty() && plain.unsent.is_empty());
        let unsent = |ranges: &str| Counts::parse(format!(r#"{{"boot":17,"next_seq":{{}},"unsent":{{"joint":{ranges}}}}}"#).as_bytes());
        assert!(unsent("[[1,2]]").is_some());
        for bad in ["[[2,2]]", "[[3,2]]", &format!("[[1,{}]]", SEQ_END + 1), "[[-1,2]]", "[[1]]"] {
            assert_eq!(unsent(bad), None, "{bad}");
        }
        let many = |count: usize| format!("{:?}", vec![[1, 2]; count]);
        assert!(unsent(&many(Counts::UNSENT_RANGES_MAX)).is_some());
        assert_eq!(unsent(&many(Counts::UNSENT_RANGES_MAX + 1)), None);
    }

    #[test]
    fn a_hundred_streams_in_trouble_fit_into_a_heartbeat() {
        let names: Vec<StreamName> = (0..100).map(|n| format!("camera/a-camera-with-a-long-name-{n}").parse().unwrap()).collect();
        let ranges = vec![(SEQ_END - 2, SEQ_END - 1); Counts::UNSENT_RANGES_MAX];
        let counts = Counts {
            boot: SEQ_END - 1,
            next_seq: names.iter().map(|name| (name.clone(), SEQ_END)).collect(),
            last: false,
            held_from: names.iter().map(|name| (name.clone(), SEQ_END)).collect(),
            unsent: names.iter().map(|name| (name.clone(), ranges.clone())).collect(),
        };
        assert_eq!(Counts::parse(&serde_json::to_vec(&counts).unwrap()), Some(counts));
    }

    #[test]
    fn keys_name_their_robot_and_hide_from_wildcards() {
        let (field, robot) = (Id::new("field", "desk").unwrap(), Id::new("robot", "kuavo-01").unwrap());
        for key in [describe_key(&field, "kuavo-01"), counts_key(&field, "kuavo-01"), alive_key(&field, "kuavo-01")] {
            assert_eq!(robot_of(&key), Some(robot.clone()));
            let all = zenoh::key_expr::KeyExpr::new("sanqu/desk/**").unwrap();
            assert!(!all.intersects(&zenoh::key_expr::KeyExpr::new(key.clone()).unwrap()), "{key}");
        }
    }
}
