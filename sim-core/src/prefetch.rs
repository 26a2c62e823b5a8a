//! Asking for memory before it is needed.
//!
//! With thousands of flows the state of links, packets and connections does not fit into the
//! caches near the processor, and each event would wait for several lines of it, one after the
//! other. The engine knows earlier what comes next.

use std::collections::VecDeque;

/// Brings `it` near. A hint: it changes how long things take and nothing else.
#[inline(always)]
pub fn prefetch<T: ?Sized>(it: &T) {
    prefetch_at(std::ptr::from_ref(it).cast(), size_of_val(it));
}

/// Brings it near, if there is anything.
#[inline(always)]
pub fn prefetch_some<T: ?Sized>(it: Option<&T>) {
    if let Some(it) = it {
        prefetch(it);
    }
}

/// Brings near where the next element of a queue will be put, unless its memory begins anew there.
#[inline(always)]
pub fn prefetch_entrance<T>(queue: &VecDeque<T>) {
    let (first, wrapped) = queue.as_slices();
    let last = if wrapped.is_empty() { first } else { wrapped };
    prefetch_at(last.as_ptr_range().end.cast(), size_of::<T>());
}

/// Takes the first of a queue. One that is empty begins anew at the front of its memory, which is
/// near, instead of wandering through all of it.
#[inline]
pub fn pop_near<T>(queue: &mut VecDeque<T>) -> Option<T> {
    let first = queue.pop_front();
    if queue.is_empty() {
        queue.clear();
    }
    first
}

/// Brings near so many bytes from an address on.
#[inline(always)]
#[allow(unsafe_code, reason = "there is no safe way to say it; see the comment at the block")]
fn prefetch_at(start: *const i8, bytes: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..bytes).step_by(LINE) {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the instruction belongs to SSE, which every x86-64 has, and reads nothing: it is
        // defined for every address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(line)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (start, bytes);
}

/// Bytes of a cache line.
#[cfg(target_arch = "x86_64")]
const LINE: usize = 64;
