//! Bounds-checked reads; the only place that turns bytes at an offset into integers.

use crate::ByteOrder;

/// The `N` bytes at `at`, if they are all there.
pub(crate) fn array<const N: usize>(buf: &[u8], at: usize) -> Option<[u8; N]> {
    buf.get(at..)?.first_chunk::<N>().copied()
}

/// The 32-bit integer at `at`.
pub(crate) fn i32_at(buf: &[u8], at: usize, order: ByteOrder) -> Option<i32> {
    array(buf, at).map(|bytes| order.i32_from(bytes))
}

/// The 16-bit integer at `at`.
pub(crate) fn u16_at(buf: &[u8], at: usize, order: ByteOrder) -> Option<u16> {
    array(buf, at).map(|bytes| order.u16_from(bytes))
}

/// `bytes` up to, and without, the first NUL; all of it if there is none.
///
/// There is hardly ever one in the values this is for, and every byte of a request goes through here. So it asks block by
/// block whether there is any, which compiles to a vector comparison, and looks for the place only then; the last block may
/// overlap the one before.
#[inline]
pub(crate) fn until_nul(bytes: &[u8]) -> &[u8] {
    let has_nul = |block: &[u8; 16]| block.iter().fold(false, |found, &byte| found | (byte == 0));
    let (blocks, rest) = bytes.as_chunks();
    let dirty = match bytes.last_chunk() {
        Some(last) => blocks.iter().any(has_nul) || has_nul(last),
        None => rest.contains(&0),
    };
    if dirty { cut(bytes) } else { bytes }
}

#[cold]
fn cut(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::until_nul;

    #[test]
    fn the_first_nul_is_found_at_every_place_in_every_length() {
        for len in 0..70 {
            let clean = vec![b'x'; len];
            assert_eq!(until_nul(&clean), clean);
            for at in 0..len {
                let mut one = clean.clone();
                one[at] = 0;
                assert_eq!(until_nul(&one), &clean[..at]);
                let mut all_behind = clean.clone();
                all_behind[at..].fill(0);
                assert_eq!(until_nul(&all_behind), &clean[..at]);
            }
        }
    }
}
