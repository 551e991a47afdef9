//! Statistics of pictures: a sample of an episode's frames, decoded.

use openh264::decoder::Decoder;
use openh264::formats::YUVSource;

use super::stats::Histogram;

/// LeRobot shrinks pictures larger than this before it counts their pixels …
const UNSHRUNK_MAX: usize = 300;
/// … to about this many pixels along the longer side.
const SHRUNK: usize = 150;

/// Which of `rows` rows are sampled: `clamp(rows^0.75, 100, 10000)` of them, evenly spread, first and last among them.
pub(super) fn sampled_rows(rows: usize) -> Vec<usize> {
    let wanted = sample_count(rows).min(rows);
    match wanted {
        0 => Vec::new(),
        1 => vec![0],
        _ => (0..wanted).map(|i| (i * (rows - 1) + (wanted - 1) / 2) / (wanted - 1)).collect(),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 100..=10000")]
fn sample_count(rows: usize) -> usize {
    (rows as f64).powf(0.75).clamp(100.0, 10_000.0) as usize
}

/// Decodes access units in order and counts the pixels of those that are asked for.
pub(super) struct PictureSampler {
    decoder: Decoder,
}

impl PictureSampler {
    /// A decoder at the beginning of a stream; the first access unit must be an IDR with its parameter sets.
    ///
    /// # Errors
    /// The decoder's own words when it cannot start.
    pub(super) fn new() -> Result<Self, String> {
        Ok(Self { decoder: Decoder::new().map_err(|e| e.to_string())? })
    }

    /// Decodes one Annex-B access unit; with `into`, its picture is counted there.
    ///
    /// # Errors
    /// The decoder's own words, or that no picture came out.
    pub(super) fn push(&mut self, access_unit: &[u8], into: Option<&mut Histogram>) -> Result<(), String> {
        let picture = self.decoder.decode(access_unit).map_err(|e| e.to_string())?;
        match (picture, into) {
            (Some(picture), Some(histogram)) => {
                count(&picture, histogram);
                Ok(())
            }
            (Some(_), None) => Ok(()),
            (None, _) => Err("the decoder gave no picture".to_owned()),
        }
    }
}

fn count(picture: &impl YUVSource, histogram: &mut Histogram) {
    let (width, height) = picture.dimensions();
    let (y_stride, u_stride, v_stride) = picture.strides();
    let longer = width.max(height);
    let step = if longer < UNSHRUNK_MAX { 1 } else { (longer / SHRUNK).max(1) };
    let at = |plane: &[u8], stride: usize, row: usize, column: usize| plane.get(row * stride + column).copied().unwrap_or(0);
    for row in (0..height).step_by(step) {
        for column in (0..width).step_by(step) {
            let y = at(picture.y(), y_stride, row, column);
            let u = at(picture.u(), u_stride, row / 2, column / 2);
            let v = at(picture.v(), v_stride, row / 2, column / 2);
            histogram.add_pixel(rgb(y, u, v));
        }
    }
    histogram.end_frame();
}

/// BT.601, limited range: what decoders assume of a stream that does not say.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=255")]
fn rgb(y: u8, u: u8, v: u8) -> [u8; 3] {
    let (y, u, v) = (1.164_383 * (f64::from(y) - 16.0), f64::from(u) - 128.0, f64::from(v) - 128.0);
    [y + 1.596_027 * v, y - 0.391_762 * u - 0.812_968 * v, y + 2.017_232 * u].map(|c| c.round().clamp(0.0, 255.0) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_spread_over_the_whole_episode() {
        assert_eq!(sampled_rows(0), Vec::<usize>::new());
        assert_eq!(sampled_rows(1), [0]);
        assert_eq!(sampled_rows(60).len(), 60);
        let long = sampled_rows(1800);
        assert_eq!((long.len(), long[0], *long.last().unwrap()), (276, 0, 1799));
        assert!(long.windows(2).all(|w| w[0] < w[1]));
    }

    #[test]
    fn grey_stays_grey_and_red_is_red() {
        assert_eq!(rgb(16, 128, 128), [0, 0, 0]);
        assert_eq!(rgb(235, 128, 128), [255, 255, 255]);
        assert_eq!(rgb(81, 90, 240), [254, 0, 0]);
    }
}
