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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// What the system notes of the mapping that an address is in.
    fn flags_of(address: usize) -> Option<String> {
        let maps = fs::read_to_string("/proc/self/smaps").unwrap();
        let mut is_here = false;
        for line in maps.lines() {
            let hexadecimal = |text| usize::from_str_radix(text, 16).ok();
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            if let Some((Some(from), Some(to))) = range.map(|(from, to)| (hexadecimal(from), hexadecimal(to)))
            {
                is_here = (from..to).contains(&address);
            }
            if let (true, Some(flags)) = (is_here, line.strip_prefix("VmFlags:")) {
                return Some(flags.to_owned());
            }
        }
        None
    }

    #[test]
    fn no_huge_pages_are_taken() {
        let pages = map(1 << 20).unwrap();
        let flags = flags_of(pages.as_ptr() as usize).expect("the mapping is listed");
        // A system that knows no huge pages has nothing to note.
        let knows_them = Path::new("/sys/kernel/mm/transparent_hugepage").exists();
        assert_eq!(flags.split(' ').any(|flag| flag == "nh"), knows_them, "{flags}");
    }
}
