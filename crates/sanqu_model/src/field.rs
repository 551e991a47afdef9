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
    /// Who may control which stations of a recorder that asks for certificates. Who is not named here may control none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operators: Vec<OperatorConfig>,
    /// Who may watch a recorder that asks for certificates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub viewers: Vec<ViewerConfig>,
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

/// An operator, and the stations that are theirs: those named, and all of the zones named. Neither means none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorConfig {
    /// The pseudonym (`op-07`).
    pub id: Id,
    /// Zones whose every station they may control.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<Id>,
    /// Further stations that they may control.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stations: Vec<Id>,
}

/// A screen or program that reads the field and changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewerConfig {
    /// Its id (`wall-1`).
    pub id: Id,
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
    /// robots, operators naming unknown zones or stations, impossible durations; [`ModelError::BadZone`] for the time zone.
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
        unique("operator", self.operators.iter().map(|o| &o.id).collect())?;
        unique("viewer", self.viewers.iter().map(|v| &v.id).collect())?;
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
        for operator in &self.operators {
            if let Some(zone) = operator.zones.iter().find(|id| !self.zones.iter().any(|zone| &zone.id == *id)) {
                return Err(bad(format!("operator {} names zone {zone}, which is not among [[zones]]", operator.id)));
            }
            if let Some(station) = operator.stations.iter().find(|id| self.station(id).is_none()) {
                return Err(bad(format!("operator {} names station {station}, which no scene has", operator.id)));
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

    /// The stations that an operator may control, in file order; none for an operator that the field does not name.
    pub fn stations_of(&self, operator: &Id) -> impl Iterator<Item = StationPlace<'_>> {
        let rights = self.operators.iter().find(|known| &known.id == operator);
        self.stations().filter(move |place| {
            rights.is_some_and(|rights| rights.zones.contains(&place.zone.id) || rights.stations.contains(&place.station.id))
        })
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

    #[track_caller]
    fn may_control(rights: &str, operator: &str, expect: &[&str]) {
        let second = "[[zones.scenes.stations]]\nid = \"a02\"\nposition_m = [3.0, 0.0]\nheading_rad = 0.0\n[[robots]]";
        let text = format!("{}\n[[operators]]\nid = \"op-07\"\n{rights}", FIELD.replace("[[robots]]", second));
        let field = FieldConfig::parse(&text).unwrap();
        let operator = Id::new("operator", operator).unwrap();
        let stations: Vec<&str> = field.stations_of(&operator).map(|place| place.station.id.as_str()).collect();
        assert_eq!(stations, expect, "{rights}");
    }

    #[test]
    fn operators_control_what_the_field_gives_them_and_nothing_else() {
        may_control("stations = [\"a02\"]", "op-07", &["a02"]);
        may_control("zones = [\"industry\"]", "op-07", &["a01", "a02"]);
        may_control("", "op-07", &[]);
        may_control("zones = [\"industry\"]", "op-08", &[]);
    }

    #[test]
    fn bad_fields_are_refused_by_name() {
        refuses(&FIELD.replace("robots = [\"walker-s-01\"]", "robots = [\"kuavo-09\"]"), "kuavo-09");
        refuses(&FIELD.replace("Asia/Shanghai", "Asia/Qingdao"), "Asia/Qingdao");
        refuses(&FIELD.replace("position_m", "position"), "position");
        refuses(&format!("{FIELD}\n[[operators]]\nid = \"op-07\"\nzones = [\"home\"]"), "zone home");
        refuses(&format!("{FIELD}\n[[operators]]\nid = \"op-07\"\nstations = [\"b01\"]"), "station b01");
        refuses(&format!("{FIELD}\n[[viewers]]\nid = \"wall-1\"\n[[viewers]]\nid = \"wall-1\""), "viewer wall-1");
        refuses(&format!("{FIELD}\n[[robots]]\nid = \"walker-s-01\"\nname = \"\"\nmodel = \"\""), "named twice");
    }
}
