//! `sanqu episode`: intents, sent to a running recorder over zenoh.

mod status;

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use sanqu_ingest::{Keys, Node, Role};
use sanqu_model::{FieldConfig, Id};
use sanqu_record::Outcome as TaskOutcome;
use sanqu_record::{ControlReply, ControlRequest, EpisodeProgress, LastEpisode, Verb, send_control, silent};

use crate::assets::Assets;
use crate::cli::{Episode, Judgement, OutcomeWord, Station};
use crate::link;
use crate::outcome::Outcome;
use crate::progress::Waiting;

/// How often the recorder is asked whether an episode is sealed.
const ASK_PERIOD: Duration = Duration::from_millis(200);

/// Sends the intent and prints the recorder's answer; exit code 1 when it refused, 3 when `stop --wait` finds losses.
///
/// # Errors
/// When an id is malformed, no recorder answers, or it refused.
pub(crate) async fn run(args: &Episode, assets: &Assets) -> Result<Outcome> {
    let (to, mut request) = request(args)?;
    let field = assets.field(&to.field)?;
    let station = Id::new("station", &to.station)?;
    if field.station(&station).is_none() {
        bail!("field {} has no station {station}; it has {}", field.field, list(field.stations().map(|place| &place.station.id)));
    }
    if let Some(task) = request.task.as_ref().filter(|task| field.task(task).is_none()) {
        bail!("field {} has no task {task}; it has {}", field.field, list(field.tasks.iter().map(|task| &task.id)));
    }
    request.operator = to.operator.as_deref().map(|operator| Id::new("operator", operator)).transpose()?;
    let keys = link::keys(&to.keys, Role::Operator, request.operator.as_ref())?;
    let endpoint = link::endpoint(to.connect.as_deref(), keys.is_some());
    if let Some(keys) = &keys {
        // The recorder notes who acted: with keys it is who they are of.
        request.operator = Some(keys.holder().id.clone());
    }
    let node = link::client(&endpoint, keys.as_ref()).await;
    let node = node.with_context(|| format!("no recorder at {endpoint}: is `sanqu record` running there?"))?;
    let place = Place { node: &node, field: &field, station, keys: keys.as_ref() };
    let result = converse(&place, args, &request, to.json).await;
    node.close().await?;
    result
}

/// A station of a recorder that answers.
struct Place<'a> {
    node: &'a Node,
    field: &'a FieldConfig,
    station: Id,
    keys: Option<&'a Keys>,
}

impl Place<'_> {
    async fn ask(&self, request: &ControlRequest) -> Result<ControlReply> {
        let answer = send_control(self.node, &self.field.field, &self.station, request).await;
        answer.with_context(|| format!("no recorder of field {} answers for station {}{}", self.field.field, self.station, self.rights()))
    }

    /// A recorder does not answer who may not ask: what the field file here says of that.
    fn rights(&self) -> String {
        let Some(operator) = self.keys.map(|keys| &keys.holder().id) else { return String::new() };
        let own: Vec<&Id> = self.field.stations_of(operator).map(|place| &place.station.id).collect();
        if own.contains(&&self.station) {
            return String::new();
        }
        let own = if own.is_empty() { "none".to_owned() } else { list(own.into_iter()) };
        format!(": the field file does not give it to operator {operator}, who has {own}")
    }
}

