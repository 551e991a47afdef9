use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Id, ModelError};

/// A field's configuration: field → zones → scenes → stations, robots, tasks. One TOML file; nothing of it is code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldConfig {
    /// The field's id, the second chunk of every key.
    pub field: Id,
    /// Its name for people, in its own script.
    pub name: String,
    /// IANA time zone that dates of folders are in.
    pub time_zone: String,
    /// The zones.
    #[serde(default)]
    pub zones: Vec<Zone>,
    /// The robots.
    #[serde(default)]
    pub robots: Vec<RobotConfig>,
    /// The tasks.
    #[serde(default)]
    pub tasks: Vec<Task>,
}

/// A zone: industry, home, commerce.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// Id.
    pub id: Id,
    /// Name for people.
    pub name: String,
    /// English name.
    pub name_en: String,
    /// Floor colour, sRGB 0..1.
    pub colour: [f32; 3],
    /// Scenes.
    #[serde(default)]
    pub scenes: Vec<Scene>,
}

/// A scene of a zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scene {
    /// Id.
    pub id: Id,
    /// Name for people.
    pub name: String,
    /// English name.
    pub name_en: String,
    /// Stations.
    #[serde(default)]
    pub stations: Vec<Station>,
}

/// A station: where one episode at a time is recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Station {
    /// Id.
    pub id: Id,
    /// Position on the floor, metres, z up: x, y.
    pub position_m: [f64; 2],
    /// Heading of a robot that stands there, rad about z.
    pub heading_rad: f64,
    /// Robots that are recorded together here.
    #[serde(default)]
    pub robots: Vec<Id>,
}

/// A robot of the field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RobotConfig {
    /// Id, the third chunk of its keys.
    pub id: Id,
    /// Name for people, in its own script (夸父 stays 夸父).
    pub name: String,
    /// Folder of its description under `assets/robots`: `kuavo-s45`, `walker-s`.
    pub model: String,
}

/// A task that is taught.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Id.
    pub id: Id,
    /// Prompt in English.
    pub prompt: String,
    /// Prompt in Chinese.
    pub prompt_zh: String,
    /// Objects in play.
    #[serde(default)]
    pub objects: Vec<String>,
    /// Episodes wanted.
    pub target_count: u32,
    /// Shortest useful episode, s.
    pub duration_min_secs: f64,
    /// Longest useful episode, s.
    pub duration_max_secs: f64,
}

/// Where a station lies in the tree.
#[derive(Clone, Copy, Debug)]
pub struct StationPlace<'a> {
    /// The zone.
    pub zone: &'a Zone,
    /// The scene.
    pub scene: &'a Scene,
    /// The station.
    pub station: &'a Station,
}

impl FieldConfig {
    /// Parses and checks a field file.
    ///
    /// # Errors
    /// [`ModelError::FieldSyntax`] for TOML, [`ModelError::FieldContent`] for ids used twice, stations naming unknown
    /// robots, impossible durations; [`ModelError::BadZone`] for the time zone.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        let config: Self = toml::from_str(text).map_err(|e| ModelError::FieldSyntax { reason: e.to_string() })?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ModelError> {
        let bad = |reason: String| ModelError::FieldContent { field: self.field.to_string(), reason };
        crate::date_in_zone(0, &self.time_zone)?;
        let unique = |what: &str, ids: Vec<&Id>| -> Result<(), ModelError> {
            let mut seen = BTreeSet::new();
            ids.into_iter().find(|id| !seen.insert(*id)).map_or(Ok(()), |id| Err(bad(format!("{what} {id} is named twice"))))
        };
        unique("zone", self.zones.iter().map(|z| &z.id).collect())?;
        unique("station", self.stations().map(|p| &p.station.id).collect())?;
        unique("robot", self.robots.iter().map(|r| &r.id).collect())?;
        unique("task", self.tasks.iter().map(|t| &t.id).collect())?;
        let mut homes: BTreeMap<&Id, &Id> = BTreeMap::new();
        for place in self.stations() {
            for robot in &place.station.robots {
                if self.robot(robot).is_none() {
                    return Err(bad(format!("station {} names robot {robot}, which is not among [[robots]]", place.station.id)));
                }
                if let Some(other) = homes.insert(robot, &place.station.id) {
                    return Err(bad(format!("robot {robot} stands at two stations, {other} and {}", place.station.id)));
                }
            }
        }
        for task in &self.tasks {
            if !(task.duration_min_secs >= 0.0 && task.duration_min_secs < task.duration_max_secs) {
                return Err(bad(format!(
                    "task {}: durations {}..{} s are not a range",
                    task.id, task.duration_min_secs, task.duration_max_secs
                )));
            }
        }
        Ok(())
    }

    /// Every station with its zone and scene, in file order.
    pub fn stations(&self) -> impl Iterator<Item = StationPlace<'_>> {
        self.zones.iter().flat_map(|zone| {
            zone.scenes.iter().flat_map(move |scene| scene.stations.iter().map(move |station| StationPlace { zone, scene, station }))
        })
    }

    /// A station by id.
    pub fn station(&self, id: &Id) -> Option<StationPlace<'_>> {
        self.stations().find(|place| &place.station.id == id)
    }

    /// The station at which a robot stands.
    pub fn station_of(&self, robot: &Id) -> Option<StationPlace<'_>> {
        self.stations().find(|place| place.station.robots.contains(robot))
    }

    /// A robot by id.
    pub fn robot(&self, id: &Id) -> Option<&RobotConfig> {
        self.robots.iter().find(|robot| &robot.id == id)
    }

    /// A task by id.
    pub fn task(&self, id: &Id) -> Option<&Task> {
        self.tasks.iter().find(|task| &task.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELD: &str = r#"
        field = "desk"
        name = "桌面"
        time_zone = "Asia/Shanghai"
        [[zones]]
        id = "industry"
        name = "工业智造"
        name_en = "Industry"
        colour = [0.2, 0.4, 0.8]
        [[zones.scenes]]
        id = "vehicle-inspection"
        name = "整车质检"
        name_en = "Vehicle inspection"
        [[zones.scenes.stations]]
        id = "a01"
        position_m = [0.0, 0.0]
        heading_rad = 0.0
        robots = ["walker-s-01"]
        [[robots]]
        id = "walker-s-01"
        name = "Walker S 01"
        model = "walker-s"
    "#;

    #[track_caller]
    fn refuses(text: &str, part: &str) {
        let error = FieldConfig::parse(text).unwrap_err().to_string();
        assert!(error.contains(part), "{error} should say {part:?}");
    }

    #[test]
    fn a_field_is_read_and_found_by_robot() {
        let field = FieldConfig::parse(FIELD).unwrap();
        let robot = Id::new("robot", "walker-s-01").unwrap();
        let place = field.station_of(&robot).unwrap();
        assert_eq!((place.zone.id.as_str(), place.scene.id.as_str(), place.station.id.as_str()), ("industry", "vehicle-inspection", "a01"));
    }

    #[test]
    fn bad_fields_are_refused_by_name() {
        refuses(&FIELD.replace("robots = [\"walker-s-01\"]", "robots = [\"kuavo-09\"]"), "kuavo-09");
        refuses(&FIELD.replace("Asia/Shanghai", "Asia/Qingdao"), "Asia/Qingdao");
        refuses(&FIELD.replace("position_m", "position"), "position");
        refuses(&format!("{FIELD}\n[[robots]]\nid = \"walker-s-01\"\nname = \"\"\nmodel = \"\""), "named twice");
    }
}
