//! Positions of switches that are texts or lists: what a private store of the dialect may demand.

use super::SwitchValue;

/// Sizes in bytes, or none of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sizes(pub(crate) Vec<u64>);

impl SwitchValue for Sizes {
    fn accepted() -> String {
        "none or sizes in bytes, such as 4194304,8388608".to_owned()
    }
    fn parse(text: &str) -> Option<Self> {
        if text == "none" {
            return Some(Sizes(Vec::new()));
        }
        let size = |text: &str| text.trim().parse().ok().filter(|size| *size > 0);
        text.split(',').map(size).collect::<Option<_>>().map(Sizes)
    }
    fn text(&self) -> String {
        let sizes: Vec<_> = self.0.iter().map(u64::to_string).collect();
        if sizes.is_empty() {
            "none".to_owned()
        } else {
            sizes.join(",")
        }
    }
}

/// A word, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) Option<String>);

impl SwitchValue for Word {
    fn accepted() -> String {
        "none or a word".to_owned()
    }
    fn parse(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Word(None)),
            _ if is_word(text) => Some(Word(Some(text.to_owned()))),
            _ => None,
        }
    }
    fn text(&self) -> String {
        self.0.clone().unwrap_or_else(|| "none".to_owned())
    }
}

/// A field that requests must have, with this value where one is told, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Demand(pub(crate) Option<DemandedField>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DemandedField {
    pub(crate) name: String,
    /// Any value when `None`.
    pub(crate) value: Option<String>,
}

impl SwitchValue for Demand {
    fn accepted() -> String {
        "none, NAME or NAME=VALUE".to_owned()
    }
    fn parse(text: &str) -> Option<Self> {
        if text == "none" {
            return Some(Demand(None));
        }
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        is_word(name).then(|| {
            let name = name.to_owned();
            Demand(Some(DemandedField { name, value }))
        })
    }
    fn text(&self) -> String {
        match &self.0 {
            None => "none".to_owned(),
            Some(DemandedField { name, value: None }) => name.clone(),
            Some(DemandedField {
                name,
                value: Some(value),
            }) => format!("{name}={value}"),
        }
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}
