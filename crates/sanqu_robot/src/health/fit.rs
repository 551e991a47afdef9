//! Least squares over many rows without keeping them: the design is computed twice, row by row.

use nalgebra::{DMatrix, DVector};

/// A column with less than this share of its square beside the columns before it is left out.
const NEW_SHARE_MIN: f64 = 1e-8;
/// Parts of the recording whose residuals are summed up for the uncertainty.
const BLOCKS: usize = 32;
/// Fewest samples a column.
const ROWS_PER_TERM: usize = 4;

/// A linear model: how a row of it is made.
pub(crate) struct Model<'a> {
    /// Columns.
    pub(crate) terms: usize,
    /// The first so many columns only take something out (the first is the constant) and may repeat each other.
    pub(crate) nuisance: usize,
    /// Rows asked for.
    pub(crate) rows: usize,
    /// Writes a row's columns and returns what they explain; `None` for a row that is not used.
    pub(crate) row: &'a dyn Fn(usize, &mut [f64]) -> Option<f64>,
}

/// What a fit found.
pub(crate) struct Fitted {
    /// 0 for a column that was left out.
    pub(crate) coefficients: Vec<f64>,
    /// How much the nuisances (of a nuisance: those before it) widen each column's variance; infinite for one that was left out.
    pub(crate) inflation: Vec<f64>,
    /// Rows used.
    pub(crate) samples: usize,
    /// Scatter of what is left.
    pub(crate) rms: f64,
    /// Columns in use.
    active: Vec<usize>,
    inverse: DMatrix<f64>,
    /// (Gram)⁻¹ times the blocks' scores.
    pulls: DMatrix<f64>,
    variance: f64,
    memory: f64,
}

impl Model<'_> {
    /// Coefficients with their uncertainties; `None` for fewer than four samples a column.
    pub(crate) fn fit(&self) -> Option<Fitted> {
        let mut fitted = self.solve()?;
        self.residuals(&mut fitted);
        Some(fitted)
    }

    /// Coefficients only: [`Fitted::sigma_of`] is 0.
    pub(crate) fn solve(&self) -> Option<Fitted> {
        let (gram, right, samples) = self.sums()?;
        let Independent { active, beside, factor } = independent(&gram, self.nuisance);
        if samples < ROWS_PER_TERM * active.len().max(1) {
            return None;
        }
        let scale: Vec<f64> = active.iter().map(|term| gram[(*term, *term)].sqrt()).collect();
        let lower = DMatrix::from_fn(active.len(), active.len(), |row, column| factor[row].get(column).copied().unwrap_or(0.0));
        let half = lower.solve_lower_triangular(&DMatrix::identity(active.len(), active.len()))?;
        let mut inverse = half.transpose() * &half;
        for row in 0..active.len() {
            for column in 0..active.len() {
                inverse[(row, column)] /= scale[row] * scale[column];
            }
        }
        let solution = &inverse * DVector::from_iterator(active.len(), active.iter().map(|term| right[*term]));
        let mut coefficients = vec![0.0; self.terms];
        let mut inflation = vec![f64::INFINITY; self.terms];
        for (at, term) in active.iter().enumerate() {
            coefficients[*term] = solution[at];
            // Against the column's scatter about its mean: a constant load is no weakness.
            let mean = if gram[(0, 0)] > 0.0 { gram[(0, *term)].powi(2) / (gram[(0, 0)] * gram[(*term, *term)]) } else { 0.0 };
            inflation[*term] = if *term == 0 { 1.0 } else { (1.0 - mean) / beside[at] };
        }
        let pulls = DMatrix::zeros(active.len(), BLOCKS);
        Some(Fitted { coefficients, inflation, samples, rms: 0.0, pulls, active, inverse, variance: 0.0, memory: 0.0 })
    }

    fn sums(&self) -> Option<(DMatrix<f64>, DVector<f64>, usize)> {
        // The lower triangle, row by row, then the right side.
        let mut lower = vec![0.0; self.terms * (self.terms + 1) / 2];
        let mut right = DVector::zeros(self.terms);
        let (mut columns, mut samples) = (vec![0.0; self.terms], 0);
        for index in 0..self.rows {
            let Some(target) = (self.row)(index, &mut columns) else { continue };
            samples += 1;
            let mut sums = lower.as_mut_slice();
            for (row, mine) in columns.iter().enumerate() {
                let (line, rest) = sums.split_at_mut(row + 1);
                sums = rest;
                if *mine != 0.0 {
                    right[row] += mine * target;
                    line.iter_mut().zip(&columns).for_each(|(sum, other)| *sum += mine * other);
                }
            }
        }
        let at = |row: usize, column: usize| lower[row * (row + 1) / 2 + column];
        let gram = DMatrix::from_fn(self.terms, self.terms, |row, column| at(row.max(column), row.min(column)));
        (samples > 0 && gram.iter().chain(right.iter()).all(|sum: &f64| sum.is_finite())).then_some((gram, right, samples))
    }

    /// Second pass: scatter, its memory from row to row, and the blocks' pulls.
    fn residuals(&self, fitted: &mut Fitted) {
        let mut columns = vec![0.0; self.terms];
        let mut scores = DMatrix::zeros(fitted.active.len(), BLOCKS);
        let (mut squares, mut neighbours, mut last, mut used) = (0.0, 0.0, None, 0_usize);
        for index in 0..self.rows {
            let Some(target) = (self.row)(index, &mut columns) else {
                last = None;
                continue;
            };
            let said: f64 = columns.iter().zip(&fitted.coefficients).map(|(column, coefficient)| column * coefficient).sum();
            let left = target - said;
            squares += left * left;
            neighbours += last.map_or(0.0, |last: f64| last * left);
            last = Some(left);
            // Blocks of equal numbers of used rows.
            let block = (used * BLOCKS / fitted.samples).min(BLOCKS - 1);
            used += 1;
            for (at, term) in fitted.active.iter().enumerate() {
                scores[(at, block)] += columns[*term] * left;
            }
        }
        let freedom = fitted.samples.saturating_sub(fitted.active.len()).max(1);
        fitted.variance = squares / count(freedom);
        fitted.rms = (squares / count(fitted.samples)).sqrt();
        fitted.memory = if squares > 0.0 { (neighbours / squares).clamp(0.0, 0.999) } else { 0.0 };
        fitted.pulls = &fitted.inverse * scores;
    }
}

