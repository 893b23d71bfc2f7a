//! Middles and spreads of a few samples.

use serde::Serialize;

/// A value that was measured several times.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The middle one, or the mean of the middle two.
    pub median: f64,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

impl Summary {
    /// Of at least one value; `None` of none, and where one is not a number.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        if sorted.iter().any(|value| value.is_nan()) {
            return None;
        }
        sorted.sort_by(f64::total_cmp);
        let (first, last) = (*sorted.first()?, *sorted.last()?);
        let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        Some(Self {
            median: f64::midpoint(low, high),
            least: first,
            most: last,
        })
    }

    /// Of the ratios round by round: what disturbs the machine for a while disturbs both sides of a round.
    pub fn of_ratios(values: &[f64], to: &[f64]) -> Option<Self> {
        Self::of(values.iter().zip(to).map(|(value, to)| value / to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(values: &[f64]) -> Option<(f64, f64, f64)> {
        Summary::of(values.iter().copied()).map(|of| (of.median, of.least, of.most))
    }

    #[test]
    fn the_median_is_the_middle_value_whatever_the_order() {
        assert_eq!(summary(&[5.0]), Some((5.0, 5.0, 5.0)));
        assert_eq!(summary(&[9.0, 1.0, 2.0]), Some((2.0, 1.0, 9.0)));
        assert_eq!(summary(&[4.0, 1.0, 3.0, 2.0]), Some((2.5, 1.0, 4.0)));
    }

    #[test]
    fn there_is_none_of_nothing_and_of_what_is_no_number() {
        assert_eq!(summary(&[]), None);
        assert_eq!(summary(&[1.0, f64::NAN]), None);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The machine was half as fast in the second round: the ratio is the same.
        let ratios = Summary::of_ratios(&[1.0, 2.0, 1.0], &[2.0, 4.0, 2.0]).unwrap();
        assert_eq!((ratios.median, ratios.least, ratios.most), (0.5, 0.5, 0.5));
    }
}
