//! Which slices there are, which are done, and which is next.

use crate::protocol::ranges::Ranges;

/// The most slices that a plan may have. The service's own limits give 131,072 (64 GiB in 512 KiB); a server
/// that answers an absurdly small slice size must not cost memory without bound.
pub const MAX_SLICES: u64 = 1 << 22;

/// The slices of one object. A slice is named by its index.
#[derive(Clone, Debug)]
pub struct Plan {
    size: u64,
    /// Where the first slice begins; the bytes before it are there.
    start: u64,
    slice_size: u64,
    count: u64,
    done: Vec<u64>,
    done_count: u64,
    done_bytes: u64,
    /// No slice below this index is still to be handed out.
    cursor: u64,
}

impl Plan {
    /// A plan for `size` bytes in slices of `slice_size`, with the slices done that lie wholly in `present`.
    /// `None` where the numbers are absurd: no bytes, no slice size, or more than [`MAX_SLICES`] slices.
    pub fn new(size: u64, slice_size: u64, present: &Ranges) -> Option<Self> {
        if size == 0 || slice_size == 0 {
            return None;
        }
        let mut plan = Self::after(size, slice_size, 0)?;
        let count = plan.count;
        for range in present.iter() {
            let mut index = range.start.div_ceil(slice_size);
            while index < count && plan.end(index) <= range.end {
                plan.mark_done(index);
                index += 1;
            }
        }
        Some(plan)
    }

    /// A plan for what comes after the first `start` bytes, which are there: a server that names the offset to go on at need
    /// not name one where a slice would begin. `None` where the numbers are absurd.
    pub fn after(size: u64, slice_size: u64, start: u64) -> Option<Self> {
        if size == 0 || slice_size == 0 || start > size || size.div_ceil(slice_size) > MAX_SLICES {
            return None;
        }
        let count = (size - start).div_ceil(slice_size);
        let words = usize::try_from(count.div_ceil(64)).ok()?;
        Some(Self {
            size,
            start,
            slice_size,
            count,
            done: vec![0; words],
            done_count: 0,
            done_bytes: start,
            cursor: 0,
        })
    }

    /// Where a slice begins.
    pub fn offset(&self, index: u64) -> u64 {
        self.start + index * self.slice_size
    }

    /// How long a slice is: the slice size, but for the last.
    pub fn length(&self, index: u64) -> u64 {
        self.end(index) - self.offset(index)
    }

    fn end(&self, index: u64) -> u64 {
        let end = (index + 1)
            .saturating_mul(self.slice_size)
            .saturating_add(self.start);
        self.size.min(end)
    }

    /// The slice that begins at `offset`, if one does.
    pub fn index_at(&self, offset: u64) -> Option<u64> {
        let past = offset.checked_sub(self.start)?;
        (past % self.slice_size == 0 && offset < self.size).then_some(past / self.slice_size)
    }

    /// Hands out the lowest slice that is not done and was not handed out before.
    pub fn hand_out(&mut self) -> Option<u64> {
        let index = self.next_index()?;
        self.cursor = index + 1;
        Some(index)
    }

    /// The slice that would be handed out.
    pub fn next_index(&mut self) -> Option<u64> {
        while self.cursor < self.count && self.is_done(self.cursor) {
            self.cursor += 1;
        }
        (self.cursor < self.count).then_some(self.cursor)
    }

    /// Whether the server has this slice.
    pub fn is_done(&self, index: u64) -> bool {
        match self.done.get((index / 64) as usize) {
            Some(word) => word >> (index % 64) & 1 == 1,
            None => false,
        }
    }

    /// Whether the server has all of these bytes.
    pub fn has(&self, range: std::ops::Range<u64>) -> bool {
        let first = range.start.saturating_sub(self.start) / self.slice_size;
        let end = range.end.min(self.size).saturating_sub(self.start);
        (first..end.div_ceil(self.slice_size)).all(|index| self.is_done(index))
    }

    /// Takes note that the server has this slice; saying it twice does no harm.
    pub fn mark_done(&mut self, index: u64) {
        if index < self.count && !self.is_done(index) {
            self.done[(index / 64) as usize] |= 1 << (index % 64);
            self.done_count += 1;
            self.done_bytes += self.length(index);
        }
    }

    /// Whether the server has every slice.
    pub fn is_complete(&self) -> bool {
        self.done_count == self.count
    }

    /// How many slices there are, those before the first of the plan included.
    pub fn count(&self) -> u64 {
        self.before() + self.count
    }

    fn before(&self) -> u64 {
        self.start.div_ceil(self.slice_size)
    }

    /// How many slices the server has.
    pub fn done_count(&self) -> u64 {
        self.before() + self.done_count
    }

