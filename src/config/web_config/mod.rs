//! `web.config`: the parts of IIS's configuration that this module acts on.
//!
//! The names are compared as IIS does, which for elements and attributes is by their exact case.

mod collections;

use roxmltree::{Attribute, Document, Node, ParsingOptions};

use super::{
    findings::{Findings, Kind, Position, WarningKind, shown},
    raw::{Arguments, KEYS, RawConfig, Text, did_you_mean},
    sections,
    text::Lines,
};

/// More than this is no configuration that somebody wrote.
const DEEPEST: usize = 64;
const MOST_NODES: u32 = 100_000;

/// What `text` says. There are no DTDs and so no entities but those of XML itself.
pub(super) fn read(text: &str, findings: &mut Findings) -> RawConfig {
    let mut reader = Reader {
        lines: Lines::of(text),
        findings,
        raw: RawConfig::default(),
        section: None,
    };
    let options = ParsingOptions {
        nodes_limit: MOST_NODES,
        ..ParsingOptions::default()
    };
    match Document::parse_with_options(text, options) {
        Ok(document) => reader.document(&document),
        Err(error) => {
            let at = Position::new(error.pos().row, error.pos().col);
            let message = syntax(&error);
            reader.findings.error(Some(at), Kind::Syntax(message));
        }
    }
    reader.raw
}

/// What `error` says, without its place, which every error has.
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "all others say it well themselves"
)]
fn syntax(error: &roxmltree::Error) -> String {
    match error {
        roxmltree::Error::DtdDetected => "a document type (DTD) is not allowed".to_owned(),
        roxmltree::Error::NodesLimitReached => format!("more than {MOST_NODES} nodes"),
        other => {
            let (text, place) = (other.to_string(), format!(" at {}", other.pos()));
            shown(text.strip_suffix(&place).unwrap_or(&text))
        }
    }
}

struct Reader<'a> {
    lines: Lines<'a>,
    findings: &'a mut Findings,
    raw: RawConfig,
    /// Where the one `aspNetCore` stands.
    section: Option<Position>,
}

