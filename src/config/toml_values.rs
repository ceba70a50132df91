//! The values of `ancm.toml`, as text with its place, or what is wrong with them.

use toml::{Spanned, de::DeValue};

use super::{
    findings::{Findings, Kind, Position, shown},
    raw::{Text, did_you_mean},
    text::Lines,
};

pub(super) type Key<'i> = Spanned<std::borrow::Cow<'i, str>>;
pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// Reads the text of `lines`, and tells what is wrong with it.
pub(super) struct Reader<'a> {
    pub(super) lines: Lines<'a>,
    pub(super) findings: &'a mut Findings,
}

impl Reader<'_> {
    /// A table of strings.
    pub(super) fn strings(&mut self, key: &Key<'_>, value: &Value<'_>) -> Vec<(Text, Text)> {
        self.pairs(key, value, Self::string)
    }

    /// A table of strings, numbers and booleans.
    pub(super) fn scalars(&mut self, key: &Key<'_>, value: &Value<'_>) -> Vec<(Text, Text)> {
        self.pairs(key, value, Self::scalar)
    }

    fn pairs(
        &mut self,
        key: &Key<'_>,
        value: &Value<'_>,
        read: fn(&mut Self, &Key<'_>, &Value<'_>) -> Option<Text>,
    ) -> Vec<(Text, Text)> {
        let Some(table) = value.get_ref().as_table() else {
            self.mistyped(key.get_ref(), "a table", value);
            return Vec::new();
        };
        let mut pairs: Vec<_> = table
            .iter()
            .filter_map(|(name, value)| {
                let text = read(self, name, value)?;
                let at = self.lines.position(name.span().start);
                let name = name.get_ref().to_string();
                Some((Text { text: name, at }, text))
            })
            .collect();
        // The table is sorted by name; what counts is the order of the file.
        pairs.sort_by_key(|(name, _)| name.at);
        pairs
    }

    /// An array of strings.
    pub(super) fn list(&mut self, key: &str, value: &Value<'_>) -> Vec<Text> {
        let Some(items) = value.get_ref().as_array() else {
            self.mistyped(key, "an array of strings", value);
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in items {
            match item.get_ref().as_str() {
                Some(text) => texts.push(self.text(text, item)),
                None => self.mistyped(key, "an array of strings", item),
            }
        }
        texts
    }

    pub(super) fn string(&mut self, key: &Key<'_>, value: &Value<'_>) -> Option<Text> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.mistyped(key.get_ref(), "a string", value);
        }
        text.map(|text| self.text(text, value))
    }

    /// A string, a number or a boolean as text: what it must be is checked with those of `web.config`.
    pub(super) fn scalar(&mut self, key: &Key<'_>, value: &Value<'_>) -> Option<Text> {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Boolean(value) => value.to_string(),
            DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                self.mistyped(key.get_ref(), "one value", value);
                return None;
            }
        };
        Some(self.text(&text, value))
    }

    pub(super) fn text(&self, text: &str, value: &Value<'_>) -> Text {
        Text {
            text: text.to_owned(),
            at: self.lines.position(value.span().start),
        }
    }

    pub(super) fn mistyped(&mut self, key: &str, expected: &str, value: &Value<'_>) {
        let at = self.lines.position(value.span().start);
        let bad = Kind::bad(key, expected, value.get_ref().type_str());
        self.findings.error(Some(at), bad);
    }

    pub(super) fn unknown<'k>(&mut self, key: &Key<'_>, known: impl IntoIterator<Item = &'k str>) {
        let at = self.lines.position(key.span().start);
        let hint = did_you_mean(key.get_ref(), known);
        let name = shown(key.get_ref());
        self.findings.error(Some(at), Kind::UnknownKey(name, hint));
    }

    pub(super) fn error(&mut self, at: Position, kind: Kind) {
        self.findings.error(Some(at), kind);
    }
}