    /// How many bytes the server has.
    pub fn done_bytes(&self) -> u64 {
        self.done_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ranges(list: &[(u64, u64)]) -> Ranges {
        Ranges::from_unsorted(list.to_vec())
    }

    #[test]
    fn the_last_slice_is_what_is_left() {
        let mut plan = Plan::new(2_621_440, 1_048_576, &Ranges::default()).unwrap();
        let indexes: Vec<_> = std::iter::from_fn(|| plan.hand_out()).collect();
        let slices: Vec<_> = indexes
            .iter()
            .map(|&index| (plan.offset(index), plan.length(index)))
            .collect();
        assert_eq!(
            slices,
            [(0, 1_048_576), (1_048_576, 1_048_576), (2_097_152, 524_288)]
        );
    }

    #[test]
    fn an_exact_multiple_has_no_empty_slice() {
        let plan = Plan::new(2 << 20, 1 << 20, &Ranges::default()).unwrap();
        assert_eq!((plan.count(), plan.length(1)), (2, 1 << 20));
    }

    #[test]
    fn only_slices_that_are_there_whole_are_skipped() {
        let mut plan = Plan::new(350, 100, &ranges(&[(0, 150), (250, 350)])).unwrap();
        assert_eq!((plan.done_count(), plan.done_bytes()), (2, 150));
        assert_eq!(std::iter::from_fn(|| plan.hand_out()).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn absurd_numbers_make_no_plan() {
        assert!(Plan::new(0, 1, &Ranges::default()).is_none());
        assert!(Plan::new(1, 0, &Ranges::default()).is_none());
        assert!(Plan::new(64 << 30, 1, &Ranges::default()).is_none());
        assert!(Plan::new(u64::MAX, u64::MAX, &Ranges::default()).is_some());
    }

    proptest! {
        #[test]
        fn the_slices_handed_out_and_those_present_cover_each_byte_once(
            size in 1u64..5000,
            slice_size in 1u64..700,
            present in proptest::collection::vec((0u64..5000, 1u64..900), 0..6),
        ) {
            let present: Vec<_> =
                present.into_iter().map(|(start, len)| (start.min(size), (start + len).min(size))).collect();
            let present = Ranges::from_unsorted(present);
            let mut plan = Plan::new(size, slice_size, &present).unwrap();
            let mut covered = vec![0u8; size as usize];
            for index in 0..plan.count() {
                if plan.is_done(index) {
                    prop_assert!(present.contains(plan.offset(index)..plan.offset(index) + plan.length(index)));
                    for byte in plan.offset(index)..plan.offset(index) + plan.length(index) {
                        covered[byte as usize] += 1;
                    }
                }
            }
            prop_assert_eq!(covered.iter().map(|&n| u64::from(n)).sum::<u64>(), plan.done_bytes());
            while let Some(index) = plan.hand_out() {
                for byte in plan.offset(index)..plan.offset(index) + plan.length(index) {
                    covered[byte as usize] += 1;
                }
                plan.mark_done(index);
            }
            prop_assert!(covered.iter().all(|&n| n == 1));
            prop_assert!(plan.is_complete());
            prop_assert_eq!(plan.done_bytes(), size);
        }
    }

    #[test]
    fn only_an_offset_where_a_slice_begins_names_one() {
        let plan = Plan::new(250, 100, &Ranges::new()).unwrap();
        let indices = [0, 100, 200].map(|offset| plan.index_at(offset));
        assert_eq!(indices, [Some(0), Some(1), Some(2)]);
        for offset in [1, 99, 150, 249, 250, 300, u64::MAX] {
            assert_eq!(plan.index_at(offset), None, "{offset}");
        }
        let whole = Plan::new(200, 100, &Ranges::new()).unwrap();
        assert_eq!(whole.index_at(200), None, "the end is no slice");
    }

    #[test]
    fn bytes_are_there_once_every_slice_that_they_are_in_is() {
        let mut plan = Plan::after(350, 100, 30).unwrap();
        assert!(plan.has(0..30) && !plan.has(0..31) && !plan.has(29..31));
        plan.mark_done(1);
        assert!(plan.has(130..230) && plan.has(140..141) && !plan.has(129..230) && !plan.has(130..231));
        [0, 2, 3].into_iter().for_each(|index| plan.mark_done(index));
        assert!(plan.has(0..350) && plan.has(0..u64::MAX));
    }

    #[test]
    fn a_plan_may_go_on_at_any_offset() {
        let mut plan = Plan::after(350, 100, 130).unwrap();
        let indexes: Vec<_> = std::iter::from_fn(|| plan.hand_out()).collect();
        let slices: Vec<_> = indexes
            .iter()
            .map(|&index| (plan.offset(index), plan.length(index)))
            .collect();
        assert_eq!(slices, [(130, 100), (230, 100), (330, 20)]);
        assert_eq!((plan.count(), plan.done_count(), plan.done_bytes()), (5, 2, 130));
        assert_eq!(
            [0, 129, 130, 200, 330].map(|offset| plan.index_at(offset)),
            [None, None, Some(0), None, Some(2)]
        );
        (0..3).for_each(|index| plan.mark_done(index));
        assert!(plan.is_complete());
        assert_eq!((plan.done_count(), plan.done_bytes()), (5, 350));
        assert!(Plan::after(350, 100, 350).unwrap().is_complete());
        assert!(Plan::after(350, 100, 351).is_none());
    }

    #[test]
    fn a_slice_counts_once_and_one_that_does_not_exist_never() {
        let mut plan = Plan::new(250, 100, &Ranges::new()).unwrap();
        for index in [1, 1, 3, 64, u64::MAX] {
            plan.mark_done(index);
        }
        assert_eq!((plan.done_count(), plan.done_bytes()), (1, 100));
        assert!(!plan.is_complete());
        plan.mark_done(2);
        plan.mark_done(0);
        assert_eq!((plan.done_count(), plan.done_bytes()), (3, 250));
        assert!(plan.is_complete());
    }
}
