//! What the product understands, and whether learning makes it understand more: figures of the two arms.
//!
//! Only interactions whose right intent is known count. An arm without any has no accuracy, and a difference to it none either.

use crate::{always_valid::Counts, first_success::percent, ordinal_trend};
use milepost_record::Understood;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// The arm in which the product learns.
pub const LEARNING: &str = "learning";
/// The arm in which it does not.
pub const CONTROL: &str = "control";
/// A checkpoint closes each time an arm has so many more labelled interactions; its accuracy is that of so many.
pub const CHECKPOINT: usize = 100;
/// An arm with fewer in a checkpoint has no accuracy there.
const WINDOW_MIN: usize = 20;
/// The chance that is accepted of ever calling a level accuracy a rising one.
const ALPHA: f64 = 0.05;
/// How many checkpoints are shown: the newest.
const CHECKPOINTS_MAX: usize = 1000;

/// How well intents are recognised. Shares in percent, differences in percentage points.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Learning {
    /// Interactions in all.
    pub interactions: u64,
    /// Of those, how many somebody said what was right of. Where that are few, accuracy tells about labelling as much as about the product.
    pub labelled: u64,
    /// Each arm of the experiment, by name.
    pub arms: Vec<Arm>,
    /// Accuracy with learning less accuracy without, over all labelled interactions: a comparison, and no cause by itself.
    pub improvement_points: Option<f64>,
    /// The newest checkpoints, in the order of time.
    pub checkpoints: Vec<Checkpoint>,
    /// Accuracy with learning at each of them.
    pub accuracy_trend: Vec<Option<f64>>,
    /// Whether accuracy with learning is proven to rise from one hundred of its interactions to the next; null where there are no two of them, or they do not vary. A rise is no proof of learning: only the difference between the arms is.
    pub accuracy_rises: Option<bool>,
    /// Whether the last checkpoint's accuracy with learning is what a criterion on `learning.accuracy` demands; null where nothing is known, or demanded.
    pub target_reached: Option<bool>,
}

/// One arm of the experiment.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Arm {
    /// Its name; null for interactions that have none.
    pub arm: Option<String>,
    /// Its people, those that are told apart.
    pub users: u64,
    /// Its interactions.
    pub interactions: u64,
    /// Of those, how many are labelled.
    pub labelled: u64,
    /// Of those, how many were recognised rightly.
    pub correct: u64,
    /// Their share.
    pub accuracy: Option<f64>,
}

/// How the arms stood when one of them had gained a hundred labelled interactions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Checkpoint {
    /// Labelled interactions of all arms up to there.
    pub interactions_total: u64,
    /// Of the last hundred with learning; null where there are fewer than twenty.
    pub accuracy_with_learning: Option<f64>,
    /// Of the last hundred without.
    pub accuracy_without_learning: Option<f64>,
    /// The one less the other.
    pub improvement: Option<f64>,
}

impl Learning {
    /// Of interactions in the order of time. `target` says whether an accuracy is what is demanded, where something is.
    #[must_use]
    pub fn of(interactions: &[Understood], target: Option<impl Fn(f64) -> bool>) -> Self {
        let mut arms: BTreeMap<Option<&str>, Vec<&Understood>> = BTreeMap::new();
        for interaction in interactions {
            arms.entry(interaction.arm.as_deref()).or_default().push(interaction);
        }
        let arms: Vec<Arm> = arms.into_iter().map(|(name, of_arm)| Arm::of(name, &of_arm)).collect();
        let accuracy = |name| arms.iter().find(|arm| arm.arm.as_deref() == Some(name)).and_then(|arm| arm.accuracy);
        let checkpoints = checkpoints(interactions);
        Self {
            interactions: interactions.len() as u64,
            labelled: arms.iter().map(|arm| arm.labelled).sum(),
            improvement_points: accuracy(LEARNING).zip(accuracy(CONTROL)).map(|(with, without)| with - without),
            target_reached: target.and_then(|reaches| checkpoints.last()?.accuracy_with_learning.map(reaches)),
            accuracy_trend: checkpoints.iter().map(|c| c.accuracy_with_learning).collect(),
            accuracy_rises: ordinal_trend::rises(&hundreds(interactions), ALPHA),
            checkpoints,
            arms,
        }
    }
}

