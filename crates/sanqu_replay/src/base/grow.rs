//! The base of a robot that is still moving.

use nalgebra::Isometry3;

use super::BaseTrack;
use crate::track::{Breaks, Growth, Instants};
use crate::windows::RowSource;

/// Values of a pose: position and quaternion.
const WIDTH: usize = BaseTrack::POSITION.len() + BaseTrack::ROTATION.len();

impl BaseTrack {
    /// A track without poses yet, whose values will be expressed in a frame that stands at `station_from_frame`.
    pub fn growing(station_from_frame: Isometry3<f64>) -> Self {
        let rows = RowSource::Memory { width: WIDTH, values: Vec::new() };
        Self::of_rows(rows, [0, 1, 2, 3, 4, 5, 6], Instants::default(), Breaks::default(), station_from_frame)
    }

    /// Adds poses at the end; false when there are not as many as `growth` has rows, or when the track is that of a file.
    #[must_use]
    pub fn grow(&mut self, growth: &Growth, position_m: &[f64], rotation: &[f64]) -> bool {
        let (rows, [position, quaternion]) = (growth.t_ns.len(), [Self::POSITION.len(), Self::ROTATION.len()]);
        if position_m.len() != rows * position || rotation.len() != rows * quaternion {
            return false;
        }
        let poses = position_m.chunks(position).zip(rotation.chunks(quaternion));
        let values: Vec<f64> = poses.flat_map(|(position, rotation)| position.iter().chain(rotation)).copied().collect();
        if !self.rows.grow(&values) {
            return false;
        }
        self.breaks.grow(self.instants.as_slice().len(), growth);
        self.instants.grow(&growth.t_ns);
        true
    }

    /// Forgets so many poses at the beginning.
    pub fn forget(&mut self, rows: usize) {
        self.rows.forget(rows);
        self.instants.forget(rows);
        self.breaks.forget(rows, self.instants.as_slice().first().copied());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::Blend;

    #[test]
    fn poses_are_added_and_forgotten() {
        let mut base = BaseTrack::growing(Isometry3::translation(10.0, 0.0, 0.0));
        assert!(base.pose_at(5, Blend::Hold).is_none() && base.is_stale_at(5));
        let grow = |base: &mut BaseTrack, t_ns: i64, x: f64| {
            base.grow(&Growth { t_ns: vec![t_ns], ..Growth::default() }, &[x, 0.0, 1.0], &[0.0, 0.0, 0.0, 1.0])
        };
        assert!(grow(&mut base, 10, 1.0) && grow(&mut base, 20, 2.0));
        assert!(!base.grow(&Growth { t_ns: vec![30], ..Growth::default() }, &[1.0], &[0.0, 0.0, 0.0, 1.0]));
        let x = |base: &BaseTrack, t_ns| base.pose_at(t_ns, Blend::Interpolate).map(|pose| pose.translation.x);
        assert_eq!((x(&base, 15), x(&base, 25)), (Some(11.5), Some(12.0)));
        base.forget(1);
        assert_eq!((x(&base, 15), x(&base, 25)), (None, Some(12.0)));
    }
}
