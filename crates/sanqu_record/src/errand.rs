use std::collections::BTreeMap;

use sanqu_ingest::{IngestError, Node, Request, Service, describe_robot, final_counts};
use sanqu_model::{EpisodeId, Id, control_key};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{debug, warn};

use crate::station::{Desk, Message};
use crate::stop::Answer;

/// Network work for a station, which itself never waits for the network.
pub(crate) enum Errand {
    /// Ask a robot what it sends.
    Describe { robot: Id, desk: Desk },
    /// Ask robots what they have sent; those in `undescribed` also what they send.
    Settle { episode: EpisodeId, robots: Vec<Id>, undescribed: Vec<Id>, desk: Desk },
    /// Answer an operator.
    Reply { request: Request, station: Id, reply: Vec<u8> },
}

/// Runs errands until the stations have ended, then finishes what was begun.
pub(crate) async fn run(node: Node, field: Id, mut errands: mpsc::Receiver<Errand>) {
    let mut running = JoinSet::new();
    while let Some(errand) = errands.recv().await {
        while running.try_join_next().is_some() {}
        running.spawn(go(node.clone(), field.clone(), errand));
    }
    running.join_all().await;
}

async fn go(node: Node, field: Id, errand: Errand) {
    match errand {
        Errand::Describe { robot, desk } => describe(&node, &field, &desk, robot).await,
        Errand::Settle { episode, robots, undescribed, desk } => {
            // All at once: a robot that hangs must not use up the time of the others.
            let mut describing = JoinSet::new();
            for robot in undescribed {
                let (node, field, desk) = (node.clone(), field.clone(), desk.clone());
                describing.spawn(async move { describe(&node, &field, &desk, robot).await });
            }
            let mut asking = JoinSet::new();
            for robot in robots {
                let (node, field) = (node.clone(), field.clone());
                asking.spawn(async move { ask_counts(&node, &field, robot).await });
            }
            let answers = asking.join_all().await;
            describing.join_all().await;
            desk.put(Message::Settled { episode, answers });
        }
        Errand::Reply { request, station, reply } => {
            if let Err(error) = request.reply(&control_key(&field, &station), reply) {
                warn!(%error, "an operator's request was not answered");
            }
        }
    }
}

async fn describe(node: &Node, field: &Id, desk: &Desk, robot: Id) {
    match describe_robot(node, field, &robot).await {
        Ok(descriptions) if descriptions.is_empty() => debug!(%robot, "the robot does not describe itself"),
        Ok(descriptions) => _ = desk.put(Message::Described { robot, descriptions }),
        Err(error) => warn!(%robot, %error, "the robot could not be asked what it sends"),
    }
}

async fn ask_counts(node: &Node, field: &Id, robot: Id) -> Answer {
    let counts = final_counts(node, field, &robot).await.unwrap_or_else(|error: IngestError| {
        warn!(%robot, %error, "the robot could not be asked for its final counts");
        Vec::new()
    });
    (robot, counts)
}

/// Takes the operators' requests to their stations, by control key.
pub(crate) async fn serve(mut service: Service, stations: BTreeMap<String, Desk>) {
    while let Some(request) = service.recv().await {
        match stations.get(request.key()) {
            Some(desk) => _ = desk.put(Message::Control(request)),
            // A wildcard would ask many stations at once; nothing sensible could be done.
            None => warn!(key = request.key(), "a control request names no single station"),
        }
    }
}
