//! How the allocator is to behave in a process that must stay small.

/// Blocks of this size and more are taken from the system and given back to it.
#[cfg(target_env = "gnu")]
const DIRECT: libc::c_int = 64 * 1024;

/// Tells glibc's allocator to keep one arena, and to give back what is free. To be called first
/// thing, before there are other threads. Other allocators are left as they are.
pub fn stay_small() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "mallopt has no safe wrapper")]
    // SAFETY: no other thread runs yet, and the parameters are ones that mallopt documents.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, DIRECT);
        libc::mallopt(libc::M_TRIM_THRESHOLD, DIRECT);
    }
}
