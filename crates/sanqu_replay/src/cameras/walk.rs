//! Pictures that are predicted from those before them, back to a keyframe.

use bevy::math::UVec2;

use super::Picture;
use super::units::Units;

/// Size and pixels of a picture: rows from the top, 4 bytes a pixel, sRGB and opacity.
pub(super) type Pixels = (UVec2, Vec<u8>);

/// A decoder that takes units in their order.
pub(super) trait Decode: Sized {
    /// One that expects a keyframe.
    ///
    /// # Errors
    /// In words for the picture's place.
    fn new() -> Result<Self, String>;
    /// Takes a unit; its picture if that is `shown`, and if there is one.
    ///
    /// # Errors
    /// In words for the picture's place.
    fn decode(&mut self, unit: Vec<u8>, shown: bool) -> Result<Option<Pixels>, String>;
}

/// Pictures of units by number.
pub(super) struct Walk<D> {
    units: Units,
    decoder: D,
    /// The picture that the decoder expects; none when it must begin at a keyframe.
    next: Option<usize>,
}

impl<D: Decode> Walk<D> {
    pub(super) fn of(units: Units) -> Result<Self, String> {
        Ok(Self { units, decoder: D::new()?, next: None })
    }

    /// Goes on where the last picture ended, when that is between the keyframe and the row; else begins at the keyframe.
    ///
    /// # Errors
    /// In words for the picture's place.
    pub(super) fn picture(&mut self, row: usize) -> Result<Picture, String> {
        let key = self.units.keyframe_before(row)?;
        let begin = match self.next {
            Some(next) if key < next && next <= row => next,
            _ => {
                self.decoder = D::new()?;
                key
            }
        };
        // Until the row is reached, an error leaves the decoder where nobody knows.
        self.next = None;
        let mut decoded = None;
        for index in begin..=row {
            let unit = self.units.unit(index, row)?;
            decoded = self.decoder.decode(unit, index == row).map_err(|error| format!("frame {index}: {error}"))?;
        }
        let (size, rgba) = decoded.ok_or_else(|| format!("frame {row}: the decoder gave no picture"))?;
        self.next = Some(row + 1);
        Ok(Picture { row, from_row: key, size, rgba })
    }
}
