//! The app half: what stands inside an app that is hosted behind the module.
