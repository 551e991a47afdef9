//! The seeds and the corpus, replayed: every input that ever broke a promise stays a test.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests fail by panicking and say over which input")]

use std::path::Path;

use sanqu_fuzz::{Limited, TARGETS};

/// Readers that can be made to allocate without limit end the test, as they end the fuzzer.
#[global_allocator]
static ALLOCATOR: Limited = Limited;

/// The most that the corpus may take in the repository, in bytes.
const CORPUS_BYTES_MAX: u64 = 1 << 20;

fn replay(name: &str) {
    let target = sanqu_fuzz::target(name).expect("a target of this name");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for (number, seed) in (target.seeds)().iter().enumerate() {
        println!("seed {number} of {name}");
        (target.run)(seed);
    }
    for file in files {
        println!("{}", file.display());
        (target.run)(&std::fs::read(&file).unwrap());
    }
}

macro_rules! replays {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*

        #[test]
        fn every_target_is_replayed() {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

replays!(header rows h264 ros1 mp4 journal records manifest pipe);

#[test]
fn the_corpus_stays_small() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let bytes: u64 = TARGETS
        .iter()
        .flat_map(|target| folder.join(target.name).read_dir().unwrap())
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!((1..=CORPUS_BYTES_MAX).contains(&bytes), "{bytes} bytes");
}
