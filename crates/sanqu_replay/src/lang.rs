//! The language of the viewer's own words. Names of robots, zones, streams and tasks stay as they were given.

use bevy::prelude::Resource;
use serde::{Deserialize, Serialize};

/// A language.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Chinese, simplified.
    Zh,
}

impl Lang {
    /// The language of a locale such as `zh_CN.UTF-8`; English for all that is not Chinese.
    pub fn of_locale(locale: &str) -> Self {
        if locale.to_ascii_lowercase().starts_with("zh") { Self::Zh } else { Self::En }
    }

    /// One of two texts.
    pub fn pick<'a>(self, en: &'a str, zh: &'a str) -> &'a str {
        match self {
            Self::En => en,
            Self::Zh => zh,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales() {
        for (locale, expect) in [("zh_CN.UTF-8", Lang::Zh), ("ZH", Lang::Zh), ("en_US.UTF-8", Lang::En), ("C", Lang::En), ("", Lang::En)] {
            assert_eq!(Lang::of_locale(locale), expect, "{locale}");
        }
    }
}
