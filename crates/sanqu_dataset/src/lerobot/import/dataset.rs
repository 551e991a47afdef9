//! A dataset that is being imported: episode after episode, files shared.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use sanqu_model::{EpisodeId, Id, Manifest, RobotEntry};
use sanqu_store::{Episode, EpisodeStart, Store, seal};

use super::data::{DataFile, EpisodeRows, grid_ns};
use super::episodes::{self, Listed, Origin};
use super::film::{Cut, Film};
use super::info::Info;
use super::names::Naming;
use super::{
    ImportedEpisode, LerobotImportOptions, LerobotImportProgress, LerobotImportReport, Step, UNDATED_NS, journal, of_source, problem, slug,
};
use crate::DatasetError;
use crate::outside::{Known, episode_id, known, remove_unfinished, sha256};

const TIMES_UNDATED: &str = "seconds of the dataset from 2000-01-01T00:00:00Z on: it does not say when it was recorded";
const TIMES_GIVEN: &str = "seconds of the dataset from the start that was named at the import";

/// The robot, model and station of datasets that do not name them.
const UNKNOWN: &str = "unknown";
/// Files that are kept open.
const OPEN_FILES_MAX: usize = 16;

/// A camera's feature with its film and the episode's part of it, or why it cannot be read.
pub(super) type CameraFilm = (String, Result<(Rc<Film>, Cut), String>);

/// An episode that is ready to be written.
pub(super) struct Prepared<'a> {
    /// The dataset.
    pub(super) info: &'a Info,
    /// The episode in its list.
    pub(super) listed: &'a Listed,
    /// Texts of the tasks.
    pub(super) tasks: &'a BTreeMap<i64, String>,
    /// Its rows.
    pub(super) rows: EpisodeRows,
    /// Added to the rows' times.
    pub(super) base_ns: i64,
    /// What the times are.
    pub(super) times: &'static str,
    /// The cameras.
    pub(super) films: Vec<CameraFilm>,
}

impl Prepared<'_> {
    /// A task's text.
    pub(super) fn task_text(&self, task: i64) -> String {
        self.tasks.get(&task).cloned().unwrap_or_else(|| format!("task {task}, which the dataset does not list"))
    }

    /// The earliest instant of a row, and that of what leads in.
    fn begin_ns(&self) -> (i64, i64) {
        let first = |times: &[i64]| times.first().copied();
        let rows = self.rows.streams.iter().filter(|stream| !stream.quantities.is_empty()).filter_map(|stream| first(&stream.t_ns));
        let cameras = self.rows.camera_t_ns.values().filter_map(|times| first(times));
        let start = rows.chain(cameras).chain(first(&self.rows.t_ns)).min().unwrap_or_default();
        let leads = self.films.iter().filter_map(|(key, film)| {
            let (_, cut) = film.as_ref().ok()?;
            let first = first(self.rows.camera_t_ns.get(key).unwrap_or(&self.rows.t_ns))?;
            Some(first.saturating_sub(grid_ns(cut.lead.len() as u64, self.info.fps)))
        });
        let pre_roll = leads.chain(Some(start)).min().unwrap_or(start);
        (self.base_ns.saturating_add(start), self.base_ns.saturating_add(pre_roll))
    }
}

/// A dataset on its way into a store.
pub(super) struct Dataset<'a> {
    store: &'a Store,
    options: &'a LerobotImportOptions,
    info: Info,
    info_sha256: String,
    tasks: BTreeMap<i64, String>,
    listed: Vec<Listed>,
    /// What the store had before.
    known: Vec<Episode>,
    /// Files that were opened last: many episodes may share one.
    data: BTreeMap<PathBuf, Rc<DataFile>>,
    films: BTreeMap<PathBuf, Rc<Film>>,
}

/// Where and as what an episode is recorded.
struct Identity {
    robot: RobotEntry,
    joints: BTreeSet<String>,
    station: Id,
    zone: Option<Id>,
    operator: Option<Id>,
}

