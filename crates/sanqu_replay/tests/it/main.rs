//! Integration tests of the replay: headless logic, and pictures where there is a Vulkan adapter.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test stops at what it does not expect, says what it skips, and rounds to pixels"
)]

mod cameras;
mod compare;
mod drives;
mod episodes;
mod golden;
mod live;
mod live_xray;
mod loading;
mod looks;
mod picker;
mod picture;
mod playback;
mod synthetic;
mod window;
mod windows;
mod xray;