fn request(args: &Episode) -> Result<(&Station, ControlRequest)> {
    let judge = |verb, judgement: &Judgement| ControlRequest { reason: judgement.reason.clone(), ..ControlRequest::new(verb) };
    Ok(match args {
        Episode::Start { task, to } => {
            let task = task.as_deref().map(|task| Id::new("task", task)).transpose()?;
            (to, ControlRequest { task, ..ControlRequest::new(Verb::Start) })
        }
        Episode::Stop { outcome, to, .. } => (to, ControlRequest { outcome: outcome.map(word), ..ControlRequest::new(Verb::Stop) }),
        Episode::Keep(judgement) => (&judgement.to, judge(Verb::Keep, judgement)),
        Episode::Discard(judgement) => (&judgement.to, judge(Verb::Discard, judgement)),
        Episode::Undo(judgement) => (&judgement.to, judge(Verb::Undo, judgement)),
        Episode::Outcome { outcome, to } => (to, ControlRequest { outcome: Some(word(*outcome)), ..ControlRequest::new(Verb::Outcome) }),
        Episode::Mark { text, to } => (to, ControlRequest { text: Some(text.clone()), ..ControlRequest::new(Verb::Mark) }),
        Episode::Status { to } => (to, ControlRequest::new(Verb::Status)),
    })
}

fn word(word: OutcomeWord) -> TaskOutcome {
    match word {
        OutcomeWord::Success => TaskOutcome::Success,
        OutcomeWord::Failure => TaskOutcome::Failure,
    }
}

fn list<'a>(ids: impl Iterator<Item = &'a Id>) -> String {
    ids.map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

async fn converse(place: &Place<'_>, args: &Episode, request: &ControlRequest, json: bool) -> Result<Outcome> {
    let mut reply = place.ask(request).await?;
    let episode = reply.episode;
    let waits = reply.ok && matches!(args, Episode::Stop { wait: true, .. });
    let mut last = None;
    if waits && let Some(episode) = episode {
        reply = sealed(place, &episode.to_string()).await?;
        last = reply.station.as_ref().and_then(|station| station.last.clone());
        (reply.episode, reply.message) = (Some(episode), last.as_ref().map(status::last_line).unwrap_or_default());
    }
    if json {
        super::print(&serde_json::to_string_pretty(&reply)?)?;
    } else if let Some(last) = &last {
        super::print(&status::last_line(last))?;
    } else if let Some(station) = &reply.station {
        super::print(&status::text(station, &reply))?;
    } else if reply.ok {
        super::print(&reply.message)?;
    }
    ensure!(reply.ok, "station {} refused: {}", place.station, reply.message);
    if matches!(args, Episode::Start { .. }) {
        warn_of_silence(place).await?;
    }
    last.map_or(Ok(Outcome::Ok), |last| verdict(&last))
}

fn verdict(last: &LastEpisode) -> Result<Outcome> {
    if last.progress == EpisodeProgress::SealFailed {
        bail!("episode {} was not sealed; its journal is kept: end the recorder and run `sanqu repair`", last.episode);
    }
    Ok(Outcome::defects(last.lost > 0 || last.open_ended || last.problem.is_some()))
}

/// The station's status once `episode` is sealed, or cannot be.
async fn sealed(place: &Place<'_>, episode: &str) -> Result<ControlReply> {
    let _waiting = Waiting::new(format!("sealing episode {episode}"));
    let mut ticks = tokio::time::interval(ASK_PERIOD);
    loop {
        ticks.tick().await;
        let reply = place.ask(&ControlRequest::new(Verb::Status)).await?;
        let last = reply.station.as_ref().and_then(|station| station.last.as_ref());
        let last = last.filter(|last| last.episode.to_string() == episode);
        let last = last.with_context(|| format!("another episode began and ended meanwhile; `sanqu info {episode}` tells of this one"))?;
        if last.progress != EpisodeProgress::Sealing {
            return Ok(reply);
        }
    }
}

/// An episode of a robot that sends nothing is easily recorded and noticed late.
async fn warn_of_silence(place: &Place<'_>) -> Result<()> {
    let reply = place.ask(&ControlRequest::new(Verb::Status)).await?;
    let expected = place.field.station(&place.station).map(|found| found.station.robots.clone()).unwrap_or_default();
    for robot in silent(&expected, reply.station.as_ref()) {
        super::say(&format!("warning: robot {robot} of station {} is not heard: is it publishing?", place.station));
    }
    Ok(())
}
