//! The fields that a criterion needs, in words.

use milepost_record::FieldUse;
use std::collections::BTreeMap;

/// Those of one kind: first what the answer is made of, then the others with what they are read for.
#[must_use]
pub(super) fn fields(fields: &BTreeMap<String, FieldUse>) -> String {
    let mut by_use: BTreeMap<FieldUse, Vec<&str>> = BTreeMap::new();
    for (name, why) in fields {
        by_use.entry(*why).or_default().push(name);
    }
    let of_use = |(why, names): (&FieldUse, &Vec<&str>)| {
        let names = names.join(", ");
        match why {
            FieldUse::Value => names,
            FieldUse::Beside => format!("{names} (told beside)"),
            FieldUse::Filter => format!("{names} (filter)"),
            FieldUse::ForEach => format!("{names} (for each)"),
            FieldUse::FixedSample => format!("{names} (to leave out fixed samples)"),
        }
    };
    by_use.iter().map(of_use).collect::<Vec<_>>().join("; ")
}
