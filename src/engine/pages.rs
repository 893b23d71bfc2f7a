//! Memory in whole pages that is not resident before it is used.

use std::io;

use memmap2::MmapMut;

/// Takes so many bytes of the system's.
///
/// # Errors
/// The system gives none.
pub fn map(length: usize) -> io::Result<MmapMut> {
    let pages = MmapMut::map_anon(length)?;
    // A huge page would be resident at the first byte, with all that lies beside it. A system that has none refuses.
    #[cfg(target_os = "linux")]
    let _ = pages.advise(memmap2::Advice::NoHugePage);
    Ok(pages)
}
