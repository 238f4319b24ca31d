//! Proof that the codec leaves the allocator alone: a global allocator that counts.
//!
//! It counts per thread, so that neither the test harness nor another test is counted. It is here and not beside the
//! crate it is about, because it uses the very request the benches measure.

use benches::{
    browser_request, encode_response, headers_request, large_block_request, small_request, use_request,
};
use lsapi::{AppPacket, BeginRequest, DecodeError, ResponseHead, limits::MAX_REQUEST_PACKET};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Calls that asked for memory on this thread. Const-initialised and without a destructor, it needs none itself.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

// SAFETY: every method hands its arguments to the system allocator unchanged and returns what that returns; counting
// touches nothing but a thread-local cell.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises to us are the ones `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as above; `ptr` came from `System`, which is where we get all memory.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}

/// How often `work` asked for memory.
fn allocations<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let before = ALLOCATIONS.get();
    let result = work();
    (ALLOCATIONS.get() - before, result)
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| Box::new(7)).0, 1);
    let (count, bytes) = allocations(|| {
        let mut bytes = vec![1_u8];
        bytes.extend([2; 100]);
        bytes
    });
    assert_eq!((count, bytes.len()), (2, 101));
}

#[test]
fn a_request_becomes_usable_without_an_allocation() {
    for bytes in [small_request(), browser_request(), headers_request(), large_block_request()] {
        let (count, used) = allocations(|| use_request(&bytes));
        assert!(used.unwrap() > 0);
        assert_eq!(count, 0, "a packet of {} bytes", bytes.len());
    }
}

#[test]
fn neither_an_incomplete_nor_a_wrong_packet_allocates() {
    let mut bytes = browser_request();
    let (count, error) = allocations(|| BeginRequest::decode(&bytes[..100], MAX_REQUEST_PACKET).unwrap_err());
    assert!(matches!(error, DecodeError::Incomplete { .. }));
    assert_eq!(count, 0);
    bytes[36..40].fill(0xff);
    let (count, error) = allocations(|| BeginRequest::decode(&bytes, MAX_REQUEST_PACKET).unwrap_err());
    assert!(matches!(error, DecodeError::Invalid(_)));
    assert_eq!(count, 0);
}

#[test]
fn a_response_into_buffers_that_are_warm_allocates_nothing_in_either_direction() {
    let (mut head, mut out) = (ResponseHead::default(), Vec::new());
    let (first, _) = allocations(|| encode_response(&mut head, &mut out).unwrap());
    assert!(first > 0, "the first response has to get its buffers");
    let (again, ()) = allocations(|| encode_response(&mut head, &mut out).unwrap());
    assert_eq!(again, 0);

    let (decoding, packets) = allocations(|| {
        let (mut rest, mut packets) = (&out[..], 0);
        while let Ok((header, packet)) = AppPacket::decode(rest) {
            if let AppPacket::RespHeader(head) = packet {
                assert_eq!(head.lines().filter_map(|line| line.name_value()).count(), 6);
            }
            rest = &rest[header.len..];
            packets += 1;
        }
        packets
    });
    assert_eq!((decoding, packets), (0, 4));
}
