//! Which frame a picture is: decoding an exported video and reading the number burnt into every frame.

use std::path::Path;

use openh264::decoder::Decoder;
use openh264::formats::YUVSource as _;
use sanqu_store::mp4::Mp4Reader;

/// The burnt-in number of every frame of an MP4 file, in order.
pub(crate) fn burnt_in_numbers(path: &Path) -> Vec<u32> {
    let reader = Mp4Reader::open(path).unwrap();
    let mut decoder = Decoder::new().unwrap();
    let [width, height] = reader.size();
    (0..reader.len())
        .map(|index| {
            let access_unit = reader.frame(index).unwrap();
            let picture =
                decoder.decode(&access_unit).unwrap().unwrap_or_else(|| panic!("{}: frame {index} gives no picture", path.display()));
            assert_eq!(picture.dimensions(), (width as usize, height as usize));
            sanqu_sim::strip::read(picture.y(), picture.strides().0, width as usize)
                .unwrap_or_else(|| panic!("{}: frame {index} has no readable strip", path.display()))
        })
        .collect()
}
