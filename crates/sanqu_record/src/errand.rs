use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use sanqu_ingest::{IngestError, Node, Received, Request, Resent, Service, describe_robot, resend, robot_counts};
use sanqu_model::{EpisodeId, Id, SeqRanges, StreamKey, control_key};
use sanqu_wire::SampleHeader;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{debug, warn};

use crate::asking::ASK_TIMEOUT;
use crate::station::{Desk, Message};
use crate::stop::Answer;

/// Network work for a station, which itself never waits for the network.
pub(crate) enum Errand {
    /// Ask a robot what it sends.
    Describe { robot: Id, desk: Desk },
    /// Ask a robot to send rows again.
    Resend(Resend),
    /// Ask robots what they have sent; those in `undescribed` also what they send.
    Settle { episode: EpisodeId, robots: Vec<Id>, undescribed: Vec<Id>, desk: Desk },
    /// Answer an operator.
    Reply { request: Request, station: Id, reply: Vec<u8> },
}

/// Rows of one boot of a stream that are asked for again.
pub(crate) struct Resend {
    /// The episode that misses them.
    pub(crate) episode: EpisodeId,
    pub(crate) key: Arc<StreamKey>,
    pub(crate) boot: u64,
    pub(crate) ranges: Vec<Range<u64>>,
    pub(crate) desk: Desk,
}

/// What came of it.
pub(crate) struct Resends {
    pub(crate) episode: EpisodeId,
    pub(crate) key: Arc<StreamKey>,
    pub(crate) boot: u64,
    pub(crate) asked: Vec<(Range<u64>, Resent)>,
    /// The rows that were put into the queue, or refused by it.
    pub(crate) came: SeqRanges,
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
        Errand::Resend(resend) => ask_again(&node, resend).await,
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

async fn ask_again(node: &Node, Resend { episode, key, boot, ranges, desk }: Resend) {
    let (mut asked, mut came) = (Vec::new(), SeqRanges::default());
    let mut is_reached = true;
    for range in ranges {
        let mut take = |sample: Received| {
            if let Ok(header) = SampleHeader::decode(&sample.attachment) {
                came.insert(&(header.seq..header.next_seq()));
            }
            desk.queue.push(&sample, true);
        };
        // A robot that does not answer is not asked for the rest: that would only take longer.
        let resent = if is_reached {
            resend(node, &key, boot, range.clone(), ASK_TIMEOUT, &mut take).await.unwrap_or_else(|error| {
                warn!(%key, %error, "a robot could not be asked for samples again");
                Resent::default()
            })
        } else {
            Resent::default()
        };
        is_reached = resent.complete || resent.samples > 0;
        asked.push((range, resent));
    }
    // Waits for its place: until the station knows, it asks for nothing else.
    let _ = tokio::task::spawn_blocking(move || desk.put_waiting(Message::Resent(Resends { episode, key, boot, asked, came }))).await;
}

async fn ask_counts(node: &Node, field: &Id, robot: Id) -> Answer {
    let counts = robot_counts(node, field, &robot).await.unwrap_or_else(|error: IngestError| {
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
