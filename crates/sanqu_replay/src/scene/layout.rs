//! How the field's tree lies on the floor. Plain geometry: z up, metres.

use nalgebra::{Isometry3, Point3, Translation3, UnitQuaternion, Vector3};
use sanqu_model::{FieldConfig, Station, Zone};

/// The floor that a station takes: behind, before, and to each side of where its robot stands, m.
pub const STATION_BACK_M: f64 = 1.5;
/// See [`STATION_BACK_M`].
pub const STATION_FRONT_M: f64 = 3.7;
/// See [`STATION_BACK_M`].
pub const STATION_SIDE_M: f64 = 1.85;
/// Size of a zone that has no station, and the space beside it, m.
const EMPTY_ZONE_M: f64 = 3.7;
const ZONE_SPACE_M: f64 = 0.3;

/// An upright rectangle on the floor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Least x and y.
    pub min: [f64; 2],
    /// Greatest x and y.
    pub max: [f64; 2],
}

impl Area {
    const NONE: Self = Self { min: [f64::INFINITY; 2], max: [f64::NEG_INFINITY; 2] };

    fn include(&mut self, [x, y]: [f64; 2]) {
        self.min = [self.min[0].min(x), self.min[1].min(y)];
        self.max = [self.max[0].max(x), self.max[1].max(y)];
    }

    fn join(mut self, other: Self) -> Self {
        self.include(other.min);
        self.include(other.max);
        self
    }

    fn is_none(&self) -> bool {
        self.min[0] > self.max[0]
    }

    /// The middle.
    pub fn centre(&self) -> [f64; 2] {
        [(self.min[0] + self.max[0]) / 2.0, (self.min[1] + self.max[1]) / 2.0]
    }

    /// Edge lengths.
    pub fn size(&self) -> [f64; 2] {
        [self.max[0] - self.min[0], self.max[1] - self.min[1]]
    }
}

/// The station's frame: on the floor, x where its robot looks.
pub fn world_from_station(station: &Station) -> Isometry3<f64> {
    let [x, y] = station.position_m;
    let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), station.heading_rad);
    Isometry3::from_parts(Translation3::new(x, y, 0.0), turn)
}

/// The floor that a place of this frame takes.
pub fn station_area(world_from_station: &Isometry3<f64>) -> Area {
    let mut area = Area::NONE;
    for x in [-STATION_BACK_M, STATION_FRONT_M] {
        for y in [-STATION_SIDE_M, STATION_SIDE_M] {
            let corner = world_from_station * Point3::new(x, y, 0.0);
            area.include([corner.x, corner.y]);
        }
    }
    area
}

/// The rectangle of each zone, in the field's order: around its stations. Zones without stations lie in a row beside the others.
pub fn zone_areas(field: &FieldConfig) -> Vec<Area> {
    let around = |zone: &Zone| {
        let stations = zone.scenes.iter().flat_map(|scene| &scene.stations);
        stations.fold(Area::NONE, |area, station| area.join(station_area(&world_from_station(station))))
    };
    let mut areas: Vec<Area> = field.zones.iter().map(around).collect();
    let taken = areas.iter().filter(|area| !area.is_none()).fold(Area::NONE, |all, area| all.join(*area));
    let mut corner = if taken.is_none() { [0.0, 0.0] } else { [taken.min[0], taken.max[1] + ZONE_SPACE_M] };
    let width = if taken.is_none() { EMPTY_ZONE_M } else { taken.size()[0].min(2.0 * EMPTY_ZONE_M) };
    for area in areas.iter_mut().filter(|area| area.is_none()) {
        *area = Area { min: corner, max: [corner[0] + width, corner[1] + EMPTY_ZONE_M] };
        corner[1] += EMPTY_ZONE_M + ZONE_SPACE_M;
    }
    areas
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(stations: &[(&str, [f64; 2], f64)]) -> FieldConfig {
        let mut text = "field = \"f\"\nname = \"f\"\ntime_zone = \"UTC\"\n".to_owned();
        for (index, (zone, [x, y], heading)) in stations.iter().enumerate() {
            text += &format!("[[zones]]\nid = \"{zone}\"\nname = \"\"\nname_en = \"\"\ncolour = [0.1, 0.2, 0.3]\n");
            if x.is_finite() {
                text += &format!(
                    "[[zones.scenes]]\nid = \"s{index}\"\nname = \"\"\nname_en = \"\"\n[[zones.scenes.stations]]\nid = \"a{index}\"\nposition_m = [{x:?}, {y:?}]\nheading_rad = {heading}\n"
                );
            }
        }
        FieldConfig::parse(&text).unwrap()
    }

    #[test]
    fn zones_surround_their_stations_and_empty_ones_lie_beside() {
        let areas = zone_areas(&field(&[("one", [2.0, 2.0], 0.0), ("two", [f64::NAN; 2], 0.0), ("three", [2.0, 6.0], 0.0)]));
        assert_eq!(areas[0], Area { min: [0.5, 2.0 - STATION_SIDE_M], max: [5.7, 2.0 + STATION_SIDE_M] });
        assert!(areas[1].min[1] > areas[2].max[1], "the empty zone lies beside all others: {areas:?}");
    }

    #[test]
    fn a_station_that_looks_back_takes_the_floor_behind() {
        let areas = zone_areas(&field(&[("one", [0.0, 0.0], std::f64::consts::PI)]));
        assert!((areas[0].min[0] + STATION_FRONT_M).abs() < 1e-9 && (areas[0].max[0] - STATION_BACK_M).abs() < 1e-9, "{areas:?}");
    }
}
