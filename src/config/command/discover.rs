//! Finds the app of a content root when nothing names it.

use std::path::Path;

use super::Unresolved;

const RUNTIME_CONFIG: &str = ".runtimeconfig.json";

/// The library of the one app that was published to `root`: `App.dll` beside `App.runtimeconfig.json`.
pub(super) fn app_library(root: &Path) -> Result<String, Unresolved> {
    let entries = root.read_dir().map_err(|error| {
        Unresolved::new(format!(
            "can't look for the app in `{}`: {error}",
            root.display()
        ))
    })?;
    let mut libraries: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| Some(format!("{}.dll", name.strip_suffix(RUNTIME_CONFIG)?)))
        .filter(|library| root.join(library).is_file())
        .collect();
    libraries.sort();
    match (libraries.pop(), &*libraries) {
        (Some(library), []) => Ok(library),
        (Some(last), others) => Err(Unresolved::new(format!(
            "which app is meant? `{}` holds {} and {last}: name one in processPath and arguments",
            root.display(),
            others.join(", ")
        ))),
        (None, _) => Err(Unresolved::new(format!(
            "no app in `{}`: looked for a *{RUNTIME_CONFIG} with its .dll beside it",
            root.display()
        ))),
    }
}
