use std::time::Duration;

use sanqu_ingest::{Node, ask};
use sanqu_model::{EpisodeId, Id, control_key};
use serde::{Deserialize, Serialize};

use crate::{Lamp, RecordError, RefusedRobot, StationState, StationStatus};

/// How long an operator waits for a reply; a stop takes at most about three seconds.
pub const CONTROL_TIMEOUT: Duration = Duration::from_secs(10);

/// What an operator can ask of a station.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Begin an episode; `task` and `operator` go with it.
    Start,
    /// End the episode; an `outcome` may go with it.
    Stop,
    /// The last episode is good.
    Keep,
    /// The last episode is not to be used; `reason` says why.
    Discard,
    /// The last keep or discard was a mistake.
    Undo,
    /// How the task of the last episode ended: `outcome`.
    Outcome,
    /// Remember this instant of the open episode; `text` says why.
    Mark,
    /// Say how things are.
    Status,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should.
    Success,
    /// Otherwise.
    Failure,
}

impl Outcome {
    /// The word used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

/// A question to `sanqu/<field>/@station/<station>/ctl`, as JSON: `{"verb": "start", "task": "door-gap", "operator": "op-07"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlRequest {
    /// What to do.
    pub verb: Verb,
    /// For start: the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Id>,
    /// Who asks: the operator's pseudonym.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Id>,
    /// For stop and outcome: how the task ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// For keep, discard and undo: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For mark: what happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl ControlRequest {
    /// The longest request that is read, in bytes.
    pub const BYTES_MAX: usize = 64 * 1024;

    /// A request with nothing but its verb.
    pub fn new(verb: Verb) -> Self {
        Self { verb, task: None, operator: None, outcome: None, reason: None, text: None }
    }

    pub(crate) fn parse(json: &[u8]) -> Result<Self, String> {
        if json.len() > Self::BYTES_MAX {
            return Err(format!("the request has {} bytes; at most {} are read", json.len(), Self::BYTES_MAX));
        }
        serde_json::from_slice(json).map_err(|error| format!("the request is not understood: {error}"))
    }
}

/// A station's answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ControlReply {
    /// Whether it was done.
    pub ok: bool,
    /// One sentence: what was done, or why not.
    pub message: String,
    /// The episode that was meant.
    pub episode: Option<EpisodeId>,
    /// The station's state after it.
    pub state: StationState,
    /// To status: everything about the station.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub station: Option<StationStatus>,
    /// To status: robots that are heard and not recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_robots: Vec<RefusedRobot>,
    /// To status: a lamp for every stage, from robot to disk.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lamps: Vec<Lamp>,
}

/// Asks a station and waits for its answer, which may be a refusal (`ok: false`).
///
/// # Errors
/// [`RecordError::Ingest`] when nobody answers; [`RecordError::BadReply`].
pub async fn send_control(node: &Node, field: &Id, station: &Id, request: &ControlRequest) -> Result<ControlReply, RecordError> {
    let key = control_key(field, station);
    let bad = |error: serde_json::Error| RecordError::BadReply { key: key.clone(), reason: error.to_string() };
    let payload = serde_json::to_vec(request).map_err(bad)?;
    let answers = ask(node, &key, payload, CONTROL_TIMEOUT).await?;
    // Two recorders on one station would both answer; `ask` never returns an empty list.
    let (_, reply) = answers.first().ok_or(RecordError::Ended)?;
    serde_json::from_slice(reply).map_err(bad)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_understood_is_understood_again(
            edits in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(&b"{}[],:\"aezt-07\\u\x00\xff"[..])), 0..8),
        ) {
            let whole = br#"{"verb":"start","task":"door-gap","operator":"op-07","outcome":"success","reason":"why","text":"\u4e09"}"#;
            let mut json = whole.to_vec();
            for (at, byte) in edits {
                let at = at.index(json.len());
                json[at] = byte;
            }
            if let Ok(request) = ControlRequest::parse(&json) {
                let again = ControlRequest::parse(&serde_json::to_vec(&request).unwrap());
                prop_assert_eq!(again, Ok(request));
            }
        }
    }

    #[track_caller]
    fn refuses(json: &str, part: &str) {
        let error = ControlRequest::parse(json.as_bytes()).unwrap_err();
        assert!(error.contains(part), "{error} should say {part:?}");
    }

    #[test]
    fn requests_are_small_json() {
        let start = ControlRequest::parse(br#"{"verb":"start","operator":"op-07"}"#).unwrap();
        assert_eq!((start.verb, start.operator.unwrap().as_str()), (Verb::Start, "op-07"));
        refuses(r#"{"verb":"dance"}"#, "dance");
        refuses(r#"{"verb":"stop","outcome":"maybe"}"#, "maybe");
        refuses(r#"{"verb":"start","opreator":"op-07"}"#, "opreator");
        refuses("start", "not understood");
        refuses(&" ".repeat(ControlRequest::BYTES_MAX + 1), "at most");
    }
}
