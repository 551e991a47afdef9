//! What appending a sample costs.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use sanqu_store::JournalWriter;

use crate::fixture::{BOOT, Bench, Message, describe, start};
use crate::video;

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // Gone while a thread ends.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

#[expect(unsafe_code, reason = "only an allocator can count allocations")]
// SAFETY: everything is done by the system's allocator, with the same arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, bytes) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn a_sample_of_a_known_stream_costs_no_allocation() {
    assert!(allocations(|| drop(vec![1])) > 0, "allocations are counted");
    let bench = Bench::new();
    let mut journal: JournalWriter = bench.journal(1);
    journal.control(&describe()).unwrap();
    let mut messages: Vec<Message> = (0..400).map(|n| Message::joint(BOOT, n * 4, 4)).chain(video::frames(100)).collect();
    // Two boots at once, and a publisher without headers.
    messages.extend((0..50).map(|n| Message::joint(BOOT + 1, n * 4, 4)));
    messages.extend((0..50).map(|n| Message { attachment: Vec::new(), ..Message::joint(BOOT, n * 4, 4) }));
    let append = |journal: &mut JournalWriter| messages.iter().for_each(|message| message.append(journal));
    append(&mut journal);
    journal.flush().unwrap();
    assert_eq!(allocations(|| append(&mut journal)), 0);
    // The summary grows, and a flush has the list of the channels in its chunk.
    let flush = allocations(|| journal.flush().unwrap());
    assert!(flush < 8, "{flush} allocations in a flush");
    assert_eq!(allocations(|| append(&mut journal)), 0, "what a chunk used is used again");
    journal.finish().unwrap();
    assert_eq!(bench.store.journals().unwrap().len(), 1, "of {}", start(1).episode);
}
