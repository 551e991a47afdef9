//! Exact statistics as LeRobot stores them: float64, population standard deviation, linear quantiles.

/// The quantiles with their names in the files.
pub(super) const QUANTILES: [(&str, f64); 5] = [("q01", 0.01), ("q10", 0.10), ("q50", 0.50), ("q90", 0.90), ("q99", 0.99)];

/// Statistics of one feature; every list has one value a dimension (or colour channel).
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Stats {
    /// Smallest value.
    pub(super) min: Vec<f64>,
    /// Largest value.
    pub(super) max: Vec<f64>,
    /// Mean.
    pub(super) mean: Vec<f64>,
    /// Population standard deviation.
    pub(super) std: Vec<f64>,
    /// Rows, or sampled frames.
    pub(super) count: u64,
    /// In the order of [`QUANTILES`].
    pub(super) quantiles: [Vec<f64>; 5],
}

impl Stats {
    /// The lists with their names in the files, in file order; `count` stands between `std` and the quantiles.
    pub(super) fn lists(&self) -> impl Iterator<Item = (&'static str, &[f64])> {
        let first = [("min", &self.min), ("max", &self.max), ("mean", &self.mean), ("std", &self.std)];
        let rest = QUANTILES.iter().zip(&self.quantiles).map(|((name, _), list)| (*name, list));
        first.into_iter().chain(rest).map(|(name, list)| (name, list.as_slice()))
    }
}

/// Statistics of rows of `width` values, row-major. No rows give empty lists.
pub(super) fn of_rows(values: &[f64], width: usize) -> Stats {
    let mut stats = Stats::default();
    let rows = values.len() / width.max(1);
    if rows == 0 {
        return stats;
    }
    stats.count = rows as u64;
    let mut column = Vec::with_capacity(rows);
    for dimension in 0..width {
        column.clear();
        column.extend(values.iter().skip(dimension).step_by(width));
        column.sort_by(f64::total_cmp);
        let count = rows as f64;
        let mean = column.iter().sum::<f64>() / count;
        let variance = column.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / count;
        stats.min.extend(column.first());
        stats.max.extend(column.last());
        stats.mean.push(mean);
        stats.std.push(variance.sqrt());
        for ((_, q), list) in QUANTILES.iter().zip(&mut stats.quantiles) {
            let (below, above, weight) = position(*q, rows as u64);
            let at = |i: u64| usize::try_from(i).ok().and_then(|i| column.get(i)).copied().unwrap_or(f64::NAN);
            list.push(at(below) + (at(above) - at(below)) * weight);
        }
    }
    stats
}

/// The neighbours of quantile `q` among `count` sorted values, and the weight of the upper one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 <= q <= 1: the position lies within the values")]
fn position(q: f64, count: u64) -> (u64, u64, f64) {
    let last = count.saturating_sub(1);
    let exact = q * last as f64;
    let below = (exact.floor() as u64).min(last);
    (below, (below + 1).min(last), exact - exact.floor())
}

/// How often each 8-bit value occurs in each colour channel: exact statistics of any number of pictures in 6 kB.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    counts: Box<[[u64; 256]; 3]>,
    frames: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: Box::new([[0; 256]; 3]), frames: 0 }
    }
}

impl Histogram {
    /// Counts a pixel.
    pub(super) fn add_pixel(&mut self, rgb: [u8; 3]) {
        for (channel, value) in self.counts.iter_mut().zip(rgb) {
            channel[usize::from(value)] += 1;
        }
    }

    /// Counts a frame whose pixels were added.
    pub(super) fn end_frame(&mut self) {
        self.frames += 1;
    }

    /// Adds another histogram.
    pub(super) fn merge(&mut self, other: &Self) {
        self.frames += other.frames;
        for (mine, theirs) in self.counts.iter_mut().flatten().zip(other.counts.iter().flatten()) {
            *mine += theirs;
        }
    }

    /// Statistics of the channels, values scaled to 0..1; `count` is the number of frames.
    pub(super) fn stats(&self) -> Stats {
        let mut stats = Stats { count: self.frames, ..Stats::default() };
        for channel in self.counts.iter() {
            let total: u64 = channel.iter().sum();
            if total == 0 {
                continue;
            }
            let value = |i: usize| i as f64 / 255.0;
            let sum = |f: &dyn Fn(f64) -> f64| channel.iter().enumerate().map(|(i, n)| f(value(i)) * *n as f64).sum::<f64>() / total as f64;
            let mean = sum(&|v| v);
            stats.min.extend(channel.iter().position(|n| *n > 0).map(value));
            stats.max.extend(channel.iter().rposition(|n| *n > 0).map(value));
            stats.mean.push(mean);
            stats.std.push(sum(&|v| (v - mean) * (v - mean)).sqrt());
            let nth = |wanted: u64| {
                let mut seen = 0;
                channel.iter().position(|n| {
                    seen += n;
                    seen > wanted
                })
            };
            for ((_, q), list) in QUANTILES.iter().zip(&mut stats.quantiles) {
                let (below, above, weight) = position(*q, total);
                let (below, above) = (value(nth(below).unwrap_or(255)), value(nth(above).unwrap_or(255)));
                list.push(below + (above - below) * weight);
            }
        }
        stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_agree_with_numpy() {
        // numpy.quantile([[3, 10], [1, 20], [2, 40]], q, axis=0)
        let stats = of_rows(&[3.0, 10.0, 1.0, 20.0, 2.0, 40.0], 2);
        assert_eq!((stats.min.clone(), stats.max.clone(), stats.count), (vec![1.0, 10.0], vec![3.0, 40.0], 3));
        assert_eq!(stats.quantiles[2], [2.0, 20.0]);
        assert!((stats.quantiles[0][1] - 10.2).abs() < 1e-12 && (stats.quantiles[4][1] - 39.6).abs() < 1e-12);
        assert!((stats.std[0] - (2.0f64 / 3.0).sqrt()).abs() < 1e-15);
        assert_eq!(of_rows(&[], 3).count, 0);
    }

    #[test]
    fn a_histogram_has_the_statistics_of_its_pixels() {
        let pixels = [[0u8, 10, 255], [51, 10, 0], [255, 10, 0], [255, 11, 0]];
        let (mut one, mut two) = (Histogram::default(), Histogram::default());
        pixels[..1].iter().for_each(|p| one.add_pixel(*p));
        pixels[1..].iter().for_each(|p| two.add_pixel(*p));
        one.end_frame();
        two.end_frame();
        one.merge(&two);
        let rows: Vec<f64> = pixels.iter().flatten().map(|v| f64::from(*v) / 255.0).collect();
        let (found, expected) = (one.stats(), Stats { count: 2, ..of_rows(&rows, 3) });
        for ((name, a), (_, b)) in found.lists().zip(expected.lists()) {
            assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12), "{name}: {a:?} {b:?}");
        }
        assert_eq!(found.count, 2);
    }
}
