//! `ancm check`: says what `run` would do.

use crate::{args::Run, failure::Failure, run::Target};

/// Prints what was understood.
pub(crate) fn check(run: &Run) -> Result<(), Failure> {
    let _ = Target::resolve(&run.app)?;
    Ok(())
}
