//! Whether clients may see why a start failed.

use super::{Config, Vars};

impl Config {
    /// Whether error pages show detail: the environment or, after it, the app's own variables say `Development`, or
    /// ask for it by `ASPNETCORE_DETAILEDERRORS`.
    ///
    /// ANCM: the same names, values and order, there for the pages of in-process hosting alone.
    #[must_use]
    pub fn detailed_errors(&self, vars: &dyn Vars) -> bool {
        let value = |name: &str| {
            let own = vars.text(name).filter(|value| !value.is_empty());
            own.or_else(|| self.variable(name).map(str::to_owned))
                .unwrap_or_default()
        };
        let development = |name: &str| value(name).eq_ignore_ascii_case("development");
        let asked = value("ASPNETCORE_DETAILEDERRORS");
        asked == "1"
            || asked.eq_ignore_ascii_case("true")
            || development("ASPNETCORE_ENVIRONMENT")
            || development("DOTNET_ENVIRONMENT")
    }

    fn variable(&self, wanted: &str) -> Option<&str> {
        self.environment()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_environment_is_asked_before_the_configuration() {
        let root = tempfile::tempdir().unwrap();
        for (own, configured, want) in [
            (None, None, false),
            (None, Some(("ASPNETCORE_ENVIRONMENT", "Development")), true),
            (None, Some(("aspnetcore_environment", "development")), true),
            (
                Some(("ASPNETCORE_ENVIRONMENT", "Production")),
                Some(("ASPNETCORE_ENVIRONMENT", "Development")),
                false,
            ),
            (Some(("DOTNET_ENVIRONMENT", "Development")), None, true),
            (Some(("ASPNETCORE_DETAILEDERRORS", "1")), None, true),
            (Some(("ASPNETCORE_DETAILEDERRORS", "yes")), None, false),
            (
                Some(("ASPNETCORE_DETAILEDERRORS", "")),
                Some(("ASPNETCORE_DETAILEDERRORS", "TRUE")),
                true,
            ),
        ] {
            let vars: BTreeMap<_, _> = own
                .into_iter()
                .map(|(n, v)| (n.to_owned(), v.to_owned()))
                .collect();
            let mut config = Config::builder(root.path()).program("app");
            if let Some((name, value)) = configured {
                config = config.environment(name, value);
            }
            assert_eq!(
                config.build().unwrap().detailed_errors(&vars),
                want,
                "{own:?} {configured:?}"
            );
        }
    }
}