impl<'a> Dataset<'a> {
    /// Reads what a dataset lists.
    pub(super) fn open(root: &Path, store: &'a Store, options: &'a LerobotImportOptions) -> Result<Self, DatasetError> {
        let info = Info::read(root)?;
        let info_sha256 = sha256(&root.join("meta/info.json"))?;
        let (tasks, listed) = (episodes::tasks(&info)?, episodes::list(&info)?);
        Ok(Self {
            store,
            options,
            info,
            info_sha256,
            tasks,
            listed,
            known: store.episodes()?,
            data: BTreeMap::new(),
            films: BTreeMap::new(),
        })
    }

    /// Imports its episodes.
    pub(super) fn import(
        &mut self,
        report: &mut LerobotImportReport,
        progress: &mut dyn FnMut(LerobotImportProgress),
    ) -> Result<(), DatasetError> {
        let root = self.info.root.clone();
        self.check_totals(report);
        let wanted = |listed: &&Listed| self.options.episodes.is_empty() || self.options.episodes.contains(&listed.index);
        let chosen: Vec<Listed> = self.listed.iter().filter(wanted).cloned().collect();
        let missing = self.options.episodes.iter().filter(|number| !chosen.iter().any(|listed| listed.index == **number));
        report.problems.extend(missing.map(|number| problem(&root, Some(*number), "the dataset does not list it".to_owned())));
        let episodes = chosen.len();
        for (episode, listed) in chosen.iter().enumerate() {
            let mut step = |Step { stage, name, done, total }: Step<'_>| {
                progress(LerobotImportProgress { episode, episodes, stage, name: name.to_owned(), done, total });
            };
            match self.episode(listed, report, &mut step) {
                Ok(()) => {}
                Err(error) => report.problems.push(problem(&root, Some(listed.index), of_source(error)?)),
            }
        }
        Ok(())
    }

    fn check_totals(&self, report: &mut LerobotImportReport) {
        let rows: u64 = self.listed.iter().map(|listed| listed.length as u64).sum();
        let found = [("total_episodes", self.listed.len() as u64), ("total_frames", rows)];
        for ((key, found), said) in found.into_iter().zip(self.info.totals) {
            if let Some(said) = said.filter(|said| *said != found) {
                let reason = format!("meta/info.json: {key} is {said}, but {found} are listed");
                report.problems.push(problem(&self.info.root, None, reason));
            }
        }
    }

    fn episode(&mut self, listed: &Listed, report: &mut LerobotImportReport, step: &mut dyn FnMut(Step<'_>)) -> Result<(), DatasetError> {
        step(Step { stage: "read", name: "rows", done: 0, total: listed.length });
        let data = self.data_file(listed)?;
        let identity = self.identity(listed.origin.as_ref())?;
        let is_g1 = self.info.robot_type.as_deref().is_some_and(|kind| kind.to_lowercase().split(['_', '-', ' ']).any(|word| word == "g1"));
        let naming = Naming { map: self.options.map.as_ref(), joints: identity.joints.clone(), is_g1, is_own: listed.origin.is_some() };
        let rows = data.rows(&self.info, listed, &naming)?;
        let films = self.films(listed)?;
        let (base_ns, times) = match (rows.is_absolute, self.options.start_ns) {
            (true, _) => (0, ""),
            (false, given) => (
                given.unwrap_or(UNDATED_NS).saturating_add(grid_ns(listed.first_row, self.info.fps)),
                if given.is_some() { TIMES_GIVEN } else { TIMES_UNDATED },
            ),
        };
        let prepared = Prepared { info: &self.info, listed, tasks: &self.tasks, rows, base_ns, times, films };
        let has_rows = prepared.rows.streams.iter().any(|stream| !stream.quantities.is_empty());
        if !has_rows && prepared.films.iter().all(|(_, film)| film.is_err()) {
            let reasons: Vec<&str> = prepared.films.iter().filter_map(|(_, film)| film.as_ref().err()).map(String::as_str).collect();
            return Err(DatasetError::dataset(&data.path, format!("episode {}: nothing to import; {}", listed.index, reasons.join("; "))));
        }
        let start = self.start(&prepared, identity, &data);
        let name = format!("{} episode {}", self.info.root.display(), listed.index);
        match known(&self.known, start.episode) {
            Known::New => {}
            Known::Whole => {
                report.already_there.push(format!("{name}: {}", start.episode));
                return Ok(());
            }
            Known::Part(advice) => {
                return Err(DatasetError::dataset(&self.info.root, format!("it is in the store as episode {}, {advice}", start.episode)));
            }
        }
        let (manifest, film_defects) = write_and_seal(self.store, &start, &prepared, step)?;
        let EpisodeRows { notes, mut defects, .. } = prepared.rows;
        defects.extend(film_defects);
        let dataset = self.info.root.display().to_string();
        report.episodes.push(ImportedEpisode { dataset, episode_index: listed.index, manifest, notes, defects });
        Ok(())
    }

    fn data_file(&mut self, listed: &Listed) -> Result<Rc<DataFile>, DatasetError> {
        let path = self.info.data_file(listed.data)?;
        if let Some(known) = self.data.get(&path) {
            return Ok(Rc::clone(known));
        }
        if self.data.len() >= OPEN_FILES_MAX {
            self.data.clear();
        }
        let opened = Rc::new(DataFile::open(&path)?);
        self.data.insert(path, Rc::clone(&opened));
        Ok(opened)
    }

    /// The films of an episode; a camera that cannot be read does not keep the rest out.
    fn films(&mut self, listed: &Listed) -> Result<Vec<CameraFilm>, DatasetError> {
        let mut films = Vec::new();
        let keys: Vec<String> = self.info.features.iter().filter(|feature| feature.is_video()).map(|feature| feature.key.clone()).collect();
        for key in keys {
            let Some(place) = listed.videos.get(&key).copied() else {
                films.push((key, Err("no file is listed for it".to_owned())));
                continue;
            };
            let path = self.info.video_file(place.place, &key)?;
            let film = match self.films.get(&path) {
                Some(known) => Ok(Rc::clone(known)),
                None => Film::open(&path).map(Rc::new).map_err(|error| error.to_string()),
            };
            if let Ok(film) = &film {
                if self.films.len() >= OPEN_FILES_MAX {
                    self.films.clear();
                }
                self.films.insert(path.clone(), Rc::clone(film));
            }
            let cut = film.and_then(|film| {
                let cut = film.cut(place, self.info.fps).map_err(|reason| format!("{}: {reason}", path.display()))?;
                Ok((film, cut))
            });
            films.push((key, cut));
        }
        Ok(films)
    }

    /// Robot, station and operator: what the options say, else what an export of this program says, else what can be known.
    fn identity(&self, origin: Option<&Origin>) -> Result<Identity, DatasetError> {
        let Self { options, info, store, .. } = self;
        let recorded = |text: fn(&Origin) -> &String| origin.and_then(|origin| Id::new("id", text(origin)).ok());
        let kind = info.robot_type.as_deref().and_then(slug).and_then(|kind| Id::new("robot", &kind).ok());
        let unknown = Id::new("id", UNKNOWN)?;
        let robot = options.robot.clone().or_else(|| recorded(|o| &o.robot)).or_else(|| kind.clone()).unwrap_or_else(|| unknown.clone());
        let model = options.model.clone().or(kind).unwrap_or_else(|| unknown.clone());
        let station = options.station.clone().or_else(|| recorded(|o| &o.station)).unwrap_or(unknown);
        let zone = options.field.station(&station).map(|place| place.zone.id.clone());
        let shipped = options.robots_dir.as_ref().map(|dir| dir.join(model.as_str())).filter(|folder| folder.is_dir());
        let (mut description, mut joints) = (None, BTreeSet::new());
        if let Some(folder) = options.description.clone().or(shipped) {
            let read = (options.joints_of)(&folder);
            joints.extend(read.map_err(|reason| DatasetError::Option { option: "description", reason })?);
            description = Some(store.snapshot_robot(&folder)?);
        }
        let operator = options.operator.clone().or_else(|| recorded(|o| &o.operator));
        let robot = RobotEntry { robot, model: model.to_string(), description };
        Ok(Identity { robot, joints, station, zone, operator })
    }

    fn start(&self, prepared: &Prepared<'_>, identity: Identity, data: &DataFile) -> EpisodeStart {
        let (start_ns, pre_roll_ns) = prepared.begin_ns();
        let Identity { robot, station, zone, operator, .. } = identity;
        let content = format!("lerobot {} {} {} {}", robot.robot, self.info_sha256, data.sha256, prepared.listed.index);
        let episode: EpisodeId = episode_id(start_ns, &content);
        let prompt = match prepared.rows.tasks.first() {
            Some((_, task)) if self.tasks.contains_key(task) => prepared.task_text(*task),
            _ => prepared.listed.tasks.first().cloned().unwrap_or_default(),
        };
        EpisodeStart {
            episode,
            field: self.options.field.field.clone(),
            zone,
            station,
            task: self.options.task.clone(),
            prompt,
            operator,
            robots: vec![robot],
            start_ns,
            pre_roll_ns,
            recorder: format!("sanqu {}", env!("CARGO_PKG_VERSION")),
            facts: self.facts(prepared, data),
        }
    }

    fn facts(&self, prepared: &Prepared<'_>, data: &DataFile) -> BTreeMap<String, String> {
        let relative = |path: &Path| path.strip_prefix(&self.info.root).unwrap_or(path).display().to_string();
        let times = if prepared.rows.is_absolute { "capture times that the dataset carries" } else { prepared.times };
        let mut facts: BTreeMap<String, String> = [
            ("import.format", "LeRobot dataset".to_owned()),
            ("import.codebase_version", self.info.codebase_version.clone()),
            ("import.path", self.info.root.display().to_string()),
            ("import.info.sha256", self.info_sha256.clone()),
            ("import.data", relative(&data.path)),
            ("import.data.sha256", data.sha256.clone()),
            ("import.episode_index", prepared.listed.index.to_string()),
            ("import.fps", self.info.fps.to_string()),
            ("import.robot_type", self.info.robot_type.clone().unwrap_or_else(|| "not stated".to_owned())),
            ("import.times", times.to_owned()),
        ]
        .into_iter()
        .map(|(key, text)| (key.to_owned(), text))
        .collect();
        if let Some(origin) = &prepared.listed.origin {
            facts.insert("import.recorded_as".to_owned(), origin.episode.clone());
        }
        for (key, texts) in [("import.notes", &prepared.rows.notes), ("import.defects", &prepared.rows.defects)] {
            if !texts.is_empty() {
                facts.insert(key.to_owned(), texts.join("; "));
            }
        }
        facts
    }
}

fn write_and_seal(
    store: &Store,
    start: &EpisodeStart,
    prepared: &Prepared<'_>,
    step: &mut dyn FnMut(Step<'_>),
) -> Result<(Manifest, Vec<String>), DatasetError> {
    remove_unfinished(store, start.episode)?;
    let (journal, defects) = match journal::write(store, start, prepared, step) {
        Ok(written) => written,
        Err(error) => {
            remove_unfinished(store, start.episode)?;
            return Err(error);
        }
    };
    let manifest = seal(store, &journal, &mut |sealing| {
        let name = sealing.stream.unwrap_or_default();
        step(Step { stage: "seal", name: &name, done: sealing.done, total: sealing.total });
    })?;
    Ok((manifest, defects))
}
