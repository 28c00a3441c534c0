//! Configurations to begin with. Each is a file of its own in `presets/`, with nothing in the program that knows it.

/// A whole configuration for a certain product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// What the file holds.
    pub text: &'static str,
}

impl Preset {
    /// All presets.
    pub const ALL: &[Self] = &[Self { name: "nix-for-humanity", text: include_str!("../../presets/nix-for-humanity.toml") }];

    /// The preset of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|preset| preset.name == name)
    }
}

/// A first configuration for a project of this name.
#[must_use]
pub fn blank(project: &str) -> String {
    // In the file the placeholder stands in quotes; what is put there brings its own.
    include_str!("../../presets/blank.toml").replacen("\"PROJECT\"", &quoted(project), 1)
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}
