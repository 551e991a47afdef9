//! A small humanoid that nods and waves for four seconds, at a station of a field with three zones.

use std::ops::Range;
use std::sync::Arc;

use sanqu_model::{FieldConfig, LossCause};
use sanqu_replay::body::Looks;
use sanqu_replay::lane::Lane;
use sanqu_replay::mark::{Mark, MarkKind};
use sanqu_replay::mesh_file::MeshSearch;
use sanqu_replay::replay::{Replay, RobotRecord};
use sanqu_replay::scene::layout::world_from_station;
use sanqu_replay::track::{Breaks, Gap, Instants, Track};
use sanqu_robot::RobotModel;
use sanqu_store::Series;

/// Time between rows, ns.
pub(crate) const PERIOD_NS: i64 = 2_000_000;
/// First row, ns.
pub(crate) const START_NS: i64 = 1_763_740_800_000_000_000;
/// Number of rows.
pub(crate) const ROWS: usize = 2_000;

/// The robots' colour: nothing else in the scene is magenta.
pub(crate) const SKIN_RGBA: [f32; 4] = [0.9, 0.05, 0.8, 1.0];

/// Two stations in three zones.
pub(crate) const FIELD: &str = r#"
field = "test"
name = "测试"
time_zone = "UTC"
[[zones]]
id = "industry"
name = "工业智造"
name_en = "Industry"
colour = [0.2, 0.4, 0.9]
[[zones.scenes]]
id = "vehicle-inspection"
name = "整车质检"
name_en = "Vehicle inspection"
[[zones.scenes.stations]]
id = "a01"
position_m = [0.0, 0.0]
heading_rad = 0.0
robots = ["tin-01"]
[[zones]]
id = "home"
name = "智慧家庭"
name_en = "Home"
colour = [0.2, 0.8, 0.3]
[[zones]]
id = "commerce"
name = "商业服务"
name_en = "Commerce"
colour = [0.95, 0.5, 0.1]
[[zones.scenes]]
id = "guided-tour"
name = "展厅导览"
name_en = "Guided tour"
[[zones.scenes.stations]]
id = "c01"
position_m = [0.0, 4.0]
heading_rad = 0.0
robots = ["tin-02"]
[[robots]]
id = "tin-01"
name = "铁皮 01"
model = "tin"
[[robots]]
id = "tin-02"
name = "铁皮 02"
model = "tin"
"#;

