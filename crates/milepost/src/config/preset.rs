//! Configurations to begin with. Each is a file of its own in `presets/`, with nothing in the program that knows it.

/// A whole configuration for a certain product, or a certain kind of product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    template: &'static str,
}

impl Preset {
    /// All presets.
    pub const ALL: &[Self] = &[
        Self { name: "nix-for-humanity", template: include_str!("../../presets/nix-for-humanity.toml") },
        Self { name: "rust-cli", template: include_str!("../../presets/rust-cli.toml") },
    ];

    /// The preset of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|preset| preset.name == name)
    }

    /// What the file holds, for a project of this name; a preset for one product names it itself.
    #[must_use]
    pub fn text(&self, project: &str) -> String {
        filled(self.template, project)
    }
}

/// A first configuration for a project of this name.
#[must_use]
pub fn blank(project: &str) -> String {
    filled(include_str!("../../presets/blank.toml"), project)
}

fn filled(template: &str, project: &str) -> String {
    // In the file the placeholder stands in quotes; what is put there brings its own.
    template.replacen("\"PROJECT\"", &quoted(project), 1)
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
