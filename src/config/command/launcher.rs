//! The placeholders that the SDK leaves in `web.config`, and the variables that override the command.

use super::{CommandLine, Places, Unresolved, discover::app_library, resolve, split};
use crate::config::{expand::Lookup, findings::Findings};

const PATH: &str = "%LAUNCHER_PATH%";
const ARGUMENTS: &str = "%LAUNCHER_ARGS%";

/// A command as written, before expansion.
#[derive(Debug)]
pub(in crate::config) struct Launch {
    pub(in crate::config) program: String,
    /// Not yet split: `web.config` has one line.
    pub(in crate::config) line: Option<String>,
    /// Already split.
    pub(in crate::config) list: Vec<String>,
}

/// The command that `launch` means.
///
/// ANCM: `ANCM_LAUNCHER_PATH` and `ANCM_LAUNCHER_ARGS` override what is written. A placeholder that is left after
/// that means the app which is there.
pub(in crate::config) fn launch(
    launch: &Launch,
    places: &Places<'_>,
    lookup: &Lookup,
    findings: &mut Findings,
) -> CommandLine {
    let over = |name| lookup.get(name).filter(|value| !value.is_empty());
    let program = lookup.expand(over("ANCM_LAUNCHER_PATH").unwrap_or(&launch.program));
    let line = over("ANCM_LAUNCHER_ARGS").or(launch.line.as_deref());
    let mut arguments = match line {
        Some(line) => split(&lookup.expand(line)),
        None => launch.list.iter().map(|item| lookup.expand(item)).collect(),
    };
    if !program.eq_ignore_ascii_case(PATH) {
        arguments.retain(|argument| !argument.eq_ignore_ascii_case(ARGUMENTS));
        return resolve(&program, arguments, places, findings);
    }
    match app_library(places.root) {
        Ok(library) => resolve("dotnet", with_library(arguments, library), places, findings),
        Err(problem) => unresolved(program, arguments, problem),
    }
}

/// `arguments` with `library` in the place of its placeholder, else before all others.
fn with_library(mut arguments: Vec<String>, library: String) -> Vec<String> {
    let place = arguments
        .iter()
        .position(|argument| argument.eq_ignore_ascii_case(ARGUMENTS));
    if let Some(place) = place {
        arguments.remove(place);
    }
    arguments.insert(place.unwrap_or(0), library);
    arguments
}

fn unresolved(program: String, arguments: Vec<String>, problem: Unresolved) -> CommandLine {
    CommandLine {
        program: program.into(),
        arguments,
        problem: Some(problem),
    }
}
