//! What reports of complexity share: functions and methods, each once, by their cyclomatic complexity.

use crate::{
    Format, Reading, Refused,
    report::{DETAILS_MAX, whole},
};
use milepost_record::Scalar;
use std::rc::Rc;

/// A function of a higher complexity counts as `complexity.functions_above_10`.
const HIGH: u64 = 10;
/// So many are told by name at least.
const WORST_MIN: usize = 5;

/// A function or method.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Function {
    /// Shared, as one file has many.
    pub(crate) file: Rc<str>,
    pub(crate) line: u64,
    pub(crate) name: String,
    pub(crate) complexity: u64,
}

/// What all functions say together, and the worst ones.
pub(crate) fn readings(format: Format, mut functions: Vec<Function>) -> Result<Vec<Reading>, Refused> {
    functions.sort_by(|a, b| b.complexity.cmp(&a.complexity).then_with(|| a.cmp(b)));
    let Some(worst) = functions.first() else { return Err(Refused::Nothing { format, what: "function" }) };
    let sum: f64 = functions.iter().map(|function| function.complexity as f64).sum();
    let above = functions.iter().filter(|function| function.complexity > HIGH).count();
    let average = Reading { value: sum / functions.len() as f64, ..Reading::count("complexity.average", 0) };
    let mut readings = vec![
        average.with("of", whole(functions.len() as u64)),
        Reading::count("complexity.maximum", worst.complexity),
        Reading::count("complexity.functions_above_10", above as u64),
    ];
    readings.extend(functions.iter().take(above.clamp(WORST_MIN, DETAILS_MAX)).map(|function| {
        let reading = Reading::count("complexity.function", function.complexity).of(&*function.file);
        reading.with("name", Scalar::Text(function.name.clone())).with("line", whole(function.line))
    }));
    Ok(readings)
}
