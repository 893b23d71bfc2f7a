//! Sets of bytes of an object, as a listing tells them and as slices arrive.

use std::ops::Range;

/// A set of bytes, kept as sorted half-open ranges that neither overlap nor touch.
///
/// Memory is 16 bytes for each gap-separated range: a listing without holes costs one, whatever its length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    ranges: Vec<(u64, u64)>,
}

impl Ranges {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// The union of `(start, end)` pairs in any order, overlapping or not. A pair whose end is not after its start
    /// holds no bytes.
    pub fn from_unsorted(mut ranges: Vec<(u64, u64)>) -> Self {
        ranges.retain(|(start, end)| start < end);
        ranges.sort_unstable();
        ranges.dedup_by(|next, kept| {
            let joins = next.0 <= kept.1;
            if joins {
                kept.1 = kept.1.max(next.1);
            }
            joins
        });
        ranges.shrink_to_fit();
        Self { ranges }
    }

    /// Whether all bytes of the range are in the set. An empty range always is.
    pub fn contains(&self, range: Range<u64>) -> bool {
        if range.is_empty() {
            return true;
        }
        let after = self.ranges.partition_point(|(start, _)| *start <= range.start);
        after > 0 && range.end <= self.ranges[after - 1].1
    }

    /// Adds the range's bytes; an empty range adds nothing.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        // Everything from `first` up to `last` overlaps or touches the new range, and becomes one with it.
        let first = self.ranges.partition_point(|(_, end)| *end < range.start);
        let last = self.ranges.partition_point(|(start, _)| *start <= range.end);
        let joined = match self.ranges.get(first..last) {
            Some([only]) => (range.start.min(only.0), range.end.max(only.1)),
            Some([head, .., tail]) => (range.start.min(head.0), range.end.max(tail.1)),
            _ => (range.start, range.end),
        };
        self.ranges.splice(first..last, [joined]);
    }

    /// How many bytes are in the set.
    pub fn covered(&self) -> u64 {
        // Disjoint parts of the u64 range: the sum can't overflow.
        self.ranges.iter().map(|(start, end)| end - start).sum()
    }

    /// The ranges, ascending, with at least one absent byte between any two.
    pub fn iter(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.ranges.iter().map(|(start, end)| *start..*end)
    }

    /// Whether the set has no bytes.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The end of the last range, in bytes; 0 for the empty set.
    pub fn end(&self) -> u64 {
        self.ranges.last().map_or(0, |(_, end)| *end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bitmap(pairs: &[(u64, u64)]) -> Vec<bool> {
        (0..256)
            .map(|byte| pairs.iter().any(|(start, end)| (*start..*end).contains(&byte)))
            .collect()
    }

    fn assert_is(ranges: &Ranges, expected: &[bool]) {
        let actual: Vec<bool> = (0..256).map(|byte| ranges.contains(byte..byte + 1)).collect();
        assert_eq!(actual, expected);
        assert_eq!(
            ranges.covered(),
            expected.iter().filter(|present| **present).count() as u64
        );
        assert_eq!(ranges.is_empty(), !expected.contains(&true));
        let listed: Vec<_> = ranges.iter().collect();
        assert!(listed.iter().all(|range| range.start < range.end));
        assert!(
            listed.windows(2).all(|pair| pair[0].end < pair[1].start),
            "not coalesced: {listed:?}"
        );
    }

    proptest! {
        #[test]
        fn a_set_from_pairs_is_the_bitmap_of_the_pairs(pairs in prop::collection::vec((0u64..256, 0u64..256), 0..40)) {
            assert_is(&Ranges::from_unsorted(pairs.clone()), &bitmap(&pairs));
        }

        #[test]
        fn inserting_one_by_one_gives_the_same_set(pairs in prop::collection::vec((0u64..256, 0u64..256), 0..40)) {
            let mut ranges = Ranges::new();
            for (start, end) in &pairs {
                ranges.insert(*start..*end);
            }
            assert_is(&ranges, &bitmap(&pairs));
            prop_assert_eq!(ranges, Ranges::from_unsorted(pairs));
        }

        #[test]
        fn a_range_is_contained_when_each_of_its_bytes_is(
            pairs in prop::collection::vec((0u64..256, 0u64..256), 0..10), start in 0u64..256, end in 0u64..256,
        ) {
            let expected = (start..end).all(|byte| bitmap(&pairs)[byte as usize]);
            prop_assert_eq!(Ranges::from_unsorted(pairs).contains(start..end), expected);
        }
    }

    #[test]
    fn the_ends_of_the_number_range_are_ordinary_bytes() {
        let mut ranges = Ranges::from_unsorted(vec![(u64::MAX - 1, u64::MAX), (0, 1)]);
        assert_eq!(ranges.covered(), 2);
        ranges.insert(0..u64::MAX);
        assert_eq!(ranges.covered(), u64::MAX);
        assert_eq!(ranges.end(), u64::MAX);
    }
}
