//! Pictures of a camera that is filming: the last of them, in memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sanqu_wire::{ENCODING_H264, ENCODING_JPEG, ENCODING_PNG};

/// Access units or stills as they came. Pictures are numbered from the first that ever came: what is forgotten keeps its number.
#[derive(Debug, Default)]
pub struct LiveFilm(Mutex<Reel>);

#[derive(Debug, Default)]
struct Reel {
    encoding: Option<LiveEncoding>,
    first: usize,
    frames: VecDeque<(bool, Arc<[u8]>)>,
    bytes: usize,
}

/// What a live camera sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveEncoding {
    /// H.264 access units with their parameter sets at each keyframe.
    H264,
    /// JPEG pictures.
    Jpeg,
    /// PNG pictures.
    Png,
}

impl LiveEncoding {
    /// The encoding of this name; none that this version cannot show live.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            ENCODING_H264 => Some(Self::H264),
            ENCODING_JPEG => Some(Self::Jpeg),
            ENCODING_PNG => Some(Self::Png),
            _ => None,
        }
    }
}

impl LiveFilm {
    /// Adds a picture. One of another encoding than those before begins the film anew: the pictures before are forgotten.
    pub fn push(&self, encoding: LiveEncoding, keyframe: bool, bytes: &[u8]) {
        let mut reel = self.lock();
        if reel.encoding.is_some_and(|known| known != encoding) {
            for (_, bytes) in &mut reel.frames {
                *bytes = Arc::from([]);
            }
            reel.bytes = 0;
        }
        reel.encoding = Some(encoding);
        reel.bytes += bytes.len();
        reel.frames.push_back((keyframe || encoding != LiveEncoding::H264, Arc::from(bytes)));
    }

    /// Forgets so many pictures at the beginning.
    pub fn forget(&self, pictures: usize) {
        let mut reel = self.lock();
        let pictures = pictures.min(reel.frames.len());
        let forgotten: usize = reel.frames.drain(..pictures).map(|(_, bytes)| bytes.len()).sum();
        reel.first += pictures;
        reel.bytes -= forgotten;
    }

    /// Whether decoding can begin at one of the pictures that are held.
    pub fn has_keyframe(&self) -> bool {
        self.lock().frames.iter().any(|(keyframe, _)| *keyframe)
    }

    /// Number of the first picture that is held.
    pub fn first(&self) -> usize {
        self.lock().first
    }

    /// Bytes of the pictures that are held.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// What the camera sends; none before the first picture.
    pub fn encoding(&self) -> Option<LiveEncoding> {
        self.lock().encoding
    }

    /// The last picture at or before `picture` that decoding can begin at, if it is held.
    pub(super) fn keyframe_before(&self, picture: usize) -> Option<usize> {
        let reel = self.lock();
        let place = picture.checked_sub(reel.first).filter(|place| *place < reel.frames.len())?;
        let back = reel.frames.range(..=place).rev().position(|(keyframe, _)| *keyframe)?;
        Some(picture - back)
    }

    /// The bytes of a picture, if it is held.
    pub(super) fn frame(&self, picture: usize) -> Option<Arc<[u8]>> {
        let reel = self.lock();
        reel.frames.get(picture.checked_sub(reel.first)?).map(|(_, bytes)| Arc::clone(bytes))
    }

    fn lock(&self) -> MutexGuard<'_, Reel> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_keep_their_numbers_when_others_are_forgotten() {
        let film = LiveFilm::default();
        for number in 0..9_u8 {
            film.push(LiveEncoding::H264, number % 4 == 0, &[number]);
        }
        let key = |picture| film.keyframe_before(picture);
        assert_eq!((key(0), key(3), key(4), key(8), key(9)), (Some(0), Some(0), Some(4), Some(8), None));
        film.forget(2);
        assert_eq!((film.first(), film.bytes(), key(1), key(3), key(5)), (2, 7, None, None, Some(4)), "the keyframe of 3 is gone");
        assert_eq!((film.frame(1), film.frame(5).as_deref()), (None, Some(&[5][..])));
        film.push(LiveEncoding::Jpeg, false, &[9, 9]);
        assert_eq!((key(9), film.bytes(), film.frame(5).as_deref()), (Some(9), 2, Some(&[][..])), "another encoding begins anew");
        film.forget(usize::MAX);
        assert_eq!((film.first(), film.bytes(), key(9)), (10, 0, None));
    }
}
