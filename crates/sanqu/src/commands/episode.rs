//! `sanqu episode`: intents, sent to a running recorder over zenoh.

use anyhow::{Context as _, Result};
use sanqu_ingest::Node;
use sanqu_model::Id;
use sanqu_record::Outcome as TaskOutcome;
use sanqu_record::{ControlRequest, Verb, send_control};

use crate::assets::Assets;
use crate::cli::{Episode, EpisodeVerb, OutcomeWord};
use crate::outcome::Outcome;

/// Sends the intent and prints the recorder's answer; exit code 1 when it refused.
///
/// # Errors
/// When an id is malformed, no recorder answers, or it refused.
pub(crate) async fn run(args: &Episode, assets: &Assets) -> Result<Outcome> {
    let field = assets.field(&args.field)?;
    let station = Id::new("station", &args.station)?;
    if field.station(&station).is_none() {
        let known: Vec<String> = field.stations().map(|place| place.station.id.to_string()).collect();
        anyhow::bail!("field {} has no station {station}; it has {}", field.field, known.join(", "));
    }
    let marks = matches!(args.verb, EpisodeVerb::Mark);
    let request = ControlRequest {
        verb: match args.verb {
            EpisodeVerb::Start => Verb::Start,
            EpisodeVerb::Stop => Verb::Stop,
            EpisodeVerb::Keep => Verb::Keep,
            EpisodeVerb::Discard => Verb::Discard,
            EpisodeVerb::Undo => Verb::Undo,
            EpisodeVerb::Outcome => Verb::Outcome,
            EpisodeVerb::Mark => Verb::Mark,
            EpisodeVerb::Status => Verb::Status,
        },
        task: args.task.as_deref().map(|task| Id::new("task", task)).transpose()?,
        operator: args.operator.as_deref().map(|operator| Id::new("operator", operator)).transpose()?,
        outcome: args.outcome.map(|word| match word {
            OutcomeWord::Success => TaskOutcome::Success,
            OutcomeWord::Failure => TaskOutcome::Failure,
        }),
        reason: args.reason.clone().filter(|_| !marks),
        text: args.reason.clone().filter(|_| marks),
    };
    let node =
        Node::client(&args.connect).await.with_context(|| format!("no recorder at {}: is `sanqu record` running there?", args.connect))?;
    let reply = send_control(&node, &field.field, &station, &request).await;
    node.close().await?;
    let reply = reply?;
    if args.json {
        super::print(&serde_json::to_string_pretty(&reply)?)?;
    } else {
        super::print(&reply.message)?;
    }
    anyhow::ensure!(reply.ok, "station {station} refused: {}", reply.message);
    Ok(Outcome::Ok)
}