/// The humanoid: pelvis, two rigid legs, torso, head, two arms of two links.
pub(crate) fn urdf() -> String {
    let [r, g, b, a] = SKIN_RGBA;
    let visual = |xyz: &str, shape: &str| {
        format!(
            r#"<visual><origin xyz="{xyz}"/><geometry>{shape}</geometry><material name="skin"><color rgba="{r} {g} {b} {a}"/></material></visual>"#
        )
    };
    let link = |name: &str, visuals: String| format!(r#"<link name="{name}">{visuals}</link>"#);
    let joint = |name: &str, parent: &str, child: &str, xyz: &str, axis: &str| {
        format!(
            r#"<joint name="{name}_joint" type="revolute"><parent link="{parent}"/><child link="{child}"/><origin xyz="{xyz}"/>
               <axis xyz="{axis}"/><limit lower="-3" upper="3" velocity="9" effort="9"/></joint>"#
        )
    };
    let legs = visual("0 0.1 -0.42", r#"<cylinder radius="0.07" length="0.80"/>"#)
        + &visual("0 -0.1 -0.42", r#"<cylinder radius="0.07" length="0.80"/>"#)
        + &visual("0.05 0.1 -0.85", r#"<box size="0.26 0.1 0.06"/>"#)
        + &visual("0.05 -0.1 -0.85", r#"<box size="0.26 0.1 0.06"/>"#)
        + &visual("0 0 0", r#"<box size="0.2 0.34 0.14"/>"#);
    let arm = |length: &str, half: &str| visual(&format!("0 0 -{half}"), &format!(r#"<cylinder radius="0.05" length="{length}"/>"#));
    [
        r#"<robot name="tin">"#.to_owned(),
        link("base_link", legs),
        link("torso", visual("0 0 0.26", r#"<box size="0.22 0.4 0.5"/>"#)),
        link("head", visual("0 0 0.14", r#"<sphere radius="0.13"/>"#)),
        link("l_upper", arm("0.3", "0.15")),
        link("l_lower", arm("0.3", "0.15")),
        link("r_upper", arm("0.3", "0.15")),
        link("r_lower", arm("0.3", "0.15")),
        joint("waist", "base_link", "torso", "0 0 0.08", "0 0 1"),
        joint("neck", "torso", "head", "0 0 0.52", "0 1 0"),
        joint("l_shoulder", "torso", "l_upper", "0 0.27 0.46", "0 1 0"),
        joint("l_elbow", "l_upper", "l_lower", "0 0 -0.32", "0 1 0"),
        joint("r_shoulder", "torso", "r_upper", "0 -0.27 0.46", "0 1 0"),
        joint("r_elbow", "r_upper", "r_lower", "0 0 -0.32", "0 1 0"),
        "</robot>".to_owned(),
    ]
    .concat()
}

/// Positions of row `row` for the elements of [`series`], rad.
pub(crate) fn row_values(row: usize) -> [f64; 4] {
    let t = f64::from(u32::try_from(row).unwrap()) * 0.002;
    [0.4 * (t * 1.7).sin(), 0.3 * (t * 2.3).sin(), -1.2 + 0.8 * (t * 2.9).sin(), -0.9 + 0.5 * (t * 3.1).cos()]
}

/// The elements of [`row_values`].
pub(crate) const ELEMENTS: [&str; 4] = ["neck", "waist", "l_shoulder", "l_elbow"];

/// Recorded rows: the elements are not in the model's order, one joint (`r_elbow`) is not recorded at all.
fn series() -> Series {
    let names = ELEMENTS.map(str::to_owned).to_vec();
    let t_ns = (0..ROWS).map(|row| START_NS + PERIOD_NS * i64::try_from(row).unwrap()).collect();
    Series { t_ns, names, values: (0..ROWS).flat_map(row_values).collect() }
}

/// As [`replay`], but the rows `missing` of the first robot are really lost.
pub(crate) fn replay_without(missing: Range<usize>) -> Replay {
    let mut replay = replay();
    let at = |row: usize| START_NS + PERIOD_NS * i64::try_from(row).unwrap();
    let rows = u64::try_from(missing.len()).ok();
    let gap = Gap { from_ns: at(missing.start - 1), to_ns: at(missing.end), rows, cause: Some(LossCause::Network) };
    let whole = series();
    let kept: Vec<usize> = (0..ROWS).filter(|row| !missing.contains(row)).collect();
    let values = kept.iter().flat_map(|row| whole.row(*row).to_vec()).collect();
    let series = Series { t_ns: kept.iter().map(|row| at(*row)).collect(), values, names: whole.names };
    let record = &mut replay.robots[0];
    replay.lanes[0].instants = Instants::new(series.t_ns.iter().copied());
    replay.lanes[0].gaps = vec![gap];
    record.track = Track::new(&record.model, series, record.track.rest().to_vec(), Breaks { gaps: vec![gap], restarts: Vec::new() });
    replay
}

/// Two robots, each with [`series`]; the first has a gap of 50 rows behind row 499 in its ledger.
pub(crate) fn replay() -> Replay {
    let field = FieldConfig::parse(FIELD).unwrap();
    let robots = ["a01", "c01"].iter().enumerate().map(|(index, station)| {
        let model = RobotModel::from_urdf_str(&urdf()).unwrap();
        let at = |row: i64| START_NS + PERIOD_NS * row;
        let gaps = if index == 0 { vec![Gap { from_ns: at(499), to_ns: at(500), rows: Some(50), cause: None }] } else { Vec::new() };
        let rest: Vec<f64> = model.joints().iter().map(|joint| if joint.name == "r_elbow_joint" { -0.6 } else { 0.0 }).collect();
        let track = Track::new(&model, series(), rest.clone(), Breaks { gaps, restarts: Vec::new() });
        let place = field.station(&station.parse().unwrap()).unwrap();
        RobotRecord {
            robot: place.station.robots[0].clone(),
            name: field.robot(&place.station.robots[0]).unwrap().name.clone(),
            station: place.station.id.clone(),
            episode: "01KTEST".to_owned(),
            looks: Arc::new(Looks::new(&model, &rest, &MeshSearch::default(), &mut Vec::new())),
            model,
            track,
            drives: None,
            base: None,
            world_from_station: world_from_station(place.station),
            shift_ns: 0,
            lost_rows: if index == 0 { 50 } else { 0 },
        }
    });
    let robots: Vec<RobotRecord> = robots.collect();
    let lanes = robots.iter().enumerate().flat_map(|(robot, record)| lanes(robot, record.track.gaps())).collect();
    let marks = vec![Mark { t_ns: START_NS + 2_500_000_000, kind: MarkKind::Event, text: "mark: it waves".to_owned() }];
    let end_ns = START_NS + PERIOD_NS * i64::try_from(ROWS - 1).unwrap();
    Replay { lanes, marks, ..Replay::new(field, robots, START_NS, end_ns) }
}

/// The joints at 500 Hz and a slow stream at 10 Hz, 1 ms after.
fn lanes(robot: usize, gaps: &[Gap]) -> [Lane; 2] {
    let rows = i64::try_from(ROWS).unwrap();
    let joint = Instants::new((0..rows).map(|row| START_NS + PERIOD_NS * row));
    let slow = Instants::new((0..rows / 50).map(|row| START_NS + 1_000_000 + PERIOD_NS * 50 * row));
    [
        Lane { robot, stream: "joint".to_owned(), instants: joint, gaps: gaps.to_vec(), period_ns: PERIOD_NS, ..Lane::default() },
        Lane { robot, stream: "slow".to_owned(), instants: slow, period_ns: PERIOD_NS * 50, ..Lane::default() },
    ]
}
