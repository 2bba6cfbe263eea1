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

/// Bytes of physical memory that the process has now, shared pages included; none where the system
/// does not tell.
pub fn resident() -> Option<u64> {
    // The kernel makes it up on the spot: no disk is asked.
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    let page = u64::try_from(rustix::param::page_size()).ok()?;
    Some(pages * page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_some_memory() {
        let bytes = resident().unwrap();
        assert!((100 << 10..1 << 40).contains(&bytes), "{bytes}");
    }
}
