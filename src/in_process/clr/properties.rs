//! The runtime properties that an app is started with.
//!
//! Properties, not variables: nothing of it gets to the app's own child processes.

use std::path::Path;

use super::{abi, hostfxr::Property, native::Native};

/// What tells the managed side that we are here, and has it run before Main; and how large the stacks of its threads are,
/// where that is said.
pub(super) fn properties(
    native: &'static Native,
    hosting: &Path,
    stack: Option<usize>,
) -> Vec<Property> {
    let address = native.address();
    let hook = hosting.to_string_lossy().into_owned();
    let others = std::env::var("DOTNET_STARTUP_HOOKS").unwrap_or_default();
    let mut properties = vec![
        Property {
            name: abi::PROPERTY,
            value: Box::new(|_| address),
        },
        Property {
            name: "STARTUP_HOOKS",
            value: Box::new(move |present| {
                hooks(&others, present.as_deref().unwrap_or_default(), &hook)
            }),
        },
    ];
    // ANCM: hexadecimal; CoreCLR makes its threads by it.
    properties.extend(stack.map(|bytes| Property {
        name: "DEFAULT_STACK_SIZE",
        value: Box::new(move |_| format!("{bytes:x}")),
    }));
    properties
}

/// The property replaces the variable, so both are said; ours is the last, because it runs Main and does not return.
fn hooks(variable: &str, property: &str, ours: &str) -> String {
    let mut all: Vec<&str> = Vec::new();
    for hook in variable.split(':').chain(property.split(':')) {
        if !hook.is_empty() && hook != ours && !all.contains(&hook) {
            all.push(hook);
        }
    }
    all.push(ours);
    all.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_of_others_stay_and_ours_is_the_last() {
        for (variable, property, want) in [
            ("", "", "/ours"),
            ("/a:/b", "", "/a:/b:/ours"),
            ("/a", "/a:/c", "/a:/c:/ours"),
            ("/ours:/a", ":", "/a:/ours"),
        ] {
            assert_eq!(hooks(variable, property, "/ours"), want);
        }
    }
}
