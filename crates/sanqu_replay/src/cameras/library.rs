//! One thread that decodes what is asked for, so that the scene never waits.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use bevy::prelude::{Commands, Res, Resource};

use super::cache::{Cache, Place};
use super::film::Film;
use super::{FrameSource, Picture};
use crate::replay::Replay;

/// Decoded pictures that are held, bytes.
const FRAMES_BYTES_MAX: usize = 96 << 20;
/// So often a camera's decoder is made anew after it panicked; then its film is no longer decoded.
const PANICS_MAX: u32 = 4;
/// Most pictures that wait behind those that are to be shown now.
const WAITING_MAX: usize = 64;

/// A picture, or in words why there is none.
pub type Shot = Arc<Result<Picture, String>>;

/// The pictures of all cameras.
#[derive(Resource)]
pub struct Library {
    shared: Arc<Shared>,
    worker: Option<JoinHandle<()>>,
}

struct Shared {
    desk: Mutex<Desk>,
    changed: Condvar,
}

struct Desk {
    sources: Vec<FrameSource>,
    /// For each camera: the row that is to be shown.
    wanted: Vec<Option<usize>>,
    /// What else would be good to have, after those.
    later: VecDeque<Place>,
    cache: Cache,
    closing: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Library {
    /// A library of cameras; their files are opened when a picture is first asked for.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn open(sources: Vec<FrameSource>) -> std::io::Result<Self> {
        let cache = Cache::new(FRAMES_BYTES_MAX);
        let wanted = vec![None; sources.len()];
        let desk = Desk { sources, wanted, later: VecDeque::new(), cache, closing: false };
        let shared = Arc::new(Shared { desk: Mutex::new(desk), changed: Condvar::new() });
        let theirs = Arc::clone(&shared);
        let worker = std::thread::Builder::new().name("video".to_owned()).spawn(move || work(&theirs))?;
        Ok(Self { shared, worker: Some(worker) })
    }

    /// Adds a camera behind the others.
    pub fn add(&self, source: FrameSource) {
        let mut desk = self.shared.lock();
        desk.sources.push(source);
        desk.wanted.push(None);
    }

    /// Number of cameras.
    pub fn cameras(&self) -> usize {
        self.shared.lock().wanted.len()
    }

    /// The picture of a camera's row if it is decoded; else it is decoded next, instead of what was asked for of this camera before.
    pub fn ask(&self, camera: usize, row: usize) -> Option<Shot> {
        let mut desk = self.shared.lock();
        *desk.wanted.get_mut(camera)? = Some(row);
        let shot = desk.cache.get((camera, row));
        if shot.is_none() {
            self.shared.changed.notify_all();
        }
        shot
    }

    /// The newest decoded picture of a camera that is at most `within` rows before `row`, and its row. Decodes nothing.
    pub fn before(&self, camera: usize, row: usize, within: usize) -> Option<(usize, Shot)> {
        let mut desk = self.shared.lock();
        let earlier = (row.saturating_sub(within)..row).rev().find(|earlier| desk.cache.holds((camera, *earlier)))?;
        desk.cache.get((camera, earlier)).map(|shot| (earlier, shot))
    }

    /// As [`Library::ask`], but behind everything that is to be shown now. Nothing is asked for when too much waits already.
    pub fn ask_later(&self, camera: usize, row: usize) -> Option<Shot> {
        let mut desk = self.shared.lock();
        let shot = desk.cache.get((camera, row));
        if shot.is_none() && !desk.later.contains(&(camera, row)) && desk.later.len() < WAITING_MAX {
            desk.later.push_back((camera, row));
            self.shared.changed.notify_all();
        }
        shot
    }

