//! The machine-readable strip along the top of every simulated picture: the frame's own number, so that a check can
//! prove that picture and row still belong together after recording, cutting and re-encoding.
//!
//! 40 cells from the left: 4 sync cells (bright, dark, bright, dark), 32 bits of the number (highest first, bright = 1)
//! and 4 bits of checksum. A cell is `width / 40` pixels wide, at least 2.

/// Cells of the strip: 4 sync, 32 number, 4 checksum.
pub const CELLS: usize = 40;

/// The fewest pixels a picture must be wide to carry a strip.
pub const WIDTH_MIN: usize = CELLS * 2;

/// Luma of a dark cell (video black).
pub const DARK: u8 = 16;

/// Luma of a bright cell (video white).
pub const BRIGHT: u8 = 235;

/// The least difference of the sync cells' means that still counts as a strip.
const CONTRAST_MIN: u32 = 80;

/// Rows the strip takes in a picture of this width: as high as a cell is wide, at least 8.
pub fn rows(width: usize) -> usize {
    (width / CELLS).max(8)
}

/// Writes `number` into the top rows of a luma plane.
///
/// * `luma`: rows of `stride` bytes, of which `width` are picture; a plane with fewer than [`rows`] rows is filled as
///   far as it goes.
///
/// A picture narrower than [`WIDTH_MIN`] is left alone: [`read`] then finds nothing.
pub fn draw(luma: &mut [u8], stride: usize, width: usize, number: u32) {
    let cell = width / CELLS;
    if width < WIDTH_MIN || stride < width {
        return;
    }
    for line in luma.chunks_mut(stride).take(rows(width)).filter(|line| line.len() >= width) {
        line[..width].fill(DARK);
        for (index, pixels) in line[..cell * CELLS].chunks_mut(cell).enumerate() {
            pixels.fill(if bit(number, index) { BRIGHT } else { DARK });
        }
    }
}

/// Reads the number back; none when there is no strip, or its checksum does not fit.
///
/// Works on decoded pictures: each cell is judged by the mean of its middle, against the mean of the sync cells.
pub fn read(luma: &[u8], stride: usize, width: usize) -> Option<u32> {
    let cell = width / CELLS;
    if width < WIDTH_MIN || stride < width || luma.len() < stride * rows(width) {
        return None;
    }
    // The outer quarter of a cell mixes with its neighbours when the picture is compressed.
    let (margin_x, margin_y) = (cell / 4, rows(width) / 4);
    let mean = |index: usize| -> u32 {
        let (mut sum, mut count) = (0_u32, 0_u32);
        for line in luma.chunks(stride).take(rows(width) - margin_y).skip(margin_y) {
            for pixel in &line[index * cell + margin_x..(index + 1) * cell - margin_x] {
                sum += u32::from(*pixel);
                count += 1;
            }
        }
        sum / count.max(1)
    };
    let (bright, dark) = ((mean(0) + mean(2)) / 2, (mean(1) + mean(3)) / 2);
    if bright < dark + CONTRAST_MIN {
        return None;
    }
    let threshold = (bright + dark) / 2;
    let number = (4..36).fold(0_u32, |number, index| (number << 1) | u32::from(mean(index) > threshold));
    (0..CELLS).all(|index| (mean(index) > threshold) == bit(number, index)).then_some(number)
}

/// What cell `index` shows for `number`.
fn bit(number: u32, index: usize) -> bool {
    match index {
        0..4 => index.is_multiple_of(2),
        4..36 => (number >> (35 - index)) & 1 == 1,
        _ => (checksum(number) >> (CELLS - 1 - index)) & 1 == 1,
    }
}

/// The eight nibbles of the number exclusive-ored, with a pattern so that zero does not sum to zero.
fn checksum(number: u32) -> u32 {
    (0..8).fold(0b1010, |sum, nibble| sum ^ ((number >> (4 * nibble)) & 0xf))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: [u32; 6] = [0, 1, 17, 0x8000_0000, 0xdead_beef, u32::MAX];

    #[test]
    fn numbers_come_back_at_every_width() {
        for width in [80, 96, 160, 320, 333, 640, 1280] {
            let stride = width + 7;
            for number in NUMBERS {
                let mut luma = vec![90; stride * 64];
                draw(&mut luma, stride, width, number);
                assert_eq!(read(&luma, stride, width), Some(number), "{number} at {width}");
            }
        }
    }

    #[test]
    fn no_strip_and_damaged_strips_are_not_read() {
        let mut luma = vec![90; 320 * 64];
        assert_eq!(read(&luma, 320, 320), None);
        assert_eq!(read(&luma[..320], 320, 320), None);
        draw(&mut luma, 320, 320, 17);
        for cell in 0..CELLS {
            let mut damaged = luma.clone();
            for line in damaged.chunks_mut(320).take(8) {
                line[cell * 8..][..8].iter_mut().for_each(|pixel| *pixel = BRIGHT - *pixel + DARK);
            }
            assert_eq!(read(&damaged, 320, 320), None, "cell {cell}");
        }
    }

    #[test]
    fn noise_and_low_contrast_are_survived() {
        let mut luma = vec![90; 320 * 64];
        draw(&mut luma, 320, 320, 0xdead_beef);
        for (index, pixel) in luma.iter_mut().enumerate() {
            let noise = u8::try_from(index * 7919 % 41).unwrap();
            *pixel = *pixel / 2 + 40 + noise;
        }
        assert_eq!(read(&luma, 320, 320), Some(0xdead_beef));
    }
}
