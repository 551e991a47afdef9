use super::answer::{Estimate, Refusal};
use super::fit::count;

/// What the same quantity of the same part did over several recordings.
#[derive(Debug, Clone, PartialEq)]
pub struct Trend {
    /// Change per day, weighted by the uncertainties; 0 where all recordings are of one moment.
    pub per_day: f64,
    /// Its standard deviation: of the estimates' uncertainties, or of their scatter where that is larger.
    pub sigma_per_day: f64,
    /// Recordings in it.
    pub recordings: usize,
    /// Median of the values.
    pub median: f64,
}

/// The line through values at times.
///
/// * `points`: time in days and the estimate.
///
/// # Errors
/// [`Refusal::TooFewSamples`] for fewer than two.
pub fn trend(points: &[(f64, &Estimate)]) -> Result<Trend, Refusal> {
    let known: Vec<(f64, f64, f64)> = points.iter().map(|(day, found)| (*day, found.value, found.sigma)).collect();
    if known.len() < 2 {
        return Err(Refusal::TooFewSamples { found: known.len(), needed: 2 });
    }
    let number = count(known.len());
    let mut values: Vec<f64> = known.iter().map(|point| point.1).collect();
    values.sort_by(f64::total_cmp);
    let median = 0.5 * (values[(values.len() - 1) / 2] + values[values.len() / 2]);
    let floor = known.iter().map(|point| point.2).fold(0.0, f64::max).max(median.abs() * 1e-9).max(f64::MIN_POSITIVE) * 1e-3;
    let weight = |sigma: f64| 1.0 / sigma.max(floor).powi(2);
    let total: f64 = known.iter().map(|point| weight(point.2)).sum();
    let mean = |of: &dyn Fn(&(f64, f64, f64)) -> f64| known.iter().map(|point| weight(point.2) * of(point)).sum::<f64>() / total;
    let (day, value) = (mean(&|point| point.0), mean(&|point| point.1));
    let spread: f64 = known.iter().map(|point| weight(point.2) * (point.0 - day).powi(2)).sum();
    if spread <= 0.0 {
        return Ok(Trend { per_day: 0.0, sigma_per_day: 0.0, recordings: known.len(), median });
    }
    let per_day = known.iter().map(|point| weight(point.2) * (point.0 - day) * (point.1 - value)).sum::<f64>() / spread;
    let left: f64 = known.iter().map(|point| weight(point.2) * (point.1 - value - per_day * (point.0 - day)).powi(2)).sum();
    // Scatter beyond the stated uncertainties widens the doubt; two points leave none.
    let scale = if known.len() > 2 { (left / (number - 2.0)).max(1.0) } else { 1.0 };
    Ok(Trend { per_day, sigma_per_day: (scale / spread).sqrt(), recordings: known.len(), median })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(value: f64, sigma: f64) -> Estimate {
        Estimate { value, sigma, samples: 100, doubts: Vec::new() }
    }

    #[test]
    fn a_line_through_estimates_weighs_their_doubts() {
        let values: Vec<(f64, Estimate)> = (0..5_u32).map(|day| (f64::from(day), estimate(10.0 + 0.5 * f64::from(day), 0.1))).collect();
        let mut points: Vec<(f64, &Estimate)> = values.iter().map(|(day, found)| (*day, found)).collect();
        let line = trend(&points).unwrap();
        assert!((line.per_day - 0.5).abs() < 1e-9 && (line.sigma_per_day - 0.1 / 10.0_f64.sqrt()).abs() < 1e-9, "{line:?}");
        assert_eq!((line.median, line.recordings), (11.0, 5));
        // One that nobody believes changes nothing.
        let wild = estimate(500.0, 1e6);
        points.push((9.0, &wild));
        assert!((trend(&points).unwrap().per_day - 0.5).abs() < 1e-3);
    }

    #[test]
    fn scatter_beyond_the_doubts_widens_the_trend_s_and_one_recording_is_none() {
        let values: Vec<(f64, Estimate)> =
            (0..8_u32).map(|day| (f64::from(day), estimate(if day.is_multiple_of(2) { 9.0 } else { 11.0 }, 0.01))).collect();
        let points: Vec<(f64, &Estimate)> = values.iter().map(|(day, found)| (*day, found)).collect();
        let line = trend(&points).unwrap();
        assert!(line.sigma_per_day > 0.1 && line.per_day.abs() < 2.0 * line.sigma_per_day, "{line:?}");
        assert!(trend(&points[..1]).is_err() && trend(&[]).is_err());
        // All on one day: no slope to tell.
        let same: Vec<(f64, &Estimate)> = points.iter().map(|(_, found)| (3.0, *found)).collect();
        assert_eq!(trend(&same).unwrap().per_day, 0.0);
    }

    #[track_caller]
    fn line(points: &[(f64, f64, f64)]) -> Trend {
        let points: Vec<(f64, Estimate)> = points.iter().map(|(day, value, sigma)| (*day, estimate(*value, *sigma))).collect();
        trend(&points.iter().map(|(day, found)| (*day, found)).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn the_median_is_of_values_in_their_order() {
        assert_eq!(line(&[(0.0, 7.0, 0.1), (1.0, 1.0, 0.1), (2.0, 5.0, 0.1), (3.0, 2.0, 0.1)]).median, 3.5);
    }

    #[test]
    fn scatter_counts_what_a_line_leaves_free() {
        // 1/3, 2/3 and 1/3 beside their level line; of three recordings the line uses up two.
        let three = line(&[(0.0, 0.0, 0.01), (1.0, 1.0, 0.01), (2.0, 0.0, 0.01)]);
        assert!(three.per_day.abs() < 1e-12 && (three.sigma_per_day - (1.0_f64 / 3.0).sqrt()).abs() < 1e-9, "{three:?}");
    }

    #[test]
    fn estimates_without_a_doubt_have_a_line() {
        let sure = line(&[(0.0, 1.0, 0.0), (1.0, 2.0, 0.0)]);
        assert!((sure.per_day - 1.0).abs() < 1e-9 && sure.sigma_per_day.is_finite(), "{sure:?}");
    }
}
