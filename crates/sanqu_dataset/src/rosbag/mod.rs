//! Import of ROS 1 bags of 夸父 (KUAVO): bags become journals, and journals are sealed as recordings are.

mod bag;
mod structure;
mod survey;
mod topics;
mod torque;
mod write;

use std::collections::BTreeMap;
use std::path::PathBuf;

use sanqu_model::{EpisodeId, FieldConfig, Id, Manifest, RobotEntry};
use sanqu_store::{EpisodeStart, Store, seal};

use crate::DatasetError;
use crate::outside::{Known, known, remove_unfinished};
use bag::Bag;
use survey::{Surveyed, survey};
use topics::Role;

/// The robot that bags are taken to be of when nobody says otherwise.
pub const DEFAULT_ROBOT: &str = "kuavo-01";

/// How bags become episodes.
#[derive(Clone, Debug)]
pub struct RosbagOptions {
    /// The field: which robots, stations and tasks there are.
    pub field: FieldConfig,
    /// The robot; [`DEFAULT_ROBOT`] when none is given.
    pub robot: Option<Id>,
    /// The station; the robot's home when none is given.
    pub station: Option<Id>,
    /// The task; the episode has no prompt without one.
    pub task: Option<Id>,
    /// The operator's pseudonym.
    pub operator: Option<Id>,
    /// Folder of the robot descriptions (`assets/robots`): the robot's is copied into the store, so that the episode can be
    /// replayed. None leaves the episode without a description.
    pub robots_dir: Option<PathBuf>,
}

/// How far an import is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosbagProgress {
    /// What is being done: `read`, `write`, `seal`.
    pub stage: &'static str,
    /// The bag, or the stream while sealing.
    pub name: String,
    /// Bags, messages or streams done.
    pub done: u64,
    /// Of how many.
    pub total: u64,
}

/// A bag after the first pass.
struct Surveyor {
    bag: Bag,
    connections: BTreeMap<u32, Surveyed>,
    /// Earliest and latest capture time of what is imported, ns.
    span_ns: (i64, i64),
}

/// Imports bags. Bags that overlap in time become one episode, others one each; an episode's id follows from the bags'
/// content and the robot, so that the same bags are never imported twice.
///
/// Takes the store's lock. Values are kept bit for bit; `t` is the header's stamp and `t_recv` the bag's receive time, row
/// by row. Rows are numbered by the header's sequence where it counts messages; elsewhere `expected` is unknown.
///
/// # Errors
/// [`DatasetError::Bag`] naming file and byte for a damaged bag, before anything is written; [`DatasetError::Message`] for a
/// message that is not what its topic must have; [`DatasetError::Option`] for a robot, station or task that the field does
/// not have, and for bags that are already in the store; errors of the store.
pub fn import_rosbag(
    store: &Store,
    bags: &[PathBuf],
    options: &RosbagOptions,
    progress: &mut dyn FnMut(RosbagProgress),
) -> Result<Vec<Manifest>, DatasetError> {
    let place = Place::of(store, options)?;
    let _lock = store.lock()?;
    let mut surveyed = Vec::new();
    for (done, path) in bags.iter().enumerate() {
        let name = path.display().to_string();
        progress(RosbagProgress { stage: "read", name, done: done as u64, total: bags.len() as u64 });
        surveyed.push(Surveyor::read(path)?);
    }
    let mut manifests = Vec::new();
    for group in groups(surveyed) {
        manifests.push(import_group(store, &group, &place, progress)?);
    }
    Ok(manifests)
}

impl Surveyor {
    fn read(path: &std::path::Path) -> Result<Self, DatasetError> {
        let bag = Bag::open(path)?;
        let connections = survey(&bag)?;
        let spans = connections.iter().filter_map(|(number, surveyed)| {
            let connection = bag.connections.get(number)?;
            Role::of(&connection.topic, &connection.message_type)?;
            surveyed.span_ns
        });
        let span_ns = spans.reduce(|(a, b), (c, d)| (a.min(c), b.max(d))).ok_or_else(|| DatasetError::Bag {
            path: path.to_owned(),
            offset: 0,
            reason: "no message on any topic that is imported (/sensors_data_raw, /kuavo_arm_traj, headset topics)".to_owned(),
        })?;
        Ok(Self { bag, connections, span_ns })
    }
}

