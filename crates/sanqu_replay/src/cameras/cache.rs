//! Decoded pictures, bounded in bytes; those not looked at for the longest go first.

use std::collections::HashMap;
use std::sync::Arc;

use super::library::Shot;

/// A picture's place: index of the camera, row.
pub(super) type Place = (usize, usize);

#[derive(Default)]
pub(super) struct Cache {
    shots: HashMap<Place, (Shot, u64)>,
    bytes: usize,
    /// Counts looks, so that each shot knows when it was looked at last.
    clock: u64,
    bytes_max: usize,
}

impl Cache {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, ..Self::default() }
    }

    pub(super) fn get(&mut self, place: Place) -> Option<Shot> {
        self.clock += 1;
        let (shot, looked) = self.shots.get_mut(&place)?;
        *looked = self.clock;
        Some(Arc::clone(shot))
    }

    pub(super) fn holds(&self, place: Place) -> bool {
        self.shots.contains_key(&place)
    }

    pub(super) fn put(&mut self, place: Place, shot: Shot) {
        self.clock += 1;
        self.bytes += bytes(&shot);
        if let Some((old, _)) = self.shots.insert(place, (shot, self.clock)) {
            self.bytes -= bytes(&old);
        }
        // The newest stays, however large it is.
        while self.bytes > self.bytes_max && self.shots.len() > 1 {
            let Some(oldest) = self.shots.iter().min_by_key(|(_, (_, looked))| *looked).map(|(place, _)| *place) else { return };
            if let Some((old, _)) = self.shots.remove(&oldest) {
                self.bytes -= bytes(&old);
            }
        }
    }
}

/// What a shot costs; a failure is some words.
fn bytes(shot: &Shot) -> usize {
    256 + shot.as_ref().as_ref().map_or(0, |picture| picture.rgba.len())
}

#[cfg(test)]
mod tests {
    use bevy::math::UVec2;

    use super::*;
    use crate::cameras::Picture;

    #[test]
    fn what_was_looked_at_last_stays() {
        let shot = |row: usize| Arc::new(Ok(Picture { row, from_row: row, size: UVec2::new(16, 16), rgba: vec![0; 1024] }));
        let mut cache = Cache::new(3 * 1280);
        (0..3).for_each(|row| cache.put((0, row), shot(row)));
        assert!(cache.get((0, 0)).is_some());
        cache.put((0, 3), shot(3));
        let held: Vec<bool> = (0..4).map(|row| cache.holds((0, row))).collect();
        assert_eq!(held, [true, false, true, true]);
        cache.put((0, 9), Arc::new(Ok(Picture { row: 9, from_row: 9, size: UVec2::ONE, rgba: vec![0; 1 << 20] })));
        assert!(cache.holds((0, 9)) && !cache.holds((0, 3)) && cache.bytes > cache.bytes_max, "one too large for it is held alone");
        cache.put((0, 9), Arc::new(Err("damaged".to_owned())));
        assert_eq!(cache.bytes, 256);
    }
}
