//! MP4 files.

use std::io::Write as _;

use sanqu_store::mp4::{Mp4Reader, Mp4Writer, SAMPLES_MAX};

use crate::seeds::{parameter_sets, picture};

/// A file that opens can be asked for every picture, and its times rise.
pub(crate) fn run(input: &[u8]) {
    let mut file = tempfile::Builder::new().suffix(".mp4").tempfile_in(memory()).unwrap();
    file.write_all(input).unwrap();
    let Ok(film) = Mp4Reader::open(file.path()) else { return };
    assert!((1..=SAMPLES_MAX).contains(&film.len()));
    assert!(film.samples().windows(2).all(|pair| pair[0].pts < pair[1].pts), "times do not rise");
    assert!(film.frame_rate().is_finite());
    for index in 0..film.len().min(64) {
        let _ = (film.frame(index), film.pts_ns(index), film.is_keyframe(index), film.keyframe_before(index));
    }
    assert!(film.frame(film.len()).is_err());
}

fn memory() -> &'static std::path::Path {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { memory } else { std::path::Path::new("/tmp") }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let film = |count: u8| {
        let path = folder.path().join("film.mp4");
        let (sps, pps) = parameter_sets();
        let mut writer = Mp4Writer::create(&path, 320, 240, sps, pps, 30).unwrap();
        for n in 0..count {
            writer.push(&picture(n, n % 4 == 0), u64::from(n) * 11, n % 4 == 0).unwrap();
        }
        writer.finish().unwrap();
        std::fs::read(&path).unwrap()
    };
    let whole = film(9);
    // Pictures of no bytes: a count that no file's size contradicts.
    let stsz = whole.windows(4).position(|word| word == b"stsz").unwrap();
    let mut countless = whole.clone();
    countless[stsz + 12..stsz + 16].copy_from_slice(&u32::MAX.to_be_bytes());
    vec![film(1), whole, countless]
}