/// Bags that overlap in time, in order of their first message.
fn groups(mut bags: Vec<Surveyor>) -> Vec<Vec<Surveyor>> {
    bags.sort_by_key(|bag| bag.span_ns.0);
    let mut groups: Vec<(i64, Vec<Surveyor>)> = Vec::new();
    for bag in bags {
        match groups.last_mut() {
            Some((end_ns, group)) if bag.span_ns.0 <= *end_ns => {
                *end_ns = (*end_ns).max(bag.span_ns.1);
                group.push(bag);
            }
            _ => groups.push((bag.span_ns.1, vec![bag])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// Where and as what the bags' robot is recorded.
struct Place {
    field: Id,
    zone: Option<Id>,
    station: Id,
    task: Option<Id>,
    prompt: String,
    operator: Option<Id>,
    robot: RobotEntry,
}

impl Place {
    fn of(store: &Store, options: &RosbagOptions) -> Result<Self, DatasetError> {
        let refuse = |option, reason: String| DatasetError::Option { option, reason };
        let field = &options.field;
        if &field.field != store.field() {
            return Err(refuse("field", format!("{} is not the store's field {}", field.field, store.field())));
        }
        let robot = match &options.robot {
            Some(robot) => robot.clone(),
            None => Id::new("robot", DEFAULT_ROBOT)?,
        };
        let config = field.robot(&robot).ok_or_else(|| refuse("robot", format!("field {} has no robot {robot}", field.field)))?;
        let place = match &options.station {
            Some(station) => {
                field.station(station).ok_or_else(|| refuse("station", format!("field {} has no station {station}", field.field)))
            }
            None => field.station_of(&robot).ok_or_else(|| refuse("station", format!("{robot} stands at no station; name one"))),
        }?;
        let task =
            options.task.as_ref().map(|id| field.task(id).ok_or_else(|| refuse("task", format!("field {} has no task {id}", field.field))));
        let task = task.transpose()?;
        let description = match options.robots_dir.as_ref().map(|dir| dir.join(&config.model)) {
            Some(folder) if folder.is_dir() => Some(store.snapshot_robot(&folder)?),
            Some(folder) => return Err(refuse("robots", format!("{} has no description of {}", folder.display(), config.model))),
            None => None,
        };
        Ok(Self {
            field: field.field.clone(),
            zone: Some(place.zone.id.clone()),
            station: place.station.id.clone(),
            task: task.map(|task| task.id.clone()),
            prompt: task.map(|task| task.prompt.clone()).unwrap_or_default(),
            operator: options.operator.clone(),
            robot: RobotEntry { robot, model: config.model.clone(), description },
        })
    }
}

fn import_group(
    store: &Store,
    bags: &[Surveyor],
    place: &Place,
    progress: &mut dyn FnMut(RosbagProgress),
) -> Result<Manifest, DatasetError> {
    let start_ns = bags.iter().map(|bag| bag.span_ns.0).min().unwrap_or_default();
    let last_ns = bags.iter().map(|bag| bag.span_ns.1).max().unwrap_or_default();
    let episode = episode_id(bags, place, start_ns);
    let found = known(&store.episodes()?, episode);
    if !matches!(found, Known::New) {
        let names: Vec<&str> = bags.iter().map(|bag| bag.bag.name.as_str()).collect();
        let mut reason = format!("{} is already in the store as episode {episode}", names.join(", "));
        if let Known::Part(advice) = found {
            reason.push_str(&format!(", {advice}"));
        }
        return Err(DatasetError::Option { option: "bag", reason });
    }
    remove_unfinished(store, episode)?;
    let start = EpisodeStart {
        episode,
        field: place.field.clone(),
        zone: place.zone.clone(),
        station: place.station.clone(),
        task: place.task.clone(),
        prompt: place.prompt.clone(),
        operator: place.operator.clone(),
        robots: vec![place.robot.clone()],
        start_ns,
        pre_roll_ns: start_ns,
        recorder: format!("sanqu {}", env!("CARGO_PKG_VERSION")),
        facts: facts(bags),
    };
    let journal = match write::journal(store, &start, last_ns, bags, progress) {
        Ok(journal) => journal,
        Err(error) => {
            remove_unfinished(store, episode)?;
            return Err(error);
        }
    };
    let manifest = seal(store, &journal, &mut |step| {
        let name = step.stream.unwrap_or_default();
        progress(RosbagProgress { stage: "seal", name, done: step.done as u64, total: step.total as u64 });
    })?;
    Ok(manifest)
}

/// The same bags of the same robot are the same episode.
fn episode_id(bags: &[Surveyor], place: &Place, start_ns: i64) -> EpisodeId {
    let mut hashes: Vec<&str> = bags.iter().map(|bag| bag.bag.sha256.as_str()).collect();
    hashes.sort_unstable();
    crate::outside::episode_id(start_ns, &format!("{} {}", place.robot.robot, hashes.join(" ")))
}

/// Where everything came from, and what was left out.
fn facts(bags: &[Surveyor]) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::from([("import.format".to_owned(), "ROS 1 bag".to_owned())]);
    for (number, surveyor) in bags.iter().enumerate() {
        let bag = &surveyor.bag;
        let (mut imported, mut ignored) = (Vec::new(), Vec::new());
        for (connection_number, connection) in &bag.connections {
            let surveyed = surveyor.connections.get(connection_number);
            let text = format!("{} ({}, {} messages)", connection.topic, connection.message_type, surveyed.map_or(0, |s| s.count));
            if Role::of(&connection.topic, &connection.message_type).is_some() { &mut imported } else { &mut ignored }.push(text);
        }
        facts.insert(format!("import.bag.{number}"), bag.name.clone());
        facts.insert(format!("import.bag.{number}.sha256"), bag.sha256.clone());
        facts.insert(format!("import.bag.{number}.imported"), imported.join(", "));
        if !ignored.is_empty() {
            facts.insert(format!("import.bag.{number}.ignored"), ignored.join(", "));
        }
    }
    facts
}
