//! The recorded pose of a robot's floating base over time.

mod grow;

use nalgebra::{Isometry3, Quaternion, Translation3, UnitQuaternion};
use sanqu_store::Series;

use crate::track::{Blend, Breaks, Gap, Instants, STALE_AGE_NS};
use crate::windows::{Reading, RowSource, Unreadable};

/// A quaternion shorter than this is no rotation.
const QUATERNION_NORM_MIN: f64 = 1e-6;

/// Base poses of one robot, in its station's frame.
#[derive(Debug)]
pub struct BaseTrack {
    rows: RowSource,
    /// Where in a row x, y, z (metres) and the quaternion's x, y, z, w are.
    columns: [usize; 7],
    instants: Instants,
    breaks: Breaks,
    station_from_frame: Isometry3<f64>,
}

impl BaseTrack {
    /// Element names of the position.
    pub const POSITION: [&'static str; 3] = ["x", "y", "z"];
    /// Element names of the rotation, a quaternion.
    pub const ROTATION: [&'static str; 4] = ["x", "y", "z", "w"];

    /// Poses of a `base` stream whose values are expressed in a frame that stands at `station_from_frame`. None when the
    /// elements are not [`BaseTrack::POSITION`] and [`BaseTrack::ROTATION`] in this order.
    pub fn new(position_m: &Series, rotation: &Series, breaks: Breaks, station_from_frame: Isometry3<f64>) -> Option<Self> {
        let fits = position_m.names == Self::POSITION && rotation.names == Self::ROTATION && position_m.t_ns == rotation.t_ns;
        let values = (0..position_m.rows()).flat_map(|row| position_m.row(row).iter().chain(rotation.row(row)).copied()).collect();
        let rows = RowSource::Memory { width: 7, values };
        let instants = Instants::new(position_m.t_ns.iter().copied());
        fits.then(|| Self::of_rows(rows, [0, 1, 2, 3, 4, 5, 6], instants, breaks, station_from_frame))
    }

    /// As [`Self::new`], with rows from any source.
    ///
    /// * `columns`: where in a row x, y, z (metres) and the quaternion's x, y, z, w are.
    pub fn of_rows(rows: RowSource, columns: [usize; 7], instants: Instants, breaks: Breaks, station_from_frame: Isometry3<f64>) -> Self {
        Self { rows, columns, instants, breaks, station_from_frame }
    }

    /// Adds the readings that [`Self::pose_at`] would wait for, with the same `t_ns` and `blend`.
    pub fn announce(&self, t_ns: i64, blend: Blend, readings: &mut Vec<Reading>) {
        self.instants.announce(&self.rows, (t_ns, blend), &self.breaks, readings);
    }

    /// `station_from_base` at `t_ns`; none before the first row and for rows that are no pose or cannot be read.
    pub fn pose_at(&self, t_ns: i64, blend: Blend) -> Option<Isometry3<f64>> {
        let row = self.instants.row_at(t_ns)?;
        let pose = self.pose(row)?;
        let next = self.instants.way(row, t_ns, blend, &self.breaks).and_then(|share| {
            let next = self.rows.row_after(row).ok()?;
            Some((share, self.pose_of(&next)?))
        });
        // Half a turn apart there is no one way between them.
        let between = next.and_then(|(share, next)| pose.try_lerp_slerp(&next, share, 1e-9));
        Some(self.station_from_frame * between.unwrap_or(pose))
    }

    /// Whether the pose at `t_ns` is not the base's: rows are missing there, or the last one is old.
    pub fn is_stale_at(&self, t_ns: i64) -> bool {
        let old = |row: usize| t_ns - self.instants.as_slice()[row] > STALE_AGE_NS || self.pose(row).is_none();
        Gap::holds(&self.breaks.gaps, t_ns) || self.instants.row_at(t_ns).is_none_or(old)
    }

    /// Why the row that was last shown could not be read; none when it could.
    pub fn problem(&self) -> Option<Unreadable> {
        self.rows.problem()
    }

    fn pose(&self, row: usize) -> Option<Isometry3<f64>> {
        self.pose_of(&self.rows.row(row).ok()?)
    }

    fn pose_of(&self, row: &[f64]) -> Option<Isometry3<f64>> {
        let value = |place: usize| row.get(self.columns[place]).copied();
        let (x, y, z) = (value(0)?, value(1)?, value(2)?);
        let rotation = UnitQuaternion::try_new(Quaternion::new(value(6)?, value(3)?, value(4)?, value(5)?), QUATERNION_NORM_MIN)?;
        [x, y, z].iter().all(|value| value.is_finite()).then(|| Isometry3::from_parts(Translation3::new(x, y, z), rotation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(names: &[&str], values: Vec<f64>) -> Series {
        let rows = values.len() / names.len();
        Series {
            t_ns: (0..rows).map(|row| 10 * i64::try_from(row).unwrap()).collect(),
            names: names.iter().map(|n| (*n).to_owned()).collect(),
            values,
        }
    }

    #[test]
    fn poses_are_held_and_bad_rows_are_none() {
        let position = series(&BaseTrack::POSITION, vec![1.0, 2.0, 3.0, f64::NAN, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let rotation = series(&BaseTrack::ROTATION, vec![0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        let base = BaseTrack::new(&position, &rotation, Breaks::default(), Translation3::new(10.0, 0.0, 0.0).into()).unwrap();
        assert_eq!(base.pose_at(-1, Blend::Hold), None);
        assert!(base.is_stale_at(-1) && !base.is_stale_at(9) && base.is_stale_at(10) && base.is_stale_at(i64::from(u32::MAX)));
        assert_eq!(base.pose_at(9, Blend::Hold).unwrap().translation.vector.as_slice(), [11.0, 2.0, 3.0]);
        assert_eq!(base.pose_at(10, Blend::Hold), None, "NaN");
        assert_eq!(base.pose_at(20, Blend::Hold), None, "a quaternion of length zero");
        let other = BaseTrack::new(
            &series(&["a", "b", "c"], vec![]),
            &series(&BaseTrack::ROTATION, vec![]),
            Breaks::default(),
            Isometry3::identity(),
        );
        assert!(other.is_none());
    }

    #[test]
    fn between_two_poses_it_moves_straight_and_turns_evenly() {
        let position = series(&BaseTrack::POSITION, vec![0.0, 0.0, 1.0, 2.0, 0.0, 1.0]);
        let half = std::f64::consts::FRAC_1_SQRT_2;
        let rotation = series(&BaseTrack::ROTATION, vec![0.0, 0.0, 0.0, 1.0, 0.0, 0.0, half, half]);
        let base = BaseTrack::new(&position, &rotation, Breaks::default(), Isometry3::identity()).unwrap();
        let pose = base.pose_at(5, Blend::Interpolate).unwrap();
        assert!((pose.translation.x - 1.0).abs() < 1e-12 && (pose.rotation.angle() - std::f64::consts::FRAC_PI_4).abs() < 1e-12, "{pose}");
        assert!(base.pose_at(5, Blend::Hold).unwrap().translation.x.abs() < 1e-12);
    }
}
