//! Collections: elements that add to a list, and `clear`, which empties it.

use roxmltree::Node;

use super::{Reader, elements, name};
use crate::config::{findings::Kind, raw::Text};

impl Reader<'_> {
    /// A collection of names and values. A missing value is empty.
    pub(super) fn pairs(&mut self, node: Node<'_, '_>, item: &'static str) -> Vec<(Text, Text)> {
        self.collection(node, item, |reader, child| {
            let name = reader.required(child, "name", "it needs a name")?;
            let value = child.attribute_node("value");
            let empty = Text {
                text: String::new(),
                at: name.at,
            };
            let value = value.map_or(empty, |value| reader.text(value));
            Some((name, value))
        })
    }

    /// A collection of IIS: `item` adds to it, `clear` empties it.
    pub(super) fn collection<T>(
        &mut self,
        node: Node<'_, '_>,
        item: &'static str,
        read: impl Fn(&mut Self, Node<'_, '_>) -> Option<T>,
    ) -> Vec<T> {
        let mut items = Vec::new();
        for child in elements(node) {
            match name(child) {
                "clear" => items.clear(),
                name if name == item => items.extend(read(self, child)),
                _ => self.unknown_element(child),
            }
        }
        items
    }

    /// An attribute without which its element means nothing.
    pub(super) fn required(
        &mut self,
        node: Node<'_, '_>,
        key: &'static str,
        hint: &'static str,
    ) -> Option<Text> {
        for attribute in node.attributes() {
            if !matches!(attribute.name(), "name" | "value" | "path") {
                self.unknown(attribute, []);
            }
        }
        let attribute = node.attribute_node(key);
        let text = attribute.map(|attribute| self.text(attribute));
        let text = text.filter(|text| !text.text.is_empty());
        if text.is_none() {
            let at = self.at(node);
            self.findings.error(Some(at), Kind::Missing { key, hint });
        }
        text
    }
}
