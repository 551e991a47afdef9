//! Fuzz targets for everything that reads bytes of strangers: each takes any bytes and panics only when a promise is broken.
//!
//! `cargo xtask fuzz` builds them with libFuzzer and coverage; an ordinary test runs them over the seeds and the corpus, so
//! that every input that ever broke one stays a regression test. There is no CDR target, because nothing here reads CDR.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a target reports by panicking")]

mod bench;
mod films;
mod journals;
mod limit;
mod payloads;
mod pipes;
mod records;
mod ros1;
mod script;
mod seeds;

pub use limit::{ALLOCATION_BYTES_MAX, LIVE_BYTES_MAX, Limited};

/// One kind of input.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its corpus folder.
    pub name: &'static str,
    /// Reads one input; panics when it finds a defect.
    pub run: fn(&[u8]),
    /// Inputs to begin with, made by this project's own writers.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: [Target; 9] = [
    Target { name: "header", run: payloads::header, seeds: seeds::headers },
    Target { name: "rows", run: payloads::rows, seeds: seeds::rows },
    Target { name: "h264", run: payloads::video, seeds: seeds::video },
    Target { name: "ros1", run: ros1::run, seeds: ros1::seeds },
    Target { name: "mp4", run: films::run, seeds: films::seeds },
    Target { name: "journal", run: journals::run, seeds: journals::seeds },
    Target { name: "records", run: records::run, seeds: records::seeds },
    Target { name: "manifest", run: journals::manifest, seeds: journals::manifest_seeds },
    Target { name: "pipe", run: pipes::run, seeds: pipes::seeds },
];

/// The target of this name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