impl Fitted {
    /// Gives columns their own numbers back: column `first + place` was column `first + order[place]`.
    pub(crate) fn reorder(&mut self, first: usize, order: &[usize]) {
        let (coefficients, inflation) = (self.coefficients.clone(), self.inflation.clone());
        for (place, own) in order.iter().enumerate() {
            self.coefficients[first + own] = coefficients[first + place];
            self.inflation[first + own] = inflation[first + place];
        }
        for term in &mut self.active {
            if let Some(own) = term.checked_sub(first).and_then(|place| order.get(place)) {
                *term = first + own;
            }
        }
    }

    /// Standard deviation of a sum of coefficients, `Σ weight · coefficient`: the larger of what the blocks' pulls say and what
    /// independent scatter would. `slow`: the columns are slow, too, and feel all of the scatter's memory.
    pub(crate) fn sigma_of(&self, weights: &[(usize, f64)], slow: bool) -> f64 {
        let weight = DVector::from_iterator(
            self.active.len(),
            self.active.iter().map(|term| weights.iter().filter(|(at, _)| at == term).map(|(_, weight)| weight).sum()),
        );
        let memory = if slow { (1.0 + self.memory) / (1.0 - self.memory) } else { 1.0 };
        let scatter = self.variance * memory * (weight.transpose() * &self.inverse * &weight)[(0, 0)];
        let pulls = weight.transpose() * &self.pulls;
        let used = count(self.active.len().min(BLOCKS / 2));
        let blocks = pulls.iter().map(|pull| pull * pull).sum::<f64>() * count(BLOCKS) / (count(BLOCKS) - used);
        scatter.max(blocks).max(0.0).sqrt()
    }
}

/// Columns that bring something new.
struct Independent {
    /// In order.
    active: Vec<usize>,
    /// Share of each one's square that the nuisances before it do not make up.
    beside: Vec<f64>,
    /// Rows of the Cholesky factor of the normalised Gram matrix.
    factor: Vec<Vec<f64>>,
}

