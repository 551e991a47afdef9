//! The recorded pose of a robot's floating base over time.

use nalgebra::{Isometry3, Quaternion, Translation3, UnitQuaternion};
use sanqu_store::{Cursor, Series};

/// A quaternion shorter than this is no rotation.
const QUATERNION_NORM_MIN: f64 = 1e-6;

/// Base poses of one robot, in its station's frame.
#[derive(Debug)]
pub struct BaseTrack {
    /// Elements x, y, z, metres.
    position_m: Series,
    /// Elements x, y, z, w.
    rotation: Series,
    station_from_frame: Isometry3<f64>,
}

impl BaseTrack {
    /// Element names of the position.
    pub const POSITION: [&'static str; 3] = ["x", "y", "z"];
    /// Element names of the rotation, a quaternion.
    pub const ROTATION: [&'static str; 4] = ["x", "y", "z", "w"];

    /// Poses of a `base` stream whose values are expressed in a frame that stands at `station_from_frame`. None when the
    /// elements are not [`BaseTrack::POSITION`] and [`BaseTrack::ROTATION`] in this order.
    pub fn new(position_m: Series, rotation: Series, station_from_frame: Isometry3<f64>) -> Option<Self> {
        let fits = position_m.names == Self::POSITION && rotation.names == Self::ROTATION;
        fits.then_some(Self { position_m, rotation, station_from_frame })
    }

    /// `station_from_base` held at `t_ns`; none before the first row and for rows that are no pose.
    pub fn pose_at(&self, t_ns: i64) -> Option<Isometry3<f64>> {
        let &[x, y, z] = Cursor::new(&self.position_m).at(t_ns)?.values else { return None };
        let &[qx, qy, qz, qw] = Cursor::new(&self.rotation).at(t_ns)?.values else { return None };
        let rotation = UnitQuaternion::try_new(Quaternion::new(qw, qx, qy, qz), QUATERNION_NORM_MIN)?;
        let pose = self.station_from_frame * Isometry3::from_parts(Translation3::new(x, y, z), rotation);
        pose.translation.vector.iter().all(|value| value.is_finite()).then_some(pose)
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
        let base = BaseTrack::new(position, rotation, Translation3::new(10.0, 0.0, 0.0).into()).unwrap();
        assert_eq!(base.pose_at(-1), None);
        assert_eq!(base.pose_at(9).unwrap().translation.vector.as_slice(), [11.0, 2.0, 3.0]);
        assert_eq!(base.pose_at(10), None, "NaN");
        assert_eq!(base.pose_at(20), None, "a quaternion of length zero");
        let other = BaseTrack::new(series(&["a", "b", "c"], vec![]), series(&BaseTrack::ROTATION, vec![]), Isometry3::identity());
        assert!(other.is_none());
    }
}