impl Reader<'_> {
    fn document(&mut self, document: &Document<'_>) {
        let root = document.root_element();
        if depth(root) > DEEPEST {
            let at = self.at(root);
            return self.findings.error(Some(at), Kind::TooDeep(DEEPEST));
        }
        if name(root) != "configuration" {
            let at = self.at(root);
            let name = shown(name(root));
            return self.findings.error(Some(at), Kind::WrongRoot(name));
        }
        for child in elements(root) {
            match name(child) {
                "system.webServer" => self.web_server(child),
                "location" => self.location(child),
                _ => {}
            }
        }
        self.look_for_lost_section(root);
    }

    /// What `dotnet publish` writes: `<location path="." inheritInChildApplications="false">`.
    fn location(&mut self, node: Node<'_, '_>) {
        let path = node.attribute("path").unwrap_or_default();
        if !matches!(path, "" | ".") {
            let message = "ignored: only what holds for the whole app is read";
            return self.warn(
                node,
                WarningKind::Ignored,
                &format!("location {path}"),
                message,
            );
        }
        for child in elements(node).filter(|child| name(*child) == "system.webServer") {
            self.web_server(child);
        }
    }

    fn web_server(&mut self, node: Node<'_, '_>) {
        for child in elements(node) {
            match name(child) {
                "aspNetCore" => self.asp_net_core(child),
                "webSocket" => self.raw.web_socket = self.enabled(child),
                "security" => self.security(child),
                other => self.ignored(child, sections::ignored(other)),
            }
        }
    }

    fn asp_net_core(&mut self, node: Node<'_, '_>) {
        let at = self.at(node);
        if let Some(first) = self.section.replace(at) {
            let key = "aspNetCore".to_owned();
            return self.findings.error(Some(at), Kind::Twice { key, first });
        }
        for attribute in node.attributes() {
            let text = self.text(attribute);
            if attribute.namespace().is_some() {
                self.unknown(attribute, []);
            } else if attribute.name() == "arguments" {
                self.raw.arguments = Some(Arguments::Line(text));
            } else if let Some(slot) = self.raw.slot(attribute.name()) {
                *slot = Some(text);
            } else {
                self.unknown(attribute, KEYS);
            }
        }
        for child in elements(node) {
            match name(child) {
                "environmentVariables" => {
                    let pairs = self.pairs(child, "environmentVariable");
                    self.raw.environment.extend(pairs);
                }
                "handlerSettings" => {
                    let pairs = self.pairs(child, "handlerSetting");
                    self.raw.handler_settings.extend(pairs);
                }
                "recycleOnFileChange" => {
                    let files = self.collection(child, "file", |reader, file| {
                        reader.required(file, "path", "it needs a path")
                    });
                    self.raw.recycle_on_file_change.extend(files);
                }
                _ => self.unknown_element(child),
            }
        }
    }

    fn security(&mut self, node: Node<'_, '_>) {
        for child in elements(node) {
            match name(child) {
                "authentication" => self.authentication(child),
                "requestFiltering" => self.request_filtering(child),
                other => self.ignored(child, sections::ignored_security(other)),
            }
        }
    }

    /// Of this only the length of bodies counts.
    fn request_filtering(&mut self, node: Node<'_, '_>) {
        let limits = |child: &Node<'_, '_>| name(*child) == "requestLimits";
        if node.attributes().len() > 0 || !elements(node).all(|child| limits(&child)) {
            self.ignored(node, sections::ignored_security(name(node)));
        }
        for child in elements(node).filter(limits) {
            for attribute in child.attributes() {
                if attribute.name() == "maxAllowedContentLength" {
                    self.raw.max_allowed_content_length = Some(self.text(attribute));
                } else {
                    let subject = format!("requestLimits {}", attribute.name());
                    self.warn(child, WarningKind::Ignored, &subject, "ignored");
                }
            }
            for other in elements(child) {
                let subject = format!("requestLimits {}", name(other));
                self.warn(other, WarningKind::Ignored, &subject, "ignored");
            }
        }
    }

    fn authentication(&mut self, node: Node<'_, '_>) {
        for child in elements(node) {
            match name(child) {
                "windowsAuthentication" => self.raw.windows_authentication = self.enabled(child),
                "basicAuthentication" => {
                    self.raw.basic_authentication = self.enabled_and(child, &["realm"]);
                    let realm = child.attribute_node("realm");
                    self.raw.basic_realm = realm.map(|realm| self.text(realm));
                }
                "anonymousAuthentication" => {
                    self.raw.anonymous_authentication = self.enabled(child);
                }
                _ => self.ignored(child, Some("nobody is authenticated by it")),
            }
        }
    }

    /// The attribute `enabled`, which is all that counts of `node`.
    fn enabled(&mut self, node: Node<'_, '_>) -> Option<Text> {
        self.enabled_and(node, &[])
    }

    /// The same, where `others` count too.
    fn enabled_and(&mut self, node: Node<'_, '_>, others: &[&str]) -> Option<Text> {
        let counts = |name: &str| name == "enabled" || others.contains(&name);
        for attribute in node.attributes().filter(|a| !counts(a.name())) {
            let subject = format!("{} {}", name(node), attribute.name());
            self.warn(node, WarningKind::Ignored, &subject, "ignored");
        }
        for child in elements(node) {
            let subject = format!("{} {}", name(node), name(child));
            self.warn(child, WarningKind::Ignored, &subject, "ignored");
        }
        let attribute = node.attribute_node("enabled")?;
        Some(self.text(attribute))
    }

    /// Tells of an `aspNetCore` that stands where nobody reads it, if that is the only one.
    fn look_for_lost_section(&mut self, root: Node<'_, '_>) {
        let section = |node: &Node<'_, '_>| name(*node) == "aspNetCore";
        if let (None, Some(node)) = (self.section, root.descendants().find(section)) {
            let at = self.at(node);
            self.findings.error(Some(at), Kind::Misplaced);
        }
    }

    fn ignored(&mut self, node: Node<'_, '_>, meaning: Option<&str>) {
        if let Some(meaning) = meaning {
            let message = format!("ignored: {meaning}");
            self.warn(node, WarningKind::Ignored, name(node), &message);
        }
    }

    fn unknown<'k>(
        &mut self,
        attribute: Attribute<'_, '_>,
        known: impl IntoIterator<Item = &'k str>,
    ) {
        let hint = did_you_mean(attribute.name(), known);
        let message = format!("not an attribute that is known{hint}");
        let at = self.lines.position(attribute.range().start);
        self.findings
            .warn(Some(at), WarningKind::Unknown, attribute.name(), message);
    }

    fn unknown_element(&mut self, node: Node<'_, '_>) {
        let message = "not an element that is known here";
        self.warn(node, WarningKind::Unknown, name(node), message);
    }

    fn warn(&mut self, node: Node<'_, '_>, kind: WarningKind, subject: &str, message: &str) {
        let at = self.at(node);
        self.findings.warn(Some(at), kind, subject, message);
    }

    fn text(&self, attribute: Attribute<'_, '_>) -> Text {
        Text {
            text: attribute.value().to_owned(),
            at: self.lines.position(attribute.range().start),
        }
    }

    fn at(&self, node: Node<'_, '_>) -> Position {
        self.lines.position(node.range().start)
    }
}

fn name<'a>(node: Node<'a, '_>) -> &'a str {
    node.tag_name().name()
}

fn elements<'a, 'input>(node: Node<'a, 'input>) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(Node::is_element)
}

/// How deep the elements under `root` are nested, without recursion.
fn depth(root: Node<'_, '_>) -> usize {
    let (mut deepest, mut open) = (0, vec![root]);
    let mut level = 0;
    while !open.is_empty() && level <= DEEPEST {
        level += 1;
        deepest = level;
        open = open.into_iter().flat_map(elements).collect();
    }
    deepest
}

#[cfg(test)]
mod tests;
