//! An allocator that ends the process when an input makes a reader ask for absurd amounts of memory. libFuzzer's own limit
//! needs a sanitizer, which stable Rust does not have.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The largest single allocation while a target runs, in bytes. Inputs are below a MiB, and nothing may multiply that by
/// more than this allows.
pub const ALLOCATION_BYTES_MAX: usize = 64 << 20;
/// The most that may be allocated at one time, in bytes.
pub const LIVE_BYTES_MAX: usize = 256 << 20;

static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);
static IS_OVER: AtomicBool = AtomicBool::new(false);

/// The system's allocator with [`ALLOCATION_BYTES_MAX`] and [`LIVE_BYTES_MAX`].
#[derive(Debug)]
pub struct Limited;

fn take(bytes: usize) {
    let live = LIVE_BYTES.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
    // The report below allocates too, and the process ends with it.
    if (bytes > ALLOCATION_BYTES_MAX || live > LIVE_BYTES_MAX) && !IS_OVER.swap(true, Ordering::Relaxed) {
        panic_over(bytes, live);
    }
}

#[cold]
#[expect(clippy::print_stderr, reason = "the last words of a process that stops itself")]
fn panic_over(bytes: usize, live: usize) -> ! {
    let trace = std::backtrace::Backtrace::force_capture();
    eprintln!(
        "an input makes a reader allocate {bytes} bytes at once, {live} in all; limits {ALLOCATION_BYTES_MAX}, {LIVE_BYTES_MAX}\n{trace}"
    );
    std::process::abort();
}

// SAFETY: every call goes to the system's allocator unchanged; counting beside it touches no memory that it hands out.
#[expect(unsafe_code, reason = "an allocator can only be written so")]
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: as this function's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: as this function's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        LIVE_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        take(bytes);
        // SAFETY: as this function's.
        unsafe { System.realloc(at, layout, bytes) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as this function's.
        unsafe { System.dealloc(at, layout) }
    }
}