/// Each whole hundred of labelled interactions with learning.
fn hundreds(interactions: &[Understood]) -> Vec<Counts> {
    let learning = interactions.iter().filter(|interaction| interaction.arm.as_deref() == Some(LEARNING));
    let rights: Vec<bool> = learning.filter_map(|interaction| interaction.right).collect();
    let counts = |hundred: &[bool]| {
        let successes = hundred.iter().filter(|right| **right).count();
        Counts { successes: successes as u64, failures: (hundred.len() - successes) as u64 }
    };
    rights.chunks_exact(CHECKPOINT).map(counts).collect()
}

impl Arm {
    fn of(name: Option<&str>, interactions: &[&Understood]) -> Self {
        let labels = || interactions.iter().filter_map(|interaction| interaction.right);
        let (labelled, right) = (labels().count() as u64, labels().filter(|right| *right).count() as u64);
        let users: std::collections::BTreeSet<_> = interactions.iter().filter_map(|i| i.user.as_deref()).collect();
        Self {
            arm: name.map(str::to_owned),
            users: users.len() as u64,
            interactions: interactions.len() as u64,
            labelled,
            correct: right,
            accuracy: percent(right, labelled),
        }
    }
}

fn checkpoints(interactions: &[Understood]) -> Vec<Checkpoint> {
    let mut found = Vec::new();
    let mut of_arms: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
    let labelled = interactions.iter().filter_map(|i| i.arm.as_deref().zip(i.right)).filter(|(arm, _)| [LEARNING, CONTROL].contains(arm));
    for (before, (arm, right)) in labelled.enumerate() {
        let of_arm = of_arms.entry(arm).or_default();
        of_arm.push(right);
        if of_arm.len().is_multiple_of(CHECKPOINT) {
            let of_last = |arm| {
                let rights: &[bool] = of_arms.get(arm).map_or(&[], Vec::as_slice);
                let last = &rights[rights.len().saturating_sub(CHECKPOINT)..];
                let right = last.iter().filter(|right| **right).count() as u64;
                (last.len() >= WINDOW_MIN).then(|| percent(right, last.len() as u64)).flatten()
            };
            let (with, without) = (of_last(LEARNING), of_last(CONTROL));
            found.push(Checkpoint {
                interactions_total: before as u64 + 1,
                accuracy_with_learning: with,
                accuracy_without_learning: without,
                improvement: with.zip(without).map(|(with, without)| with - without),
            });
        }
    }
    found.split_off(found.len().saturating_sub(CHECKPOINTS_MAX))
}

/// How well spoken requests are understood.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Voice {
    /// Spoken interactions.
    pub utterances: u64,
    /// Of those, how many are labelled.
    pub labelled: u64,
    /// Of those, how many were recognised rightly, from the spoken word to the intent.
    pub correct: u64,
    /// Their share in percent.
    pub accuracy: Option<f64>,
    /// Words of the reference transcripts.
    pub words: u64,
    /// Words substituted, deleted or inserted.
    pub word_errors: u64,
    /// The one over the other: pooled, not the mean of the utterances' rates; it can exceed 1.
    pub word_error_rate: Option<f64>,
}

