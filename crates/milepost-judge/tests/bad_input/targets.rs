//! What has to hold for any text that is typed as an amount or as the name of a metric: for the tests, and for `fuzz/`.

use milepost_judge::{Metric, Quantity};

fn said(error: impl ToString) {
    let said = error.to_string();
    assert!(!said.is_empty() && said.len() <= 1024, "{} bytes: {said}", said.len());
}

/// An amount is a finite number; a metric is written as it is read.
pub fn quantity(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match text.parse::<Quantity>() {
        Ok(quantity) => {
            assert!(quantity.value.is_finite() && quantity.base().is_finite(), "{quantity:?}");
            let again: Quantity = quantity.to_string().parse().expect("what is written can be read");
            assert_eq!(again.unit, quantity.unit);
        }
        Err(error) => said(error),
    }
    match text.parse::<Metric>() {
        Ok(metric) => assert_eq!(metric.to_string(), text),
        Err(error) => said(error),
    }
}