fn independent(gram: &DMatrix<f64>, nuisance: usize) -> Independent {
    let mut found = Independent { active: Vec::new(), beside: Vec::new(), factor: Vec::new() };
    let mut nuisances = 0;
    for term in 0..gram.nrows() {
        let norm = gram[(term, term)];
        if norm <= 0.0 {
            continue;
        }
        let mut row: Vec<f64> = Vec::with_capacity(found.active.len());
        for (at, other) in found.active.iter().enumerate() {
            let likeness = gram[(term, *other)] / (norm * gram[(*other, *other)]).sqrt();
            let before: f64 = row.iter().zip(&found.factor[at]).map(|(mine, its)| mine * its).sum();
            row.push((likeness - before) / found.factor[at][at]);
        }
        let left = |parts: &[f64]| 1.0 - parts.iter().map(|part| part * part).sum::<f64>();
        let new = left(&row);
        if new > NEW_SHARE_MIN {
            found.active.push(term);
            found.beside.push(left(&row[..row.len().min(nuisances)]));
            row.push(new.sqrt());
            found.factor.push(row);
            nuisances += usize::from(term < nuisance);
        }
    }
    found
}

/// Condition number of a design whose columns are scaled to equal length; infinite for columns that make each other up.
pub(crate) fn condition(terms: usize, rows: usize, row: &dyn Fn(usize, &mut [f64])) -> f64 {
    let mut gram = DMatrix::<f64>::zeros(terms, terms);
    let mut columns = vec![0.0; terms];
    for index in 0..rows {
        row(index, &mut columns);
        for first in 0..terms {
            for second in 0..terms {
                gram[(first, second)] += columns[first] * columns[second];
            }
        }
    }
    if gram.iter().any(|sum| !sum.is_finite()) || (0..terms).any(|term| gram[(term, term)] <= 0.0) {
        return f64::INFINITY;
    }
    let scale: Vec<f64> = (0..terms).map(|term| gram[(term, term)].sqrt()).collect();
    let scaled = DMatrix::from_fn(terms, terms, |row, column| gram[(row, column)] / (scale[row] * scale[column]));
    let values = scaled.symmetric_eigenvalues();
    let (low, high) = (values.min(), values.max());
    if low > 0.0 { (high / low).sqrt() } else { f64::INFINITY }
}

/// A number of rows as f64.
#[expect(clippy::cast_precision_loss, reason = "numbers of samples are far below 2^53")]
pub(crate) fn count(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_repeat_each_other_are_left_out_or_told() {
        let row = |index: usize, columns: &mut [f64]| {
            let x = count(index) * 0.01;
            columns.copy_from_slice(&[1.0, x, 2.0 * x + 1.0, x * x]);
            Some(3.0 + 0.5 * x + 0.25 * x * x)
        };
        // As a nuisance the third column is left out and harms nothing.
        let fitted = Model { terms: 4, nuisance: 3, rows: 500, row: &row }.fit().unwrap();
        assert!((fitted.coefficients[3] - 0.25).abs() < 1e-9 && fitted.inflation[2].is_infinite(), "{:?}", fitted.coefficients);
        // x² against 1 and x over 0..5: 16 of its variance are left 1.
        assert!(fitted.rms < 1e-9 && (fitted.inflation[3] - 16.0).abs() < 0.1, "{:?}", fitted.inflation);
        assert!(Model { terms: 4, nuisance: 3, rows: 11, row: &row }.fit().is_none());
    }

    #[test]
    fn slow_scatter_widens_the_doubt() {
        // A wave of 50 rows that is not in the model.
        let row = |index: usize, columns: &mut [f64]| {
            columns.copy_from_slice(&[1.0, if index.is_multiple_of(97) { 1.0 } else { -1.0 }]);
            Some((count(index) * 0.125).sin())
        };
        let fitted = Model { terms: 2, nuisance: 1, rows: 5000, row: &row }.fit().unwrap();
        let (fast, slow) = (fitted.sigma_of(&[(0, 1.0)], false), fitted.sigma_of(&[(0, 1.0)], true));
        assert!(slow > 5.0 * fast && fitted.coefficients[0].abs() < slow, "{fast} {slow}");
    }
}
