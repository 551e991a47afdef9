//! Integration tests of the replay: headless logic, and pictures where there is a Vulkan adapter.

mod picture;
mod playback;
mod synthetic;