    /// The picture of a camera's row, however long that takes; none for a camera that does not exist, or when the worker has ended.
    pub fn wait(&self, camera: usize, row: usize) -> Option<Shot> {
        let mut desk = self.shared.lock();
        loop {
            if let Some(shot) = desk.cache.get((camera, row)) {
                return Some(shot);
            }
            if desk.closing {
                return None;
            }
            // Again in every round: somebody else may have asked for another row of this camera meanwhile.
            *desk.wanted.get_mut(camera)? = Some(row);
            self.shared.changed.notify_all();
            desk = self.shared.changed.wait(desk).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.changed.notify_all();
        if let Some(worker) = self.worker.take() {
            // A worker that panicked has said so itself.
            let _ = worker.join();
        }
    }
}

/// The worker: opens films, decodes, puts pictures into the cache.
fn work(shared: &Shared) {
    let mut films: Vec<Projector> = Vec::new();
    let mut turn = 0;
    let _closing = Closing(shared);
    while let Some((camera, row)) = next_job(shared, &mut turn) {
        if films.len() <= camera {
            films.resize_with(camera + 1, Projector::default);
        }
        let source = shared.lock().sources.get(camera).cloned();
        let shot = films[camera].picture(source, row);
        let mut desk = shared.lock();
        desk.cache.put((camera, row), Arc::new(shot));
        // Asked for and given: when the cache cannot hold all that is shown, it is asked for again, not decoded in circles.
        if desk.wanted[camera] == Some(row) {
            desk.wanted[camera] = None;
        }
        drop(desk);
        shared.changed.notify_all();
    }
}

/// One camera's film, opened when a picture of it is first asked for.
#[derive(Default)]
struct Projector {
    film: Option<Result<Film, String>>,
    panics: u32,
}

impl Projector {
    /// The picture of a row. Decoders are others' code and get whatever a robot sent: a panic in one of them is that picture's damage, not
    /// the end of all cameras.
    fn picture(&mut self, source: Option<FrameSource>, row: usize) -> Result<Picture, String> {
        let film = &mut self.film;
        let shot = catch_unwind(AssertUnwindSafe(|| {
            let open = || source.map_or_else(|| Err("no such camera".to_owned()), |source| Film::open(&source));
            match film.get_or_insert_with(open) {
                Ok(film) => film.picture(row),
                Err(reason) => Err(reason.clone()),
            }
        }));
        shot.unwrap_or_else(|_| {
            self.panics += 1;
            let reason = format!("frame {row}: the decoder failed");
            // Nobody knows how the panic left the decoder: the next picture gets a new one.
            self.film = (self.panics == PANICS_MAX).then(|| Err(format!("{reason}, as {} times before", PANICS_MAX - 1)));
            Err(reason)
        })
    }
}

/// Tells those who wait when the worker has ended, however it ended.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.lock().closing = true;
        self.0.changed.notify_all();
    }
}

/// Waits for something to decode; none when the library closes. Cameras take turns.
fn next_job(shared: &Shared, turn: &mut usize) -> Option<Place> {
    let mut desk = shared.lock();
    loop {
        if desk.closing {
            return None;
        }
        let count = desk.wanted.len();
        for step in 1..=count {
            let camera = (*turn + step) % count;
            if let Some(row) = desk.wanted[camera].filter(|row| !desk.cache.holds((camera, *row))) {
                *turn = camera;
                return Some((camera, row));
            }
        }
        while let Some(place) = desk.later.pop_front() {
            if place.0 < count && !desk.cache.holds(place) {
                return Some(place);
            }
        }
        desk = shared.changed.wait(desk).unwrap_or_else(PoisonError::into_inner);
    }
}

/// Adds the cameras that have come since.
pub(super) fn add_cameras(library: Option<Res<'_, Library>>, replay: Res<'_, Replay>) {
    let Some(library) = library else { return };
    for camera in replay.cameras.get(library.cameras()..).unwrap_or_default() {
        library.add(camera.source.clone());
    }
}

/// Opens the library of the replay's cameras.
pub(super) fn open(mut commands: Commands<'_, '_>, replay: Res<'_, Replay>) {
    match Library::open(replay.cameras.iter().map(|camera| camera.source.clone()).collect()) {
        Ok(library) => commands.insert_resource(library),
        Err(error) => bevy::log::error!("no video: {error}"),
    }
}