impl Voice {
    /// Of all interactions: those whose modality is `voice`.
    #[must_use]
    pub fn of(interactions: &[Understood]) -> Self {
        let spoken: Vec<_> = interactions.iter().filter(|i| i.modality.as_deref() == Some("voice")).collect();
        let arm = Arm::of(None, &spoken);
        let counted = || spoken.iter().filter_map(|i| i.words.zip(i.word_errors));
        let words = counted().map(|(words, _)| words).fold(0, u64::saturating_add);
        let word_errors = counted().map(|(_, errors)| errors).fold(0, u64::saturating_add);
        Self {
            utterances: arm.interactions,
            labelled: arm.labelled,
            correct: arm.correct,
            accuracy: arm.accuracy,
            words,
            word_errors,
            word_error_rate: (words > 0).then(|| word_errors as f64 / words as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use milepost_record::Timestamp;

    fn interaction(arm: Option<&str>, right: Option<bool>) -> Understood {
        Understood {
            at: Timestamp::from_microseconds(0).expect("a moment"),
            user: None,
            arm: arm.map(str::to_owned),
            modality: None,
            index: None,
            right,
            words: None,
            word_errors: None,
        }
    }

    fn arm(name: &str, right: usize, wrong: usize) -> impl Iterator<Item = Understood> {
        let of = move |is_right| interaction(Some(name), Some(is_right));
        std::iter::repeat_n(of(true), right).chain(std::iter::repeat_n(of(false), wrong))
    }

    const NO_TARGET: Option<fn(f64) -> bool> = None;

    #[test]
    fn an_empty_arm_has_no_accuracy_and_no_difference() {
        let only: Vec<_> = arm(LEARNING, 96, 4).collect();
        let found = Learning::of(&only, Some(|accuracy| accuracy >= 95.0));
        assert_eq!((found.improvement_points, found.target_reached), (None, Some(true)));
        let [checkpoint] = found.checkpoints[..] else { panic!("one checkpoint, not {:?}", found.checkpoints) };
        assert_eq!((checkpoint.accuracy_with_learning, checkpoint.accuracy_without_learning), (Some(96.0), None));
        assert_eq!(Learning::of(&[], NO_TARGET).target_reached, None);
    }

    /// Each arm closes checkpoints of its own, so the arms never share a hundred.
    #[test]
    fn checkpoints_close_by_arm() {
        let mut both: Vec<_> = arm(CONTROL, 85, 15).collect();
        both.extend(arm(LEARNING, 95, 5));
        both.extend(arm(LEARNING, 100, 0));
        both.extend([interaction(Some(LEARNING), None), interaction(None, Some(false))]);
        let found = Learning::of(&both, NO_TARGET);
        let totals: Vec<_> = found.checkpoints.iter().map(|c| (c.interactions_total, c.improvement)).collect();
        assert_eq!(totals, [(100, None), (200, Some(10.0)), (300, Some(15.0))]);
        assert_eq!(found.accuracy_trend, [None, Some(95.0), Some(100.0)]);
        assert_eq!((found.interactions, found.labelled), (302, 301));
        // From 95 to 100 is within chance, at the level of a second look.
        assert_eq!(found.accuracy_rises, Some(false));
        assert_eq!(found.improvement_points, Some(12.5));
    }

    /// The curve of the reference: 82 to 95 of 100 at six checkpoints rises, and in whatever else a person got better.
    #[test]
    fn a_rising_curve_is_told_from_chance() {
        let curve: Vec<_> = [82, 85, 88, 90, 93, 95].into_iter().flat_map(|right| arm(LEARNING, right, 100 - right)).collect();
        assert_eq!(Learning::of(&curve, NO_TARGET).accuracy_rises, Some(true));
        assert_eq!(Learning::of(&curve[..199], NO_TARGET).accuracy_rises, None, "one hundred is no curve");
    }

    /// A handful in a window is no accuracy.
    #[test]
    fn few_in_a_window_are_no_value() {
        let few: Vec<_> = arm(CONTROL, 19, 0).chain(arm(LEARNING, 100, 0)).collect();
        assert_eq!(Learning::of(&few, NO_TARGET).checkpoints[0].accuracy_without_learning, None);
        let enough: Vec<_> = arm(CONTROL, 20, 0).chain(arm(LEARNING, 100, 0)).collect();
        assert_eq!(Learning::of(&enough, NO_TARGET).checkpoints[0].accuracy_without_learning, Some(100.0));
    }

    /// Pooled over the utterances of the reference, section 10: 5 errors in 10 words; the mean of their rates would be 0.583.
    #[test]
    fn word_errors_are_pooled() {
        let spoken = |words, errors| Understood {
            modality: Some("voice".to_owned()),
            words: Some(words),
            word_errors: Some(errors),
            ..interaction(None, Some(errors == 0))
        };
        let found = Voice::of(&[spoken(3, 2), spoken(3, 0), spoken(3, 2), spoken(1, 1)]);
        assert_eq!((found.words, found.word_errors, found.word_error_rate), (10, 5, Some(0.5)));
        assert_eq!((found.utterances, found.correct, found.accuracy), (4, 1, Some(25.0)));
        assert_eq!(Voice::of(&[]).word_error_rate, None);
    }
}
