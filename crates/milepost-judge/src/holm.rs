//! Several statements read together: which of them can be picked out (Holm 1979).
//!
//! "All of them hold" needs no correction, since each has to hold. A single one that is picked out of a table does: of twenty
//! at 5%, one shows by chance. Valid whatever the statements have to do with each other.

/// The p-values, adjusted so that those at or below `alpha` can be claimed together with an error of at most `alpha`; in the
/// order given. Of an e-value, the p-value is `min(1, 1/E)`.
#[must_use]
pub fn adjusted(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut adjusted = vec![0.0; p.len()];
    let mut largest = 0.0_f64;
    for (index, left) in order.into_iter().zip((1..=p.len()).rev()) {
        largest = largest.max((p[index] * left as f64).min(1.0));
        adjusted[index] = largest;
    }
    adjusted
}
