//! Amounts with their units: `500ms`, `300MB`, `95%`.

use std::{fmt, str::FromStr};

/// What a unit measures. Amounts of one family can be compared; those of two cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Durations; the base is the microsecond.
    Time,
    /// Memory; the base is the byte.
    Memory,
    /// Growth of memory; the base is the byte per day.
    MemoryGrowth,
    /// Shares; the base is 1, which is 100 %.
    Share,
    /// Numbers without a unit.
    Number,
}

/// A unit, by its name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    name: &'static str,
    family: Family,
    in_base: f64,
}

macro_rules! units {
    ($( $NAME:ident = $name:literal $Family:ident $in_base:expr; )*) => {
        impl Unit {
            $( #[doc = concat!("`", $name, "`")] pub const $NAME: Self = Self { name: $name, family: Family::$Family, in_base: $in_base }; )*
            /// All units that can be written.
            pub const ALL: &[Self] = &[$( Self::$NAME, )*];
        }
    };
}

units! {
    MICROSECOND = "us" Time 1.0;
    MILLISECOND = "ms" Time 1e3;
    SECOND = "s" Time 1e6;
    MINUTE = "min" Time 60e6;
    HOUR = "h" Time 3600e6;
    DAY = "d" Time 86400e6;
    BYTE = "B" Memory 1.0;
    KILOBYTE = "kB" Memory 1e3;
    MEGABYTE = "MB" Memory 1e6;
    GIGABYTE = "GB" Memory 1e9;
    KIBIBYTE = "KiB" Memory 1024.0;
    MEBIBYTE = "MiB" Memory 1_048_576.0;
    GIBIBYTE = "GiB" Memory 1_073_741_824.0;
    MEGABYTE_A_DAY = "MB/d" MemoryGrowth 1e6;
    MEGABYTE_AN_HOUR = "MB/h" MemoryGrowth 24e6;
    PERCENT = "%" Share 0.01;
    NONE = "" Number 1.0;
}

impl Unit {
    /// Its name, as it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// What it measures.
    #[must_use]
    pub const fn family(self) -> Family {
        self.family
    }

    /// The unit of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|u| u.name == name)
    }

    /// An amount in base units, in this one.
    #[must_use]
    pub fn of_base(self, base: f64) -> f64 {
        base / self.in_base
    }
}

impl Family {
    /// The unit in which people read an amount when nobody chose one.
    #[must_use]
    pub const fn usual_unit(self) -> Unit {
        match self {
            Self::Time => Unit::MILLISECOND,
            Self::Memory => Unit::MEGABYTE,
            Self::MemoryGrowth => Unit::MEGABYTE_A_DAY,
            Self::Share => Unit::PERCENT,
            Self::Number => Unit::NONE,
        }
    }

    /// An example of how an amount of it is written.
    #[must_use]
    pub const fn example(self) -> &'static str {
        match self {
            Self::Time => "\"500ms\"",
            Self::Memory => "\"300MB\"",
            Self::MemoryGrowth => "\"10MB/d\"",
            Self::Share => "\"95%\"",
            Self::Number => "10",
        }
    }
}

/// A number and its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantity {
    /// The number, in `unit`.
    pub value: f64,
    /// The unit.
    pub unit: Unit,
}

impl Quantity {
    /// A number and its unit.
    #[must_use]
    pub const fn new(value: f64, unit: Unit) -> Self {
        Self { value, unit }
    }

    /// The same amount in the base unit of its family.
    #[must_use]
    pub fn base(self) -> f64 {
        // Dividing keeps whole percentages exact: 55 × 0.01 is 0.55 and a little, and 55 ÷ 100 is 0.55.
        if self.unit.in_base < 1.0 { self.value / (1.0 / self.unit.in_base) } else { self.value * self.unit.in_base }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = if matches!(self.unit.name, "" | "%") { "" } else { " " };
        write!(f, "{}{space}{}", digits(self.value), self.unit.name)
    }
}

/// A number as people read it: three significant digits, whole where it is large.
#[must_use]
pub fn digits(value: f64) -> String {
    let magnitude = value.abs();
    let decimals = if magnitude >= 100.0 || value == value.trunc() {
        0
    } else if magnitude >= 10.0 {
        1
    } else if magnitude >= 0.995 {
        2
    } else {
        3
    };
    format!("{value:.decimals$}")
}

/// Why a text is no amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAQuantity {
    /// It does not begin with a number.
    #[error("`{0}` does not begin with a number")]
    NoNumber(String),
    /// It is beyond all numbers.
    #[error("`{0}` is too large to be true")]
    TooLarge(String),
    /// What follows the number is no unit.
    #[error("`{unit}` is no unit; there are {known}", known = Unit::ALL.iter().map(|u| u.name).filter(|n| !n.is_empty()).collect::<Vec<_>>().join(", "))]
    NoUnit {
        /// What follows.
        unit: String,
    },
}

/// Enough of a text to recognise it in a message.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(64).collect()
}

impl FromStr for Quantity {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        let text = text.trim();
        let end = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '-' | '+' | '_')).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let value: f64 = number.replace('_', "").parse().map_err(|_| NotAQuantity::NoNumber(excerpt(text)))?;
        let unit = unit.trim();
        let unit = Unit::named(unit).ok_or_else(|| NotAQuantity::NoUnit { unit: excerpt(unit) })?;
        // Enough digits are more than any number.
        Some(Self { value, unit }).filter(|quantity| quantity.base().is_finite()).ok_or_else(|| NotAQuantity::TooLarge(excerpt(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly_and_written_shortly() {
        let base = |text: &str| text.parse::<Quantity>().expect("an amount").base();
        assert_eq!(base("500ms"), 500_000.0);
        assert_eq!(base("0.5 s"), 500_000.0);
        assert_eq!(base("95%").to_bits(), 0.95_f64.to_bits());
        assert_eq!(base("99%").to_bits(), 0.99_f64.to_bits());
        assert_eq!(base("300MB"), 3e8);
        assert_eq!("500 parsecs".parse::<Quantity>(), Err(NotAQuantity::NoUnit { unit: "parsecs".to_owned() }));
        assert!("fast".parse::<Quantity>().is_err());
        for digits in ["9".repeat(400), format!("-{}", "9".repeat(400))] {
            assert!(matches!(format!("{digits}ms").parse::<Quantity>(), Err(NotAQuantity::TooLarge(shown)) if shown.len() == 64));
        }
        assert_eq!(Quantity::new(312.44, Unit::MILLISECOND).to_string(), "312 ms");
        assert_eq!(Quantity::new(95.04, Unit::PERCENT).to_string(), "95.0%");
        assert_eq!(Quantity::new(0.9994, Unit::NONE).to_string(), "1.00");
    }
}
