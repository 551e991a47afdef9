//! libFuzzer around one target, named by `SANQU_FUZZ_TARGET`; writes its seeds into the folder `SANQU_FUZZ_SEEDS` first.
#![no_main]
#![expect(clippy::expect_used, reason = "a tool that is started by xtask")]

use std::sync::OnceLock;

use sanqu_fuzz::{Limited, Target};

#[global_allocator]
static ALLOCATOR: Limited = Limited;

static TARGET: OnceLock<Target> = OnceLock::new();

fn begin() {
    let name = std::env::var("SANQU_FUZZ_TARGET").expect("SANQU_FUZZ_TARGET names a target");
    let target = sanqu_fuzz::target(&name).expect("a target of this name");
    if let Some(folder) = std::env::var_os("SANQU_FUZZ_SEEDS") {
        for (number, seed) in (target.seeds)().iter().enumerate() {
            std::fs::write(std::path::Path::new(&folder).join(format!("seed-{number}")), seed).expect("a folder for the seeds");
        }
    }
    TARGET.get_or_init(|| target);
}

libfuzzer_sys::fuzz_target!(init: begin(), |input: &[u8]| {
    if let Some(target) = TARGET.get() {
        (target.run)(input);
    }
});
