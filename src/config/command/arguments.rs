//! Arguments that name files, written for Windows.

use std::path::Path;

use super::{
    Places, Unresolved, os,
    program::{find_in_another_case, is_dotnet, lexical},
};
use crate::config::findings::{Findings, WarningKind};

/// `arguments` with this system's separators where that names a file of the content root.
pub(super) fn translate(
    arguments: Vec<String>,
    places: &Places<'_>,
    findings: &mut Findings,
) -> Vec<String> {
    arguments
        .into_iter()
        .map(|argument| file_name(&argument, places, findings).unwrap_or(argument))
        .collect()
}

/// What `argument` must be to name the file it means, if it means one and does not name it yet.
fn file_name(argument: &str, places: &Places<'_>, findings: &mut Findings) -> Option<String> {
    let root = places.root;
    let native = os::native(argument);
    if os::is_foreign(&native) || root.join(argument).exists() {
        return None;
    }
    let candidate = root.join(&native);
    if candidate.exists() {
        return Some(native);
    }
    if native == argument && !is_library(argument) {
        return None;
    }
    let file = find_in_another_case(root, &native)?;
    let file = file.strip_prefix(root).unwrap_or(&file);
    let file = file.to_string_lossy().into_owned();
    let message = format!("`{argument}` is taken as `{file}`");
    findings.warn(places.at, WarningKind::Translated, "arguments", message);
    Some(file)
}

fn is_library(argument: &str) -> bool {
    let extension = Path::new(argument).extension();
    extension.is_some_and(|extension| extension.eq_ignore_ascii_case("dll"))
}

/// Why `dotnet` would not find the library that is its first argument.
pub(super) fn missing_library(
    program: &Path,
    arguments: &[String],
    root: &Path,
) -> Option<Unresolved> {
    let name = program.file_name()?.to_str()?;
    let library = arguments.first().filter(|first| is_library(first))?;
    let file = lexical(&root.join(library));
    let missing = is_dotnet(name) && !file.is_file();
    missing.then(|| {
        let place = format!("`{}`", file.display());
        Unresolved::nowhere(&format!("the library `{library}`"), &[place])
    })
}
